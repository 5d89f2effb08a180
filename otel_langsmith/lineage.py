"""Whose child a run is, and where that is kept while its span lives.

A dotted order needs the start times of all ancestors, which a finished child span does not carry;
a `Lineage` carries them. Pure: no clock, no lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanContext

from otel_langsmith.identity import (
    SEGMENT_LENGTH,
    STAMP_LENGTH,
    parse_dotted_order,
    run_id_of,
    stamp,
    uuid_text,
    writable_ns,
)

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

_SLOT: Final = "_otel_langsmith_lineage"


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run's place in its tree, and the project its trace goes to.

    ``dotted_order`` is the parent's, a dot, and a segment of the run's own: start time in UTC to
    the microsecond, then the run id. LangSmith sorts a trace by comparing these texts and refuses a
    child whose stamp is earlier than its parent's, hence `child` raises it. ``notes`` say what had
    to be bent for this run; they do not pass on to children.
    """

    trace_id: str
    run_id: str
    parent_run_id: str | None
    dotted_order: str
    project: str | None = None
    project_id: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """The time part of the run's own segment."""
        return self.dotted_order[-SEGMENT_LENGTH:][:STAMP_LENGTH]


def root(run_id: str, start_ns: int) -> Lineage:
    """The lineage of a trace's first run, whose id is the trace's."""
    return Lineage(run_id, run_id, None, stamp(start_ns) + run_id)


def child(parent: Lineage, run_id: str, start_ns: int) -> Lineage:
    """The lineage of a run under ``parent``, never earlier than it."""
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
    if writable_ns(start_ns) != start_ns:
        start_ns, notes = writable_ns(start_ns), (*notes, TIME_UNWRITABLE)
    own = uuid_text(attributes[SPAN_ID]) if SPAN_ID in attributes else None
    if own is None and parent is None and TRACE_ID in attributes:
        own = uuid_text(attributes[TRACE_ID])
    lineage = _stated(attributes) or _derived(own or run_id_of(span_id), start_ns, parent)
    if _contradicted(lineage, attributes):
        notes = (*notes, OVERRIDE_IGNORED)
    project, project_id = attributes.get(PROJECT), attributes.get(PROJECT_ID)
    if not (notes or project or project_id):
        return lineage
    return Lineage(
        lineage.trace_id,
        lineage.run_id,
        lineage.parent_run_id,
        lineage.dotted_order,
        str(project) if project else lineage.project,
        uuid_text(project_id) if project_id else lineage.project_id,
        lineage.notes + notes,
    )


def _derived(run_id: str, start_ns: int, parent: Lineage | None) -> Lineage:
    return root(run_id, start_ns) if parent is None else child(parent, run_id, start_ns)


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
    if DOTTED_ORDER in attributes and str(attributes[DOTTED_ORDER]).lower() != (
        lineage.dotted_order.lower()
    ):
        return True
    stated = ((SPAN_ID, lineage.run_id), (TRACE_ID, lineage.trace_id))
    return any(
        key in attributes and uuid_text(attributes[key]) != held for key, held in stated
    ) or (PARENT_ID in attributes and uuid_text(attributes[PARENT_ID]) != lineage.parent_run_id)


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
    """The lineage hung on a span context, here or by an extracting propagator."""
    lineage = getattr(context, _SLOT, None)
    return lineage if isinstance(lineage, Lineage) else None
