"""Encoded runs → batches, each of which fits one request."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from otel_langsmith.wire.parts import Part


class EncodedRun(NamedTuple):
    """A run as its parts; they are never split over two requests."""

    run_id: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all its parts, headers not counted, as LangSmith counts them."""
        return sum(len(part.body) for part in self.parts)


def batches(
    runs: Iterable[EncodedRun], *, max_runs: int, max_bytes: int
) -> Iterator[list[EncodedRun]]:
    """The runs in order, in lists that keep both limits.

    A run larger than ``max_bytes`` goes alone: only the server can say that it is too large.
    """
    batch: list[EncodedRun] = []
    held_bytes = 0
    for run in runs:
        size = run.size
        if batch and (len(batch) >= max_runs or held_bytes + size > max_bytes):
            yield batch
            batch, held_bytes = [], 0
        batch.append(run)
        held_bytes += size
    if batch:
        yield batch
