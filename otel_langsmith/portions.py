"""Blocks of spans → portions of them whose content fits in memory at once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from otel_langsmith.assembly import Placed, memory_of

PORTION_BYTES: Final = 8 * 2**20
"""Memory of runs that wait to be told apart; the 256 that may could have a megabyte each."""

_STRIDE: Final = 3
"""Odd, so that traces of four or eight spans are not always weighed by the same one."""


def portions(blocks: Iterable[Sequence[Placed]]) -> Iterator[Iterator[Sequence[Placed]]]:
    """The same blocks in order; a portion ends after the block that makes it too large.

    Each portion is to be used up before the next.
    """
    rest = enumerate(blocks)
    for first in rest:
        yield _portion(chain((first,), rest))


def _portion(blocks: Iterable[tuple[int, Sequence[Placed]]]) -> Iterator[Sequence[Placed]]:
    """Of a block one span is weighed, in each another one: all would cost 5 µs a model call.

    What is read of a span takes about as much as the texts it is read from, its events' too.
    """
    taken = 0
    for number, block in blocks:
        yield block
        if block:
            taken += len(block) * _memory_of(block[number * _STRIDE % len(block)])
        if taken > PORTION_BYTES:
            return


def _memory_of(placed: Placed) -> int:
    try:
        return memory_of(placed.span, placed.attributes)
    except Exception:  # noqa: BLE001 - what cannot be read is lost where it is translated, alone
        return 0
