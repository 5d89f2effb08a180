"""Batches that could not be delivered yet, in memory and within a bound."""

import pickle
import threading
import zlib
from collections import deque
from dataclasses import replace
from itertools import repeat
from typing import Final, NamedTuple

from otel_langsmith.presence import Presence
from otel_langsmith.wire.batch import Batch, EncodedRun

BACKLOG_FULL: Final = "backlog_full"
"""Newer runs took the place of this one, which had waited longest."""


_BATCH_BYTES: Final = 400
"""Memory of a packed batch, whatever its runs."""

_FASTEST: Final = 1
"""Of zlib's levels: JSON shrinks to a fifth or less at a tenth of what its encoding took."""

_RUN_BYTES: Final = 160
"""Memory of a run that is not packed, for something else knows it by its identity."""


class Packed(NamedTuple):
    """A batch in one compressed piece: as objects, its runs take three times their bytes of memory.

    ``kept`` are the presence and the origin of each run, if any run
    has either: others hold on to those very objects.
    """

    runs: bytes
    kept: tuple[tuple[Presence | None, object], ...]
    bare: Batch

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return _BATCH_BYTES + len(self.runs) + _RUN_BYTES * len(self.kept)


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
        if not self._batches:
            return None
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
    known = any(run.presence or run.origin for run in batch.runs)
    kept = tuple((run.presence, run.origin) for run in batch.runs) if known else ()
    pickled = pickle.dumps([_fields(run) for run in batch.runs], pickle.HIGHEST_PROTOCOL)
    return Packed(zlib.compress(pickled, _FASTEST), kept, replace(batch, runs=()))


def unpack(packed: Packed) -> Batch:
    """The batch as it was."""
    found = pickle.loads(zlib.decompress(packed.runs))  # noqa: S301 - it never left this process
    kept = packed.kept or repeat((None, None))
    runs = [
        replace(EncodedRun(*fields), presence=presence, origin=origin)
        for fields, (presence, origin) in zip(found, kept, strict=False)
    ]
    return replace(packed.bare, runs=runs)


def _fields(run: EncodedRun) -> tuple[object, ...]:
    """What of the run can be pickled, and fast."""
    return run.run_id, run.parts, None, run.moment, run.alone, {**run.place}, None, run.cuts
