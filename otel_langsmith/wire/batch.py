"""Encoded runs → batches, each of which fits one request."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from otel_langsmith.presence import Operation, Presence
from otel_langsmith.run import JsonObject
from otel_langsmith.wire.multipart import Instruction
from otel_langsmith.wire.parts import Parts, size_of
from otel_langsmith.wire.shorten import shortened

Moment: TypeAlias = Literal["opening", "end", "closing"]
"""What an encoded run is: the post of an open span, an ended span, or the patch that closes a run
whose end will not be known."""


@dataclass(slots=True)
class EncodedRun:
    """A run as its parts, which are never split over two requests. Never mutated once it is made.

    Attributes:
        run_id: The run's id.
        parts: What is sent of it.
        presence: What LangSmith has of it, if it was or may have been posted before its end.
        moment: Which moment of the run this tells of.
        alone: It is sent by itself, as plain REST.
        place: If ``alone``, what the server needs to find its place in a tree: the parent's id, and
            the rest if we know it.
        origin: Where it waited; means something only to whoever put it there.
        cuts: How many of its largest fields are to be cut.
    """

    run_id: str
    parts: Parts
    presence: Presence | None = None
    moment: Moment = "end"
    alone: bool = False
    place: JsonObject = field(default_factory=dict)
    origin: object = None
    cuts: int = 0

    @property
    def operation(self) -> Operation:
        """What is to be done with it now, by what LangSmith has of it."""
        if self.moment == "end":
            return self.presence.operation if self.presence else "post"
        return "post" if self.moment == "opening" else "patch"

    @property
    def doubtful(self) -> bool:
        """Whether a conflict over it may mean that only its opening is there."""
        return self.presence is not None and self.moment == "end" and self.presence.doubtful

    @property
    def content(self) -> Parts:
        """Its parts, the largest ones cut if LangSmith refused the whole."""
        return shortened(self.parts, self.cuts) if self.cuts else self.parts


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one request.

    Attributes:
        runs: At least one.
        size: Bytes of their parts.
        tried: The request was sent before and may have been received, though no reply said so.
        accused: An error named its one run as the culprit.
        ends: How many of its runs the ledger counts: those whose span has ended.
        openings: Those that only say that a run has begun.
    """

    runs: Sequence[EncodedRun]
    size: int
    tried: bool = False
    accused: bool = False
    ends: int = field(init=False)
    openings: Sequence[EncodedRun] = field(init=False)

    def __post_init__(self) -> None:
        # computed once, for a delivery asks ten times
        runs = self.runs
        ends = [run.moment for run in runs].count("end")
        shown = [run for run in runs if run.moment == "opening"] if ends < len(runs) else ()
        object.__setattr__(self, "ends", ends)
        object.__setattr__(self, "openings", shown)

    def __len__(self) -> int:
        """How many runs it has."""
        return len(self.runs)

    @property
    def sent_size(self) -> int:
        """Bytes of its parts as they are sent, before compression."""
        if len(self.runs) > 1:  # only a lone run is ever cut
            return self.size
        return sum(size_of(run.content) for run in self.runs)

    def instructions(self) -> Sequence[Instruction]:
        """What is to be done with each run now."""
        if len(self.runs) == 1:
            (run,) = self.runs
            return [(run.operation, run.run_id, run.content)]
        return [
            (
                "post" if run.presence is None and run.moment == "end" else run.operation,
                run.run_id,
                run.parts,
            )
            for run in self.runs
        ]

    def departs(self) -> None:
        """It is about to be sent; from now on what it opens may be there."""
        for run in self.openings:
            if run.presence is not None:
                run.presence.opening_sent()

    def arrived(self) -> None:
        """It was accepted, and what it opens is there."""
        for run in self.openings:
            if run.presence is not None:
                run.presence.opening_accepted()

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same runs in two batches, of which neither was tried."""
        middle = len(self.runs) // 2
        return _batch(self.runs[:middle]), _batch(self.runs[middle:])

    def parted(self, accused: Container[str]) -> tuple["Batch", "Batch"]:
        """The runs of these ids by themselves, and the others."""
        apart = _batch([run for run in self.runs if run.run_id in accused])
        others = _batch([run for run in self.runs if run.run_id not in accused])
        return replace(apart, accused=True), others


def _batch(runs: Sequence[EncodedRun]) -> Batch:
    return Batch(runs, sum(size_of(run.parts) for run in runs))


AMPLE: Final = 2 * 2**20
"""Bytes beyond which a larger request costs no less for each byte, and only takes memory."""


def batches(runs: Iterable[EncodedRun], *, max_runs: int, max_bytes: int) -> Iterator[Batch]:
    """The runs in order, in batches that keep both limits.

    A run larger than ``max_bytes`` goes alone: only the server can say that it is too large. So
    does the second of two runs with one id, which in one request would sink all the others.
    """
    gathered: dict[str, EncodedRun] = {}
    size = 0
    most = min(max_bytes, AMPLE)
    for run in runs:
        run_id, own = run.run_id, size_of(run.parts)
        full = len(gathered) >= max_runs or size + own > most
        if gathered and (full or run.alone or run_id in gathered):
            yield Batch([*gathered.values()], size)
            gathered, size = {}, 0
        if run.alone:
            yield Batch([run], own)
            continue
        gathered[run_id] = run
        size += own
    if gathered:
        yield Batch([*gathered.values()], size)
