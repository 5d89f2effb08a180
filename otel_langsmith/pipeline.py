"""Finished spans → delivered runs: the parts of this package, put together.

The faces (`exporter`) are thin over it; it is handed its clock and its transport.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from functools import partial
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from otel_langsmith.assembly import Assembly, Bounds
from otel_langsmith.delivery.ledger import Book, Consignment, Ledger
from otel_langsmith.delivery.sender import Clock, Sender
from otel_langsmith.redact import Hiding, hide
from otel_langsmith.translate import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith.assembly import Placed
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.run import Run
    from otel_langsmith.settings import Settings

NO_API_KEY: Final = "no_api_key"
NO_ENDPOINT: Final = "no_endpoint"
SHUT_DOWN: Final = "shut_down"
UNTRANSLATABLE: Final = "untranslatable"

_KEY_HEADERS: Final = frozenset({"x-api-key", "authorization", "x-service-key", "cookie"})

_log: Final = logging.getLogger("otel_langsmith")


class Pipeline:
    """Takes finished spans from any thread and accounts for each until it is delivered or lost.

    Nothing it is given ever raises, nothing waits longer than the ``timeout`` setting. A forked
    child starts anew: what the parent holds, the parent sends.
    """

    def __init__(
        self, settings: Settings, transport: Callable[[], Transport], clock: Clock
    ) -> None:
        self._settings = settings
        self._open_transport = transport
        self._clock = clock
        self._hiding = Hiding(settings.hide_inputs, settings.hide_outputs, settings.hide_metadata)
        self._undeliverable = _undeliverable(settings)
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def _begin(self) -> None:
        settings = self._settings
        self._lock = threading.Lock()
        self._closed = False
        self._closing, self._finished = threading.Event(), threading.Event()
        self._book = Book()
        self._lost_at_flush = 0
        self._said: set[str] = set()
        self._assembly = Assembly(
            Bounds(settings.max_held_spans, settings.max_held_bytes, settings.max_held_seconds)
        )
        self._transport = self._open_transport()
        self._sender = Sender(settings, self._transport, self._clock, self._book)

    def ledger(self) -> Ledger:
        """What became of every span so far."""
        return self._book.read()

    def export(self, spans: Sequence[ReadableSpan]) -> bool:
        """Whether all that could be sent now is delivered.

        Spans that wait for their ancestors are held, which is no failure.
        """
        deadline_s = self._clock.now_s() + self._settings.timeout
        self._book.receive(len(spans))
        with self._lock:
            closed = self._closed
            placed = [] if closed else self._assembly.add(spans, self._clock.now_s())
        if closed:
            return self._refuse(len(spans), SHUT_DOWN)
        delivered = self._deliver(placed, deadline_s, self._closing)
        if self._finished.is_set():
            self._sender.abandon()
        return delivered

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was received is delivered, at the latest after ``timeout_s``.

        A span that waits for its ancestors makes it False, and so does any loss since the last
        flush. Nothing is sent early: a parent that comes late would find its child in a trace of
        its own.
        """
        deadline_s = self._clock.now_s() + timeout_s
        self._deliver([], deadline_s, self._closing)
        idle = self._book.wait_idle(deadline_s - self._clock.now_s())
        ledger = self._book.read()
        lost, self._lost_at_flush = ledger.lost - self._lost_at_flush, ledger.lost
        return idle and not lost and not ledger.held

    def close(self, timeout_s: float) -> None:
        """Send what is held and what waits, then stop. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            placed = self._assembly.drain()
        self._closing.set()
        self._deliver(placed, self._clock.now_s() + timeout_s, threading.Event())
        self._finished.set()
        self._sender.abandon()
        self._transport.close()

    def _deliver(
        self, placed: Sequence[Placed], deadline_s: float, interrupt: threading.Event
    ) -> bool:
        if self._undeliverable:
            return self._refuse(len(placed), self._undeliverable)
        lost_before = self._book.read().lost
        try:
            with self._book.consign(len(placed)) as consignment:
                runs = self._translated(placed, consignment)
                clear = self._sender.deliver(runs, consignment, deadline_s, interrupt)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the application
            self._say_once("a delivery broke off, its spans are counted as lost", error)
            return False
        return clear and self._book.read().lost == lost_before

    def _translated(self, placed: Sequence[Placed], consignment: Consignment) -> Iterator[Run]:
        for span, lineage in placed:
            try:
                run = hide(translate(span, lineage, project=self._settings.project), self._hiding)
            except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
                self._say_once("a span cannot be translated and is counted as lost", error)
                consignment.dropped(UNTRANSLATABLE)
                continue
            self._book.note(run.notes)
            yield run

    def _say_once(self, what: str, error: Exception) -> None:
        """Log a bug of ours by its place; an exception's own words may hold hidden content."""
        if what not in self._said:
            self._said.add(what)
            frame = extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}:{frame.lineno}"
            _log.error("%s: %s at %s; please report this", what, type(error).__name__, place)

    def _refuse(self, count: int, reason: str) -> bool:
        with self._book.consign(count) as consignment:
            if count:
                consignment.dropped(reason, count)
        return not count


def _begin_anew(pipeline: weakref.ref[Pipeline]) -> None:
    """In a forked child: locks may be held by threads that are gone, sockets are the parent's."""
    alive = pipeline()
    if alive is not None:
        alive._begin()  # noqa: SLF001 - its own module


def _undeliverable(settings: Settings) -> str | None:
    """Why nothing can be sent with these settings, said once; None if it can."""
    if settings.endpoint is None:
        _log.warning("LANGSMITH_ENDPOINT cannot be used, so no run is sent")
        return NO_ENDPOINT
    keyed = settings.session is not None or _KEY_HEADERS & {*map(str.lower, settings.headers)}
    if settings.api_key is None and not keyed:
        _log.warning("LANGSMITH_API_KEY is not set, so no run is sent to %s", settings.endpoint)
        return NO_API_KEY
    return None
