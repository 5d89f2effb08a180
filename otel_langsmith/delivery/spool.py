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
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.disk_reports import DiskReports
from otel_langsmith.delivery.journal import Journal
from otel_langsmith.delivery.lease import Leases, give_up
from otel_langsmith.delivery.segment import Entry, Segment
from otel_langsmith.forks import begin_anew_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_langsmith.delivery.disk import Disk
    from otel_langsmith.delivery.records import Record
    from otel_langsmith.delivery.segment_files import FileType, SegmentName

SPOOL_FULL: Final = "spool_full"
"""Newer runs took the place of this one, which had waited longest."""

SPOOL_EXPIRED: Final = "spool_expired"
"""It waited longer than the spool keeps runs."""

SPOOL_DAMAGED: Final = "spool_damaged"
"""What was read from disk is not what was written."""

_SEGMENTS: Final = 16
_MAX_SEGMENT_BYTES: Final = 8 * 2**20
_LEAST_SEGMENT_BYTES: Final = 4096
_FRAME_BYTES: Final = 512
"""What a run needs on disk besides its parts; deflated, it needs less than those."""


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
        begin_anew_in_children(self._disown)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._leases = Leases(self._disk)
        self._segments: list[Segment] = []
        self._active: Segment | None = None
        self._journal: Journal | None = None
        self._stuck: set[SegmentName] = set()  # could not be removed: not to be adopted again
        self._used = 0
        self._reports = DiskReports(self._disk.path, self._now_ns)

    @property
    def waits(self) -> bool:
        """Whether there is something to `take`."""
        with self._lock:
            return any(segment.waits for segment in self._segments)

    @property
    def spans(self) -> int:
        """How many spans of this process wait here or were taken and not settled."""
        with self._lock:
            return sum(segment.spans for segment in self._segments if not segment.inherited)

    def add(self, records: Iterable[Record]) -> bool:
        """Whether the records are on disk now, all of them; if not, they are the caller's still."""
        records = tuple(records)
        with self._lock:
            added = self._attempt(partial(self._append, records))
            if added:
                self._reports.worked()
        return added

    def take(self, max_runs: int, max_bytes: int) -> list[Entry]:
        """The oldest runs that wait, for the caller to settle or to give back; none: nothing waits.

        At most ``max_runs``, and no more once they have ``max_bytes``; all are of one segment. A
        crash before they are settled lets a later process take them again.
        """
        with self._lock:
            for segment in tuple(self._segments):
                if entries := self._taken_from(segment, max_runs, max_bytes):
                    return entries
        return []

    def settle(self, entries: Iterable[Entry]) -> None:
        """These runs are delivered, refused for good or given up: nobody shall take them again."""
        with self._lock:
            for segment, offsets in self._by_segment(entries):
                self._attempt(partial(segment.settle, offsets, self._now_ns()))
                if segment.done:
                    self._drop(segment)

    def give_back(self, entries: Iterable[Entry]) -> None:
        """These runs could not be delivered: they wait again, where they were."""
        with self._lock:
            for segment, offsets in self._by_segment(entries):
                segment.give_back(offsets)

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
            before = len(self._segments)
            self._attempt(self._adopt)
            return len(self._segments) - before

    def close(self) -> None:
        """Leave what waits to whoever comes next."""
        with self._lock:
            if self._active is not None:
                self._active.seal()
            if self._journal is not None:
                self._attempt(self._journal.close)
            in_use = self._writers_in_use()
            for lease in self._leases:
                remove = lease.writer not in in_use
                self._attempt(partial(give_up, self._disk, lease, remove=remove))
            self._begin()

    def _append(self, records: Sequence[Record]) -> None:
        need = sum(record.size + _FRAME_BYTES for record in records)
        segment = self._writable(need)
        before = segment.size
        try:
            segment.append(records, self._now_ns(), sync=self._bounds.sync)
        except OSError:
            self._active = None
            segment.seal()
            if not segment.size:
                self._drop(segment)
            raise
        self._used += segment.size - before

    def _writable(self, need: int) -> Segment:
        """The segment to write to, with room for so many bytes."""
        segment, bounds = self._active, self._bounds
        fits = self._used + need <= bounds.max_bytes
        if segment is not None and fits and segment.size < bounds.segment_bytes:
            return segment
        if segment is not None:
            segment.seal()
            self._active = None
        self._make_room(need)
        self._active = Segment(self._disk, self._next_name("runs"))
        self._segments.append(self._active)
        self._segments.sort(key=_age)
        return self._active

    def _make_room(self, need: int) -> None:
        most = self._bounds.max_bytes - need
        self._used = sum(self._disk.sizes().values())
        for segment in [segment for segment in self._segments if not segment.busy]:
            if self._used > most >= 0:
                self._evict(segment)
        if self._used > most:
            raise OSError(errno.ENOSPC, "spool_max_bytes leaves no room")

    def _evict(self, segment: Segment) -> None:
        if segment.inherited:
            with suppress(OSError):  # then nobody knows how many they were
                self._read(segment)
        segment.remove()
        self._used -= segment.size
        self._lose(SPOOL_FULL, segment.spans, segment)
        self._drop(segment)

    def _taken_from(self, segment: Segment, max_runs: int, max_bytes: int) -> list[Entry]:
        if segment is self._active:
            self._active = None
        try:
            self._read(segment)
        except FileNotFoundError:
            self._lose(SPOOL_DAMAGED, segment.spans, segment)
            self._drop(segment)
            return []
        except OSError as error:
            self._reports.failed(error)
            return []
        oldest_ns = self._now_ns() - int(self._bounds.max_age_s * 1e9)
        self._lose(SPOOL_EXPIRED, segment.expire(oldest_ns), segment)
        entries, unreadable = segment.take(max_runs, max_bytes)
        self._lose(SPOOL_DAMAGED, unreadable, segment)
        if segment.done:
            self._drop(segment)
        return entries

    def _read(self, segment: Segment) -> None:
        self._lose(SPOOL_DAMAGED, segment.read(), segment)

    def _lose(self, reason: str, spans: int, segment: Segment) -> None:
        if spans:
            self._lost(reason, spans, segment.inherited)

    def _drop(self, segment: Segment) -> None:
        """Forget the segment and remove its file; a dead writer's lease goes with its last file."""
        if not self._attempt(segment.remove):
            self._stuck.add(segment.name)
        self._segments.remove(segment)
        writer = segment.name.writer
        if not any(other.name.writer == writer for other in self._segments):
            self._attempt(partial(self._leases.finished, writer))

    def _by_segment(self, entries: Iterable[Entry]) -> list[tuple[Segment, list[int]]]:
        """The entries' segments and offsets; those of segments that are gone are left out."""
        segments = {segment.name: segment for segment in self._segments}
        offsets: dict[SegmentName, list[int]] = {}
        for entry in entries:
            offsets.setdefault(entry.segment, []).append(entry.offset)
        return [(segments[name], found) for name, found in offsets.items() if name in segments]

    def _note_opened(self, wills: Sequence[Record]) -> None:
        if self._journal is None:
            self._journal = Journal(self._disk, partial(self._next_name, "open"))
        self._journal.opened(wills, self._now_ns())

    def _next_name(self, kind: FileType) -> SegmentName:
        return self._leases.next_name(kind, max(0, self._now_ns() // 10**6))

    def _adopt(self) -> None:
        for writer in self._leases.others():
            self._attempt(partial(self._inherit, writer))
        self._segments.sort(key=_age)

    def _inherit(self, writer: str) -> None:
        left = self._leases.adopt(writer).items()
        new = [Segment(self._disk, name, size) for name, size in left if name not in self._stuck]
        self._segments += new

    def _writers_in_use(self) -> set[str]:
        """The writers of whose files some are to stay."""
        writers = {segment.name.writer for segment in self._segments}
        own = self._leases.own
        return writers | {own.writer} if own and self._journal and self._journal.open else writers

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Whether the disk took it; if not, one line in the log, and the next attempt may work."""
        try:
            act()
        except OSError as error:
            self._reports.failed(error)
            return False
        return True

    def _disown(self) -> None:
        """In a forked child: what is open here is the parent's, and its locks must go with it."""
        if self._active is not None:
            self._active.seal()
        if self._journal is not None:
            self._journal.disown()
        for lease in self._leases:
            self._disk.close(lease.descriptor)
        self._begin()


def _age(segment: Segment) -> tuple[bool, int, int, str]:
    """What to sort segments by: see `SegmentName.order`."""
    return segment.name.order
