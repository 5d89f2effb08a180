"""Waiting: how long a thread can, and when a busy one lets others have the interpreter."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_T = TypeVar("_T")

POLITE: Final = 16
"""After so many spans, a thread of the application's that waits for the interpreter gets it: else
it would wait for up to five milliseconds, twelve times as often late (performance.md §2)."""

_yield: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)


def politely(items: Iterable[_T]) -> Iterator[_T]:
    """The same items; each of which is some work."""
    for number, item in enumerate(items, 1):
        if not number % POLITE:
            _yield()
        yield item


def bounded(timeout_s: float) -> float:
    """A time that can be waited: not negative, no NaN, not longer than a thread can wait."""
    return min(timeout_s, threading.TIMEOUT_MAX) if timeout_s > 0 else 0.0
