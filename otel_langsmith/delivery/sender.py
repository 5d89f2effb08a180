"""Runs → requests → verdicts, with the one retry layer and its one deadline."""

import logging
import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from secrets import token_hex
from typing import Final, Protocol
from urllib.parse import quote

from otel_langsmith.delivery.backlog import BACKLOG_FULL, Backlog
from otel_langsmith.delivery.ledger import Book, Consignment
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.settings import Settings
from otel_langsmith.version import __version__
from otel_langsmith.wire.batch import Batch, EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.multipart import encode
from otel_langsmith.wire.reply import Accepted, Rejected, Reply, RetryLater, Split, Verdict, judge

USER_AGENT: Final = f"otel-langsmith/{__version__}"

UNDELIVERED: Final = "undelivered"
"""It waited in the backlog when the exporter was shut down, and LangSmith took no more."""

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

    What cannot be delivered before a deadline waits in a backlog for the next delivery.
    """

    def __init__(self, settings: Settings, transport: Transport, clock: Clock, book: Book) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._book = book
        self._backlog = Backlog(settings.max_backlog_bytes)
        self._headers = _headers(settings)
        self._outage = Outage()
        self._refusals: set[str] = set()

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
        clear = self.resend(deadline_s, interrupt)
        for batch in batches(
            runs,
            max_runs=self._settings.max_batch_runs,
            max_bytes=self._settings.max_batch_bytes,
        ):
            consignment.pass_on(len(batch))
            if clear:
                clear = self._send(batch, deadline_s, interrupt)
            else:
                self._kept(self._backlog.add(batch))
        return clear

    def resend(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Send what waits in the backlog, oldest first; whether nothing is left of it."""
        while (batch := self._backlog.take()) is not None:
            if not self._send(batch, deadline_s, interrupt):
                return False
        return True

    def abandon(self) -> None:
        """Drop what waits in the backlog."""
        while (batch := self._backlog.take()) is not None:
            self._book.dropped(UNDELIVERED, len(batch))

    def _send(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether the batch is settled; what is not is the oldest of the backlog."""
        now_s = self._clock.now_s()
        if now_s >= deadline_s:
            self._kept(self._backlog.give_back(batch))
            return False
        settled = False
        try:
            patience_s = now_s + self._settings.timeout
            verdict = self._post(batch, min(deadline_s, patience_s), interrupt)
            settled = not isinstance(verdict, RetryLater)
        finally:
            if not settled:
                self._kept(self._backlog.give_back(replace(batch, tried=True)))
        if isinstance(verdict, Accepted):
            self._book.delivered(len(batch))
        elif isinstance(verdict, Rejected):
            self._book.dropped(verdict.reason, len(batch))
        elif isinstance(verdict, Split):
            self._requeue(batch.halves())
            return self.resend(deadline_s, interrupt)
        return settled

    def _requeue(self, parts: tuple[Batch, ...]) -> None:
        for part in reversed(parts):
            self._kept(self._backlog.give_back(part))

    def _kept(self, displaced: int) -> None:
        if displaced:
            self._book.dropped(BACKLOG_FULL, displaced)

    def _request(self, batch: Batch) -> Request:
        body = encode([part for run in batch.runs for part in run.parts], token_hex(16))
        headers = {**self._headers, "Content-Type": body.content_type}
        if self._settings.compression != "none":
            headers["Content-Encoding"] = self._settings.compression
        data = compress(body.data, self._settings.compression)
        return Request("POST", f"{self._settings.endpoint}/runs/multipart", headers, data)

    def _post(self, batch: Batch, deadline_s: float, interrupt: threading.Event) -> Verdict:
        """The verdict that stands at the deadline."""
        request = self._request(batch)
        tried = batch.tried
        backoff_s = _FIRST_BACKOFF_S
        verdict: Verdict = RetryLater()
        while (remaining_s := deadline_s - self._clock.now_s()) > 0:
            reply = self._transport.send(request, remaining_s)
            verdict = judge(reply, self._clock.utc(), runs=len(batch), tried=tried)
            self._report(reply, verdict)
            if not isinstance(verdict, RetryLater):
                break
            tried = True
            # full jitter: a fleet that failed together must not come back together
            wait_s = max(verdict.after_s, random.uniform(0, backoff_s))  # noqa: S311
            if wait_s >= deadline_s - self._clock.now_s() or self._clock.wait(interrupt, wait_s):
                break
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
        return verdict

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
        elif isinstance(verdict, Rejected) and verdict.reason not in self._refusals:
            self._refusals.add(verdict.reason)
            _log.warning("LangSmith refuses runs: %s%s", why, _REMEDIES.get(reply.status or 0, ""))

    def _scrubbed(self, text: str) -> str:
        for secret in (self._settings.api_key or "", *self._settings.headers.values()):
            if len(secret) >= _LEAST_SECRET:
                text = text.replace(secret, "[secret]").replace(quote(secret), "[secret]")
        return text


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


def _headers(settings: Settings) -> Mapping[str, str]:
    headers = {"User-Agent": USER_AGENT, **settings.headers}
    if settings.api_key:
        headers["x-api-key"] = settings.api_key
    if settings.workspace_id:
        headers["x-tenant-id"] = settings.workspace_id
    return headers
