"""Runs → batches → verdicts, and what each verdict means for the runs."""

from __future__ import annotations

import math
import threading
from collections import deque
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.attempts import FIRST_BACKOFF_S, Attempts
from otel_langsmith.delivery.backlog import BACKLOG_FULL, Backlog
from otel_langsmith.delivery.clock import bounded
from otel_langsmith.delivery.ledger import UNDELIVERED
from otel_langsmith.delivery.outbox import Outbox
from otel_langsmith.delivery.outcome import NO_REPLY, Outcome, closings_of, doubtful
from otel_langsmith.delivery.reports import Reports
from otel_langsmith.delivery.server import Server
from otel_langsmith.delivery.telemetry import Telemetry
from otel_langsmith.live import OPENING_FAILED
from otel_langsmith.wire.isolate import taken_apart
from otel_langsmith.wire.reply import (
    Accepted,
    Paused,
    Rejected,
    Reply,
    RetryLater,
    Split,
    Verdict,
)
from otel_langsmith.wire.shorten import TRUNCATED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from otel_langsmith.delivery.clock import Clock
    from otel_langsmith.delivery.ledger import Book, Consignment
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import Batch, EncodedRun

PARENT_UNKNOWN: Final = "parent_unknown"
"""LangSmith knows no run of the id that this one claims as its parent, so it went without."""

_PARENT_MAY_BE_MISSING: Final = frozenset({400, 404, 422})

REPLAY_S: Final = 0.5
"""For so long a delivery goes on sending what waits on disk; new runs may be waiting behind it."""

TURN_S: Final = 3.0
"""For so long a delivery goes on although many new runs wait: a full queue takes less, unless
LangSmith is slow."""

_ANY_TIME: Final = nullcontext(enter_result=True)


class Sender:
    """Delivers runs to one LangSmith and settles each in the book; for use from many threads.

    What cannot be delivered before a deadline waits for the next delivery: in the outbox, or if
    that has no disk, in a backlog in memory. Where the server places runs by their parents,
    deliveries take turns, so that none overtakes its parent.

    Args:
        settings: Those of the destination.
        transport: Carries the requests.
        clock: Its time.
        book: What becomes of the spans.
        outbox: What is on disk; by default, nothing is.
        pressed: Whether so many other runs wait that a delivery which has lasted for `TURN_S` had
            better put the rest aside: those would be lost, these can wait.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a delivery needs
        self,
        settings: Settings,
        transport: Transport,
        clock: Clock,
        book: Book,
        outbox: Outbox | None = None,
        pressed: Callable[[], bool] = bool,  # False
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._book = book
        self._backlog = Backlog(settings.max_backlog_bytes)
        self._outbox = outbox or Outbox(book, clock)
        self._server = Server(settings, transport, clock)
        self._reports = Reports(settings)
        self._telemetry = Telemetry(settings)
        self._attempts = Attempts(
            settings, transport, clock, self._server, self._outbox, self._reports
        )
        self._pressed = pressed
        self._turn_s = math.inf
        self.moved_on = False
        self._believed = True
        self._in_order = settings.mode == "basic" or settings.remote_parent == "parent"
        self._turn = threading.Lock()

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignment: Consignment,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> bool:
        """Send the backlog, then ``runs``, then some of the outbox; whether nothing of it waits.

        ``deadline_s``, on the clock, is for all requests and waits together; after `end_by` there
        are none, and what is left waits on disk or is lost. Once LangSmith has taken nothing for
        the ``timeout`` setting, the rest waits, too, and so it does if this delivery has
        ``moved_on``. Once ``interrupt`` is set, no wait for another attempt is begun or finished.
        With a disk to wait on there are none: see `drain`.
        """
        self.moved_on, self._turn_s = False, self._clock.now_s() + TURN_S
        with self._my_turn(deadline_s) as mine:
            clear = mine and self.resend(deadline_s, interrupt) and not self._behind_others
            if clear and not interrupt.is_set():
                self._server.learn(deadline_s - self._clock.now_s())
            for batch in self._server.batches(runs):
                consignment.pass_on(batch.ends)
                self._book.note([OPENING_FAILED] * len(doubtful(batch)))
                if clear:
                    clear = self._sent(batch, deadline_s, interrupt)
                else:
                    self.postpone(batch)
                if self._attempts.are_over and not self._outbox.keeps:
                    # the rest is not even encoded
                    self._telemetry.settled(consignment.left, UNDELIVERED)
                    consignment.dropped(UNDELIVERED, consignment.left)
                    clear = False
                    break
            if mine and not self.moved_on:
                self._replay(deadline_s, interrupt)
        return (clear or self._outbox.keeps) and self._is_clear()

    def drain(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Send what waits on disk; whether nothing that this process received is left of it.

        Like `deliver`, it waits for nothing for longer than the ``timeout`` setting in vain.
        """
        outbox, early = self._outbox, True
        self.moved_on, self._turn_s = False, math.inf
        deadline_s = min(deadline_s, self._attempts.until_s)
        vain_s = self._clock.now_s() + self._settings.timeout
        while outbox.waiting:
            with self._my_turn(deadline_s) as mine:
                found = mine and self._replay(deadline_s, interrupt, early=early)
            now_s, early = self._clock.now_s(), False
            if found and not outbox.failing:
                vain_s = now_s + self._settings.timeout
                continue
            until_s = now_s + (outbox.due_in_s or FIRST_BACKOFF_S)
            if until_s >= min(deadline_s, vain_s) or self._clock.wait(interrupt, until_s - now_s):
                break
        return self._is_clear()

    def _is_clear(self) -> bool:
        """Whether nothing waits; the log tells of it if that is news."""
        clear = not (self._outbox.waiting or self._backlog)
        if clear:
            self._reports.clear()
        return clear

    @property
    def _behind_others(self) -> bool:
        """Whether new runs have to wait behind those on disk."""
        return self._outbox.failing or (self._in_order and self._outbox.waiting > 0)

    def _replay(
        self, deadline_s: float, interrupt: threading.Event, *, early: bool = False
    ) -> bool:
        """Send what waits on disk, one request after the other, for a while; whether any did."""
        if not self._outbox.keeps:
            return False
        limits, found = self._settings, False
        until_s = min(deadline_s, self._clock.now_s() + REPLAY_S)
        clear = self._clock.now_s() < until_s
        while clear and self._clock.now_s() < until_s:
            runs = self._outbox.take(limits.max_batch_runs, limits.max_batch_bytes, early=early)
            found, clear = found or bool(runs), bool(runs)
            waiting = deque(self._server.batches(runs))
            try:
                while clear and waiting:
                    clear = self._sent(waiting.popleft(), deadline_s, interrupt)
            finally:
                for batch in waiting:
                    self.postpone(batch)
        return found

    def announce(
        self, runs: Iterable[EncodedRun], deadline_s: float, interrupt: threading.Event
    ) -> Verdict:
        """Send runs that no ledger waits for, unless others wait; what the last reply meant.

        Whatever is not taken is no concern of the backlog. `RetryLater` ends it.
        """
        with self._my_turn(deadline_s) as mine:
            free = mine and not (self._backlog or self._behind_others)
            verdict: Verdict = Accepted() if free else RetryLater()
            for batch in self._server.batches(runs):
                if isinstance(verdict, RetryLater | Paused):
                    break
                verdict = self._announced(batch, deadline_s, interrupt)
        held = isinstance(verdict, RetryLater | Paused)
        return RetryLater(self._attempts.gate.due_s()) if held else verdict

    def _announced(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> Verdict:
        verdict, reply, _ = self._attempts.post(batch, deadline_s, interrupt)
        if isinstance(verdict, Accepted):
            self._accepted(batch)
        elif not isinstance(verdict, RetryLater | Paused) and self._changed(batch, reply):
            return self._announced(batch, deadline_s, interrupt)
        elif isinstance(verdict, Rejected):
            self._reports.refused(verdict, reply)
        return verdict

    def _my_turn(self, deadline_s: float) -> AbstractContextManager[bool]:
        """Whether the turn came before the deadline; it always does where no order matters."""
        return self._in_turn(deadline_s) if self._in_order else _ANY_TIME

    @contextmanager
    def _in_turn(self, deadline_s: float) -> Iterator[bool]:
        mine = self._turn.acquire(timeout=bounded(deadline_s - self._clock.now_s()))
        try:
            yield mine
        finally:
            if mine:
                self._turn.release()

    def resend(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Send what waits in the backlog, oldest first; whether nothing is left of it."""
        while (batch := self._backlog.take()) is not None:
            if not self._send(batch, deadline_s, interrupt):
                self._secure()
                return False
        return True

    def abandon(self) -> None:
        """Leave what waits to the next process, or drop it where there is no disk."""
        self._secure()
        while (batch := self._backlog.take()) is not None:
            self._dropped(self._attempts.gate.reason or UNDELIVERED, batch.ends)
        self._outbox.close()

    def end_by(self, until_s: float) -> None:
        """Begin no request from then on; one that is on its way is the transport's to break off."""
        self._attempts.until_s = min(self._attempts.until_s, until_s)

    def insist(self) -> None:
        """Ask once more, however lately LangSmith asked for patience: this is the last chance."""
        self._attempts.gate.give_up()

    def _secure(self) -> None:
        """Put what waits in memory on disk, as far as that takes it."""
        while self._outbox.keeps and (batch := self._backlog.take()) is not None:
            if not self._outbox.keep(batch):
                self._lose(self._backlog.give_back(batch))
                break

    def _sent(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether nothing waits in memory now, of the batch or of others."""
        sent = self._send(batch, deadline_s, interrupt)
        return sent and self.resend(deadline_s, interrupt)

    def _send(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether more can be sent now.

        What is not settled is the oldest of the backlog: the batch itself if it must wait, and what
        became of it if it is to go at once in another form.
        """
        now_s = self._clock.now_s()
        if now_s >= min(deadline_s, self._attempts.until_s) or self._moves_on(now_s):
            self.postpone(batch, again=True)
            return False
        outcome = Outcome(RetryLater(), NO_REPLY, sent=True)
        self._telemetry.began(batch.ends)
        try:
            outcome = self._attempts.post(batch, deadline_s, interrupt)
        finally:
            took_s = self._clock.now_s() - now_s
            self._telemetry.ended(batch.ends, took_s, outcome.reply, outcome.error)
            if outcome.waits:
                self.postpone(replace(batch, tried=batch.tried or outcome.sent), again=True)
        if outcome.waits:
            self._outbox.failed(self._attempts.due_s(batch))
            return False
        return self._settle(batch, outcome)

    def _moves_on(self, now_s: float) -> bool:
        """Whether the delivery has had its time, and others press."""
        self.moved_on = self.moved_on or (now_s >= self._turn_s and self._pressed())
        return self.moved_on

    def _settle(self, batch: Batch, outcome: Outcome) -> bool:
        """Whether more can be sent, now that there is a verdict on the batch."""
        verdict, reply, _ = outcome
        parts: tuple[Batch, ...] = ()
        if isinstance(verdict, Split):
            parts = taken_apart(batch, reply, believed=self._believed)
            verdict = Rejected(f"http_{reply.status}")
        elif self._changed(batch, reply):
            parts = (replace(batch, tried=False),)
        if parts:
            self._requeue(parts)
        elif isinstance(verdict, Accepted):
            self._accepted(batch)
            self._book.delivered(batch.ends)
            self._telemetry.settled(batch.ends)
        elif isinstance(verdict, Rejected):
            return self._refused(batch, verdict, reply)
        return True

    def _refused(self, batch: Batch, verdict: Rejected, reply: Reply) -> bool:
        """Whether the fate of the runs is known: else they wait for better times."""
        self._reports.refused(verdict, reply)
        said = self._reports.scrubbed(reply.text)
        known = self._outbox.refuse(batch, verdict.reason, reply, said)
        if known:
            self._telemetry.settled(batch.ends, verdict.reason)
            self._requeue(tuple(closings_of(batch)))
        return known

    def _changed(self, batch: Batch, reply: Reply) -> bool:
        """Whether the reply to a lone run is a reason to send the run once more, differently."""
        run = batch.runs[0]
        if len(batch) > 1 or run.presence is None:
            return False
        if run.moment != "opening" and run.presence.turned_by(_told(run, reply)):
            return True
        if reply.status in _PARENT_MAY_BE_MISSING and self._server.claims(run):
            run.presence.orphaned = True
            self._book.note((PARENT_UNKNOWN,))
            return True
        return reply.status in _PARENT_MAY_BE_MISSING and self._server.mistook(run)

    def _accepted(self, batch: Batch) -> None:
        self._server.accepted(batch)
        self._outbox.worked()
        self._outbox.settle(batch)
        self._reports.sent(batch.ends, self._clock.now_s())
        self._believed = self._believed and not batch.accused
        batch.arrived()
        if batch.runs[0].cuts:
            self._book.note((TRUNCATED,))

    def _requeue(self, parts: tuple[Batch, ...]) -> None:
        for part in reversed(parts):
            self._backlog.next(part)

    def postpone(self, batch: Batch, *, again: bool = False) -> None:
        """Keep the batch for later; ``again``: before all others, if in memory."""
        if not self._outbox.keep(batch):
            add = self._backlog.give_back if again else self._backlog.add
            self._lose(add(batch))

    def _lose(self, displaced: Iterable[Batch]) -> None:
        """Batches that have no room in memory; those from disk go back there."""
        for batch in displaced:
            if not self._outbox.keep(batch):
                self._dropped(BACKLOG_FULL, batch.ends)

    def _dropped(self, reason: str, spans: int) -> None:
        self._book.dropped(reason, spans)
        self._telemetry.settled(spans, reason)


def _told(run: EncodedRun, reply: Reply) -> int | None:
    """The status, if it is about the run: a multipart request is not found when no run is."""
    return reply.status if run.alone or reply.status != _NOT_FOUND else None


_NOT_FOUND: Final = 404
