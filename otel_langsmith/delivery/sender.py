"""Runs → requests → verdicts, with the one retry layer and its one deadline."""

import logging
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from secrets import token_hex
from typing import Final, Protocol

from otel_langsmith.delivery.backlog import BACKLOG_FULL, Backlog
from otel_langsmith.delivery.ledger import Book, Consignment
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.run import Run
from otel_langsmith.settings import Settings
from otel_langsmith.version import __version__
from otel_langsmith.wire.batch import EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.multipart import encode
from otel_langsmith.wire.parts import fault_of, parts_of
from otel_langsmith.wire.reply import Accepted, Rejected, Reply, RetryLater, Verdict, judge

USER_AGENT: Final = f"otel-langsmith/{__version__}"

UNDELIVERED: Final = "undelivered"
"""It waited in the backlog when the exporter was shut down, and LangSmith took no more."""

INVALID: Final = "invalid"
"""The run breaks LangSmith's rules and would have failed its whole request."""

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

    def deliver(
        self,
        runs: Iterable[Run],
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
            self._encoded(runs, consignment),
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

    def _send(self, batch: list[EncodedRun], deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether the batch is settled; if not, it is the oldest of the backlog."""
        settled = False
        patience_s = self._clock.now_s() + self._settings.timeout
        try:
            verdict = self._post(self._request(batch), min(deadline_s, patience_s), interrupt)
            settled = not isinstance(verdict, RetryLater)
        finally:
            if not settled:
                self._kept(self._backlog.give_back(batch))
        if isinstance(verdict, Accepted):
            self._book.delivered(len(batch))
        elif isinstance(verdict, Rejected):
            self._book.dropped(verdict.reason, len(batch))
        return settled

    def _kept(self, displaced: int) -> None:
        if displaced:
            self._book.dropped(BACKLOG_FULL, displaced)

    def _encoded(self, runs: Iterable[Run], consignment: Consignment) -> Iterator[EncodedRun]:
        for run in runs:
            fault = fault_of(run)
            if fault is None:
                yield EncodedRun(run.id, tuple(parts_of(run)))
            else:
                _log.warning("run %s is not sent: %s", run.id, fault)
                consignment.dropped(INVALID)

    def _request(self, batch: list[EncodedRun]) -> Request:
        body = encode([part for run in batch for part in run.parts], token_hex(16))
        headers = {**self._headers, "Content-Type": body.content_type}
        if self._settings.compression != "none":
            headers["Content-Encoding"] = self._settings.compression
        data = compress(body.data, self._settings.compression)
        return Request("POST", f"{self._settings.endpoint}/runs/multipart", headers, data)

    def _post(self, request: Request, deadline_s: float, interrupt: threading.Event) -> Verdict:
        """The verdict that stands at the deadline."""
        backoff_s = _FIRST_BACKOFF_S
        verdict: Verdict = RetryLater()
        while (remaining_s := deadline_s - self._clock.now_s()) > 0:
            reply = self._transport.send(request, remaining_s)
            verdict = judge(reply, self._clock.utc())
            if isinstance(verdict, Accepted):
                self._outage.over(self._clock.now_s())
                break
            self._outage.began(self._clock.now_s(), self._advice(reply))
            if isinstance(verdict, Rejected):
                break
            # full jitter: a fleet that failed together must not come back together
            wait_s = max(verdict.after_s, random.uniform(0, backoff_s))  # noqa: S311
            if wait_s >= deadline_s - self._clock.now_s() or self._clock.wait(interrupt, wait_s):
                break
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
        return verdict

    def _advice(self, reply: Reply) -> str:
        """What failed, and for the failures a user can mend the setting that mends them."""
        text = str(reply)
        if self._settings.api_key:
            text = text.replace(self._settings.api_key, "[api_key]")
        remedy = _REMEDIES.get(reply.status or 0, "")
        return f"{self._settings.endpoint}: {text}{remedy}"


_REMEDIES: Final = {
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
        """A request failed."""
        with self._lock:
            new = self._since_s is None
            if new:
                self._since_s = now_s
        if new:
            _log.warning("delivery to LangSmith is failing: %s", why)

    def over(self, now_s: float) -> None:
        """A request succeeded."""
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
