"""Time, as far as delivery needs it."""

import threading
import time
from datetime import datetime, timezone
from typing import Protocol


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
