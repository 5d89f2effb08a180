"""Model calls, indexed by what two runs of the same call have in common.

Pure, and knows runs only; whether two runs do tell of one call is decided in `twice`.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from otel_langsmith.identity import SEGMENT_LENGTH, STAMP_LENGTH
from otel_langsmith.run import Run

_NEAREST: Final = 8
"""How many ancestors of a call are searched for another call that contains it."""

_LATEST: Final = 64
"""How many calls beneath one run, or with the same token counts, are compared."""

_ABOVE: Final = slice(-SEGMENT_LENGTH - _NEAREST * (SEGMENT_LENGTH + 1), -SEGMENT_LENGTH)
"""Where in a dotted order the nearest ancestors are, each with a dot behind it."""

_UNCOUNTED: Final[Mapping[str, None]] = {"input_tokens": None, "output_tokens": None}

_Features: TypeAlias = tuple[Any, ...]
"""What two runs of one call would have in common, and nothing that was said."""

_ID, _BRANCH, _SCOPE = 0, 1, 2
"""Where in it these are."""

_Counts: TypeAlias = tuple[str, int, int]
Cell: TypeAlias = "tuple[Call, Cell | None]"
"""The latest call with something in common, and those before it."""


class Call:
    """A model call as one instrumentation saw it, for comparing it with others."""

    __slots__ = (
        *("_runs", "_at", "id", "kind", "trace", "above", "start_ns", "end_ns", "owner", "counts"),
        *("scope", "thread", "user", "model", "response_model", "response"),
        *("same_as", "paired", "details"),
    )
    id: str
    start_ns: int
    end_ns: int

    def __init__(self, runs: Sequence[Run], at: int, features: _Features) -> None:
        self._runs, self._at = runs, at
        (
            self.id,
            branch,
            self.scope,
            self.kind,
            self.trace,
            self.start_ns,
            end_ns,
            self.owner,
            read,
            written,
            self.thread,
            self.user,
            self.model,
            self.response_model,
            response,
        ) = features
        self.above = [segment[STAMP_LENGTH:] for segment in branch.split(".")[-2::-1]]
        self.end_ns = end_ns or self.start_ns
        self.counts = _counts(self.kind, read, written)
        self.response = response if isinstance(response, str) else None
        self.same_as: Call | None = None
        self.paired = False
        self.details: tuple[Run, ...] = ()

    @property
    def run(self) -> Run | None:
        """The run of the call; None once it was sent, be that by another thread in this moment."""
        return next(iter(self._runs[self._at : self._at + 1]), None)

    def holds(self, other: "Call") -> bool:
        """Whether the other call began and ended while this one lasted."""
        return self.start_ns <= other.start_ns and other.end_ns <= self.end_ns


class Group:
    """The model calls of one block of spans: their runs until they are sent, and their features.

    Most are never compared with another; for these no `Call` is made.
    """

    __slots__ = ("calls", "features", "runs")

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        self.features = _features(runs)
        self.calls: Sequence[Call] = ()

    def __len__(self) -> int:
        return len(self.features)

    @property
    def ids(self) -> Sequence[str]:
        """Their run ids."""
        return [one[_ID] for one in self.features]

    @property
    def scopes(self) -> Sequence[object]:
        """Which instrumentation saw each of them."""
        return [one[_SCOPE] for one in self.features]

    @property
    def above(self) -> set[str]:
        """The run ids of all their nearest ancestors."""
        branches = "".join({one[_BRANCH] for one in self.features})
        return {segment[STAMP_LENGTH:] for segment in set(branches.split("."))}

    def compared(self) -> Sequence[Call]:
        """The calls as objects, which hold from now on what comparing them finds."""
        self.calls = [Call(self.runs, at, one) for at, one in enumerate(self.features)]
        return self.calls

    def let_go(self) -> None:
        """Let go of the runs, whose content takes memory."""
        self.runs.clear()
        for call in self.calls:
            call.details = ()


class Memory:
    """An index of calls by run id, ancestor, token counts and response id."""

    __slots__ = ("_above", "_ids", "_unsorted", "alike", "answered", "beneath", "calls", "size")

    def __init__(self) -> None:
        self.size = 0
        self._ids: set[str] = set()
        self._above: set[str] = set()
        self._unsorted: deque[Group] = deque()
        self.calls: dict[str, Call] = {}
        self.beneath: dict[str, Cell] = {}
        self.alike: dict[_Counts | None, Cell] = {}
        self.answered: dict[str | None, Cell] = {}

    def has_relatives(self, ids: Iterable[str], above: Iterable[str]) -> bool:
        """Whether a call with one of these ids or ancestors is above or beneath any of these."""
        return not (self._above.isdisjoint(ids) and self._ids.isdisjoint(above))

    def note(self, ids: Iterable[str], above: Iterable[str]) -> None:
        """Let `has_relatives` know of calls with these ids and ancestors."""
        self._ids.update(ids)
        self._above.update(above)

    def add(self, group: Group) -> None:
        """Remember more calls; they are indexed when `sort` is called."""
        self.size += len(group)
        self._unsorted.append(group)

    def sort(self) -> None:
        """Index all calls that were added."""
        while self._unsorted:
            try:
                group = self._unsorted.popleft()
            except IndexError:  # another delivery was faster
                return
            for call in group.compared():
                self.put(call)

    def has_common(self, call: Call) -> bool:
        """Whether any of these may be the same call; for most there is none."""
        return (
            call.id in self.beneath
            or call.counts in self.alike
            or call.response in self.answered
            or not self.calls.keys().isdisjoint(call.above)
        )

    def put(self, call: Call) -> None:
        """Index one call."""
        self.calls[call.id] = call
        beneath = self.beneath
        for run_id in call.above:
            beneath[run_id] = call, beneath.get(run_id)
        if call.counts:
            self.alike[call.counts] = call, self.alike.get(call.counts)
        if call.response:
            self.answered[call.response] = call, self.answered.get(call.response)


def latest(*cells: "Cell | None") -> list[Call]:
    """The calls with something in common, oldest first, of cells that are newest first."""
    found: list[Call] = []
    for cell in cells:
        while cell is not None and len(found) < _LATEST:
            call, cell = cell  # noqa: PLW2901 - one by one
            found.append(call)
    return found[::-1]


def _features(runs: Iterable[Run]) -> Sequence[_Features]:
    """What is remembered of each run, in the order in which `Call` takes it.

    That much and no more is looked up for every model call.
    """
    features: list[_Features] = []
    for run in runs:
        told = run.metadata.get
        usage = told("usage_metadata", _UNCOUNTED)
        try:
            read, written = usage["input_tokens"], usage["output_tokens"]
        except (KeyError, TypeError):  # it does not say both, or is no object at all
            read = written = None
        features.append(
            (
                run.id,
                run.dotted_order[_ABOVE],
                told("otel.scope.name"),
                run.run_type,
                run.trace_id,
                run.start_time_ns,
                run.end_time_ns,
                run.session_id or run.project,
                read,
                written,
                told("thread_id"),
                told("user_id"),
                told("ls_model_name"),
                told("ls_response_model"),
                told("response_id"),
            )
        )
    return features


def _counts(kind: str, read: object, written: object) -> _Counts | None:
    """The tokens of a call, if it has any."""
    if type(read) is int and type(written) is int and read + written > 0:
        return kind, read, written
    return None
