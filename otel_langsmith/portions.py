"""Placed spans → blocks that pass each step together, in portions of bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from otel_langsmith.assembly import Placed, memory_of

BLOCK: Final = 64
"""Spans of a block. Each step runs over the whole block, so that its code stays in the processor's
caches: with blocks of 8 an export takes a tenth longer, with 128 hardly less."""

BLOCK_BYTES: Final = 2**20
"""Memory of a block, so that its content stays in the caches, too."""

PORTION_BYTES: Final = 8 * 2**20
"""Memory of runs that wait to be told apart; the 256 that may could have a megabyte each."""

_WEIGHED: Final = 8
"""Of so many spans one is weighed: all would cost 5 µs a model call."""

_STRIDE: Final = 3
"""Which of them: odd, so that in traces of four or eight spans it is not always the same."""


def portions(placed: Sequence[Placed]) -> Iterator[Iterator[Sequence[Placed]]]:
    """The same spans in order, in blocks; a portion ends after the one that makes it too large.

    Each portion is to be used up before the next. What is read of a span takes about as much memory
    as the texts it is read from, its events' too.
    """
    rest = _blocks(placed)
    for first in rest:
        yield _portion(chain((first,), rest))


def _portion(rest: Iterable[tuple[Sequence[Placed], int]]) -> Iterator[Sequence[Placed]]:
    taken = 0
    for block, memory in rest:
        yield block
        taken += memory
        if taken > PORTION_BYTES:
            return


def _blocks(placed: Sequence[Placed]) -> Iterator[tuple[Sequence[Placed], int]]:
    """Blocks, and the memory of each."""
    block: list[Placed] = []
    memory = 0
    for number, begin in enumerate(range(0, len(placed), _WEIGHED)):
        few = placed[begin : begin + _WEIGHED]
        each = _memory_of(few[number * _STRIDE % len(few)])
        most = max(1, BLOCK_BYTES // max(1, each))
        for at in range(0, len(few), most):  # once, unless they are large
            block += few[at : at + most]
            memory += each * len(few[at : at + most])
            if len(block) >= BLOCK or memory >= BLOCK_BYTES:
                yield block, memory
                block, memory = [], 0
    if block:
        yield block, memory


def _memory_of(placed: Placed) -> int:
    try:
        return memory_of(placed.span, placed.attributes)
    except Exception:  # noqa: BLE001 - what cannot be read is lost where it is translated, alone
        return 0
