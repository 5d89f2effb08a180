"""Finished spans → delivered runs: the parts of this package, put together.

The faces (`exporter`) are thin over it; it is handed its clock and its transport.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

from otel_langsmith.admission import UNTRANSLATABLE, Admission
from otel_langsmith.assembly import Assembly, Bounds, Placed
from otel_langsmith.bugs import Bugs
from otel_langsmith.deferral import deferred, is_loaded
from otel_langsmith.delivery.books import Books, Consignments, total
from otel_langsmith.delivery.clock import Clock, SystemClock, bounded, politely
from otel_langsmith.delivery.lane import open_lanes
from otel_langsmith.delivery.ledger import SHUT_DOWN
from otel_langsmith.delivery.patience import ending
from otel_langsmith.delivery.routes import Parallel, Straight
from otel_langsmith.delivery.traces import Traces
from otel_langsmith.delivery.transport import HttpTransport
from otel_langsmith.delivery.worker import PAUSE_S
from otel_langsmith.forks import begin_anew_in_children
from otel_langsmith.keys import NO_API_KEY, destinations, missing_key, undeliverable
from otel_langsmith.settings import resolve
from otel_langsmith.tracking import Fate
from otel_langsmith.wire.reply import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith import encoder, joining
    from otel_langsmith.delivery.ledger import Ledger
    from otel_langsmith.delivery.patience import Ending
    from otel_langsmith.delivery.routes import Route
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.live import LiveRuns
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import EncodedRun
else:
    encoder = deferred("otel_langsmith.encoder")
    joining = deferred("otel_langsmith.joining")

DUPLICATE: Final = "duplicate"
"""The span came before, from another processor: LangSmith takes a run once."""

_log: Final = logging.getLogger("otel_langsmith")


def open_pipeline(arguments: Mapping[str, object]) -> Pipeline:
    """A pipeline as a face's arguments and the environment want it.

    Raises:
        ConfigurationError: An argument cannot be used. An unusable variable is warned about.
    """
    settings, problems = resolve(arguments, os.environ)
    for problem in problems:
        _log.warning("%s", problem)
    keyless = [one for one in destinations(settings) if undeliverable(one) == NO_API_KEY]
    if keyless and not any("API_KEY" in told for told in problems):
        _log.warning("%s", missing_key(keyless[0]))
    opened = partial(HttpTransport, settings.session, os.getpid())
    return Pipeline(settings, opened, SystemClock())


class Pipeline:
    """Takes finished spans from any thread and accounts for each until it is delivered or lost.

    Nothing it is given ever raises, and nothing waits longer than it was given time. A forked child
    starts anew: what the parent holds, the parent sends. ``undeliverable`` is why it can send
    nothing at all, in the ledger's word, if so.
    """

    def __init__(
        self, settings: Settings, transport: Callable[[], Transport], clock: Clock
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._lanes = open_lanes(destinations(settings), transport, clock)
        lost = [lane.undeliverable for lane in self._lanes]
        self.undeliverable = None if None in lost else lost[0]
        self._listener: Callable[[], object] = bool  # nobody waits to hear
        self._pressed: Callable[[], bool] = bool  # False
        self._begin()
        begin_anew_in_children(self._begin)

    def _begin(self) -> None:
        """Everything that a forked child needs anew: sockets, too, are the parent's."""
        settings = self.settings
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._deliveries = 0
        self._closed = False
        self._closing, self._finished = threading.Event(), threading.Event()
        self._missing_at_flush = 0
        self._bugs = Bugs()
        self._assembly = Assembly(
            Bounds(settings.max_held_spans, settings.max_held_bytes, settings.max_held_seconds),
            claims=settings.remote_parent == "parent",
            lost=self._unplaced,
        )
        for lane in self._lanes:
            lane.begin(self._closing, lambda: self._pressed())  # noqa: PLW0108 - `listen` sets it
        self._books = Books([lane.book for lane in self._lanes])
        traces = Traces(settings.max_trace_runs)
        self._admission = Admission(self._opened_encoder, traces, self._books, self._bugs)
        self._route = self._opened_route()

    def _opened_encoder(self) -> encoder.Encoder:
        """It remembers calls, which are not a forked child's to know."""
        return encoder.Encoder(self.settings, joining.JOINED.joined_to_each)

    def _opened_route(self) -> Route:
        if self.is_alone:
            return Straight(self._lanes[0], self._closing)
        return Parallel(self._lanes, self._closing, self._heed, self._bugs)

    def listen(self, settled: Callable[[], object], pressed: Callable[[], bool]) -> None:
        """Have the one called when one of several destinations has done what it was given.

        The other tells whether so many spans wait that `send`, which has one destination do its
        work at once, had better return.
        """
        if self.is_alone:
            self._pressed = pressed
        else:
            self._listener = settled

    def _heed(self) -> None:
        self._listener()

    @property
    def pause_s(self) -> float:
        """How long to rest after a `send` that left something."""
        longest_s = min(PAUSE_S, self.settings.schedule_delay_millis / 1000)
        return 0.0 if self._pressed() else longest_s

    @property
    def is_alone(self) -> bool:
        """Whether there is one destination; else the others go on while one is waited for."""
        return len(self._lanes) == 1

    def ledger(self, waiting: int = 0) -> Ledger:
        """What became of every span so far, if ``waiting`` more are on their way here.

        Of several destinations it is the sum.
        """
        return total([*self.ledgers(waiting).values()])

    def ledgers(self, waiting: int = 0) -> Mapping[str, Ledger]:
        """The same for each destination, by its name."""
        self._note_logs()
        return {lane.name: lane.book.read().with_queued(waiting) for lane in self._lanes}

    def wake(self) -> None:
        """Be ready for spans: at the interpreter's exit no thread can be started."""
        self._route.wake()

    def _note_logs(self) -> None:
        if is_loaded(joining):
            self._books.note(joining.JOINED.notes())

    def export(self, spans: Sequence[ReadableSpan]) -> bool:
        """Whether no span was lost, and all that could be sent now is delivered.

        Spans that wait for their ancestors are held, which is no failure; nor is a span that came
        before, for the first one is accounted for.
        """
        deadline_s = self.clock.now_s() + self.settings.timeout
        self._books.receive(len(spans))
        with self._lock:
            closed = self._closed
            placed, complete = ([], False) if closed else self._assembled(spans)
        if closed:
            return self._refuse(len(spans), SHUT_DOWN)
        return self._deliver(placed, deadline_s) and complete

    def accept(self, count: int) -> None:
        """Count spans that `send` will be given next."""
        self._books.enqueue(count)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count spans that came in and are lost at once."""
        if count:
            self._books.refuse(reason, count)

    def send(
        self,
        spans: Sequence[ReadableSpan],
        place: Callable[[ReadableSpan], Placed | Fate],
        timeout_s: float,
        live: LiveRuns,
    ) -> None:
        """Deliver accepted spans, each at its place; those nobody followed wait as in `export`.

        ``timeout_s`` is for all of them, and may be infinite: no request is tried for longer than
        the ``timeout`` setting, and none after one that was in vain, nor once many others wait:
        see `listen`. Whatever is not settled when it returns is on disk or in the backlog, or one
        of several destinations is at it. What LangSmith must have before it can place a run goes
        first, although its span is ``live``.
        """
        deadline_s = self.clock.now_s() + timeout_s
        with self._books.consign(len(spans), queued=len(spans)) as consignment:
            placed, untracked = self._sorted(spans, place, consignment)
            consignment.held(len(untracked))
            consignment.pass_on(len(placed))
        found: list[Placed] = []
        if untracked:
            with self._lock:
                found, _ = self._assembled(untracked)
        both = [*placed, *found]
        self._deliver(both, deadline_s, queued=len(placed), live=live, wait=False)

    def show(self, live: LiveRuns) -> float:
        """Show runs whose spans are still open, unless ended ones wait to be delivered.

        Seconds for which LangSmith wants to see no more of them.
        """
        if self.undeliverable:
            return 0.0
        verdict = self._route.show(self._admission.openings(live.to_open(), live))
        wait_s = verdict.after_s if isinstance(verdict, RetryLater) else None
        live.settle(again=wait_s is not None)
        return wait_s or 0.0

    def end_by(self, deadline_s: float) -> Ending:
        """Wait no more before another attempt, and send nothing in the last of the time."""
        now_s = self.clock.now_s()
        keeps = any(lane.keeps for lane in self._lanes)
        end = ending(now_s, bounded(deadline_s - now_s), keeps=keeps)
        for lane in self._lanes:
            lane.end_by(end.last_s)
        self._closing.set()
        self._route.interrupt()
        return end

    def hang_up(self) -> None:
        """Break off the requests that are on their way."""
        for lane in self._lanes:
            lane.hang_up()

    def abandon(self) -> None:
        """Leave what waits on disk, or count it as lost; later, too, what comes back unanswered."""
        self._finished.set()
        self._route.abandon()

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was received is delivered, at the latest after ``timeout_s``.

        A span that waits for its ancestors makes it False, and so does any loss since the last
        flush. Nothing is sent early: a parent that comes late would find its child in a trace of
        its own.
        """
        timeout_s = bounded(timeout_s)
        deadline_s = self.clock.now_s() + timeout_s
        with self._lock:
            overdue = [] if self._closed else self._assembled(())[0]
        clear = self._finished.is_set() or self._deliver(overdue, deadline_s)
        clear = clear or self._route.drain(deadline_s)
        idle = clear and self._books.wait_idle(deadline_s, self.clock)
        ledger = self._books.read()
        missing, self._missing_at_flush = ledger.missing - self._missing_at_flush, ledger.missing
        return idle and not missing and not ledger.held

    def close(self, timeout_s: float, live: LiveRuns | None = None) -> None:
        """Send what is held and what waits, then stop. A second call does nothing.

        Runs that were shown ``live`` and whose spans did not end are closed as failed.
        """
        deadline_s = self.clock.now_s() + bounded(timeout_s)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            placed, _ = self._assembled((), drain=True)
        end = self.end_by(deadline_s)
        # others may be sending: what they give back, being interrupted, goes with the rest
        if not self._at_rest_by(end.last_s):
            self.hang_up()
        try:
            self._finish(placed, end, live)
            self._at_rest_by(end.deadline_s)
        finally:
            self.abandon()

    def _at_rest_by(self, deadline_s: float) -> bool:
        with self._lock:
            left_s = bounded(deadline_s - self.clock.now_s())
            return self._at_rest.wait_for(lambda: self._deliveries == 0, left_s)

    def _assembled(
        self, spans: Sequence[ReadableSpan], *, drain: bool = False
    ) -> tuple[list[Placed], bool]:
        """What can be delivered now that ``spans`` came, or no more will; whether none was lost.

        Whatever goes wrong with one span, the others are placed and the book is told.
        """
        assembly = self._assembly
        expected, doubles = len(assembly) + len(spans), assembly.doubles
        # a parent ends after its children: from behind, few have to wait for theirs
        blocks = politely(reversed(spans))
        placed = assembly.add(chain.from_iterable(blocks), self.clock.now_s())
        if drain:
            placed += assembly.drain()
        doubles = assembly.doubles - doubles
        self._refuse(doubles, DUPLICATE)
        lost = expected - doubles - len(placed) - len(assembly)
        return placed, self._refuse(lost, UNTRANSLATABLE)

    def _unplaced(self, error: Exception) -> None:
        self._bugs.say("a span cannot be placed and is counted as lost", error)

    def _sorted(
        self,
        spans: Iterable[ReadableSpan],
        place: Callable[[ReadableSpan], Placed | Fate],
        consignment: Consignments,
    ) -> tuple[list[Placed], list[ReadableSpan]]:
        """Which spans are to be delivered, and which nobody followed; the others are settled."""
        placed: list[Placed] = []
        untracked: list[ReadableSpan] = []
        for span in chain.from_iterable(politely(spans)):
            try:
                found = place(span)
            except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
                self._unplaced(error)
                consignment.dropped(UNTRANSLATABLE)
                continue
            if isinstance(found, Placed):
                placed.append(found)
            elif found is Fate.UNTRACKED:
                untracked.append(span)
            elif self.undeliverable:
                consignment.dropped(self.undeliverable)
            else:
                consignment.filtered()
        return placed, untracked

    def _deliver(
        self,
        placed: Sequence[Placed],
        deadline_s: float,
        *,
        queued: int = 0,
        live: LiveRuns | None = None,
        wait: bool = True,
    ) -> bool:
        if self.undeliverable:
            return self._refuse(len(placed), self.undeliverable, queued=queued)
        missing_before = self._books.missing
        with self._lock:
            self._deliveries += 1
        try:
            with self._books.consign(len(placed), queued=queued) as consignments:
                runs: Iterable[EncodedRun] = self._admission.ends(placed, consignments)
                if live is not None:
                    runs = chain(self._admission.ancestors(placed, live), runs)
                clear = self._route.deliver(runs, consignments, deadline_s, wait=wait)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the application
            self._bugs.say("a delivery broke off, its spans are counted as lost", error)
            return False
        finally:
            with self._lock:
                self._deliveries -= 1
                self._at_rest.notify_all()
        return clear and self._books.missing == missing_before

    def _finish(self, placed: Sequence[Placed], end: Ending, live: LiveRuns | None) -> None:
        """The last delivery, and the end of runs that were shown."""
        if self.undeliverable:
            self._refuse(len(placed), self.undeliverable)
            return

        def closings() -> Iterable[EncodedRun]:
            now_ns = int(self.clock.utc().timestamp() * 1e9)
            return self._admission.closings(live, now_ns) if live else ()

        try:
            with self._books.consign(len(placed)) as consignments:
                runs = self._admission.ends(placed, consignments)
                self._route.finish(runs, consignments, closings, end)
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the application
            self._bugs.say("the last delivery broke off, its spans are counted as lost", error)

    def _refuse(self, count: int, reason: str, *, queued: int = 0) -> bool:
        """Whether there was nothing to refuse."""
        if count:
            with self._books.consign(count, queued=queued) as consignment:
                consignment.dropped(reason, count)
        return not count
