"""Runs that could not be delivered yet, on disk and within a bound: they outlive the process.

What is in the folder of one destination:

    <when>-<number>-<pid>-<random>.v1.runs    runs that wait, in the order in which they came
    <when>-<number>-<pid>-<random>.v1.open    runs that LangSmith was told of and that run still
    <pid>-<random>.v1.lease                   locked as long as that process lives
    destination.json                          what this folder is for, without any key
    refused/                                  runs that LangSmith refused (`dead_letters`)

A process writes files of its own and adopts those of dead ones. Only masked content is ever handed
in, and no header.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.journal import Journal
from otel_langsmith.delivery.lease import Lease, give_up, new_lease, take_over
from otel_langsmith.delivery.segments import SegmentName, lease_writers, segment_names
from otel_langsmith.delivery.shelf import Entry, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_langsmith.delivery.disk import Disk
    from otel_langsmith.delivery.records import Record
    from otel_langsmith.delivery.segments import FileType

SPOOL_FULL: Final = "spool_full"
"""Newer runs took the place of this one, which had waited longest."""

SPOOL_EXPIRED: Final = "spool_expired"
"""It waited longer than the spool keeps runs."""

SPOOL_DAMAGED: Final = "spool_damaged"
"""What was read from disk is not what was written."""

_LOG_EVERY_S: Final = 60.0
_SEGMENTS: Final = 16
_MAX_SEGMENT_BYTES: Final = 8 * 2**20
_LEAST_SEGMENT_BYTES: Final = 4096
_FRAME_BYTES: Final = 512
"""What a run needs on disk besides its parts; deflated, it needs less than those."""

_log: Final = logging.getLogger("otel_langsmith")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a spool keeps. What goes first is the oldest, a sixteenth or 8 MiB at a time.

    ``max_bytes`` is for the whole folder, whoever wrote the files. ``sync``: what was added
    outlives a power cut and not only the process, at the cost of a disk's write for each `add`.
    """

    max_bytes: int = 512 * 2**20
    max_age_s: float = 7 * 86_400
    sync: bool = False

    @property
    def segment_bytes(self) -> int:
        """A file of this size is written to no more."""
        return max(_LEAST_SEGMENT_BYTES, min(_MAX_SEGMENT_BYTES, self.max_bytes // _SEGMENTS))


class Spool:
    """A queue of runs on disk, oldest first out; safe to use from many threads.

    Nothing here raises and nothing waits for another process. A forked child starts with a spool of
    its own in the same folder. Files are made when the first run comes.

    Args:
        disk: The folder of one destination.
        bounds: How much may wait there.
        lost: Told how many spans are lost, why, and whether another process had put them there; in
            the middle of things, so it must not call the spool.
        now_ns: Unix time; a run's age is measured by it.
    """

    def __init__(
        self,
        disk: Disk,
        bounds: Bounds,
        lost: Callable[[str, int, bool], None],
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._disk = disk
        self._bounds = bounds
        self._lost = lost
        self._now_ns = now_ns
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._adopted: dict[str, Lease] = {}
        self._shelves: list[Shelf] = []
        self._active: Shelf | None = None
        self._journal: Journal | None = None
        self._stuck: set[SegmentName] = set()
        self._numbers = self._used = 0
        self._trouble = Trouble(self._disk.path.name, self._now_ns)

    @property
    def waits(self) -> bool:
        """Whether there is something to `take`."""
        with self._lock:
            return any(shelf.waits for shelf in self._shelves)

    @property
    def spans(self) -> int:
        """How many spans of this process wait here or were taken and not settled."""
        with self._lock:
            return sum(shelf.spans for shelf in self._shelves if not shelf.inherited)

    def add(self, records: Iterable[Record]) -> bool:
        """Whether the records are on disk now, all of them; if not, they are the caller's still."""
        records = tuple(records)
        with self._lock:
            added = self._attempt(partial(self._append, records))
            if added:
                self._trouble.over()
        return added

    def take(self, max_runs: int, max_bytes: int) -> list[Entry]:
        """The oldest runs that wait, for the caller to settle or to give back; none: nothing waits.

        At most ``max_runs``, and no more once they have ``max_bytes``; all are of one segment. A
        crash before they are settled lets a later process take them again.
        """
        with self._lock:
            for shelf in tuple(self._shelves):
                if entries := self._taken_from(shelf, max_runs, max_bytes):
                    return entries
        return []

    def settle(self, entries: Iterable[Entry]) -> None:
        """These runs are delivered, refused for good or given up: nobody shall take them again."""
        with self._lock:
            for shelf, offsets in self._by_shelf(entries):
                self._attempt(partial(shelf.settle, offsets, self._now_ns()))
                if shelf.done:
                    self._drop(shelf)

    def give_back(self, entries: Iterable[Entry]) -> None:
        """These runs could not be delivered: they wait again, where they were."""
        with self._lock:
            for shelf, offsets in self._by_shelf(entries):
                shelf.give_back(offsets)

    def opened(self, wills: Sequence[Record]) -> bool:
        """Whether it is noted that these runs are begun, each with the patch that ends it.

        To be called before LangSmith is told of them. Should this process never say `ended`, the
        next one takes these patches, after all else that this process left.
        """
        with self._lock:
            return self._attempt(partial(self._note_opened, wills))

    def ended(self, run_ids: Iterable[str]) -> None:
        """These runs have ended, and LangSmith knows or the spool will tell it."""
        with self._lock:
            if self._journal is not None:
                self._attempt(partial(self._journal.ended, run_ids, self._now_ns()))

    def adopt(self) -> int:
        """Take over what dead processes left; how many files. To be called at the start and later.

        It reads nothing but names. What a living process wrote is left alone, so no run is taken
        by two.
        """
        with self._lock:
            before = len(self._shelves)
            self._attempt(self._adopt)
            return len(self._shelves) - before

    def close(self) -> None:
        """Leave what waits to whoever comes next."""
        with self._lock:
            if self._active is not None:
                self._active.seal()
            if self._journal is not None:
                self._attempt(self._journal.close)
            for lease in self._leases():
                self._attempt(partial(give_up, self._disk, lease, remove=not self._left_by(lease)))
            self._begin()

    def _append(self, records: Sequence[Record]) -> None:
        need = sum(record.size + _FRAME_BYTES for record in records)
        shelf = self._writable(need)
        before = shelf.size
        try:
            shelf.append(records, self._now_ns(), sync=self._bounds.sync)
        except OSError:
            self._active = None
            shelf.seal()
            if not shelf.size:
                self._drop(shelf)
            raise
        self._used += shelf.size - before

    def _writable(self, need: int) -> Shelf:
        """The segment to write to, with room for so many bytes."""
        shelf, bounds = self._active, self._bounds
        fits = self._used + need <= bounds.max_bytes
        if shelf is not None and fits and shelf.size < bounds.segment_bytes:
            return shelf
        if shelf is not None:
            shelf.seal()
            self._active = None
        self._make_room(need)
        self._active = Shelf(self._disk, self._next_name("runs"))
        self._shelves.append(self._active)
        self._shelves.sort(key=lambda shelf: shelf.name.order)
        return self._active

    def _make_room(self, need: int) -> None:
        most = self._bounds.max_bytes - need
        self._used = sum(self._disk.sizes().values())
        for shelf in [shelf for shelf in self._shelves if not shelf.busy]:
            if self._used > most >= 0:
                self._evict(shelf)
        if self._used > most:
            raise OSError(errno.ENOSPC, "spool_max_bytes leaves no room")

    def _evict(self, shelf: Shelf) -> None:
        if shelf.inherited:
            with suppress(OSError):  # then nobody knows how many they were
                self._read(shelf)
        shelf.remove()
        self._used -= shelf.size
        self._lose(SPOOL_FULL, shelf.spans, shelf)
        self._drop(shelf)

    def _taken_from(self, shelf: Shelf, max_runs: int, max_bytes: int) -> list[Entry]:
        if shelf is self._active:
            self._active = None
        try:
            self._read(shelf)
        except FileNotFoundError:
            self._lose(SPOOL_DAMAGED, shelf.spans, shelf)
            self._drop(shelf)
            return []
        except OSError as error:
            self._trouble.began(error)
            return []
        oldest_ns = self._now_ns() - int(self._bounds.max_age_s * 1e9)
        self._lose(SPOOL_EXPIRED, shelf.expire(oldest_ns), shelf)
        entries, unreadable = shelf.take(max_runs, max_bytes)
        self._lose(SPOOL_DAMAGED, unreadable, shelf)
        if shelf.done:
            self._drop(shelf)
        return entries

    def _read(self, shelf: Shelf) -> None:
        self._lose(SPOOL_DAMAGED, shelf.read(), shelf)

    def _lose(self, reason: str, spans: int, shelf: Shelf) -> None:
        if spans:
            self._lost(reason, spans, shelf.inherited)

    def _drop(self, shelf: Shelf) -> None:
        """Forget the shelf and remove its file; the lease of a dead writer goes with its last."""
        if not self._attempt(shelf.remove):
            self._stuck.add(shelf.name)
        self._shelves.remove(shelf)
        writer = shelf.name.writer
        left = any(other.name.writer == writer for other in self._shelves)
        if not left and (lease := self._adopted.pop(writer, None)):
            self._attempt(partial(give_up, self._disk, lease, remove=True))

    def _by_shelf(self, entries: Iterable[Entry]) -> list[tuple[Shelf, list[int]]]:
        """Where the entries are from; what is there no more is nobody's business."""
        shelves = {shelf.name: shelf for shelf in self._shelves}
        offsets: dict[SegmentName, list[int]] = {}
        for entry in entries:
            offsets.setdefault(entry.segment, []).append(entry.offset)
        return [(shelves[name], found) for name, found in offsets.items() if name in shelves]

    def _note_opened(self, wills: Sequence[Record]) -> None:
        if self._journal is None:
            self._journal = Journal(self._disk, partial(self._next_name, "open"))
        self._journal.opened(wills, self._now_ns())

    def _next_name(self, kind: FileType) -> SegmentName:
        """The next file of this process, under a lease that it holds."""
        lease = self._held_lease()
        self._numbers = (self._numbers + 1) % 10**6
        made_ms = max(0, self._now_ns() // 10**6)
        return SegmentName(kind, made_ms, self._numbers, lease.writer)

    def _held_lease(self) -> Lease:
        lease = self._lease
        if lease is not None and self._disk.names(lease.descriptor, lease.name):
            return lease
        self._lease = new_lease(self._disk)
        if lease is not None:  # someone cleaned up, and our files are anyone's now
            self._disk.close(lease.descriptor)
        return self._lease

    def _adopt(self) -> None:
        names = self._disk.sizes()
        writers = {*lease_writers(names), *(name.writer for name in segment_names(names))}
        for writer in writers - {lease.writer for lease in self._leases()}:
            self._attempt(partial(self._inherit, writer))
        self._shelves.sort(key=lambda shelf: shelf.name.order)

    def _inherit(self, writer: str) -> None:
        lease = take_over(self._disk, writer)
        if lease is None:
            return
        sizes = self._disk.sizes()  # asked again: nobody adds to them or removes any from now on
        left = [name for name in segment_names(sizes) if name.writer == writer]
        if left:
            self._adopted[writer] = lease
            new = (name for name in left if name not in self._stuck)
            self._shelves += (Shelf(self._disk, name, sizes[str(name)]) for name in new)
        else:
            give_up(self._disk, lease, remove=True)

    def _leases(self) -> list[Lease]:
        return [*([self._lease] if self._lease else []), *self._adopted.values()]

    def _left_by(self, lease: Lease) -> bool:
        """Whether files of the lease's writer are left."""
        noted = lease is self._lease and self._journal is not None and self._journal.open
        return bool(noted) or any(shelf.name.writer == lease.writer for shelf in self._shelves)

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Whether the disk took it; if not, one line in the log, and the next attempt may work."""
        try:
            act()
        except OSError as error:
            self._trouble.began(error)
            return False
        return True

    def _disown(self) -> None:
        """In a forked child: what is open here is the parent's, and its locks must go with it."""
        if self._active is not None:
            self._active.seal()
        if self._journal is not None:
            self._journal.disown()
        for lease in self._leases():
            self._disk.close(lease.descriptor)
        self._begin()


class Trouble:
    """Says in the log that a disk cannot be used, once a minute at most, and when it can again."""

    def __init__(self, folder: str, now_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ns = now_ns
        self._said = False
        self._said_ns = -math.inf

    def began(self, error: OSError) -> None:
        """Something failed."""
        now_ns = self._now_ns()
        if abs(now_ns - self._said_ns) >= _LOG_EVERY_S * 1e9:
            self._said, self._said_ns = True, now_ns
            why = error.strerror or str(error)
            _log.warning("the spool %s cannot be used, runs wait in memory: %s", self._folder, why)

    def over(self) -> None:
        """Something worked."""
        if self._said:
            self._said = False
            _log.warning("the spool %s can be used again", self._folder)


def _begin_anew(spool: weakref.ref[Spool]) -> None:
    alive = spool()
    if alive is not None:
        alive._disown()  # noqa: SLF001 - its own module
