"""Leases: only the process that holds the lock on a writer's lease may touch the writer's files.

The lock goes with the process, however that ends, so no lease is ever stale and none expires while
its holder lives. Nothing here waits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.segment_files import (
    LEASE_SUFFIX,
    FileType,
    SegmentName,
    lease_writers,
    new_writer,
    segment_names,
)

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to a writer's files, for as long as the descriptor is open."""

    writer: str
    descriptor: int

    @property
    def name(self) -> str:
        """The lease's file."""
        return self.writer + LEASE_SUFFIX


def new_lease(disk: Disk, make_name: Callable[[], str] = new_writer) -> Lease:
    """The lease of a new writer.

    Raises:
        OSError: The disk has no room for it, or others were faster every time.
    """
    for _ in range(_ATTEMPTS):
        writer = make_name()
        lease = _held(disk, Lease(writer, disk.create(writer + LEASE_SUFFIX)))
        if lease is not None:
            return lease
    raise OSError("no lease can be held in the spool")


def take_over(disk: Disk, writer: str) -> Lease | None:
    """The lease of a writer that is dead; None while it lives, or if another was faster.

    Raises:
        OSError: The lease can neither be opened nor made.
    """
    name = writer + LEASE_SUFFIX
    try:
        descriptor = disk.open(name)
    except FileNotFoundError:  # its segments are left, so it died long ago
        try:
            descriptor = disk.create(name)
        except FileExistsError:
            return None
    return _held(disk, Lease(writer, descriptor))


def _held(disk: Disk, lease: Lease) -> Lease | None:
    """The lease, locked; None if another has the lock, or had it and removed the file.

    Whoever opened the file before it was removed has the lock on nothing.
    """
    try:
        if disk.lock(lease.descriptor) and disk.names(lease.descriptor, lease.name):
            return lease
    except OSError:
        disk.close(lease.descriptor)
        raise
    disk.close(lease.descriptor)
    return None


def give_up(disk: Disk, lease: Lease, *, remove: bool) -> None:
    """End the lease; ``remove`` its file if no segment of the writer is left.

    Raises:
        OSError: The file cannot be removed; the lease has ended.
    """
    try:
        if remove:
            disk.remove(lease.name)
    finally:
        disk.close(lease.descriptor)


class Leases:
    """The leases of one process: on the files that it writes, and on those of the dead it adopted.

    Not for two threads at once. Every call may raise OSError.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.own: Lease | None = None
        self._adopted: dict[str, Lease] = {}
        self._numbers = 0

    def __iter__(self) -> Iterator[Lease]:
        """All of them."""
        return iter([*([self.own] if self.own else []), *self._adopted.values()])

    def next_name(self, kind: FileType, made_ms: int) -> SegmentName:
        """The name of this process's next file, under a lease that it holds."""
        writer = self._held_own().writer
        self._numbers = (self._numbers + 1) % 10**6
        return SegmentName(kind, made_ms, self._numbers, writer)

    def others(self) -> set[str]:
        """The writers of files here whose leases this process does not hold."""
        names = self._disk.sizes()
        writers = {*lease_writers(names), *(name.writer for name in segment_names(names))}
        return writers - {lease.writer for lease in self}

    def adopt(self, writer: str) -> Mapping[SegmentName, int]:
        """The files that a dead writer left, and their sizes; empty if it lives or left none."""
        lease = take_over(self._disk, writer)
        if lease is None:
            return {}
        sizes = self._disk.sizes()  # asked again: nobody adds to them or removes any from now on
        left = {name: sizes[str(name)] for name in segment_names(sizes) if name.writer == writer}
        if left:
            self._adopted[writer] = lease
        else:
            give_up(self._disk, lease, remove=True)
        return left

    def finished(self, writer: str) -> None:
        """No file of the writer is left: if it was an adopted one, its lease is not needed."""
        lease = self._adopted.pop(writer, None)
        if lease is not None:
            give_up(self._disk, lease, remove=True)

    def _held_own(self) -> Lease:
        """This process's lease; a new one if somebody removed its file."""
        lease = self.own
        if lease is not None and self._disk.names(lease.descriptor, lease.name):
            return lease
        self.own = new_lease(self._disk)
        if lease is not None:
            self._disk.close(lease.descriptor)
        return self.own
