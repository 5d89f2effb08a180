"""How encoded runs reach their destinations: one in the calling thread, several in parallel."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final, Protocol

from otel_langsmith.delivery.clock import bounded
from otel_langsmith.delivery.worker import Worker
from otel_langsmith.wire.batch import AMPLE, batches
from otel_langsmith.wire.reply import Accepted, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from otel_langsmith.bugs import Bugs
    from otel_langsmith.delivery.books import Consignments
    from otel_langsmith.delivery.lane import Lane
    from otel_langsmith.delivery.patience import Ending
    from otel_langsmith.wire.batch import Batch, EncodedRun
    from otel_langsmith.wire.reply import Verdict

GRACE_S: Final = 0.5
"""For so long an ``export`` waits for the other destinations once the first one is done."""


class Route(Protocol):
    """Delivers encoded runs to one destination or several."""

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        deadline_s: float,
        *,
        wait: bool,
    ) -> bool:
        """Whether nothing waits that was given to it so far; what is passed on it will settle.

        Without ``wait`` it may return before anything was tried, and cannot tell then.
        """

    def show(self, runs: Iterable[EncodedRun]) -> Verdict:
        """Show runs whose spans are open; `RetryLater` if nobody takes them now."""

    def drain(self, deadline_s: float) -> bool:
        """Whether nothing that was received waits any more, in memory or on disk."""

    def finish(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        closings: Callable[[], Iterable[EncodedRun]],
        end: Ending,
    ) -> None:
        """Deliver the last runs and what waits, then what ends runs that were shown."""

    def wake(self) -> None:
        """Runs are about to come."""

    def interrupt(self) -> None:
        """Whoever waits for another attempt need not any more."""

    def abandon(self) -> None:
        """Leave what waits on disk, or count it as lost; so is what comes back later."""


class Straight:
    """To one lane, in the thread that brings the runs.

    Args:
        lane: Where to.
        interrupt: Once it is set, the lane waits for no other attempt.
    """

    def __init__(self, lane: Lane, interrupt: threading.Event) -> None:
        self._lane = lane
        self._interrupt = interrupt
        self._finished = False

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        deadline_s: float,
        *,
        wait: bool,  # noqa: ARG002 - it always does
    ) -> bool:
        """`Lane.deliver`."""
        return self._delivered(runs, consignments, deadline_s, self._interrupt)

    def show(self, runs: Iterable[EncodedRun]) -> Verdict:
        """`Lane.show`."""
        return self._lane.show(self._own(runs))

    def drain(self, deadline_s: float) -> bool:
        """`Lane.drain`."""
        return self._lane.drain(deadline_s, self._interrupt)

    def finish(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        closings: Callable[[], Iterable[EncodedRun]],
        end: Ending,
    ) -> None:
        """One after the other."""
        self._lane.insist()
        self._delivered(runs, consignments, end.last_s, threading.Event())
        self._lane.finish([*self._own(closings())], end.last_s)

    def wake(self) -> None:
        """There is no one to wake."""

    def interrupt(self) -> None:
        """The lane knows."""

    def abandon(self) -> None:
        """`Lane.abandon`."""
        self._finished = True
        self._lane.abandon()

    def _delivered(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> bool:
        (consignment,) = consignments.each
        try:
            return self._lane.deliver(self._own(runs), consignment, deadline_s, interrupt)
        finally:
            if self._finished:
                self._lane.abandon()

    def _own(self, runs: Iterable[EncodedRun]) -> Iterable[EncodedRun]:
        return map(self._lane.own, runs) if self._lane.readdresses else runs


class Parallel:
    """To several lanes, each from a thread of its own.

    A lane that hangs, refuses or is slow delays no other; what each of them gets was encoded once.

    Args:
        lanes: Where to.
        interrupt: Once it is set, no lane waits for another attempt.
        settled: Called, in any thread, when a lane has done what it was given.
        bugs: Where to tell of bugs.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        interrupt: threading.Event,
        settled: Callable[[], None],
        bugs: Bugs,
    ) -> None:
        self._lanes = lanes
        self._clock = lanes[0].clock
        self._most_runs = lanes[0].settings.max_batch_runs
        self._interrupted = interrupt.is_set
        self._settled = settled
        self._changed = threading.Condition()
        self._workers = [Worker(lane, interrupt, self._heed, bugs) for lane in lanes]

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        deadline_s: float,
        *,
        wait: bool,
    ) -> bool:
        """Hand the runs over; to ``wait``: until the destinations that answer have them."""
        for batch in self._batches(runs):
            for worker, consignment in zip(self._workers, consignments.each, strict=True):
                worker.hand(batch)
                consignment.pass_on(batch.ends)
        asked = self._asked()
        return self._answered(asked, deadline_s) if wait else True

    def show(self, runs: Iterable[EncodedRun]) -> Verdict:
        """Hand them to those lanes that can take them now; the others get them when they end."""
        free = [worker for worker in self._workers if worker.listens]
        if not free:
            return RetryLater()
        for batch in self._batches(runs):
            for worker in free:
                worker.show(batch)
        return Accepted()

    def drain(self, deadline_s: float) -> bool:
        """Every lane at once."""
        asked = self._asked(deadline_s)
        self._wait(lambda: all(w.answered(t) for w, t in asked), deadline_s)
        return all(w.answered(t) and w.clear for w, t in asked)

    def finish(
        self,
        runs: Iterable[EncodedRun],
        consignments: Consignments,
        closings: Callable[[], Iterable[EncodedRun]],
        end: Ending,
    ) -> None:
        """Every lane at once."""
        self.deliver(runs, consignments, end.last_s, wait=False)
        told = [*closings()]
        for worker in self._workers:
            worker.finish(told, end.last_s)
        if not self._finished_by(end.last_s):
            for lane in self._lanes:
                lane.hang_up()
            self._finished_by(end.deadline_s)

    def wake(self) -> None:
        """Every worker."""
        for worker in self._workers:
            worker.wake()

    def interrupt(self) -> None:
        """Whoever waits for an answer looks again."""
        with self._changed:
            self._changed.notify_all()

    def abandon(self) -> None:
        """Every lane, whatever its worker does."""
        for worker in self._workers:
            worker.abandon()

    def _batches(self, runs: Iterable[EncodedRun]) -> Iterator[Batch]:
        return batches(runs, max_runs=self._most_runs, max_bytes=AMPLE)

    def _asked(self, drain_until_s: float = -math.inf) -> list[tuple[Worker, int]]:
        return [(worker, worker.ask(drain_until_s)) for worker in self._workers]

    def _answered(self, asked: Sequence[tuple[Worker, int]], deadline_s: float) -> bool:
        """Whether every lane is clear, once those that work as usual did what they were given.

        One whose last delivery was in vain is not waited for, nor the slowest for long: the next
        time, if it is still at it, not at all.
        """
        usual = [(w, t) for w, t in asked if w.clear and not w.late]

        def done() -> bool:
            return self._interrupted() or all(w.answered(t) for w, t in usual)

        self._wait(lambda: done() or any(w.answered(t) and w.clear for w, t in usual), deadline_s)
        self._wait(done, min(deadline_s, self._clock.now_s() + GRACE_S))
        for worker, ticket in usual:
            worker.late = not worker.answered(ticket)
        return all(w.answered(t) and w.clear for w, t in asked)

    def _finished_by(self, deadline_s: float) -> bool:
        return self._wait(lambda: all(w.finished for w in self._workers), deadline_s)

    def _wait(self, until: Callable[[], bool], deadline_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(until, bounded(deadline_s - self._clock.now_s()))

    def _heed(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._settled()
