"""Batches that could not be delivered yet, in memory and within a bound."""

import pickle
import threading
from collections import deque
from dataclasses import replace
from typing import Final, NamedTuple

from otel_langsmith.wire.batch import Batch
from otel_langsmith.wire.parts import Part

BACKLOG_FULL: Final = "backlog_full"
"""Newer runs took the place of this one, which had waited longest."""


_OVERHEAD: Final = 250
"""Bytes that a run takes in memory beside its parts."""


class Packed(NamedTuple):
    """A batch whose runs have their parts in one piece: as objects they take three times as much.

    ``size`` is what it takes in memory.
    """

    batch: Batch
    parts: bytes

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return len(self.parts) + _OVERHEAD * len(self.batch)


class Backlog:
    """A queue of batches, oldest first out, bounded in bytes; safe to use from many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._batches: deque[Batch | Packed] = deque()

    def __len__(self) -> int:
        """How many batches wait."""
        return len(self._batches)

    def take(self) -> Batch | None:
        """The oldest batch, which is now the caller's to deliver or to give back."""
        with self._lock:
            if not self._batches:
                return None
            waiting = self._batches.popleft()
            self._bytes -= waiting.size
        return unpack(waiting) if isinstance(waiting, Packed) else waiting

    def add(self, batch: Batch) -> list[Batch]:
        """Which batches, the oldest, had to go to keep the bound with ``batch`` added."""
        packed = pack(batch)
        with self._lock:
            self._batches.append(packed)
            self._bytes += packed.size
            return self._shrunk()

    def give_back(self, batch: Batch) -> list[Batch]:
        """The same for a batch that was taken: it stays the oldest, hence the first to go."""
        packed = pack(batch)
        with self._lock:
            self._batches.appendleft(packed)
            self._bytes += packed.size
            return self._shrunk()

    def next(self, batch: Batch) -> None:
        """Let the batch be taken next; whatever the bound, for it was in hand a moment ago.

        It goes at once, so it is not packed.
        """
        with self._lock:
            self._batches.appendleft(batch)
            self._bytes += batch.size

    def _shrunk(self) -> list[Batch]:
        gone = []
        while self._bytes > self._max_bytes:
            waiting = self._batches.popleft()
            self._bytes -= waiting.size
            gone.append(unpack(waiting) if isinstance(waiting, Packed) else waiting)
        return gone


def pack(batch: Batch) -> Packed:
    """The batch in little memory."""
    parts = [
        [(part.name, part.content_type, part.body) for part in run.parts] for run in batch.runs
    ]
    bare = [run._replace(parts=()) for run in batch.runs]
    return Packed(replace(batch, runs=bare), pickle.dumps(parts, pickle.HIGHEST_PROTOCOL))


def unpack(packed: Packed) -> Batch:
    """The batch as it was."""
    parts = pickle.loads(packed.parts)  # noqa: S301 - it never left this process
    whole = [
        run._replace(parts=tuple(Part(*fields) for fields in own))
        for run, own in zip(packed.batch.runs, parts, strict=True)
    ]
    return replace(packed.batch, runs=whole)
