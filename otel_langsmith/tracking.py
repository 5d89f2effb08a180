"""The lineage of live spans: where it is kept, and how it is computed when it is needed.

Pure: no clock, no lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import create_key, get_value, set_value
from opentelemetry.trace import TraceFlags

from otel_langsmith.lineage import ORPHANED, Lineage, attributes_of, claimed, of_span

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

    from otel_langsmith.selection import Wanted

    _Open: TypeAlias = tuple["Tracker", ReadableSpan | None, SpanContext | Lineage | None]
    # A span whose place nobody needed yet: who follows it, itself, and what is above it.

_SLOT: Final = "_otel_langsmith_lineage"
_TRACKED: Final = "_otel_langsmith_tracked_"
_KEY: Final = create_key("otel-langsmith-lineage")
_serial: Final = count(1)


def hang(context: SpanContext, lineage: Lineage) -> None:
    """Keep ``lineage`` on the very object that every child sees as ``span.parent``.

    It then lives exactly as long as it can be asked for: no map, no lock, no eviction.
    ``SpanContext`` swallows plain assignment, so it goes into its ``__dict__``; a runtime whose
    contexts have none refuses, and `find` then answers None (opentelemetry.md §2).
    """
    try:
        context.__dict__[_SLOT] = lineage
    except AttributeError:
        return


def find(context: SpanContext | None) -> Lineage | None:
    """The lineage of the nearest run: the span's own, or that of an ancestor if it is left out.

    It was hung there by an extracting propagator or an assembling exporter, or follows from what a
    `Tracker` hung there when the span started.
    """
    values: dict[str, object] | None = getattr(context, "__dict__", None)
    if values and len(values) == 1 and type(only := values.get(_SLOT)) is Lineage:
        return only  # as most are: that spares the climb of 8,000 instructions
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
    """Why a finished span is not a run, or not yet."""

    FILTERED = "left out as asked"
    UNTRACKED = "started before anyone looked, or where nothing can be hung on a context"
    INHERITED = "started before a fork, hence the parent process's to send"


class Tracker:
    """Follows spans from their start, so that the lineage of each can be computed at any time.

    `start` hangs three references on a span's context. Its place is computed when first needed:
    when the span ends, or earlier because a child has ended, a header names it or it is shown while
    it is open. That is also when ``wanted`` is asked. A yes is final; after a no it is asked again
    at the end, and if the span is wanted only then, it becomes a run beside the children that were
    placed without it. Safe from any thread without a lock: two threads compute the same.

    Args:
        wanted: Asked of spans that are still open, too; None wants them all.
        before: The tracker whose spans this one continues after a fork.
        project: Where a trace goes that nothing sends elsewhere.
        claims: Whether a remote parent that nothing is known of is claimed by its id.
    """

    def __init__(
        self,
        wanted: Wanted | None,
        before: Tracker | None = None,
        *,
        project: str | None = None,
        claims: bool = False,
    ) -> None:
        self._wanted = wanted
        self._claims: bool = before._claims if before else claims  # noqa: SLF001
        self._project: str | None = before._project if before else project  # noqa: SLF001
        self._slot: str = before._slot if before else f"{_TRACKED}{next(_serial)}"  # noqa: SLF001

    def start(self, span: ReadableSpan, parent_context: Context | None) -> None:
        """Follow a span that starts now.

        Raises:
            AttributeError: Nothing can be hung on its context.
        """
        parent, slot = span.parent, self._slot
        known = parent is not None and (slot in parent.__dict__ or _held(parent, _SLOT))
        above = parent if known else in_context(parent_context)
        span.context.__dict__[slot] = (self, span, above)

    def end(self, span: ReadableSpan, attributes: dict[str, Any] | None = None) -> Lineage | Fate:
        """What a finished span becomes, now that all is known of it.

        ``attributes`` are the span's, if somebody has read them already.
        """
        context, slot = span.context, self._slot
        seen: _Open | _Place | None = getattr(context, slot, None)
        if context is None or seen is None:
            return Fate.UNTRACKED
        if isinstance(seen, tuple):
            owner, above = seen[0], seen[2]
        else:
            owner, above = seen.tracker, seen.lineage
        if owner is not self:
            return Fate.INHERITED
        if isinstance(seen, tuple) or not seen.kept:
            place = self.place(span, _nearest(above, slot), attributes)
            seen = _settled(context.__dict__, slot, place)
        return seen.lineage if seen.kept and seen.lineage else Fate.FILTERED

    def open(self, span: ReadableSpan) -> Lineage | None:
        """Where a span that is still open is a run, if it is wanted as it looks now.

        A yes settles its ancestors' places, too; a no settles nothing.
        """
        undecided, above = _climbed(span.context, self._slot)
        decided: list[tuple[_Undecided, _Place]] = []
        for one in reversed(undecided):
            place = one.seen[0].place(one.seen[1], above)
            decided.append((one, place))
            above = place.lineage
        if decided and decided[-1][1].kept:
            for one, place in decided:
                _settled(one.values, one.name, place)
        return self.settled(span)

    def settled(self, span: ReadableSpan) -> Lineage | None:
        """Where a span is a run, if that was decided already."""
        place = getattr(span.context, self._slot, None)
        return place.lineage if isinstance(place, _Place) and place.kept else None

    def forget(self, span: ReadableSpan) -> None:
        """Let the children of a span that will be no run hang under its nearest ancestor's."""
        seen: _Open | _Place | None = getattr(span.context, self._slot, None)
        if isinstance(seen, tuple):
            object.__setattr__(span.context, self._slot, (self, None, seen[2]))

    def place(
        self,
        span: ReadableSpan | None,
        above: Lineage | None,
        attributes: dict[str, Any] | None = None,
    ) -> _Place:
        """Where a span goes under ``above``, as far as is known of it now."""
        if span is not None and self._claims:
            above = claimed(span, above)
        context = None if span is None else span.context
        if span is None or context is None or not self._wants(span, context, above):
            return _Place(self, above, kept=False)
        known = attributes_of(span) if attributes is None else attributes
        notes = _lost(span.parent) if above is None else ()
        lineage = of_span(context.span_id, span.start_time or 0, above, known, notes)
        riding = lineage.riding
        if self._project and not (riding.project or riding.project_id):
            # for the headers of its children; nobody has the lineage yet
            lineage.riding = replace(riding, project=self._project)
        return _Place(self, lineage, kept=True)

    def _wants(self, span: ReadableSpan, context: SpanContext, above: Lineage | None) -> bool:
        """Whether a span becomes a run. One not sampled is never sent."""
        if not context.trace_flags & TraceFlags.SAMPLED:
            return False
        return self._wanted is None or self._wanted(span, not (above and above.dotted_order))


@dataclass(slots=True)
class _Place:
    """A decision: the span's own lineage if it is kept, else that of the nearest run above it.

    (Not frozen, as `Lineage` is not.)
    """

    tracker: Tracker
    lineage: Lineage | None
    kept: bool


class _Undecided(NamedTuple):
    """A span whose place nobody needed yet, and where its place will hang."""

    values: dict[str, object]
    name: str
    seen: _Open


def _settled(values: dict[str, object], name: str, place: _Place) -> _Place:
    """The place that stands: this one, unless another thread was faster to keep the span."""
    now = values.get(name)
    if isinstance(now, _Place) and (now.kept or not place.kept):
        return now
    values[name] = place
    return place


def _nearest(at: SpanContext | Lineage | None, slot: str) -> Lineage | None:
    """The lineage of the nearest run there or above, deciding all that is undecided."""
    if at is None or isinstance(at, Lineage):
        return at
    place = getattr(at, slot, None)
    if isinstance(place, _Place):
        return place.lineage  # as most are: all its siblings but the first find it so
    undecided, above = _climbed(at, slot)
    for one in reversed(undecided):
        place = one.seen[0].place(one.seen[1], above)
        above = _settled(one.values, one.name, place).lineage
    return above


def _climbed(
    context: SpanContext | Lineage | None, slot: str
) -> tuple[list[_Undecided], Lineage | None]:
    """What is undecided from ``context`` upwards, and the lineage above all that.

    Without recursion: live ancestors may be thousands.
    """
    undecided: list[_Undecided] = []
    above: SpanContext | Lineage | None = context
    while above is not None and not isinstance(above, Lineage):
        held = _held(above, slot)
        if held is None:
            above = None
        elif isinstance(held[2], tuple):
            undecided.append(_Undecided(held[0], held[1], held[2]))
            above = held[2][2]
        else:
            above = held[2].lineage if isinstance(held[2], _Place) else held[2]
    return undecided, above


def _held(
    context: SpanContext | None, slot: str
) -> tuple[dict[str, object], str, _Open | _Place | Lineage] | None:
    """What hangs on a context, and where: the tracker's own, else another's, else a lineage."""
    values: dict[str, object] | None = getattr(context, "__dict__", None)
    if not values:
        return None
    own = values.get(slot)
    if isinstance(own, (tuple, _Place)):  # as most are
        return values, slot, own
    for name in [*(name for name in values if name.startswith(_TRACKED)), _SLOT]:
        value = values.get(name)
        if isinstance(value, (tuple, _Place, Lineage)):
            return values, name, value
    return None


def _lost(parent: SpanContext | None) -> tuple[str, ...]:
    """The note of a span that hangs nowhere: a local parent that we never saw."""
    if parent is None or parent.is_remote or _held(parent, _SLOT) is not None:
        return ()
    return (ORPHANED,)
