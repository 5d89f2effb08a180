"""Runs that are shown while their spans are still open: which to open, and which were never closed.

The application's threads append to a deque; all else is for one delivery at a time.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar
from weakref import ref

from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.assembly import Placed, SpanKey
from otel_langsmith.identity import STAMP_LENGTH
from otel_langsmith.lineage import attributes_of
from otel_langsmith.presence import Presence, State
from otel_langsmith.run import EMPTY
from otel_langsmith.tracking import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_langsmith.lineage import Lineage
    from otel_langsmith.run import Run
    from otel_langsmith.tracking import Tracker

OPENING_FAILED: Final = "opening_failed"
"""The run was to be shown while its span was open, and as far as we know it was not."""

UNENDED: Final = "unended"
"""The process ended before the span of a run that was shown; the run was closed as failed."""

UNENDED_ERROR: Final = "the process ended before this span did"

MOST_AT_ONCE: Final = 500
"""Most runs that are shown before ended ones are looked for again: with the default settings five
requests, which have `delivery.lane.OPENING_TIMEOUT_S` together."""

_ATTEMPTS: Final = 3

Weak: TypeAlias = "ref[ReadableSpan]"

_T = TypeVar("_T")


class Opened(NamedTuple):
    """A run that was shown, and what closes it when its span is gone: the run without content."""

    lineage: Lineage
    run: Run
    presence: Presence


class LiveRuns:
    """Which runs to show, and what was shown; every open span is held weakly.

    Args:
        tracker: Knows where the spans' runs hang.
        most: Most runs that are shown or wait to be; those beyond are seen when they end.
    """

    def __init__(self, tracker: Tracker, most: int) -> None:
        self._tracker = tracker
        self._most = most
        self._waiting: dict[SpanKey, Weak] = {}
        self._opened: dict[SpanKey, Opened] = {}

    def look(self, started: deque[Weak]) -> None:
        """Take over the spans that ``started``, and forget those that ended since."""
        for key in [key for key, held in self._waiting.items() if not _is_open(held())]:
            del self._waiting[key]
        found = taken(started)
        for held, span in zip(found, map(ref.__call__, found), strict=True):
            if span is None or span.end_time is not None:  # as most by now
                continue
            if len(self._waiting) + len(self._opened) < self._most:
                self._waiting[_key(span)] = held

    def to_open(self) -> list[Placed]:
        """A picture of each run to show now, of `MOST_AT_ONCE` at most, ancestors first.

        A parent starts before its children, so it is not left for later while they are shown. A
        span that is not wanted as it looks now is not asked about again before it ends; one that
        could not be read, because the application is writing to it, is.
        """
        found: list[Placed] = []
        for key, held in [*self._waiting.items()]:
            if len(found) == MOST_AT_ONCE:
                break
            span = held()
            lineage = None if span is None else self._tracker.open(span)
            if span is None or lineage is None:
                del self._waiting[key]
            else:
                found += self._picture(span, lineage)
        return sorted(found, key=_order)

    def ancestors_of(self, placed: Sequence[Placed]) -> list[Placed]:
        """The same for those that runs to be sent hang under; they are sent with them, surely."""
        needed = {
            segment[STAMP_LENGTH:]
            for one in placed
            for segment in one.lineage.dotted_order.split(".")[:-1]
        }
        found: list[Placed] = []
        for key, held in [*self._waiting.items()]:
            span = held()
            lineage = None if span is None else self._tracker.settled(span)
            if span is not None and lineage is not None and lineage.run_id in needed:
                found += self._picture(span, lineage)
                del self._waiting[key]
        return sorted(found, key=_order)

    def opening(self, placed: Placed, run: Run) -> None:
        """This run is being opened; from now on its end is told of it."""
        if placed.presence is not None:
            bare = replace(run, inputs=EMPTY, metadata=EMPTY, invocation_params=EMPTY)
            self._opened[_key(placed.span)] = Opened(placed.lineage, bare, placed.presence)

    def settle(self, *, again: bool) -> None:
        """The openings were answered; those that were not accepted are tried ``again`` or never."""
        for key, opened in self._opened.items():
            if opened.presence.state is State.OPENED or not again:
                self._waiting.pop(key, None)

    def place(self, span: ReadableSpan) -> Placed | Fate:
        """Where the run of an ended span hangs, and what LangSmith has of it already."""
        presence = self.ended(span) if self._waiting or self._opened else None
        attributes = attributes_of(span)
        found = self._tracker.end(span, attributes)
        return found if isinstance(found, Fate) else Placed(span, found, presence, attributes)

    def ended(self, span: ReadableSpan) -> Presence | None:
        """What LangSmith has of the run whose span has ended; None if it never was shown."""
        key = _key(span)
        self._waiting.pop(key, None)
        opened = self._opened.pop(key, None)
        return opened.presence if opened else None

    def unended(self, now_ns: int) -> Iterator[Opened]:
        """What closes each run that was to be shown and whose span did not end; none is left.

        Whether it was is known to each destination.
        """
        while self._opened:
            _, opened = self._opened.popitem()
            end_ns = max(now_ns, opened.run.start_time_ns)
            run = replace(opened.run, end_time_ns=end_ns, error=UNENDED_ERROR)
            yield opened._replace(run=run)

    def _picture(self, span: ReadableSpan, lineage: Lineage) -> Iterable[Placed]:
        opened = self._opened.get(_key(span))
        presence = opened.presence if opened else Presence()
        picture = picture_of(span)
        return () if picture is None else (Placed(picture, lineage, presence),)


def picture_of(span: ReadableSpan) -> ReadableSpan | None:
    """The span as it is now, in an object that no longer changes; None if it changes too fast.

    Its threads may be writing to it meanwhile, and Python forbids to walk through a mapping then.
    """
    for _ in range(_ATTEMPTS):
        with suppress(RuntimeError):
            return ReadableSpan(
                name=span.name,
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                attributes=dict(span.attributes or {}),
                links=tuple(span.links),
                kind=span.kind,
                instrumentation_scope=span.instrumentation_scope,
                start_time=span.start_time,
            )
    return None


def as_opening(run: Run) -> Run:
    """What of a run is told while its span is open: nothing that only its end makes true."""
    return replace(
        run, end_time_ns=None, outputs=None, error=None, error_type=None, events=(), attachments=()
    )


def taken(queue: deque[_T]) -> list[_T]:
    """What is in a queue now, and no longer; for one thread at a time, while any may append."""
    return [*map(deque.popleft, repeat(queue, len(queue)))]


def _is_open(span: ReadableSpan | None) -> bool:
    return span is not None and span.end_time is None


def _key(span: ReadableSpan) -> SpanKey:
    context = span.context
    return (context.trace_id, context.span_id) if context is not None else (0, 0)


def _order(placed: Placed) -> str:
    return placed.lineage.dotted_order
