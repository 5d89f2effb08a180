"""Who may touch a writer's files: whoever holds the lock on its lease.

The lock goes with the process, however that ends, so no lease is ever stale and none expires while
its holder lives. Nothing here waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.segments import LEASE_SUFFIX, new_writer

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
