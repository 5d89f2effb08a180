"""Finished spans → delivered runs: the parts of this package, put together.

The faces (`exporter`) are thin over it; it is handed its clock and its transport.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from functools import partial
from itertools import chain
from traceback import extract_tb
from typing import TYPE_CHECKING, Final

from otel_langsmith.assembly import Assembly, Bounds, Placed
from otel_langsmith.delivery.clock import AT_ONCE, Clock, SystemClock, bounded, politely
from otel_langsmith.delivery.ledger import Book, Consignment, Ledger
from otel_langsmith.delivery.outbox import Outbox, open_storage
from otel_langsmith.delivery.patience import Patience
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.delivery.traces import TRACE_FULL, Traces
from otel_langsmith.delivery.transport import HttpTransport
from otel_langsmith.encoder import Encoder
from otel_langsmith.joining import JOINED
from otel_langsmith.keys import NO_API_KEY, missing_key, undeliverable
from otel_langsmith.live import OPENING_FAILED, UNENDED
from otel_langsmith.settings import resolve
from otel_langsmith.tracking import Fate
from otel_langsmith.wire.reply import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.live import LiveRuns
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import EncodedRun
    from otel_langsmith.wire.reply import Verdict

SHUT_DOWN: Final = "shut_down"
UNTRANSLATABLE: Final = "untranslatable"
"""No run could be made of the span; that is a bug of ours, and said once in the log."""

INVALID: Final = "invalid"
"""The run breaks LangSmith's rules and would have failed its whole request."""

DUPLICATE: Final = "duplicate"
"""The span came before, from another processor: LangSmith takes a run once."""

OPENING_TIMEOUT_S: Final = 5.0
"""Longest that runs which have ended may wait for one request that shows others."""

_log: Final = logging.getLogger("otel_langsmith")


def open_pipeline(arguments: Mapping[str, object]) -> Pipeline:
    """A pipeline as a face's arguments and the environment want it.

    Raises:
        ConfigurationError: An argument cannot be used. An unusable variable is warned about.
    """
    settings, problems = resolve(arguments, os.environ)
    for problem in problems:
        _log.warning("%s", problem)
    if undeliverable(settings) == NO_API_KEY and not any("API_KEY" in told for told in problems):
        _log.warning("%s", missing_key(settings))
    opened = partial(HttpTransport, settings.session, os.getpid())
    return Pipeline(settings, opened, SystemClock())


class Pipeline:
    """Takes finished spans from any thread and accounts for each until it is delivered or lost.

    Nothing it is given ever raises, nothing waits longer than the ``timeout`` setting. A forked
    child starts anew: what the parent holds, the parent sends.
    """

    def __init__(
        self, settings: Settings, transport: Callable[[], Transport], clock: Clock
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._open_transport = transport
        self._undeliverable = undeliverable(settings)
        self._storage = None if self._undeliverable else open_storage(settings, self._lost_on_disk)
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def _begin(self) -> None:
        settings = self.settings
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._deliveries = 0
        self._closed = False
        self._closing, self._finished = threading.Event(), threading.Event()
        self._encoder = Encoder(settings, JOINED.joined_to)  # remembers calls: not a child's
        self._book = Book()
        self._missing_at_flush = 0
        self._said: set[str] = set()
        self._patience = Patience()
        self._assembly = Assembly(
            Bounds(settings.max_held_spans, settings.max_held_bytes, settings.max_held_seconds),
            claims=settings.remote_parent == "parent",
        )
        self._traces = Traces(settings.max_trace_runs)
        self._transport = self._open_transport()
        outbox = Outbox(self._book, self.clock, self._storage, settings.spool_max_bytes)
        self._sender = Sender(settings, self._transport, self.clock, self._book, outbox)

    def ledger(self) -> Ledger:
        """What became of every span so far."""
        self._book.note(JOINED.notes())
        return self._book.read()

    def export(self, spans: Sequence[ReadableSpan]) -> bool:
        """Whether all that could be sent now is delivered.

        Spans that wait for their ancestors are held, which is no failure.
        """
        deadline_s = self.clock.now_s() + self.settings.timeout
        self._book.receive(len(spans))
        with self._lock:
            closed = self._closed
            placed = [] if closed else self._assembled(spans)
        if closed:
            return self._refuse(len(spans), SHUT_DOWN)
        return self._deliver(placed, deadline_s, self._closing)

    def accept(self, count: int) -> None:
        """Count spans that `send` will be given next."""
        self._book.enqueue(count)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count spans that came in and are lost at once."""
        if count:
            self._book.refuse(reason, count)

    def send(
        self,
        spans: Sequence[ReadableSpan],
        place: Callable[[ReadableSpan], Placed | Fate],
        timeout_s: float,
        live: LiveRuns,
    ) -> None:
        """Deliver accepted spans, each at its place; those nobody followed wait as in `export`.

        Whatever is not settled when it returns is on disk or in the backlog. What LangSmith must
        have before it can place a run goes first, although its span is ``live``.
        """
        deadline_s = self.clock.now_s() + timeout_s
        with self._book.consign(len(spans), queued=len(spans)) as consignment:
            placed, untracked = self._sorted(spans, place, consignment)
            consignment.held(len(untracked))
            consignment.pass_on(len(placed))
        found: list[Placed] = []
        if untracked:
            with self._lock:
                found = self._assembled(untracked)
        both = [*placed, *found]
        self._deliver(both, deadline_s, self._closing, queued=len(placed), live=live)

    def show(self, live: LiveRuns) -> float:
        """Show runs whose spans are still open, unless ended ones wait to be delivered.

        Seconds for which LangSmith wants to see no more of them.
        """
        if self._undeliverable:
            return 0.0
        deadline_s = self.clock.now_s() + min(self.settings.timeout, OPENING_TIMEOUT_S)
        verdict = self._announce(self._openings(live.to_open(), live), deadline_s, AT_ONCE)
        wait_s = verdict.after_s if isinstance(verdict, RetryLater) else None
        live.settle(again=wait_s is not None)
        return wait_s or 0.0

    def _announce(
        self, runs: Iterable[EncodedRun], deadline_s: float, interrupt: threading.Event
    ) -> Verdict:
        """Send what is no span that ended, with the patience that is left."""
        began_s = self.clock.now_s()
        deadline_s = self._patience.deadline_s(deadline_s, began_s, ending=self._is_ending())
        verdict = self._sender.announce(runs, deadline_s, interrupt)
        if began_s < deadline_s:
            self._patience.tried(self.clock.now_s(), in_vain=isinstance(verdict, RetryLater))
        return verdict

    def _drained(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether nothing that this process received waits on disk, with the patience left."""
        began_s = self.clock.now_s()
        deadline_s = self._patience.deadline_s(deadline_s, began_s, ending=self._is_ending())
        return self._sender.drain(deadline_s, interrupt)

    def _is_ending(self) -> bool:
        """Whether there may be no later; ``atexit`` handlers run when the main thread has ended."""
        return self._closing.is_set() or not threading.main_thread().is_alive()

    def interrupt(self) -> None:
        """Wait no more before another attempt."""
        self._closing.set()

    def abandon(self) -> None:
        """Leave what waits on disk, or count it as lost; later, too, what comes back unanswered."""
        self._finished.set()
        self._sender.abandon()
        self._transport.close()

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was received is delivered, at the latest after ``timeout_s``.

        A span that waits for its ancestors makes it False, and so does any loss since the last
        flush. Nothing is sent early: a parent that comes late would find its child in a trace of
        its own.
        """
        timeout_s = bounded(timeout_s)
        deadline_s = self.clock.now_s() + timeout_s
        with self._lock:
            overdue = [] if self._closed else self._assembled(())
        clear = self._finished.is_set() or self._deliver(overdue, deadline_s, self._closing)
        clear = clear or self._drained(deadline_s, self._closing)
        idle = clear and self._book.wait_idle(bounded(deadline_s - self.clock.now_s()))
        ledger = self._book.read()
        missing, self._missing_at_flush = ledger.missing - self._missing_at_flush, ledger.missing
        return idle and not missing and not ledger.held

    def close(self, timeout_s: float, live: LiveRuns | None = None) -> None:
        """Send what is held and what waits, then stop. A second call does nothing.

        Runs that were shown ``live`` and whose spans did not end are closed as failed.
        """
        timeout_s = bounded(timeout_s)
        deadline_s = self.clock.now_s() + timeout_s
        with self._lock:
            if self._closed:
                return
            self._closed = True
            placed = self._assembled((), drain=True)
            self._closing.set()
            # others may be sending: what they give back, being interrupted, goes with the rest
            self._at_rest.wait_for(lambda: self._deliveries == 0, timeout_s)
        try:
            self._sender.insist()
            self._deliver(placed, deadline_s, threading.Event())
            self._drained(deadline_s, threading.Event())
            if live is not None:
                self._announce(self._closings(live), deadline_s, threading.Event())
        finally:
            self.abandon()

    def _assembled(self, spans: Sequence[ReadableSpan], *, drain: bool = False) -> list[Placed]:
        """What can be delivered now that ``spans`` came, or that no more will come.

        Whatever goes wrong with one span, the others are placed and the book is told.
        """
        placed: list[Placed] = []
        assembly, now_s, doubles = self._assembly, self.clock.now_s(), 0
        expected = len(assembly) + len(spans)
        # a parent ends after its children: from behind, few have to wait for theirs
        for found in (*([span] for span in reversed(spans)), []):
            try:
                if found and assembly.knows(found[0]):
                    doubles += 1
                else:
                    placed += assembly.add(found, now_s)
                    placed += assembly.drain() if drain and not found else []
            except Exception as error:  # noqa: BLE001, PERF203 - one bad span must not cost others
                self._say_once("a span cannot be placed and is counted as lost", error)
        self._refuse(doubles, DUPLICATE)
        self._refuse(expected - doubles - len(placed) - len(self._assembly), UNTRANSLATABLE)
        return placed

    def _sorted(
        self,
        spans: Iterable[ReadableSpan],
        place: Callable[[ReadableSpan], Placed | Fate],
        consignment: Consignment,
    ) -> tuple[list[Placed], list[ReadableSpan]]:
        """Which spans are to be delivered, and which nobody followed; the others are settled."""
        placed: list[Placed] = []
        untracked: list[ReadableSpan] = []
        for span in spans:
            try:
                found = place(span)
            except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
                self._say_once("a span cannot be placed and is counted as lost", error)
                consignment.dropped(UNTRANSLATABLE)
                continue
            if isinstance(found, Placed):
                placed.append(found)
            elif found is Fate.UNTRACKED:
                untracked.append(span)
            else:
                consignment.filtered()
        return placed, untracked

    def _deliver(
        self,
        placed: Sequence[Placed],
        deadline_s: float,
        interrupt: threading.Event,
        *,
        queued: int = 0,
        live: LiveRuns | None = None,
    ) -> bool:
        if self._undeliverable:
            return self._refuse(len(placed), self._undeliverable, queued=queued)
        missing_before = self._book.read().missing
        began_s = self.clock.now_s()
        deadline_s = self._patience.deadline_s(deadline_s, began_s, ending=self._is_ending())
        with self._lock:
            self._deliveries += 1
        try:
            with self._book.consign(len(placed), queued=queued) as consignment:
                runs = self._encoded(placed, consignment)
                alone = [one for one in placed if self._encoder.travels_alone(one.lineage)]
                if alone and live is not None:
                    runs = chain(self._openings(live.ancestors_of(alone), live), runs)
                clear = self._sender.deliver(runs, consignment, deadline_s, interrupt)
            if began_s < deadline_s:
                self._patience.tried(self.clock.now_s(), in_vain=not clear)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the application
            self._say_once("a delivery broke off, its spans are counted as lost", error)
            return False
        finally:
            with self._lock:
                self._deliveries -= 1
                self._at_rest.notify_all()
            if self._finished.is_set():
                self._sender.abandon()
        return clear and self._book.read().missing == missing_before

    def _encoded(self, placed: Sequence[Placed], consignment: Consignment) -> Iterator[EncodedRun]:
        """The runs as they will be sent; those that cannot be are settled here."""

        def lost(error: Exception) -> None:
            self._say_once("a span cannot be translated and is counted as lost", error)
            consignment.dropped(UNTRANSLATABLE)

        read = politely(self._encoder.in_order(placed))  # some way ahead of what is encoded
        for run, sent, fault in politely(self._encoder.ends(read, lost)):
            if fault is not None:
                _log.warning("run %s is not sent: %s", run.id, fault)
                consignment.dropped(INVALID)
                continue
            # a run that is shown already is among those LangSmith has taken
            if not (self._traces.admit(run.trace_id) or sent.operation == "patch"):
                consignment.dropped(TRACE_FULL)
                continue
            if sent.doubtful:
                self._book.note((OPENING_FAILED,))
            if run.notes:
                self._book.note(run.notes)
            yield sent

    def _openings(self, placed: Iterable[Placed], live: LiveRuns) -> Iterator[EncodedRun]:
        """What shows these runs; one that cannot be shown is left to its end."""
        for one in placed:
            try:
                run, sent, fault = self._encoder.opening(one)
            except Exception as error:  # noqa: BLE001 - the end of the run tries again
                self._say_once("an open span cannot be shown", error)
                continue
            if fault is None and not self._traces.full(run.trace_id):
                live.opening(one, run)
                yield sent

    def _closings(self, live: LiveRuns) -> Iterator[EncodedRun]:
        for opened in live.unended(int(self.clock.utc().timestamp() * 1e9)):
            self._book.note((UNENDED,))
            yield self._encoder.closing(opened)

    def _lost_on_disk(self, reason: str, count: int, inherited: bool) -> None:
        """Book what the spool, which a fork does not end, says is lost."""
        self._book.spool_lost(reason, count, inherited)

    def _say_once(self, what: str, error: Exception) -> None:
        """Log a bug of ours by its place; an exception's own words may hold hidden content."""
        if what not in self._said:
            self._said.add(what)
            frame = extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}:{frame.lineno}"
            _log.error("%s: %s at %s; please report this", what, type(error).__name__, place)

    def _refuse(self, count: int, reason: str, *, queued: int = 0) -> bool:
        """Whether there was nothing to refuse."""
        if count:
            with self._book.consign(count, queued=queued) as consignment:
                consignment.dropped(reason, count)
        return not count


def _begin_anew(pipeline: weakref.ref[Pipeline]) -> None:
    """In a forked child: locks may be held by threads that are gone, sockets are the parent's."""
    alive = pipeline()
    if alive is not None:
        alive._begin()  # noqa: SLF001 - its own module
