"""Time, as far as delivery needs it."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import chain, islice
from typing import Final, Protocol, TypeVar

POLITE: Final = 16
"""After so many spans of one step the thread yields the interpreter (GIL): else the application's
threads would wait for up to five milliseconds, and be late twelve times as often (performance.md
§2). ``python -m bench late`` measures it."""

_yield: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)

AT_ONCE: Final = threading.Event()
"""An interrupt that is set from the start: one attempt, and no wait for another."""
AT_ONCE.set()

_T = TypeVar("_T")
_Made = TypeVar("_Made")


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


def bounded(timeout_s: float) -> float:
    """The timeout as a thread can wait for it: not negative, not NaN, not too long."""
    return min(timeout_s, threading.TIMEOUT_MAX) if timeout_s > 0 else 0.0


def politely(work: Iterable[_T]) -> Iterator[list[_T]]:
    """The same items, `POLITE` at a time, yielding to other threads after each lot."""
    rest = iter(work)
    while few := [*islice(rest, POLITE)]:
        yield few
        _yield()


def in_turns(step: Callable[[Sequence[_T]], Iterable[_Made]], block: Iterable[_T]) -> list[_Made]:
    """What a step makes of a block, `POLITE` items at a time, yielding to other threads."""
    return [*chain.from_iterable(map(step, politely(block)))]
