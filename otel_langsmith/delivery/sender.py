"""Runs → requests → verdicts, with the one retry layer and its one deadline."""

import logging
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from secrets import token_hex
from typing import Final, Protocol

from otel_langsmith.delivery.ledger import Consignment
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.run import Run
from otel_langsmith.settings import Settings
from otel_langsmith.version import __version__
from otel_langsmith.wire.batch import EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.multipart import encode
from otel_langsmith.wire.parts import fault_of, parts_of
from otel_langsmith.wire.reply import Accepted, Rejected, Reply, judge

USER_AGENT: Final = f"otel-langsmith/{__version__}"

UNREACHABLE: Final = "unreachable"
"""No request succeeded before the deadline."""

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
    """Delivers runs to one LangSmith; safe to use from many threads."""

    def __init__(self, settings: Settings, transport: Transport, clock: Clock) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._headers = _headers(settings)
        self._outage = Outage()

    def deliver(
        self,
        runs: Iterable[Run],
        consignment: Consignment,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> None:
        """Send the runs in as many requests as they need and settle each with ``consignment``.

        ``deadline_s``, on the clock, is for all requests and waits together. Once ``interrupt`` is
        set, no wait for another attempt is begun or finished.
        """
        for batch in batches(
            self._encoded(runs, consignment),
            max_runs=self._settings.max_batch_runs,
            max_bytes=self._settings.max_batch_bytes,
        ):
            lost = self._post(self._request(batch), deadline_s, interrupt)
            if lost is None:
                consignment.delivered(len(batch))
            else:
                consignment.dropped(lost, len(batch))

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

    def _post(self, request: Request, deadline_s: float, interrupt: threading.Event) -> str | None:
        """Why the request's runs are lost, or None if LangSmith has them."""
        backoff_s = _FIRST_BACKOFF_S
        while True:
            remaining_s = deadline_s - self._clock.now_s()
            reply = self._attempt(request, remaining_s)
            verdict = judge(reply, self._clock.utc())
            if isinstance(verdict, Accepted):
                self._outage.over(self._clock.now_s())
                return None
            self._outage.began(self._clock.now_s(), self._advice(reply))
            if isinstance(verdict, Rejected):
                return verdict.reason
            # full jitter: a fleet that failed together must not come back together
            wait_s = max(verdict.after_s, random.uniform(0, backoff_s))  # noqa: S311
            if wait_s >= deadline_s - self._clock.now_s() or self._clock.wait(interrupt, wait_s):
                return UNREACHABLE if reply.status is None else f"http_{reply.status}"
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    def _attempt(self, request: Request, remaining_s: float) -> Reply:
        if remaining_s <= 0:
            return Reply(None, error="the deadline passed")
        return self._transport.send(request, remaining_s)

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
