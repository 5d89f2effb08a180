"""Whose child a run is, and where that is kept while its span lives.

A dotted order needs the start times of all ancestors, which a finished child span does not carry;
a `Lineage` carries them. Pure: no clock, no lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.context import create_key, get_value, set_value

from otel_langsmith.identity import (
    SEGMENT_LENGTH,
    STAMP_LENGTH,
    parse_dotted_order,
    run_id_of,
    stamp,
    uuid_text,
    writable_ns,
)
from otel_langsmith.run import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

    from otel_langsmith.run import JsonObject
    from otel_langsmith.selection import Wanted

    _Open: TypeAlias = tuple["Tracker", ReadableSpan | None, SpanContext | "Lineage" | None]
    # A span whose place nobody needed yet: who follows it, itself, and what is above it.

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

MAX_DEPTH: Final = 1_000
"""A dotted order grows with depth, so a chain's bytes grow with its square: 30 MB at this depth."""

_DEEPEST_ORDER: Final = MAX_DEPTH * (SEGMENT_LENGTH + 1) - 1
_AMENDING: Final = frozenset((SPAN_ID, TRACE_ID, PARENT_ID, DOTTED_ORDER, PROJECT, PROJECT_ID))

_SLOT: Final = "_otel_langsmith_lineage"
_TRACKED: Final = "_otel_langsmith_tracked_"
_KEY: Final = create_key("otel-langsmith-lineage")
_serial: Final = count(1)


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run's place in its tree, and the project its trace goes to.

    ``dotted_order`` is the parent's, a dot, and a segment of the run's own: start time in UTC to
    the microsecond, then the run id. LangSmith sorts a trace by comparing these texts and refuses a
    child whose stamp is earlier than its parent's, hence `child` raises it. ``notes`` say what had
    to be bent for this run; they do not pass on to children. ``project``, ``tags`` and ``metadata``
    ride along to every run beneath. A lineage without a ``dotted_order`` is no run's: it only says
    what rides along with the trace whose root hangs under it.
    """

    trace_id: str
    run_id: str
    parent_run_id: str | None
    dotted_order: str
    project: str | None = None
    project_id: str | None = None
    notes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=lambda: EMPTY, hash=False)

    @property
    def stamp(self) -> str:
        """The time part of the run's own segment."""
        return self.dotted_order[-SEGMENT_LENGTH:][:STAMP_LENGTH]


def root(run_id: str, start_ns: int) -> Lineage:
    """The lineage of a trace's first run, whose id is the trace's."""
    return Lineage(run_id, run_id, None, stamp(start_ns) + run_id)


def child(parent: Lineage, run_id: str, start_ns: int) -> Lineage:
    """The lineage of a run under ``parent``, never earlier than it.

    What hangs deeper than `MAX_DEPTH` begins a trace of its own.
    """
    if len(parent.dotted_order) >= _DEEPEST_ORDER:
        return _beside(parent, root(run_id, start_ns), TOO_DEEP)
    time, earliest = stamp(start_ns), parent.stamp
    late_enough = time >= earliest
    return Lineage(
        parent.trace_id,
        run_id,
        parent.run_id,
        f"{parent.dotted_order}.{time if late_enough else earliest}{run_id}",
        parent.project,
        parent.project_id,
        () if late_enough else (START_CLAMPED,),
        parent.tags,
        parent.metadata,
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
    nearest_ns = writable_ns(start_ns)
    if nearest_ns != start_ns:
        notes = (*notes, TIME_UNWRITABLE)
    if _AMENDING.isdisjoint(attributes):
        lineage = _derived(run_id_of(span_id), nearest_ns, parent)
    else:
        own = uuid_text(attributes.get(SPAN_ID))
        if own is None and not (parent and parent.dotted_order):
            own = uuid_text(attributes.get(TRACE_ID))
        lineage = _stated(attributes) or _derived(own or run_id_of(span_id), nearest_ns, parent)
        lineage = _amended(lineage, parent, attributes)
    return replace(lineage, notes=lineage.notes + notes) if notes else lineage


def _derived(run_id: str, start_ns: int, parent: Lineage | None) -> Lineage:
    if parent is None:
        return root(run_id, start_ns)
    if parent.dotted_order:
        return child(parent, run_id, start_ns)
    return _beside(parent, root(run_id, start_ns))


def _beside(other: Lineage, top: Lineage, *notes: str) -> Lineage:
    """The root of a trace that takes along what rides with ``other``, but for its place."""
    return replace(
        top,
        project=other.project,
        project_id=other.project_id,
        tags=other.tags,
        metadata=other.metadata,
        notes=notes,
    )


def _amended(lineage: Lineage, parent: Lineage | None, attributes: Mapping[str, object]) -> Lineage:
    """The project that the span asks for, or its parent's, and a note of what was not granted."""
    asked, project_id = attributes.get(PROJECT), uuid_text(attributes.get(PROJECT_ID))
    project = asked if isinstance(asked, str) and asked.strip() else None
    unusable = (asked and not project) or (attributes.get(PROJECT_ID) and not project_id)
    ignored = unusable or _contradicted(lineage, attributes)
    inherited = parent if parent and not project else None
    return replace(
        lineage,
        project=inherited.project if inherited else project,
        project_id=project_id or (inherited.project_id if inherited else None),
        notes=(*lineage.notes, OVERRIDE_IGNORED) if ignored else lineage.notes,
    )


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
    """Whether an identity attribute says something else than the lineage that goes out."""
    order = attributes.get(DOTTED_ORDER, lineage.dotted_order)
    stated = (
        (SPAN_ID, lineage.run_id),
        (TRACE_ID, lineage.trace_id),
        (PARENT_ID, lineage.parent_run_id),
    )
    return not (isinstance(order, str) and order.lower() == lineage.dotted_order.lower()) or any(
        key in attributes and uuid_text(attributes[key]) != held for key, held in stated
    )


def hang(context: SpanContext, lineage: Lineage) -> None:
    """Keep ``lineage`` on the very object that every child sees as ``span.parent``.

    It then lives exactly as long as it can be asked for: no map, no lock, no eviction.
    ``SpanContext`` swallows plain assignment, so it is set through ``object``; a runtime whose
    contexts have no ``__dict__`` refuses, and `find` then answers None (opentelemetry.md §2).
    """
    try:
        object.__setattr__(context, _SLOT, lineage)
    except AttributeError:
        return


def find(context: SpanContext | None) -> Lineage | None:
    """The lineage of the nearest run: the span's own, or that of an ancestor if it is left out.

    It was hung there by an extracting propagator or an assembling exporter, or follows from what a
    `Tracker` hung there when the span started.
    """
    return _nearest(context, "")


def is_followed(context: SpanContext) -> bool:
    """Whether a `Tracker` saw the span start, so that `find` has the last word on it."""
    return any(name.startswith(_TRACKED) for name in getattr(context, "__dict__", ()))


def put_in_context(lineage: Lineage, context: Context | None = None) -> Context:
    """A context whose spans hang under ``lineage`` if their own parent tells of none."""
    return set_value(_KEY, lineage, context)


def in_context(context: Context | None = None) -> Lineage | None:
    """The lineage that `put_in_context` put there; None stands for the current context."""
    lineage = get_value(_KEY, context)
    return lineage if isinstance(lineage, Lineage) else None


class Fate(Enum):
    """Why a finished span is no run, or none yet."""

    FILTERED = "left out as asked"
    UNTRACKED = "started before anyone looked, or where nothing can be hung on a context"
    INHERITED = "started before a fork, hence the parent process's to send"


class Tracker:
    """Follows spans from their start, so that each one's lineage can be told at any time.

    What `start` hangs on a span's context is three references; nothing is computed before someone
    asks. Whether a span is ``wanted`` as a run is decided when its place is first needed: when it
    ends, or earlier because a child has ended or a header names it. A yes is final. A no is asked
    again at the end, and if the span is wanted only then, it is a run beside the children that went
    on without it. Safe from any thread without a lock: who computes twice computes the same.

    Args:
        wanted: Asked of spans that are still open, too; None wants them all.
        before: The tracker whose spans this one continues after a fork.
        project: Where a trace goes that nothing sends elsewhere.
    """

    def __init__(
        self, wanted: Wanted | None, before: Tracker | None = None, *, project: str | None = None
    ) -> None:
        self._wanted = wanted
        self._project: str | None = before._project if before else project  # noqa: SLF001
        self._slot: str = before._slot if before else f"{_TRACKED}{next(_serial)}"  # noqa: SLF001

    def start(self, span: ReadableSpan, parent_context: Context | None) -> None:
        """Follow a span that starts now.

        Raises:
            AttributeError: Nothing can be hung on its context.
        """
        parent: SpanContext | Lineage | None = span.parent
        known = parent is not None and (hasattr(parent, self._slot) or _held(span.parent, _SLOT))
        if not known:
            parent = in_context(parent_context)
        object.__setattr__(span.context, self._slot, (self, span, parent))

    def end(self, span: ReadableSpan) -> Lineage | Fate:
        """What a finished span becomes, now that all is known of it."""
        context = span.context
        seen: _Open | _Place | None = getattr(context, self._slot, None)
        if context is None or seen is None:
            return Fate.UNTRACKED
        if (seen.tracker if isinstance(seen, _Place) else seen[0]) is not self:
            return Fate.INHERITED
        lineage = _nearest(context, self._slot)
        place: _Place = getattr(context, self._slot)
        if not place.kept:
            place = self.place(span, lineage)
            object.__setattr__(context, self._slot, place)
        return place.lineage if place.kept and place.lineage else Fate.FILTERED

    def forget(self, span: ReadableSpan) -> None:
        """Let the children of a span that will be no run hang under its nearest ancestor's."""
        seen: _Open | _Place | None = getattr(span.context, self._slot, None)
        if isinstance(seen, tuple):
            object.__setattr__(span.context, self._slot, (self, None, seen[2]))

    def place(self, span: ReadableSpan | None, above: Lineage | None) -> _Place:
        """Where a span goes under ``above``, as far as is known of it now."""
        if span is None or not self._wants(span, above):
            return _Place(self, above, kept=False)
        lineage = _tracked(span, above)
        if self._project and not (lineage.project or lineage.project_id):
            lineage = replace(lineage, project=self._project)  # for the headers of its children
        return _Place(self, lineage, kept=True)

    def _wants(self, span: ReadableSpan, above: Lineage | None) -> bool:
        """Whether a span becomes a run. One not sampled is never sent."""
        if span.context is None or not span.context.trace_flags.sampled:
            return False
        return self._wanted is None or self._wanted(span, not (above and above.dotted_order))


@dataclass(frozen=True, slots=True)
class _Place:
    """A decision: the span's own lineage if it is kept, else that of the nearest run above it."""

    tracker: Tracker
    lineage: Lineage | None
    kept: bool


def _nearest(context: SpanContext | None, slot: str) -> Lineage | None:
    """The lineage of the nearest run at ``context`` or above it, deciding all that is undecided.

    Climbs and descends without recursion: live ancestors may be thousands.
    """
    undecided: list[tuple[dict[str, object], str, _Open]] = []
    above: SpanContext | Lineage | None = context
    while above is not None and not isinstance(above, Lineage):
        held = _held(above, slot)
        if held is None:
            above = None
        elif isinstance(held[2], tuple):
            undecided.append((held[0], held[1], held[2]))
            above = held[2][2]
        else:
            above = held[2].lineage if isinstance(held[2], _Place) else held[2]
    for values, name, seen in reversed(undecided):
        place = seen[0].place(seen[1], above)
        now = values.get(name)
        if isinstance(now, _Place):  # another thread was faster
            place = now
        else:
            values[name] = place
        above = place.lineage
    return above


def _held(
    context: SpanContext | None, slot: str
) -> tuple[dict[str, object], str, _Open | _Place | Lineage] | None:
    """What hangs on a context, and where: the tracker's own, else another's, else a lineage."""
    values: dict[str, object] | None = getattr(context, "__dict__", None)
    if not values:
        return None
    names = [slot, *(name for name in values if name.startswith(_TRACKED)), _SLOT]
    for name in names:
        value = values.get(name)
        if isinstance(value, (tuple, _Place, Lineage)):
            return values, name, value
    return None


def _tracked(span: ReadableSpan, above: Lineage | None) -> Lineage:
    """The lineage of a span whose ancestors are known; a local parent we never saw is noted."""
    context, parent = span.context, span.parent
    lost = above is None and parent is not None and not parent.is_remote
    notes = (ORPHANED,) if lost and _held(parent, _SLOT) is None else ()
    span_id = context.span_id if context is not None else 0
    return of_span(span_id, span.start_time or 0, above, span.attributes or {}, notes)
