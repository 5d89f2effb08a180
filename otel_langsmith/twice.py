"""One model call that two instrumentations traced → one run that counts, and a plain step.

Packages instrument themselves by now, and whoever instruments them as well sees each call twice;
every token would be paid for twice in LangSmith. Pure, and knows runs only.
"""

from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Final, TypeAlias, TypeVar

from otel_langsmith.calls import Call, Group, Memory, latest
from otel_langsmith.run import JsonObject, Run

SAME_CALL: Final = "otel_langsmith.same_call"
"""Metadata of a run that does not count: the run that tells of the same call and does."""

AHEAD: Final = 256
"""How many runs are looked at before the first of them must be sent."""

REMEMBERED: Final = 2_048
"""How many model calls are remembered at most, without the content of those that were sent.

The older half is forgotten at once: to forget one at a time costs as much as to remember it.
"""

_MODELS: Final = frozenset(("llm", "embedding"))

_WATCHED: Final = _MODELS | {"tool"}

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
_Block: TypeAlias = Sequence[tuple[_T, Run]]


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

    Most applications have one instrumentation of models, whose calls have no calls beneath them.
    There a block of runs is asked at once whether that still holds, and its calls are not compared.
    """

    def __init__(self) -> None:
        self._young, self._old = Memory(), Memory()
        self._tools: set[str] = set()
        self._scope: Sequence[object] = ()
        """The instrumentation whose calls came first, once there are any."""
        self._are_many = False
        """Whether there are calls of others, too."""

    def once(self, blocks: Iterable[_Block[_T]]) -> Generator[_Block[_T], None, None]:
        """The same blocks in the same order, and the very same unless a run of theirs gave way."""
        waiting: deque[tuple[_Block[_T], Group | None]] = deque()
        behind = 0  # so many runs came after the first block that waits
        try:
            for block in blocks:
                behind += len(block) if waiting else 0
                waiting.append((block, self._known(block)))
                del block  # or what it says would be kept while the next is read
                while waiting and (behind >= AHEAD or waiting[0][1] is None):
                    yield _sent(*waiting.popleft())
                    behind -= len(waiting[0][0]) if waiting else 0
            while waiting:
                yield _sent(*waiting.popleft())
        finally:  # a delivery that broke off leaves no content behind
            while waiting:
                _sent(*waiting.popleft())

    def _known(self, block: _Block[_T]) -> Group | None:
        """The model calls of a block; none if they cannot be compared, so that it is told as it is.

        What was half done then is forgotten, with what it belongs to.
        """
        try:
            return self._met(block)
        except Exception:  # noqa: BLE001 - what a span says may be anybody's, its ``==`` included
            self._young, self._old, self._scope = Memory(), Memory(), ()
            return None

    def _met(self, block: _Block[_T]) -> Group | None:
        """The model calls of a block, if it has any; from now on they are known."""
        watched = [run for _, run in block if run.run_type in _WATCHED]
        if not watched:
            return None
        runs = [run for run in watched if run.run_type != "tool"]
        if not runs:
            self._pass_tools(watched)
            return None
        group = Group(runs)
        if self._young.size + len(group) > REMEMBERED // 2:
            self._young, self._old = Memory(), self._young
        if self._may_pair(group):
            self._compare(watched, group)
        else:
            self._young.add(group)
            self._pass_tools(watched)
        return group

    def _pass_tools(self, runs: Iterable[Run]) -> None:
        self._tools.update([run.id for run in runs if run.run_type == "tool"])
        if len(self._tools) > REMEMBERED:
            self._tools.clear()  # what is lost is that a tool was between two calls

    def _may_pair(self, group: Group) -> bool:
        """Whether there may be another run of one of these calls: of most there cannot."""
        scopes = group.scopes
        self._scope = self._scope or scopes[:1]
        if self._are_many or scopes.count(self._scope[0]) < len(scopes):
            self._are_many = True
            return True
        ids, above, young, old = group.ids, group.above, self._young, self._old
        found = (
            not above.isdisjoint(ids)
            or young.has_relatives(ids, above)
            or old.has_relatives(ids, above)
        )
        young.note(ids, above)
        return found

    def _compare(self, watched: Iterable[Run], group: Group) -> None:
        """Look for another run of each of these calls, in the order in which they came."""
        young, old = self._young, self._old
        young.sort()
        old.sort()
        calls = iter(group.compared())
        for run in watched:
            if run.run_type == "tool":
                self._pass_tools((run,))
                continue
            call = next(calls)
            is_known = young.has_common(call) or old.has_common(call)
            if is_known and not (self._over(call) or self._under(call)):
                self._beside(call)
            young.put(call)
        young.size += len(group)

    def _over(self, call: Call) -> bool:
        """Whether calls beneath it, which ended before, were found."""
        inner = [
            one
            for one in latest(self._young.beneath.get(call.id), self._old.beneath.get(call.id))
            if one.same_as is None and one.kind == call.kind and self._direct(one, call)
        ]
        telling = [one for one in inner if one.counts] or inner
        if len(telling) == 1:
            _pair(telling[0], call, nested=True)
        elif telling:
            call.same_as = telling[0]
        return bool(telling)

    def _under(self, call: Call) -> bool:
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

    def _direct(self, inner: Call, outer: Call) -> bool:
        """Whether there is no tool between the two: that would have made a call of its own."""
        between = takewhile(lambda above: above != outer.id, inner.above)
        return self._tools.isdisjoint(between)

    def _beside(self, call: Call) -> None:
        """Look for a run of the same call elsewhere: of the same tokens, or the same response.

        Who counts a stream himself may count otherwise, as Traceloop does Anthropic's.
        """
        young, old = self._young, self._old
        alike = latest(young.alike.get(call.counts), old.alike.get(call.counts))
        answers = latest(young.answered.get(call.response), old.answered.get(call.response))
        for other in [*alike, *answers]:
            if other.paired or other.scope == call.scope:
                continue
            is_outer = call.holds(other)
            inner, outer = (other, call) if is_outer else (call, other)
            if _is_same(inner, outer):
                _pair(inner, outer, nested=False)
                return


def _is_same(inner: Call, outer: Call) -> bool:
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


def _pair(inner: Call, outer: Call, *, nested: bool) -> None:
    winner = _better(inner, outer, nested=nested)
    loser = outer if winner is inner else inner
    inner.paired = outer.paired = True
    loser.same_as = winner
    # two traces may be two users': equal as they look, what one says is not put into the other
    is_one_trace = inner.trace == outer.trace
    if is_one_trace and winner.run is not None and loser.run is not None:
        winner.details = (*winner.details, loser.run, *loser.details)


def _better(inner: Call, outer: Call, *, nested: bool) -> Call:
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


def _sent(block: _Block[_T], group: Group | None) -> _Block[_T]:
    """A block as it is to be told, now that nothing more can be learned about it."""
    if group is None:
        return block
    try:
        return _retold(block, group.calls)
    except Exception:  # noqa: BLE001 - as in `Twice._known`
        return block
    finally:
        group.let_go()


def _retold(block: _Block[_T], calls: Sequence[Call]) -> _Block[_T]:
    if not any(call.same_as or call.details for call in calls):
        return block
    of_run = iter(calls)
    return [
        (what, _told(run, next(of_run)) if run.run_type in _MODELS else run) for what, run in block
    ]


def _told(run: Run, call: Call) -> Run:
    if call.same_as is not None:
        return _as_step(run, _who_counts(call))
    for other in call.details:
        run = _united(run, other)
    return run


def _who_counts(call: Call) -> str:
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
