"""Encoded runs → batches, each of which fits one request."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one request. ``tried``: it may have been received, though no reply said so."""

    runs: Sequence[EncodedRun]
    size: int
    tried: bool = False

    def __len__(self) -> int:
        """How many runs it has."""
        return len(self.runs)

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same runs in two batches, of which neither was tried."""
        middle = len(self.runs) // 2
        return _batch(self.runs[:middle]), _batch(self.runs[middle:])


def _batch(runs: Sequence[EncodedRun]) -> Batch:
    return Batch(runs, sum(run.size for run in runs))


def batches(runs: Iterable[EncodedRun], *, max_runs: int, max_bytes: int) -> Iterator[Batch]:
    """The runs in order, in batches that keep both limits.

    A run larger than ``max_bytes`` goes alone: only the server can say that it is too large. So
    does the second of two runs with one id, which in one request would sink all the others.
    """
    gathered: dict[str, EncodedRun] = {}
    size = 0
    for run in runs:
        full = len(gathered) >= max_runs or size + run.size > max_bytes
        if gathered and (full or run.run_id in gathered):
            yield Batch([*gathered.values()], size)
            gathered, size = {}, 0
        gathered[run.run_id] = run
        size += run.size
    if gathered:
        yield Batch([*gathered.values()], size)
