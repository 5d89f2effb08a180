"""Runs → requests → verdicts, with the one retry layer and its one deadline."""

import logging
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final, Protocol
from urllib.parse import quote

from otel_langsmith.delivery.backlog import BACKLOG_FULL, Backlog
from otel_langsmith.delivery.ledger import Book, Consignment
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.run import EMPTY, JsonObject
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

_PARENTS_KNOWN: Final = 65_536
"""How many runs sent as plain REST are remembered to be there; of others it is taken for unsure."""

_PARENT_MAY_BE_MISSING: Final = frozenset({400, 404, 422})

_LEAST_SECRET: Final = 6
"""A shorter header value is no secret, and would be found in ordinary words."""

_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 30.0

_log: Final = logging.getLogger("otel_langsmith")


class Clock(Protocol):
    """Time, as far as delivery needs it."""

    def now_s(self) -> float:
        """Seconds on a clock that never goes back."""

    def utc(self) -> datetime:
        """The time of day, for dates in replies."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Whether ``event`` was set, at the latest after ``timeout_s`` seconds."""


class SystemClock:
    """The machine's own `Clock`."""

    def now_s(self) -> float:
        """``time.monotonic``."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(timezone.utc)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """``event.wait``."""
        return event.wait(timeout_s)


class Sender:
    """Delivers runs to one LangSmith and settles each in the book; for use from many threads.

    What cannot be delivered before a deadline waits in a backlog for the next delivery. Where the
    server places runs by their parents, deliveries take turns, so that none overtakes its parent.
    """

    def __init__(self, settings: Settings, transport: Transport, clock: Clock, book: Book) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._book = book
        self._backlog = Backlog(settings.max_backlog_bytes)
        self._headers = headers_of(settings)
        self._outage = Outage()
        self._refusals: set[str] = set()
        self._in_order = settings.mode == "basic" or settings.remote_parent == "parent"
        self._turn = threading.Lock()
        self._there: OrderedDict[str, None] = OrderedDict()

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignment: Consignment,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> bool:
        """Send the backlog, then ``runs``; whether nothing of it is left waiting.

        ``deadline_s``, on the clock, is for all requests and waits together; nothing is tried for
        longer than the ``timeout`` setting in vain. Once ``interrupt`` is set, no wait for another
        attempt is begun or finished.
        """
        with self._my_turn(deadline_s) as mine:
            clear = mine and self.resend(deadline_s, interrupt)
            for batch in self._batches(runs):
                consignment.pass_on(batch.ends)
                if clear:
                    clear = self._send(batch, deadline_s, interrupt)
                    clear = clear and self.resend(deadline_s, interrupt)
                else:
                    self._kept(self._backlog.add(batch))
        return clear

    def announce(
        self, runs: Iterable[EncodedRun], deadline_s: float, interrupt: threading.Event
    ) -> Verdict:
        """Send runs that no ledger waits for, unless others wait; what the last reply meant.

        Whatever is not taken is no concern of the backlog. `RetryLater` ends it.
        """
        with self._my_turn(deadline_s) as mine:
            verdict: Verdict = Accepted() if mine and not self._backlog else RetryLater()
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
                return False
        return True

    def abandon(self) -> None:
        """Drop what waits in the backlog."""
        while (batch := self._backlog.take()) is not None:
            self._book.dropped(UNDELIVERED, batch.ends)

    def _send(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether more can be sent now.

        What is not settled is the oldest of the backlog: the batch itself if it must wait, and what
        became of it if it is to go at once in another form.
        """
        now_s = self._clock.now_s()
        if now_s >= deadline_s:
            self._kept(self._backlog.give_back(batch))
            return False
        answered = False
        try:
            patience_s = now_s + self._settings.timeout
            verdict, reply = self._post(batch, min(deadline_s, patience_s), interrupt)
            answered = not isinstance(verdict, RetryLater)
        finally:
            if not answered:
                self._kept(self._backlog.give_back(replace(batch, tried=True)))
        if isinstance(verdict, Split):
            self._requeue(batch.halves())
        elif answered and self._changed(batch, reply):
            self._requeue((replace(batch, tried=False),))
        elif isinstance(verdict, Accepted):
            self._accepted(batch)
            self._book.delivered(batch.ends)
        elif isinstance(verdict, Rejected):
            self._refused(verdict, reply)
            self._book.dropped(verdict.reason, batch.ends)
        return answered

    def _changed(self, batch: Batch, reply: Reply) -> bool:
        """Whether the reply to a lone run is a reason to send the run once more, differently."""
        run = batch.runs[0]
        if len(batch) > 1 or run.presence is None:
            return False
        if run.moment == "end" and run.presence.turned_by(_told(run, reply)):
            return True
        if reply.status in _PARENT_MAY_BE_MISSING and self._claims(run):
            run.presence.orphaned = True
            self._book.note((PARENT_UNKNOWN,))
            return True
        return False

    def _accepted(self, batch: Batch) -> None:
        for run in batch.runs:
            if run.moment == "opening" and run.presence is not None:
                run.presence.opening_accepted()
            if run.alone:
                self._there[run.run_id] = None
                if len(self._there) > _PARENTS_KNOWN:
                    self._there.popitem(last=False)

    def _claims(self, run: EncodedRun) -> bool:
        """Whether the run has nothing but the id of a parent that may not be there."""
        place = self._place(run)
        return len(place) == 1 and place["parent_run_id"] not in self._there

    def _place(self, run: EncodedRun) -> JsonObject:
        """What a run sent alone says of its place.

        The parent's id, from which the server tells the rest; and the rest as well if the parent
        may not have come yet, as one of another process, and if we know it.
        """
        parent = run.place.get("parent_run_id")
        if parent is None or (run.presence is not None and run.presence.orphaned):
            return EMPTY
        if parent in self._there or run.operation == "patch":
            return {"parent_run_id": parent}
        return run.place

    def _requeue(self, parts: tuple[Batch, ...]) -> None:
        for part in reversed(parts):
            self._kept(self._backlog.give_back(part))

    def _kept(self, displaced: int) -> None:
        if displaced:
            self._book.dropped(BACKLOG_FULL, displaced)

    def _request(self, batch: Batch) -> Request:
        run = batch.runs[0]
        if run.alone:
            method, path, data = basic.encode(
                run.run_id, run.parts, run.operation, self._place(run)
            )
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
            if wait_s >= deadline_s - self._clock.now_s() or self._clock.wait(interrupt, wait_s):
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


class Outage:
    """Says in the log when delivery begins to fail and when it works again, not in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_s: float | None = None

    def began(self, now_s: float, why: str) -> None:
        """LangSmith could not be reached, or was busy."""
        with self._lock:
            new = self._since_s is None
            if new:
                self._since_s = now_s
        if new:
            _log.warning("delivery to LangSmith is failing: %s", why)

    def over(self, now_s: float) -> None:
        """LangSmith took something."""
        with self._lock:
            since_s, self._since_s = self._since_s, None
        if since_s is not None:
            _log.warning("delivery to LangSmith recovered after %.0f s", now_s - since_s)


def headers_of(settings: Settings) -> Mapping[str, str]:
    """The headers that every request to this LangSmith bears; among them is the key."""
    headers = {"User-Agent": USER_AGENT, **settings.headers}
    if settings.api_key:
        headers["x-api-key"] = settings.api_key
    if settings.workspace_id:
        headers["x-tenant-id"] = settings.workspace_id
    return headers
