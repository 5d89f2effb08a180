"""The log records of this process that wait for their spans: one collection for all exporters."""

import threading
from collections.abc import Iterable
from itertools import repeat
from time import monotonic
from typing import Final

from opentelemetry._logs import LogRecord
from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.forks import begin_anew_in_children
from otel_langsmith.log_events import NOTHING, Bounds, Joined, LogEvents


class Joining:
    """`LogEvents`, safe from any thread. A forked child begins with none: see `Fate.INHERITED`.

    The lock is reentrant, for a finalizer may log while its thread holds it.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._begin()
        begin_anew_in_children(self._begin)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._events = LogEvents(self._bounds)

    def hear(self, record: LogRecord) -> None:
        """Keep what the record says until its span asks for it."""
        with self._lock:
            self._events.hear(record, monotonic())

    def joined_to(self, span: ReadableSpan) -> Joined:
        """What was logged for the span."""
        return next(iter(self.joined_to_each((span,))))

    def joined_to_each(self, spans: Iterable[ReadableSpan]) -> Iterable[Joined]:
        """What was logged for each of these spans, in order."""
        if not self._events.used:  # as in most processes, which shall not pay for the lock
            return repeat(NOTHING)
        with self._lock:
            return [self._events.joined_to(span) for span in spans]

    def notes(self) -> list[str]:
        """What was to be counted since the last call."""
        with self._lock:
            notes, self._events.notes = self._events.notes, []
        return notes


JOINED: Final = Joining(Bounds())
"""Spans and log records of one process find each other by ids, whoever exports them."""
