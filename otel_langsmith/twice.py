"""One model call that two instrumentations traced → one run that counts, and a plain step.

Packages instrument themselves by now, and whoever instruments them as well sees each call twice;
every token would be paid for twice in LangSmith. Pure, and knows runs only.
"""

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from itertools import takewhile
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

from otel_langsmith.identity import STAMP_LENGTH
from otel_langsmith.run import JsonObject, Run

SAME_CALL: Final = "otel_langsmith.same_call"
"""Metadata of a run that does not count: the run that tells of the same call and does."""

AHEAD: Final = 256
"""How many runs are looked at before the first of them must be sent."""

REMEMBERED: Final = 2_048
"""How many model calls are remembered at most, without the content of those that were sent.

The older half is forgotten at once: to forget one at a time costs as much as to remember it.
"""

_NEAREST: Final = 8
"""How far up a call looks for another that it is a part of."""

_LATEST: Final = 64
"""How many calls beneath one run, or with the same tokens, are looked at."""

_MODEL_RUNS: Final = frozenset(("llm", "embedding"))

_WATCHED: Final = _MODEL_RUNS | {"tool"}

_LESSER: Final = frozenset(("com.anthropic.sdk.python",))
"""Scopes that tell less of the same content: images are a word, tool results the user's."""

_UNITED: Final = (
    "finish_reasons",
    "ls_model_name",
    "ls_model_type",
    "ls_provider",
    "ls_response_model",
    "response_id",
    "service_tier",
    "system_fingerprint",
    "thread_id",
    "user_id",
)
"""Metadata that one run of a call takes over from the other if it has none itself."""

_T = TypeVar("_T")
_Counts: TypeAlias = tuple[str, int, int]
_Cell: TypeAlias = "tuple[_Call, _Cell | None]"
"""The latest call with something in common, and those before it."""


_SEGMENTS: Final = _NEAREST + 1
_ABOVE: Final = slice(-2, -2 - _NEAREST, -1)
_TOKENS: Final = itemgetter("input_tokens", "output_tokens")


class _Call:
    """A model call as one instrumentation saw it; ``run`` is None once it was sent.

    What is remembered of it then has nothing that was said.
    """

    __slots__ = (
        *("run", "id", "kind", "trace", "above", "start_ns", "end_ns", "owner", "counts"),
        *("scope", "thread", "user", "model", "response_model", "response"),
        *("same_as", "paired", "details"),
    )

    def __init__(self, run: Run) -> None:
        told = run.metadata.get
        above = run.dotted_order.rsplit(".", _SEGMENTS)[_ABOVE]
        self.run: Run | None = run
        self.id = run.id
        self.kind = run.run_type
        self.trace = run.trace_id
        self.above = [segment[STAMP_LENGTH:] for segment in above]
        self.start_ns = run.start_time_ns
        self.end_ns = run.end_time_ns or run.start_time_ns
        self.owner = run.session_id or run.project
        self.counts = _counts(run.run_type, told("usage_metadata"))
        self.scope = told("otel.scope.name")
        self.thread = told("thread_id")
        self.user = told("user_id")
        self.model = told("ls_model_name")
        self.response_model = told("ls_response_model")
        response = told("response_id")
        self.response = response if isinstance(response, str) else None
        self.same_as: _Call | None = None
        self.paired = False
        self.details: tuple[Run, ...] = ()

    def holds(self, other: "_Call") -> bool:
        """Whether the other began and ended within this one's time."""
        return self.start_ns <= other.start_ns and other.end_ns <= self.end_ns


class _Memory:
    """Calls, and what another run of the same call would have in common with one of them."""

    __slots__ = ("alike", "answered", "beneath", "calls", "size")

    def __init__(self) -> None:
        self.size = 0
        self.calls: dict[str, _Call] = {}
        self.beneath: dict[str, _Cell] = {}
        self.alike: dict[_Counts | None, _Cell] = {}
        self.answered: dict[str | None, _Cell] = {}

    def has_common(self, call: _Call) -> bool:
        """Whether the call has anything in common with these: most have nothing."""
        return (
            call.id in self.beneath
            or call.counts in self.alike
            or call.response in self.answered
            or not self.calls.keys().isdisjoint(call.above)
        )

    def add(self, call: _Call) -> None:
        """Remember one more."""
        self.size += 1
        self.calls[call.id] = call
        beneath = self.beneath
        for run_id in call.above:
            beneath[run_id] = call, beneath.get(run_id)
        if call.counts:
            self.alike[call.counts] = call, self.alike.get(call.counts)
        if call.response:
            self.answered[call.response] = call, self.answered.get(call.response)


class Twice:
    """Finds the runs that tell of one call, and lets one of them count.

    Two runs are of one call if one hangs beneath the other with no tool in between, or if they are
    of different instrumentations, one within the other's time, and agree on models and on tokens or
    the response: who attaches no context, as OpenInference for LangChain, has the other beside it
    or in a trace of its own. Of two traces only the same id of a response proves it, and no content
    passes between them; nor do runs of two projects, threads or users pair. A call with several
    calls beneath it only sums them up.

    Nothing waits for another delivery: a run that was sent counts, and what comes later gives way.
    Among those that can still be told, `_better` decides. Safe from any thread; two deliveries at
    once may miss a pair.
    """

    def __init__(self) -> None:
        self._young, self._old = _Memory(), _Memory()
        self._tools: set[str] = set()

    def once(self, runs: Iterable[tuple[_T, Run]]) -> Generator[tuple[_T, Run], None, None]:
        """The same runs in the same order; those that tell of a call once more are chains."""
        ahead: deque[tuple[_T, Run, _Call | None]] = deque()
        try:
            for what, run in runs:
                call = self._met(run) if run.run_type in _WATCHED else None
                if call is None and not ahead:
                    yield what, run
                    continue
                ahead.append((what, run, call))
                if len(ahead) > AHEAD:  # the first of them is a call
                    yield _sent(*ahead.popleft())
                    while ahead and ahead[0][2] is None:
                        yield _sent(*ahead.popleft())
            while ahead:
                yield _sent(*ahead.popleft())
        finally:  # a delivery that broke off leaves no content behind
            while ahead:
                _sent(*ahead.popleft())

    def _met(self, run: Run) -> _Call | None:
        if run.run_type == "tool":
            self._tools.add(run.id)
            if len(self._tools) > REMEMBERED:
                self._tools.clear()  # what is lost is that a tool was between two calls
            return None
        call = _Call(run)
        young, old = self._young, self._old
        is_known = young.has_common(call) or old.has_common(call)
        if is_known and not (self._over(call) or self._under(call)):
            self._beside(call)
        young.add(call)
        if young.size >= REMEMBERED // 2:
            self._young, self._old = _Memory(), young
        return call

    def _over(self, call: _Call) -> bool:
        """Whether calls beneath it, which ended before, were found."""
        inner = [
            one
            for one in _latest(self._young.beneath.get(call.id), self._old.beneath.get(call.id))
            if one.same_as is None and one.kind == call.kind and self._direct(one, call)
        ]
        telling = [one for one in inner if one.counts] or inner
        if len(telling) == 1:
            _pair(telling[0], call, nested=True)
        elif telling:
            call.same_as = telling[0]
        return bool(telling)

    def _under(self, call: _Call) -> bool:
        """Whether a call above it was found; it ended before, or its run goes first."""
        for run_id in call.above:
            if run_id in self._tools:
                break
            outer = self._young.calls.get(run_id) or self._old.calls.get(run_id)
            if outer is None or outer.same_as is not None:
                continue
            if outer.kind == call.kind:
                _pair(call, outer, nested=True)
                return True
        return False

    def _direct(self, inner: _Call, outer: _Call) -> bool:
        """Whether there is no tool between the two: that would have made a call of its own."""
        between = takewhile(lambda above: above != outer.id, inner.above)
        return self._tools.isdisjoint(between)

    def _beside(self, call: _Call) -> None:
        """Look for a run of the same call elsewhere: of the same tokens, or the same response.

        Who counts a stream himself may count otherwise, as Traceloop does Anthropic's.
        """
        young, old = self._young, self._old
        alike = _latest(young.alike.get(call.counts), old.alike.get(call.counts))
        answers = _latest(young.answered.get(call.response), old.answered.get(call.response))
        for other in [*alike, *answers]:
            if other.paired or other.scope == call.scope:
                continue
            is_outer = call.holds(other)
            inner, outer = (other, call) if is_outer else (call, other)
            if _is_same(inner, outer):
                _pair(inner, outer, nested=False)
                return


def _latest(*cells: "_Cell | None") -> list[_Call]:
    """The calls with something in common, oldest first, of cells that are newest first."""
    found: list[_Call] = []
    for cell in cells:
        while cell is not None and len(found) < _LATEST:
            call, cell = cell  # noqa: PLW2901 - one by one
            found.append(call)
    return found[::-1]


def _counts(kind: str, usage: Any) -> _Counts | None:
    """The tokens of a call, if it has any."""
    try:
        read, written = _TOKENS(usage)
    except (KeyError, TypeError):
        return None
    if type(read) is int and type(written) is int and read + written > 0:
        return kind, read, written
    return None


def _is_same(inner: _Call, outer: _Call) -> bool:
    """Whether two scopes' calls with the same tokens, neither beneath the other, are one."""
    apart = inner.id not in outer.above and outer.id not in inner.above
    beside = apart and (not inner.above or inner.above[0] in outer.above)
    known = None not in (inner.response, outer.response)
    return (
        beside
        and outer.holds(inner)
        and (inner.response == outer.response if known else inner.trace == outer.trace)
        and not _differ(inner.owner, outer.owner)
        and not _differ(inner.thread, outer.thread)
        and not _differ(inner.user, outer.user)
        and _agree((inner.model, inner.response_model), (outer.model, outer.response_model))
    )


def _differ(ours: object, theirs: object) -> bool:
    """Whether both say something, and not the same."""
    return ours is not None and theirs is not None and ours != theirs


def _agree(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Whether models may be the same: an answer often names a dated version of what was asked."""
    ours, theirs = ([name for name in names if isinstance(name, str)] for names in (one, other))
    if not (ours and theirs):
        return True
    return any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)


def _pair(inner: _Call, outer: _Call, *, nested: bool) -> None:
    winner = _better(inner, outer, nested=nested)
    loser = outer if winner is inner else inner
    inner.paired = outer.paired = True
    loser.same_as = winner
    # two traces may be two users': equal as they look, what one says is not put into the other
    is_one_trace = inner.trace == outer.trace
    if is_one_trace and winner.run is not None and loser.run is not None:
        winner.details = (*winner.details, loser.run, *loser.details)


def _better(inner: _Call, outer: _Call, *, nested: bool) -> _Call:
    """Who was sent, and counts; else who has content, tokens, the more exact of two scopes.

    If all that is equal, the inner one is nearest to what was really sent; but of two that are
    beside each other, the outer one is in the framework's tree.
    """
    ranks = [
        (
            call.run is None,
            call.run is not None and bool(call.run.inputs) + bool(call.run.outputs),
            call.counts is not None,
            str(call.scope) not in _LESSER,
            (call is inner) is nested,
        )
        for call in (inner, outer)
    ]
    return inner if ranks[0] > ranks[1] else outer


def _sent(what: _T, run: Run, call: _Call | None) -> tuple[_T, Run]:
    """A run as it is to be told, now that nothing more can be learned about it."""
    if call is None:
        return what, run
    call.run = None
    details = call.details
    if call.same_as is None and not details:  # as most are
        return what, run
    call.details = ()
    if call.same_as is not None:
        return what, _as_step(run, _who_counts(call))
    for other in details:
        run = _united(run, other)
    return what, run


def _who_counts(call: _Call) -> str:
    while call.same_as is not None:
        call = call.same_as
    return call.id


def _as_step(run: Run, same_as: str) -> Run:
    """The run of a call that another run counts."""
    metadata = {**run.metadata, SAME_CALL: same_as}
    if "usage_metadata" in metadata:
        metadata["aggregated_usage"] = metadata.pop("usage_metadata")
    return replace(run, run_type="chain", metadata=metadata)


def _united(run: Run, other: Run) -> Run:
    """The run, with what only the other one of the same call says."""
    lacking = {
        name: other.metadata[name]
        for name in _UNITED
        if name in other.metadata and name not in run.metadata
    }
    usage = _usage(run.metadata.get("usage_metadata"), other.metadata.get("usage_metadata"))
    if usage:
        lacking["usage_metadata"] = usage
    bare = not (run.inputs and run.outputs)
    return replace(
        run,
        inputs=run.inputs or other.inputs,
        outputs=run.outputs or other.outputs,
        attachments=(*run.attachments, *other.attachments) if bare else run.attachments,
        events=[*run.events, *_first_token(run, other)],
        metadata={**run.metadata, **lacking},
        invocation_params={**other.invocation_params, **run.invocation_params},
    )


def _usage(own: JsonObject | None, other: JsonObject | None) -> JsonObject | None:
    """Counts with the details of both, if they are of the same tokens."""
    if not (isinstance(own, Mapping) and isinstance(other, Mapping)):
        return own or other
    if any(own.get(name) != other.get(name) for name in ("input_tokens", "output_tokens")):
        return own
    united = {**other, **own}
    for name in ("input_token_details", "output_token_details"):
        parts = [part for part in (other.get(name), own.get(name)) if isinstance(part, Mapping)]
        if len(parts) > 1:
            united[name] = {**parts[0], **parts[1]}
    return united


def _first_token(run: Run, other: Run) -> list[JsonObject]:
    tokens = [event for event in other.events if event["name"] == "new_token"]
    return [] if any(event["name"] == "new_token" for event in run.events) else tokens
