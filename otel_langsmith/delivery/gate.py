"""When the next request may go, after LangSmith refused the key or asked to wait."""

import random
import threading
from typing import Final

from otel_langsmith.delivery.clock import Clock
from otel_langsmith.wire.reply import Paused, RetryLater, Verdict

MINUTE_S: Final = 60.0
"""LangSmith counts requests by the minute, so after so long a refused one is worth repeating."""

HOUR_S: Final = 3600.0
"""It counts events and bytes by the hour; no server is believed that wants more patience."""

LONGEST_S: Final = 600.0
"""Between two probes in which nothing changed."""

_PROBE_S: Final = 60.0
"""A probe of which nothing was heard for so long is given up, and another may go."""

_JITTER_S: Final = 5.0
"""After the hour has struck, so that a fleet does not come back in one second."""

_HOLDING: Final = (Paused, RetryLater)


class Gate:
    """A circuit breaker: holds requests back, then lets one probe through. Safe from many threads.

    While none is held back, as nearly always, no lock is taken: ``_until_s`` means nothing then.

    A used up quota without ``Retry-After`` is probed after a minute, then twice as late each time
    up to ten minutes, and when the hour strikes. So is a key that is refused.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until_s = clock.now_s()
        self._holds = 0
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why every run is refused, by its name in the ledger; None if they are not."""
        return self._reason

    def due_s(self) -> float:
        """Seconds until the next request may go; 0 if it may go now."""
        if not self._holds:
            return 0.0
        return max(0.0, self._until_s - self._clock.now_s())

    def claim(self) -> bool:
        """Whether a request may go now; after a hold only the first who asks may."""
        if not self._holds:
            return True
        with self._lock:
            now_s = self._clock.now_s()
            if now_s < self._until_s:
                return False
            if self._holds:
                self._until_s = now_s + _PROBE_S
            return True

    def judged(self, verdict: Verdict) -> None:
        """What LangSmith answered to a request that was let through."""
        if not self._holds and not isinstance(verdict, _HOLDING):
            return
        with self._lock:
            hold_s = self._hold_s(verdict)
            self._holds = self._holds + 1 if hold_s else 0
            self._until_s = self._clock.now_s() + hold_s
            self._reason = verdict.reason if isinstance(verdict, Paused) else None

    def give_up(self) -> None:
        """Let one request through at once: it is the last chance, or the last probe got lost."""
        with self._lock:
            self._until_s = self._clock.now_s()

    def _hold_s(self, verdict: Verdict) -> float:
        growing_s = min(MINUTE_S * 2.0**self._holds, LONGEST_S)
        if isinstance(verdict, Paused):
            return growing_s
        if not isinstance(verdict, RetryLater):
            return 0.0
        if verdict.after_s or not verdict.limited:
            return min(verdict.after_s, HOUR_S)
        return min(growing_s, self._to_the_hour_s())

    def _to_the_hour_s(self) -> float:
        now = self._clock.utc()
        passed_s = now.minute * MINUTE_S + now.second + now.microsecond / 1e6
        return HOUR_S - passed_s + random.uniform(1, _JITTER_S)  # noqa: S311
