"""Batches that could not be delivered yet, in memory and within a bound."""

import threading
from collections import deque
from typing import Final

from otel_langsmith.wire.batch import Batch

BACKLOG_FULL: Final = "backlog_full"
"""Newer runs took the place of this one, which had waited longest."""


class Backlog:
    """A queue of batches, oldest first out, bounded in bytes; safe to use from many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._batches: deque[Batch] = deque()

    def __len__(self) -> int:
        """How many batches wait."""
        return len(self._batches)

    def take(self) -> Batch | None:
        """The oldest batch, which is now the caller's to deliver or to give back."""
        with self._lock:
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._bytes -= batch.size
            return batch

    def add(self, batch: Batch) -> list[Batch]:
        """Which batches, the oldest, had to go to keep the bound with ``batch`` added."""
        with self._lock:
            self._batches.append(batch)
            self._bytes += batch.size
            return self._shrunk()

    def give_back(self, batch: Batch) -> list[Batch]:
        """The same for a batch that was taken: it stays the oldest, hence the first to go."""
        with self._lock:
            self._batches.appendleft(batch)
            self._bytes += batch.size
            return self._shrunk()

    def next(self, batch: Batch) -> None:
        """Let the batch be taken next; whatever the bound, for it was in hand a moment ago."""
        with self._lock:
            self._batches.appendleft(batch)
            self._bytes += batch.size

    def _shrunk(self) -> list[Batch]:
        gone = []
        while self._bytes > self._max_bytes:
            batch = self._batches.popleft()
            self._bytes -= batch.size
            gone.append(batch)
        return gone
