"""A thread for one of several destinations."""

from __future__ import annotations

import math
import threading
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.thread import LazyThread
from otel_langsmith.presence import State
from otel_langsmith.wire.batch import AMPLE, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_langsmith.bugs import Bugs
    from otel_langsmith.delivery.lane import Lane
    from otel_langsmith.wire.batch import EncodedRun

INBOX_BYTES: Final = 2 * AMPLE
"""What waits for the worker itself; it is shared with other lanes, not copied as a backlog is."""

PAUSE_S: Final = 1.0
"""Longest between two deliveries when LangSmith takes nothing, or there is a disk to look at."""


class Worker:
    """Sends along one lane what it is handed, in order, in a thread that starts with the first run.

    What comes faster than LangSmith takes it moves on to the lane's backlog or disk, oldest first.
    Where no thread can be started, as at the interpreter's exit, the caller's does the work.
    """

    def __init__(
        self, lane: Lane, interrupt: threading.Event, settled: Callable[[], None], bugs: Bugs
    ) -> None:
        self._lane = lane
        self._interrupt = interrupt
        self._settled = settled
        self._bugs = bugs
        self._lock = threading.Lock()
        self._inbox: deque[Batch] = deque()
        self._bytes = 0
        self._shown: Sequence[EncodedRun] = []
        self._shown_bytes = 0
        self._asked = self._done = 0
        self._drain_until_s = -math.inf
        self._last: tuple[Sequence[EncodedRun], float] | None = None
        self._abandoned = False
        self._bell, self._urgent = threading.Event(), threading.Event()
        self._thread = LazyThread("LangSmith")
        self.clear = True
        self.late = False
        self.finished = False

    def hand(self, batch: Batch) -> None:
        """Send the batch soon; its runs are the worker's to settle in the book from now on."""
        own = Batch(self._own(batch), batch.size)
        if not own.runs:
            return
        for run in own.runs:
            if run.moment == "end" and run.presence is not None:
                run.presence.over = True
        with self._lock:
            self._inbox.append(own)
            self._bytes += own.size
            while self._bytes > INBOX_BYTES and len(self._inbox) > 1:
                oldest = self._inbox.popleft()
                self._bytes -= oldest.size
                self._lane.postpone(oldest)
        self._ring()

    @property
    def listens(self) -> bool:
        """Whether what was to be shown last has been looked at."""
        return not self._shown and not self._lane.undeliverable

    def show(self, batch: Batch) -> None:
        """Show open runs after what was handed over, unless that waits; many are not shown."""
        with self._lock:
            if self._shown_bytes < AMPLE:
                self._shown = [*self._shown, *self._own(batch)]
                self._shown_bytes += batch.size
        self._ring()

    def ask(self, drain_until_s: float = -math.inf) -> int:
        """A ticket that is answered when all that was handed over was tried.

        With a time, all that waits on disk is sent as well until then.
        """
        with self._lock:
            self._asked += 1
            self._drain_until_s = max(self._drain_until_s, drain_until_s)
            ticket = self._asked
        if drain_until_s > -math.inf:
            self._urgent.set()
        self._ring()
        return ticket

    def answered(self, ticket: int) -> bool:
        """Whether all that was handed over before was tried; `clear` tells how that went."""
        return self._done >= ticket

    def finish(self, closings: Sequence[EncodedRun], deadline_s: float) -> None:
        """Let the worker do what it can until then, end the runs that were shown, and stop."""
        self._last = ([self._lane.own(run) for run in closings], deadline_s)
        self._urgent.set()
        if self._ring():
            return
        self._finish()

    def abandon(self) -> None:
        """Leave what waits on disk, or count it as lost; later, too, what comes back unanswered."""
        with self._lock:
            self._abandoned = True
            waiting, self._inbox = self._inbox, deque()
            for batch in waiting:
                self._lane.postpone(batch)
        self._lane.abandon()

    def _own(self, batch: Batch) -> list[EncodedRun]:
        """The runs as the lane has them, but for those whose opening it had."""
        runs = [self._lane.own(run) for run in batch.runs]
        return [run for run in runs if run.moment != "opening" or _is_absent(run)]

    def wake(self) -> bool:
        """Whether there is a thread, started if need be."""
        return self._thread.runs or self._thread.start(self._work)

    def _ring(self) -> bool:
        """Wake the worker, started if need be; False: there is none, the work is done here."""
        self._bell.set()
        if self.wake():
            return True
        if not self._ends:
            self._cycle()
        return False

    @property
    def _ends(self) -> bool:
        return self._abandoned or self._last is not None

    def _work(self) -> None:
        while not self._ends:
            self._bell.wait(PAUSE_S if self._lane.keeps else None)
            self._bell.clear()
            if not self._ends:
                self._take_turn()
        self._finish()

    def _take_turn(self) -> None:
        if not self._cycle():
            self._urgent.wait(min(PAUSE_S, self._lane.settings.schedule_delay_millis / 1000))
            self._bell.set()
        self._urgent.clear()

    def _cycle(self) -> bool:
        """Whether nothing waits, now that all that was handed over was tried."""
        with self._lock:
            inbox, self._inbox, self._bytes = self._inbox, deque(), 0
            shown, self._shown_bytes = self._shown, 0
            asked, until_s = self._asked, self._drain_until_s
            self._drain_until_s = -math.inf
        lane, clear = self._lane, False
        now_s = lane.clock.now_s()
        try:
            clear = self._sent(inbox, math.inf, self._interrupt)
            wanted = [run for run in shown if run.presence and not run.presence.over]
            if wanted:
                lane.show(wanted)
            if until_s > now_s and not clear:
                clear = lane.drain(until_s, self._interrupt)
        except Exception as error:  # noqa: BLE001 - the lane goes on with the next runs
            self._bugs.say("a delivery broke off, its spans are counted as lost", error)
        with self._lock:
            self._shown = self._shown[len(shown) :]
            self._done, self.clear, self.late = asked, clear, False
        if self._abandoned:
            self._lane.abandon()
        self._settled()
        return clear

    def _sent(self, inbox: Sequence[Batch], deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether nothing waits, now that these batches were tried."""
        lane = self._lane
        ends = sum(batch.ends for batch in inbox)
        with lane.book.consign(ends, queued=ends) as consignment:
            if lane.undeliverable:
                consignment.dropped(lane.undeliverable, ends)
                return True
            runs = chain.from_iterable(batch.runs for batch in inbox)
            return lane.deliver(runs, consignment, deadline_s, interrupt)

    def _finish(self) -> None:
        if self._last is not None:
            closings, deadline_s = self._last
            self._lane.insist()
            with self._lock:
                inbox, self._inbox = self._inbox, deque()
            try:
                self._sent(inbox, deadline_s, threading.Event())
                self._lane.finish(closings, deadline_s)
            except Exception as error:  # noqa: BLE001 - see above
                self._bugs.say("the last delivery broke off", error)
        self.abandon()
        self.finished = True
        self._settled()


def _is_absent(run: EncodedRun) -> bool:
    return run.presence is None or run.presence.state is State.ABSENT
