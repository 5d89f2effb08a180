"""A batch → what its request came to, asked as often as makes sense."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.gate import Gate
from otel_langsmith.delivery.outcome import NO_REPLY, Outcome, doubtful
from otel_langsmith.delivery.quota import Quota
from otel_langsmith.wire.reply import RetryLater, Sent, judge

if TYPE_CHECKING:
    import threading

    from otel_langsmith.delivery.clock import Clock
    from otel_langsmith.delivery.outbox import Outbox
    from otel_langsmith.delivery.reports import Reports
    from otel_langsmith.delivery.server import Server
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import Batch

FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 30.0


class Attempts:
    """The one retry layer: exponential back-off with full jitter; for use from many threads.

    ``gate`` is shut while LangSmith wants to be left alone. From ``until_s`` on nothing is sent.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a request passes on its way
        self,
        settings: Settings,
        transport: Transport,
        clock: Clock,
        server: Server,
        outbox: Outbox,
        reports: Reports,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._server = server
        self._outbox = outbox
        self._reports = reports
        self._timeout_s = settings.timeout
        self._quota = Quota(settings)
        self.gate = Gate(clock)
        self.until_s = math.inf

    @property
    def are_over(self) -> bool:
        """Whether nothing is sent any more."""
        return self._clock.now_s() >= self.until_s

    def post(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> Outcome:
        """The verdict that stands at the deadline, and the reply it is on.

        That is ``deadline_s``, or when the ``timeout`` setting is over. Once ``interrupt`` is set,
        no wait for another attempt is begun or finished.
        """
        deadline_s = min(deadline_s, self._clock.now_s() + self._timeout_s)
        request = self._server.request(batch)
        sent = self._sending(batch)
        outcome = Outcome(RetryLater(), NO_REPLY, sent=False)
        backoff_s, ceiling_s = 0.0, FIRST_BACKOFF_S / 2
        while self._may_send(batch, backoff_s, deadline_s, interrupt):
            self._outbox.begin(batch)
            batch.departs()
            reply = self._transport.send(request, self._end_s(deadline_s) - self._clock.now_s())
            if self._server.revised_by(request, reply):
                request = self._server.request(batch)
                self.gate.give_up()
                continue
            verdict = judge(reply, self._clock.utc(), sent)
            outcome = Outcome(verdict, reply, sent=True)
            self.gate.judged(verdict)
            self._reports.heard(reply, verdict, self._clock.now_s())
            if not isinstance(verdict, RetryLater):
                break
            sent = replace(sent, tried=not doubtful(batch))
            # full jitter: a fleet that failed together must not come back together
            ceiling_s = min(2 * ceiling_s, _LONGEST_BACKOFF_S)
            backoff_s = random.uniform(0, ceiling_s)  # noqa: S311
        return outcome

    def due_s(self, batch: Batch) -> float:
        """Seconds until LangSmith and the user's own limits let the batch go."""
        return max(self.gate.due_s(), self._quota.due_s(self._clock.now_s(), batch))

    def _may_send(
        self, batch: Batch, backoff_s: float, deadline_s: float, interrupt: threading.Event
    ) -> bool:
        """Whether a request may go before the deadline; waits until it may."""
        wait_s = backoff_s
        while (now_s := self._clock.now_s()) < self._end_s(deadline_s):
            wait_s = max(wait_s, self.due_s(batch))
            if not wait_s and self.gate.claim():
                self._quota.spend(now_s, batch)
                return True
            # who has a disk waits there: a process that is killed now must not lose these runs
            in_time = wait_s < self._end_s(deadline_s) - now_s and not self._outbox.keeps
            if not in_time or self._clock.wait(interrupt, wait_s):
                return False
            wait_s = 0.0
        return False

    def _end_s(self, deadline_s: float) -> float:
        """The deadline, or when nothing is sent any more, which may be told at any time."""
        return min(deadline_s, self.until_s)

    def _sending(self, batch: Batch) -> Sent:
        run = batch.runs[0]
        return Sent(
            runs=len(batch),
            size=batch.sent_size,
            tried=batch.tried and not doubtful(batch),
            of_run=run.alone and (run.operation == "patch" or self._server.claims(run)),
        )
