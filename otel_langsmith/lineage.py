"""Whose child a run is.

A dotted order needs the start times of all ancestors, which a finished child span does not carry;
a `Lineage` carries them. Where it is kept while a span lives is the matter of `tracking`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from otel_langsmith.identity import (
    LAST_NS,
    SEGMENT_LENGTH,
    UUID_LENGTH,
    parse_dotted_order,
    run_id_of,
    stamp,
    uuid_text,
    writable_ns,
)
from otel_langsmith.run import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith.run import JsonObject

SPAN_ID: Final = "langsmith.span.id"
TRACE_ID: Final = "langsmith.trace.id"
PARENT_ID: Final = "langsmith.span.parent_id"
DOTTED_ORDER: Final = "langsmith.span.dotted_order"
PROJECT: Final = "langsmith.trace.session_name"
PROJECT_ID: Final = "langsmith.trace.session_id"

START_CLAMPED: Final = "start_clamped"
"""The run claims to start before its parent; its stamp was raised to the parent's."""

TIME_UNWRITABLE: Final = "time_unwritable"
"""The span starts or ends outside the years 1970 to 9999."""

OVERRIDE_IGNORED: Final = "override_ignored"
"""A ``langsmith.*`` identity attribute that is malformed, or that we cannot stand behind."""

ORPHANED: Final = "orphaned"
"""The span's parent was never seen, so the run became the root of a trace of its own."""

TOO_DEEP: Final = "too_deep"
"""The run hangs deeper than `MAX_DEPTH` and became the root of a trace of its own."""

CALLER_TRACE_ID: Final = "otel_langsmith.caller_trace_id"
CALLER_RUN_ID: Final = "otel_langsmith.caller_run_id"
"""Metadata of a trace that was linked to its caller's instead of continuing it."""

MAX_DEPTH: Final = 1_000
"""A dotted order grows with depth, so a chain's bytes grow with its square: 30 MB at this depth."""

_OWN_STAMP: Final = slice(-SEGMENT_LENGTH, -UUID_LENGTH)
"""Where in a dotted order the stamp of the run itself is."""

_DEEPEST_ORDER: Final = MAX_DEPTH * (SEGMENT_LENGTH + 1) - 1
RIDES_AS: Final = {
    "langsmith.metadata.thread_id": "thread_id",
    "langsmith.metadata.session_id": "session_id",
    "langsmith.metadata.conversation_id": "conversation_id",
    "langsmith.metadata.user_id": "user_id",
    "session.id": "thread_id",
    "gen_ai.conversation.id": "thread_id",
    "conversation.id": "thread_id",
    "gcp.vertex.agent.session_id": "thread_id",
    "user.id": "user_id",
    "enduser.id": "user_id",
}
"""Metadata that every run beneath has too, and who says it: LangSmith makes a thread of the runs
that say so, and few instrumentations tell more than the agent's own span."""

_AMENDING: Final = frozenset((SPAN_ID, TRACE_ID, PARENT_ID, DOTTED_ORDER, PROJECT, PROJECT_ID))
_TELLING: Final = {*_AMENDING, *RIDES_AS}
"""No frozenset: what it has in common with a dict's keys would be found a third slower."""

_LONGEST_ID: Final = 512
"""Characters of an id that rides along; in hundreds of runs a longer one is a burden."""

_LONGEST_PROJECT: Final = 1_024
"""Characters of a project's name: it is remembered with each of thousands of lineages."""


@dataclass(frozen=True, slots=True)
class Riding:
    """What rides along to every run beneath: one value for most of a trace.

    ``claimed``: an ancestor is known by its id only, so nobody here knows the true ``trace_id`` and
    ``dotted_order``; those of a `Lineage` begin with that ancestor then, are good for sorting and
    are not sent.
    """

    project: str | None = None
    project_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=lambda: EMPTY)
    claimed: bool = False


NOTHING_RIDES: Final = Riding()


@dataclass(slots=True)
class Lineage:
    """A run's place in its tree, and what rides along. Never mutated once it is made.

    (Not frozen, like `Run`: that costs 600 instructions a field.)

    ``dotted_order`` is the parent's, a dot, and a segment of the run's own: start time in UTC to
    the microsecond, then the run id. LangSmith sorts a trace by comparing these texts and refuses a
    child whose stamp is earlier than its parent's, hence `child` raises it. ``notes`` say what had
    to be bent for this run; they do not pass on to children. A lineage without a ``dotted_order``
    is no run's: it only says what rides along with the trace whose root hangs under it.
    """

    trace_id: str
    run_id: str
    parent_run_id: str | None
    dotted_order: str
    notes: tuple[str, ...] = ()
    riding: Riding = NOTHING_RIDES

    @property
    def can_be_named(self) -> bool:
        """Whether a header can tell others of this run."""
        return bool(self.dotted_order) and not self.riding.claimed

    @property
    def stamp(self) -> str:
        """The time part of the run's own segment."""
        return self.dotted_order[_OWN_STAMP]


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """The span's attributes, the caller's to change.

    Every look into the SDK's mapping goes through Python code of its own; one ``copy`` does once.
    """
    attributes: Any = span.attributes
    try:
        found = attributes.copy()
    except AttributeError:  # a span made by hand may have no attributes, or any mapping of them
        found = attributes
    return found if type(found) is dict else dict(found or {})


def root(run_id: str, start_ns: int) -> Lineage:
    """The lineage of a trace's first run, whose id is the trace's."""
    return Lineage(run_id, run_id, None, stamp(start_ns) + run_id)


def claimed(span: ReadableSpan, above: Lineage | None) -> Lineage | None:
    """The lineage that stands for the remote parent of a span, of which only the id is known.

    That is ``above`` itself where there is no such parent, where its lineage is known after all,
    and in a trace that was only linked to its caller's.
    """
    remote, riding = span.parent, above.riding if above else NOTHING_RIDES
    placed = above is not None and (above.dotted_order or CALLER_TRACE_ID in riding.metadata)
    if remote is None or not remote.is_remote or placed:
        return above
    top = root(run_id_of(remote.span_id), writable_ns(span.start_time or 0))
    return replace(top, riding=replace(riding, claimed=True))


def child(parent: Lineage, run_id: str, start_ns: int) -> Lineage:
    """The lineage of a run under ``parent``, never earlier than it.

    What hangs deeper than `MAX_DEPTH` begins a trace of its own.
    """
    above = parent.dotted_order
    if len(above) >= _DEEPEST_ORDER:
        return _beside(parent, root(run_id, start_ns), TOO_DEEP)
    time, earliest = stamp(start_ns), above[_OWN_STAMP]
    notes: tuple[str, ...] = ()
    if time < earliest:
        time, notes = earliest, (START_CLAMPED,)
    return Lineage(
        parent.trace_id,
        run_id,
        parent.run_id,
        f"{above}.{time}{run_id}",
        notes,
        parent.riding,
    )


def of_span(
    span_id: int,
    start_ns: int,
    parent: Lineage | None,
    attributes: Mapping[str, object],
    notes: tuple[str, ...] = (),
) -> Lineage:
    """The lineage of a span under ``parent``, as its ``langsmith.*`` attributes amend it.

    A dotted order in an attribute says everything and wins. Without one a span may choose its own
    run id (and a root thereby its trace id), but not a parent: without the parent's dotted order
    there is no valid one for the child. What is malformed or contradicts is ignored and noted.
    """
    nearest_ns = start_ns
    if not (type(start_ns) is int and 0 <= start_ns <= LAST_NS):  # asked here to spare a call
        nearest_ns = writable_ns(start_ns)
        notes = notes if nearest_ns == start_ns else (*notes, TIME_UNWRITABLE)
    telling = attributes.keys() & _TELLING  # looks for those, however many there are
    if telling and not _AMENDING.isdisjoint(telling):
        lineage = _amended(span_id, nearest_ns, parent, attributes)
    elif parent is not None and parent.dotted_order:  # as most are
        lineage = child(parent, run_id_of(span_id), nearest_ns)
    else:
        lineage = _derived(run_id_of(span_id), nearest_ns, parent)
    if telling:
        lineage = _bearing(lineage, attributes, telling)
    if notes:  # nobody has it yet, and `replace` costs more than all else here
        lineage.notes += notes
    return lineage


def _bearing(
    lineage: Lineage, attributes: Mapping[str, object], telling: AbstractSet[str]
) -> Lineage:
    """The lineage with what rides along from here; the very one if all of it did already."""
    metadata = lineage.riding.metadata
    if len(telling) == 1:
        (key,) = telling
        value = attributes[key]
        if type(value) is str and metadata.get(RIDES_AS.get(key, "")) == value:
            return lineage  # as in most threads: an ancestor said so
    told = _ids_of(attributes, telling)
    if told.items() <= metadata.items():
        return lineage
    return Lineage(  # not `replace`, which costs five times as much
        lineage.trace_id,
        lineage.run_id,
        lineage.parent_run_id,
        lineage.dotted_order,
        lineage.notes,
        replace(lineage.riding, metadata={**metadata, **told}),
    )


def _ids_of(attributes: Mapping[str, object], telling: AbstractSet[str]) -> dict[str, str]:
    """The ids that a span tells of; of several spellings of one the first counts."""
    found: dict[str, str] = {}
    for key in RIDES_AS if len(telling) > 1 else telling:
        value = attributes.get(key)
        if isinstance(value, str) and key in RIDES_AS and _is_id(value):
            found.setdefault(RIDES_AS[key], value)
    return found


def _is_id(value: str) -> bool:
    """Whether a text can be a thread's or a user's id; a response's is another for each call."""
    return 0 < len(value) <= _LONGEST_ID and not value.isspace() and value[:5] != "resp_"


def _derived(run_id: str, start_ns: int, parent: Lineage | None) -> Lineage:
    if parent is None:
        return root(run_id, start_ns)
    if parent.dotted_order:
        return child(parent, run_id, start_ns)
    return _beside(parent, root(run_id, start_ns))


def _beside(other: Lineage, top: Lineage, *notes: str) -> Lineage:
    """The root of a trace that takes along what rides with ``other``, but for its place."""
    return replace(top, riding=replace(other.riding, claimed=False), notes=notes)


def _amended(
    span_id: int, start_ns: int, parent: Lineage | None, attributes: Mapping[str, object]
) -> Lineage:
    """The lineage that the span asks for, as far as that can be granted."""
    own = uuid_text(attributes.get(SPAN_ID))
    if own is None and not (parent and parent.dotted_order):
        own = uuid_text(attributes.get(TRACE_ID))
    lineage = _stated(attributes) or _derived(own or run_id_of(span_id), start_ns, parent)
    return _granted(lineage, parent, attributes)


def _granted(lineage: Lineage, parent: Lineage | None, attributes: Mapping[str, object]) -> Lineage:
    """The project that the span asks for, or its parent's, and a note of what was not granted."""
    asked, project_id = attributes.get(PROJECT), uuid_text(attributes.get(PROJECT_ID))
    project = asked if isinstance(asked, str) and _is_project(asked) else None
    unusable = (asked and not project) or (attributes.get(PROJECT_ID) and not project_id)
    ignored = unusable or _contradicted(lineage, attributes)
    riding = lineage.riding
    inherited = parent.riding if parent and not project else NOTHING_RIDES
    return replace(
        lineage,
        notes=(*lineage.notes, OVERRIDE_IGNORED) if ignored else lineage.notes,
        riding=replace(
            riding,
            project=project or inherited.project,
            project_id=project_id or inherited.project_id,
        ),
    )


def _is_project(name: str) -> bool:
    return len(name) <= _LONGEST_PROJECT and bool(name.strip())


def _stated(attributes: Mapping[str, object]) -> Lineage | None:
    """The lineage that a dotted order in an attribute spells out, if it keeps LangSmith's rules."""
    text = attributes.get(DOTTED_ORDER)
    segments = parse_dotted_order(text) if isinstance(text, str) else None
    if segments is None:
        return None
    return Lineage(
        trace_id=segments[0][1],
        run_id=segments[-1][1],
        parent_run_id=segments[-2][1] if len(segments) > 1 else None,
        dotted_order=".".join(time + run_id for time, run_id in segments),
    )


def _contradicted(lineage: Lineage, attributes: Mapping[str, object]) -> bool:
    """Whether an identity attribute says something else than the lineage has."""
    order = attributes.get(DOTTED_ORDER, lineage.dotted_order)
    stated = (
        (SPAN_ID, lineage.run_id),
        (TRACE_ID, lineage.trace_id),
        (PARENT_ID, lineage.parent_run_id),
    )
    return not (isinstance(order, str) and order.lower() == lineage.dotted_order.lower()) or any(
        key in attributes and uuid_text(attributes[key]) != held for key, held in stated
    )
