"""One segment of the spool: written, then read, and removed when each of its runs is settled."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.records import Frame, Kind, Record, frame, pack, pack_offsets, unpack
from otel_langsmith.delivery.segment_files import SegmentName, contents


class Entry(NamedTuple):
    """A run that was taken from the spool, to be settled or given back.

    ``last_ns`` is the last sign of life of whoever put it there. ``inherited``: that was another
    process, so its spans are in no ledger of this one yet.
    """

    record: Record
    segment: SegmentName
    offset: int
    last_ns: int
    inherited: bool

    @property
    def ends_run(self) -> bool:
        """Whether it is the last will of a dead process, still without an end: see `ending`."""
        return self.segment.type == "open"


class Segment:
    """A file of runs and what is known of it; not for two threads at once.

    One of this process is written until it is sealed, one that was inherited is only read. Any call
    may raise OSError. ``spans`` is how many wait in it or are under way; of an inherited one that
    is known once it was read.
    """

    def __init__(self, disk: Disk, name: SegmentName, size: int | None = None) -> None:
        """``size`` is that of an inherited segment; without it a new one is begun."""
        self.name: Final = name
        self.inherited: Final = size is not None
        self.size = size or 0
        self.spans = 0
        self._disk = disk
        self._descriptor = None if self.inherited else disk.create(str(name))
        self._last_ns = 0
        self._waiting: deque[Frame] = deque()
        self._taken: dict[int, Frame] = {}
        self._read = False

    @property
    def busy(self) -> bool:
        """Whether runs of it are under way."""
        return bool(self._taken)

    @property
    def waits(self) -> bool:
        """Whether there may be something to take."""
        return bool(self._waiting) or not self._read

    @property
    def done(self) -> bool:
        """Whether no run of it waits or is under way."""
        return self._read and not (self._waiting or self._taken)

    def append(self, records: Iterable[Record], now_ns: int, *, sync: bool) -> None:
        """Put the records at its end.

        After an OSError it may hold some of them without knowing: seal it, and they are not found.
        """
        if self._descriptor is None:
            raise OSError("a sealed segment takes no more")
        records = tuple(records)
        data = framed(records, self.name.marker, now_ns)
        self._disk.append(self._descriptor, data)
        if sync:
            self._disk.sync(self._descriptor)
        self.size += len(data)
        self.spans += sum(record.spans for record in records)

    def seal(self) -> None:
        """Write no more."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._disk.close(descriptor)

    def read(self) -> int:
        """Read what waits, once; how many spans are lost to damage.

        Of an inherited segment nobody knows how many those were: each damaged stretch counts one.
        """
        if self._read:
            return 0
        self.seal()
        found = contents(self._disk, self.name)
        own = (frame for frame in found.waiting if self.inherited or frame.offset < self.size)
        self._waiting.extend(own)
        self._last_ns, self._read = found.last_ns, True
        expected, self.spans = self.spans, _spans(self._waiting)
        return found.damaged if self.inherited else expected - self.spans

    def expire(self, oldest_ns: int) -> int:
        """Settle what was put there before that time; how many spans."""
        gone = []
        while self._waiting and self._waiting[0].time_ns < oldest_ns:
            gone.append(self._waiting.popleft())
        return self._leave(gone)

    def take(self, max_runs: int, max_bytes: int) -> tuple[list[Entry], int]:
        """The oldest runs that wait, and how many spans were unreadable.

        At most so many runs, and no more once they have so many bytes.
        """
        entries: list[Entry] = []
        unreadable = []
        size = 0
        while self._waiting and len(entries) < max_runs and size < max_bytes:
            found = self._waiting.popleft()
            try:
                record = unpack(found)
            except ValueError:
                unreadable.append(found)
                continue
            self._taken[found.offset] = found
            entries.append(self._entry(found, record))
            size += record.size
        return entries, self._leave(unreadable)

    def settle(self, offsets: Iterable[int], now_ns: int) -> None:
        """These runs wait no more, in no later process either if the disk can be written."""
        gone = [self._taken.pop(offset) for offset in offsets if offset in self._taken]
        self._leave(gone)
        if gone and not self.done:
            self._note_settled([frame.offset for frame in gone], now_ns)

    def give_back(self, offsets: Iterable[int]) -> None:
        """These runs wait again, where they were."""
        back = [self._taken.pop(offset) for offset in offsets if offset in self._taken]
        in_order = sorted((*back, *self._waiting), key=lambda frame: frame.offset)
        self._waiting = deque(in_order)

    def remove(self) -> None:
        """Delete the file."""
        self.seal()
        self._disk.remove(str(self.name))

    def _entry(self, found: Frame, record: Record) -> Entry:
        place = (self.name, found.offset, self._last_ns, self.inherited)
        return Entry(record, *place)

    def _leave(self, gone: Sequence[Frame]) -> int:
        spans = _spans(gone)
        self.spans -= spans
        return spans

    def _note_settled(self, offsets: Sequence[int], now_ns: int) -> None:
        note = frame(Kind.SETTLED, pack_offsets(offsets), self.name.marker, now_ns)
        descriptor = self._disk.open(str(self.name))
        try:
            self._disk.append(descriptor, note)
        finally:
            self._disk.close(descriptor)
        self.size += len(note)


def framed(records: Iterable[Record], marker: bytes, now_ns: int) -> bytes:
    """The records as they stand in a segment."""
    return b"".join(
        frame(Kind.RUN, pack(record), marker, now_ns, spans=record.spans) for record in records
    )


def _spans(frames: Iterable[Frame]) -> int:
    return sum(frame.spans for frame in frames)
