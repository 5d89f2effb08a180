"""Time, as far as delivery needs it."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import chain, islice
from typing import Final, Protocol, TypeVar

POLITE: Final = 16
"""After so many spans of one step, a thread of the application's that waits for the interpreter
gets it: else it would wait for up to five milliseconds, twelve times as often late (performance.md
§2). ``python -m bench late`` tells how often it is."""

_yield: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)

AT_ONCE: Final = threading.Event()
"""An interrupt that is there from the start: one attempt, and no wait for another."""
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
    """A time that can be waited: not negative, no NaN, not longer than a thread can wait."""
    return min(timeout_s, threading.TIMEOUT_MAX) if timeout_s > 0 else 0.0


def politely(work: Iterable[_T]) -> Iterator[list[_T]]:
    """The same, a few at a time, giving way to other threads after each."""
    rest = iter(work)
    while few := [*islice(rest, POLITE)]:
        yield few
        _yield()


def in_turns(step: Callable[[Sequence[_T]], Iterable[_Made]], block: Iterable[_T]) -> list[_Made]:
    """What a step makes of a block, a few at a time, so that other threads get their turn."""
    return [*chain.from_iterable(map(step, politely(block)))]
