"""The open runs, on disk: of each run that was posted and has not ended, the patch that closes it.

That patch is called a will: the next process sends it if this one dies.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.records import Kind, Record, frame, pack
from otel_langsmith.delivery.segment_files import SegmentName

COMPACT_AT_BYTES: Final = 2**20
"""A journal of this size is written anew, if that leaves a quarter of it or less."""

MAX_OPEN_BYTES: Final = 16 * 2**20
"""Most bytes of wills; a process with so many open runs has another problem."""


class _Will(NamedTuple):
    payload: bytes
    spans: int


class _File(NamedTuple):
    name: SegmentName
    descriptor: int


class Journal:
    """The open runs of one writer, in one file at a time; not for two threads at once.

    Every call may raise OSError when the disk has no room: then a later process may end a run that
    has ended, which LangSmith refuses, or leave one open.
    """

    def __init__(self, disk: Disk, next_name: Callable[[], SegmentName]) -> None:
        self._disk = disk
        self._next_name = next_name
        self._file: _File | None = None
        self._size = self._open_bytes = 0
        self._wills: dict[str, _Will] = {}

    @property
    def open(self) -> int:
        """How many runs are open."""
        return len(self._wills)

    def opened(self, wills: Iterable[Record], now_ns: int) -> None:
        """Note that runs were begun, each with the patch that ends it."""
        noted = {will.run_id: _Will(pack(will), will.spans) for will in wills}
        size = sum(len(will.payload) for will in noted.values())
        if self._open_bytes + size > MAX_OPEN_BYTES:
            raise OSError("too many runs are open to note them all")
        self._append(noted.values(), now_ns)
        self._wills |= noted
        self._open_bytes += size

    def ended(self, run_ids: Iterable[str], now_ns: int) -> None:
        """Note that runs have ended; those it was never told of are none of its business."""
        known = [run_id for run_id in run_ids if self._forgotten(run_id)]
        if not known or self._file is None:
            return
        self._write(frame(Kind.ENDED, "\n".join(known).encode(), self._marker, now_ns))
        if self._size > max(COMPACT_AT_BYTES, 4 * self._open_bytes):
            self._begin_anew(now_ns)

    def close(self) -> None:
        """Close the file, for others to find if a run is still open; otherwise remove it."""
        file, self._file = self._file, None
        if file is not None:
            self._disk.close(file.descriptor)
            if not self._wills:
                self._disk.remove(str(file.name))

    def disown(self) -> None:
        """In a forked child: the file is the parent's."""
        file, self._file = self._file, None
        if file is not None:
            self._disk.close(file.descriptor)

    def _forgotten(self, run_id: str) -> bool:
        will = self._wills.pop(run_id, None)
        self._open_bytes -= len(will.payload) if will else 0
        return will is not None

    def _append(self, wills: Iterable[_Will], now_ns: int) -> None:
        if self._file is None:
            name = self._next_name()
            self._file = _File(name, self._disk.create(str(name)))
            self._size = 0
        self._write(b"".join(_opened(will, self._marker, now_ns) for will in wills))

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            self._disk.append(self._file.descriptor, data)
            self._size += len(data)

    def _begin_anew(self, now_ns: int) -> None:
        """Another file with the open runs alone, then none of the old one."""
        old, size, self._file = self._file, self._size, None
        try:
            self._append(self._wills.values(), now_ns)
        except OSError:
            self._drop(self._file)
            self._file, self._size = old, size
            raise
        self._drop(old)

    def _drop(self, file: _File | None) -> None:
        if file is not None:
            self._disk.close(file.descriptor)
            with suppress(OSError):
                self._disk.remove(str(file.name))

    @property
    def _marker(self) -> bytes:
        return self._file.name.marker if self._file else b""


def _opened(will: _Will, marker: bytes, now_ns: int) -> bytes:
    return frame(Kind.OPENED, will.payload, marker, now_ns, spans=will.spans)
