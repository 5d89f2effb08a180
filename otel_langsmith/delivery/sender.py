"""Runs → requests → verdicts, with the one retry layer and its one deadline."""

import logging
import os
import random
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from otel_langsmith.delivery.backlog import BACKLOG_FULL, Backlog
from otel_langsmith.delivery.clock import Clock
from otel_langsmith.delivery.ledger import Book, Consignment
from otel_langsmith.delivery.outage import Outage
from otel_langsmith.delivery.outbox import Outbox
from otel_langsmith.delivery.parents import Parents
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.settings import Settings
from otel_langsmith.version import __version__
from otel_langsmith.wire import basic, multipart
from otel_langsmith.wire.batch import Batch, EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.reply import Accepted, Rejected, Reply, RetryLater, Split, Verdict, judge

USER_AGENT: Final = f"otel-langsmith/{__version__}"

UNDELIVERED: Final = "undelivered"
"""It waited in the backlog when the exporter was shut down, and LangSmith took no more."""

PARENT_UNKNOWN: Final = "parent_unknown"
"""LangSmith knows no run of the id that this one claims as its parent, so it went without."""

_PARENT_MAY_BE_MISSING: Final = frozenset({400, 404, 422})

_LEAST_SECRET: Final = 6
"""A shorter header value is no secret, and would be found in ordinary words."""

REPLAY_S: Final = 0.5
"""For so long a delivery goes on sending what waits on disk; new runs may be waiting behind it."""

_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 30.0

_log: Final = logging.getLogger("otel_langsmith")


class Sender:
    """Delivers runs to one LangSmith and settles each in the book; for use from many threads.

    What cannot be delivered before a deadline waits for the next delivery: in the outbox, or if
    that has no disk, in a backlog in memory. Where the server places runs by their parents,
    deliveries take turns, so that none overtakes its parent.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        clock: Clock,
        book: Book,
        outbox: Outbox | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._book = book
        self._backlog = Backlog(settings.max_backlog_bytes)
        self._outbox = outbox or Outbox(book, clock)
        self._headers = headers_of(settings)
        self._outage = Outage()
        self._refusals: set[str] = set()
        self._in_order = settings.mode == "basic" or settings.remote_parent == "parent"
        self._turn = threading.Lock()
        self._parents = Parents()

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignment: Consignment,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> bool:
        """Send the backlog, then ``runs``, then some of the outbox; whether nothing of it waits.

        ``deadline_s``, on the clock, is for all requests and waits together; nothing is tried for
        longer than the ``timeout`` setting in vain. Once ``interrupt`` is set, no wait for another
        attempt is begun or finished. With a disk to wait on there are none: see `drain`.
        """
        with self._my_turn(deadline_s) as mine:
            clear = mine and self.resend(deadline_s, interrupt) and not self._behind_others
            for batch in self._batches(runs):
                consignment.pass_on(batch.ends)
                if clear:
                    clear = self._sent(batch, deadline_s, interrupt)
                else:
                    self._wait(batch)
            if mine:
                self._replay(deadline_s, interrupt)
        return (clear or self._outbox.keeps) and not (self._outbox.waiting or self._backlog)

    def drain(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Send what waits on disk; whether nothing that this process received is left of it.

        Like `deliver`, it waits for nothing for longer than the ``timeout`` setting in vain.
        """
        outbox, early = self._outbox, True
        vain_s = self._clock.now_s() + self._settings.timeout
        while outbox.waiting:
            with self._my_turn(deadline_s) as mine:
                found = mine and self._replay(deadline_s, interrupt, early=early)
            now_s, early = self._clock.now_s(), False
            if found and not outbox.failing:
                vain_s = now_s + self._settings.timeout
                continue
            until_s = now_s + (outbox.due_in_s or _FIRST_BACKOFF_S)
            if until_s >= min(deadline_s, vain_s) or self._clock.wait(interrupt, until_s - now_s):
                break
        return not (outbox.waiting or self._backlog)

    @property
    def _behind_others(self) -> bool:
        """Whether new runs have to wait behind those on disk."""
        return self._outbox.failing or (self._in_order and self._outbox.waiting > 0)

    def _replay(
        self, deadline_s: float, interrupt: threading.Event, *, early: bool = False
    ) -> bool:
        """Send what waits on disk, one request after the other, for a while; whether any did."""
        limits, found = self._settings, False
        until_s = min(deadline_s, self._clock.now_s() + REPLAY_S)
        clear = self._clock.now_s() < until_s
        while clear and self._clock.now_s() < until_s:
            runs = self._outbox.take(limits.max_batch_runs, limits.max_batch_bytes, early=early)
            found, clear = found or bool(runs), bool(runs)
            waiting = deque(self._batches(runs))
            try:
                while clear and waiting:
                    clear = self._sent(waiting.popleft(), deadline_s, interrupt)
            finally:
                for batch in waiting:
                    self._wait(batch)
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
            for batch in self._batches(runs):
                if isinstance(verdict, RetryLater):
                    break
                verdict = self._announced(batch, deadline_s, interrupt)
        return verdict

    def _announced(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> Verdict:
        verdict, reply = self._post(batch, deadline_s, interrupt)
        if isinstance(verdict, Accepted):
            self._accepted(batch)
        elif not isinstance(verdict, RetryLater) and self._changed(batch, reply):
            return self._announced(batch, deadline_s, interrupt)
        elif isinstance(verdict, Rejected):
            self._refused(verdict, reply)
        return verdict

    def _batches(self, runs: Iterable[EncodedRun]) -> Iterator[Batch]:
        limits = self._settings
        return batches(runs, max_runs=limits.max_batch_runs, max_bytes=limits.max_batch_bytes)

    @contextmanager
    def _my_turn(self, deadline_s: float) -> Iterator[bool]:
        """Whether the turn came before the deadline; it always does where no order matters."""
        if not self._in_order:
            yield True
            return
        mine = self._turn.acquire(timeout=max(0.0, deadline_s - self._clock.now_s()))
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
            self._book.dropped(UNDELIVERED, batch.ends)
        self._outbox.close()

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
        if now_s >= deadline_s:
            self._wait(batch, again=True)
            return False
        answered = False
        try:
            patience_s = now_s + self._settings.timeout
            verdict, reply = self._post(batch, min(deadline_s, patience_s), interrupt)
            answered = not isinstance(verdict, RetryLater)
        finally:
            if not answered:
                self._wait(replace(batch, tried=True), again=True)
        if isinstance(verdict, RetryLater):
            self._outbox.failed(verdict.after_s)
        elif isinstance(verdict, Split):
            self._requeue(batch.halves())
        elif self._changed(batch, reply):
            self._requeue((replace(batch, tried=False),))
        elif isinstance(verdict, Accepted):
            self._accepted(batch)
            self._book.delivered(batch.ends)
        else:
            self._refused(verdict, reply)
            said = self._scrubbed(reply.text)
            return self._outbox.refuse(batch, verdict.reason, reply, said)
        return answered

    def _changed(self, batch: Batch, reply: Reply) -> bool:
        """Whether the reply to a lone run is a reason to send the run once more, differently."""
        run = batch.runs[0]
        if len(batch) > 1 or run.presence is None:
            return False
        if run.moment == "end" and run.presence.turned_by(_told(run, reply)):
            return True
        if reply.status in _PARENT_MAY_BE_MISSING and self._parents.claimed_by(run):
            run.presence.orphaned = True
            self._book.note((PARENT_UNKNOWN,))
            return True
        return False

    def _accepted(self, batch: Batch) -> None:
        for run in batch.runs:
            if run.moment == "opening" and run.presence is not None:
                run.presence.opening_accepted()
            if run.alone:
                self._parents.arrived(run)
        self._outbox.worked()
        self._outbox.settle(batch)

    def _requeue(self, parts: tuple[Batch, ...]) -> None:
        for part in reversed(parts):
            self._backlog.next(part)

    def _wait(self, batch: Batch, *, again: bool = False) -> None:
        """Keep the batch for later; ``again``: before all others, if in memory."""
        if not self._outbox.keep(batch):
            add = self._backlog.give_back if again else self._backlog.add
            self._lose(add(batch))

    def _lose(self, displaced: Iterable[Batch]) -> None:
        """Batches that have no room in memory; those from disk go back there."""
        for batch in displaced:
            if not self._outbox.keep(batch):
                self._book.dropped(BACKLOG_FULL, batch.ends)

    def _request(self, batch: Batch) -> Request:
        run = batch.runs[0]
        if run.alone:
            place = self._parents.place_of(run)
            method, path, data = basic.encode(run.run_id, run.parts, run.operation, place)
            headers = {**self._headers, "Content-Type": basic.CONTENT_TYPE}
            return Request(method, f"{self._settings.endpoint}{path}", headers, data)
        parts = [part for run in batch.runs for part in run.as_sent()]
        body = multipart.encode(parts, os.urandom(16).hex())
        headers = {**self._headers, "Content-Type": body.content_type}
        if self._settings.compression != "none":
            headers["Content-Encoding"] = self._settings.compression
        data = compress(body.data, self._settings.compression)
        return Request("POST", f"{self._settings.endpoint}/runs/multipart", headers, data)

    def _post(
        self, batch: Batch, deadline_s: float, interrupt: threading.Event
    ) -> tuple[Verdict, Reply]:
        """The verdict that stands at the deadline, and the reply it is on."""
        self._outbox.begin(batch)
        for run in batch.runs:
            if run.moment == "opening" and run.presence is not None:
                run.presence.opening_sent()
        request = self._request(batch)
        sure = not any(run.doubtful for run in batch.runs)
        tried = batch.tried
        backoff_s = _FIRST_BACKOFF_S
        reply = Reply(None, error="DeadlineExceeded")
        verdict: Verdict = RetryLater()
        while (remaining_s := deadline_s - self._clock.now_s()) > 0:
            reply = self._transport.send(request, remaining_s)
            verdict = judge(reply, self._clock.utc(), runs=len(batch), tried=tried and sure)
            self._report(reply, verdict)
            if not isinstance(verdict, RetryLater):
                break
            tried = True
            # full jitter: a fleet that failed together must not come back together
            wait_s = max(verdict.after_s, random.uniform(0, backoff_s))  # noqa: S311
            in_time = wait_s < deadline_s - self._clock.now_s()
            # who has a disk waits there: a process that is killed now must not lose these runs
            if self._outbox.keeps or not in_time or self._clock.wait(interrupt, wait_s):
                break
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
        return verdict, reply

    def _report(self, reply: Reply, verdict: Verdict) -> None:
        """One line in the log when something changes; the server's own words only for debugging.

        They may quote what was sent, and a log is no place for content.
        """
        _log.debug("LangSmith answered: %.300s", self._scrubbed(str(reply)))
        why = f"{self._settings.endpoint}: {reply.summary}"
        if isinstance(verdict, Accepted):
            self._outage.over(self._clock.now_s())
        elif isinstance(verdict, RetryLater):
            self._outage.began(self._clock.now_s(), why + _REMEDIES.get(reply.status or 0, ""))

    def _refused(self, verdict: Rejected, reply: Reply) -> None:
        """Say once for each reason that runs are refused."""
        if verdict.reason not in self._refusals:
            self._refusals.add(verdict.reason)
            why = f"{self._settings.endpoint}: {reply.summary}"
            _log.warning("LangSmith refuses runs: %s%s", why, _REMEDIES.get(reply.status or 0, ""))

    def _scrubbed(self, text: str) -> str:
        for secret in (self._settings.api_key or "", *self._settings.headers.values()):
            if len(secret) >= _LEAST_SECRET:
                text = text.replace(secret, "[secret]").replace(quote(secret), "[secret]")
        return text


def _told(run: EncodedRun, reply: Reply) -> int | None:
    """The status, if it is about the run: a multipart request is not found when no run is."""
    return reply.status if run.alone or reply.status != _NOT_FOUND else None


_NOT_FOUND: Final = 404

_REMEDIES: Final = {
    0: " (is LANGSMITH_ENDPOINT right, and can this machine reach it?)",
    401: " (is LANGSMITH_API_KEY right?)",
    403: " (are LANGSMITH_API_KEY, LANGSMITH_ENDPOINT's region and LANGSMITH_WORKSPACE_ID right?)",
    404: " (is LANGSMITH_ENDPOINT right?)",
}


def headers_of(settings: Settings) -> Mapping[str, str]:
    """The headers that every request to this LangSmith bears; among them is the key."""
    headers = {"User-Agent": USER_AGENT, **settings.headers}
    if settings.api_key:
        headers["x-api-key"] = settings.api_key
    if settings.workspace_id:
        headers["x-tenant-id"] = settings.workspace_id
    return headers
