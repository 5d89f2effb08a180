"""Rate limits that the user sets: requests a minute, events and bytes an hour."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import Batch

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_SLOTS: Final = 60
"""Into how many parts a window is divided: its end is late by at most one."""


class Window:
    """A sliding window: what was spent in the last ``length_s`` seconds, and how much may be."""

    def __init__(self, limit: int, length_s: float) -> None:
        self._limit = limit
        self._length_s = length_s
        self._slot_s = length_s / _SLOTS
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def due_s(self, now_s: float, amount: int) -> float:
        """Seconds until ``amount`` fits; what never fits may go when nothing else was spent."""
        self._forget(now_s)
        excess = self._total + amount - self._limit
        due_s = 0.0
        for slot_s, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            due_s = slot_s + self._slot_s + self._length_s - now_s
        return due_s

    def spend(self, now_s: float, amount: int) -> None:
        """``amount`` was sent."""
        slot_s = math.floor(now_s / self._slot_s) * self._slot_s
        self._total += amount
        if self._spent and self._spent[-1][0] == slot_s:
            amount += self._spent.pop()[1]
        self._spent.append((slot_s, amount))

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0][0] + self._slot_s + self._length_s <= now_s:
            self._total -= self._spent.popleft()[1]


class Quota:
    """Requests a minute, events and bytes an hour, as the settings want; from many threads.

    A post and a patch are an event each, as LangSmith counts; bytes are those before compression.
    """

    def __init__(self, settings: Settings) -> None:
        self._lock = threading.Lock()
        rows: tuple[tuple[int | None, float, Callable[[Batch], int]], ...] = (
            (settings.max_requests_per_minute, _MINUTE_S, lambda _: 1),
            (settings.max_events_per_hour, _HOUR_S, len),
            (settings.max_bytes_per_hour, _HOUR_S, lambda batch: batch.size),
        )
        self._windows = [(Window(limit, span), of) for limit, span, of in rows if limit is not None]

    def due_s(self, now_s: float, batch: Batch) -> float:
        """Seconds until the batch may be sent."""
        if not self._windows:
            return 0.0
        with self._lock:
            return max((window.due_s(now_s, of(batch)) for window, of in self._windows), default=0)

    def spend(self, now_s: float, batch: Batch) -> None:
        """The batch was sent, whatever came of it."""
        if not self._windows:
            return
        with self._lock:
            for window, of in self._windows:
                window.spend(now_s, of(batch))
