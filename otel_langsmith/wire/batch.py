"""Encoded runs → batches, each of which fits one request."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from otel_langsmith.presence import Operation, Presence
from otel_langsmith.run import EMPTY, JsonObject
from otel_langsmith.wire.parts import Part, as_patch

Moment: TypeAlias = Literal["opening", "end", "closing"]
"""What an encoded run tells of: that it runs, how it ended, or that its end will not be known."""


class EncodedRun(NamedTuple):
    """A run as its parts; they are never split over two requests.

    ``alone``: it travels by itself as plain REST. ``place`` is then what the server needs to find
    its place in a tree: the parent's id, and the rest if we know it.
    """

    run_id: str
    parts: tuple[Part, ...]
    presence: Presence | None = None
    moment: Moment = "end"
    alone: bool = False
    place: JsonObject = EMPTY

    @property
    def size(self) -> int:
        """Bytes of all its parts, headers not counted, as LangSmith counts them."""
        return sum([len(part.body) for part in self.parts])

    @property
    def operation(self) -> Operation:
        """What is to be done with it now, by what LangSmith has of it."""
        if self.moment == "end":
            return self.presence.operation if self.presence else "post"
        return "post" if self.moment == "opening" else "patch"

    @property
    def doubtful(self) -> bool:
        """Whether a conflict over it may mean that only its opening is there."""
        return self.moment == "end" and self.presence is not None and self.presence.doubtful

    def as_sent(self) -> Iterator[Part]:
        """Its parts, named after what is to be done with it now."""
        return map(as_patch, self.parts) if self.operation == "patch" else iter(self.parts)


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one request. ``tried``: it may have been received, though no reply said so."""

    runs: Sequence[EncodedRun]
    size: int
    tried: bool = False

    def __len__(self) -> int:
        """How many runs it has."""
        return len(self.runs)

    @property
    def ends(self) -> int:
        """How many of them the ledger waits for: those whose span has ended."""
        return sum(run.moment == "end" for run in self.runs)

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same runs in two batches, of which neither was tried."""
        middle = len(self.runs) // 2
        return _batch(self.runs[:middle]), _batch(self.runs[middle:])


def _batch(runs: Sequence[EncodedRun]) -> Batch:
    return Batch(runs, sum(run.size for run in runs))


AMPLE: Final = 2 * 2**20
"""Bytes that are enough for a request: a larger one costs no less a byte, and waits in memory."""


def batches(runs: Iterable[EncodedRun], *, max_runs: int, max_bytes: int) -> Iterator[Batch]:
    """The runs in order, in batches that keep both limits.

    A run larger than ``max_bytes`` goes alone: only the server can say that it is too large. So
    does the second of two runs with one id, which in one request would sink all the others.
    """
    gathered: dict[str, EncodedRun] = {}
    size = 0
    for run in runs:
        own = run.size
        full = len(gathered) >= max_runs or size + own > min(max_bytes, AMPLE)
        if gathered and (full or run.alone or run.run_id in gathered):
            yield Batch([*gathered.values()], size)
            gathered, size = {}, 0
        if run.alone:
            yield _batch([run])
            continue
        gathered[run.run_id] = run
        size += own
    if gathered:
        yield Batch([*gathered.values()], size)
