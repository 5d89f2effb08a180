"""A private folder; the only module that makes the spool's system calls.

Every call goes through the folder's own descriptor where the system can, so that nobody who renames
or replaces the folder meanwhile can turn us elsewhere. Nothing here follows a symbolic link.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol

_OURS_ONLY: Final = 0o700
_FILE_MODE: Final = 0o600
_WRITABLE_BY_OTHERS: Final = 0o022

_SAFE: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    # a pipe in place of a file must not make us wait
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_APPEND: Final = os.O_RDWR | os.O_APPEND | _SAFE
_READ_STEP: Final = 2**22

_HAS_FOLDER_DESCRIPTORS: Final = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_HAS_OWNERS: Final = hasattr(os, "geteuid")


class Disk(Protocol):
    """A folder as the spool sees it; files are descriptors. Every call may raise OSError."""

    path: Path

    def sizes(self) -> Mapping[str, int]:
        """The regular files in it, and their bytes."""

    def create(self, name: str) -> int:
        """A new file, open for appending; FileExistsError if there is one."""

    def open(self, name: str) -> int:
        """A file of ours, open for reading and, unless the disk is read-only, for appending."""

    def read(self, descriptor: int) -> bytes:
        """All of it."""

    def append(self, descriptor: int, data: bytes) -> None:
        """All of ``data`` at the end, or OSError and the file as it was."""

    def sync(self, descriptor: int) -> None:
        """What was written outlives a power cut."""

    def lock(self, descriptor: int) -> bool:
        """Whether this open file is now the only one that has the lock; never waits.

        The lock goes with the last descriptor, however the process ends.
        """

    def close(self, descriptor: int) -> None:
        """Give the descriptor and, with the last one, the lock back. Never raises."""

    def names(self, descriptor: int, name: str) -> bool:
        """Whether ``name`` is still the name of this open file."""

    def remove(self, name: str) -> None:
        """The file is gone; no error if it was before."""

    def replace(self, name: str, data: bytes) -> None:
        """The file has this content, at every moment either the old or the new one."""


class Folder:
    """The `Disk` of the operating system; made if it is not there, for this user alone.

    Args:
        path: The folder, or its name ``within`` another.
        within: A folder of ours.

    Raises:
        OSError: It cannot be made.
        PermissionError: It cannot be secured; the text says why and what to do.
    """

    def __init__(self, path: str | Path, within: "Folder | None" = None) -> None:
        self.path: Path = within.path / path if within else Path(path).absolute()
        parent = within.descriptor if within else None
        place = path if parent is not None else self.path
        if within is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(place, _OURS_ONLY, dir_fd=parent)
        _check_folder(os.stat(place, dir_fd=parent, follow_symlinks=False), self.path)
        self.descriptor: int | None = None
        if _HAS_FOLDER_DESCRIPTORS:
            self.descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=parent)
            _check_folder(os.fstat(self.descriptor), self.path)

    def sizes(self) -> Mapping[str, int]:
        """The regular files in it, and their bytes."""
        with os.scandir(self.path if self.descriptor is None else self.descriptor) as entries:
            return dict(_regular(entries))

    def create(self, name: str) -> int:
        """A new file that only this user can read; FileExistsError if there is one."""
        flags = _APPEND | os.O_CREAT | os.O_EXCL
        return os.open(self._at(name), flags, _FILE_MODE, dir_fd=self.descriptor)

    def open(self, name: str) -> int:
        """A file of ours, for reading and, unless the disk is read-only, for appending.

        PermissionError if it is not a regular file of this user under this name alone.
        """
        try:
            descriptor = os.open(self._at(name), _APPEND, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            descriptor = os.open(self._at(name), os.O_RDONLY | _SAFE, dir_fd=self.descriptor)
        try:
            _check_file(os.fstat(descriptor), name)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def read(self, descriptor: int) -> bytes:
        """All of it."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        return b"".join(iter(lambda: os.read(descriptor, _READ_STEP), b""))

    def append(self, descriptor: int, data: bytes) -> None:
        """All of ``data`` at the end, or OSError and the file as it was."""
        size = os.fstat(descriptor).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            with suppress(OSError):  # what stays is damage, and costs the next reader nothing
                os.ftruncate(descriptor, size)
            raise

    def sync(self, descriptor: int) -> None:
        """What was written outlives a power cut, and so does the file's name."""
        os.fsync(descriptor)
        if self.descriptor is not None:
            os.fsync(self.descriptor)

    def lock(self, descriptor: int) -> bool:
        """Whether this open file is now the only one that has the lock; never waits."""
        try:
            _lock(descriptor)
        except OSError:
            return False
        return True

    def close(self, descriptor: int) -> None:
        """Give the descriptor and, with the last one, the lock back. Never raises."""
        with suppress(OSError):
            os.close(descriptor)

    def names(self, descriptor: int, name: str) -> bool:
        """Whether ``name`` is still the name of this open file."""
        try:
            named = os.stat(self._at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    def remove(self, name: str) -> None:
        """The file is gone; no error if it was before."""
        with suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self.descriptor)

    def replace(self, name: str, data: bytes) -> None:
        """The file has this content, at every moment either the old or the new one."""
        draft = f".{token_hex(8)}.tmp"
        descriptor = self.create(draft)
        try:
            self.append(descriptor, data)
        except OSError:
            self.remove(draft)
            raise
        finally:
            os.close(descriptor)
        at = self.descriptor
        os.replace(self._at(draft), self._at(name), src_dir_fd=at, dst_dir_fd=at)

    def release(self) -> None:
        """Give the folder itself back; folders within it stay open."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _at(self, name: str) -> str:
        return str(self.path / name) if self.descriptor is None else name


def _regular(entries: Iterable["os.DirEntry[str]"]) -> Iterator[tuple[str, int]]:
    for entry in entries:
        with suppress(FileNotFoundError):  # another process may be done with it
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield entry.name, found.st_size


def _check_folder(found: os.stat_result, path: Path) -> None:
    """Whoever could write into the folder could take, change or plant runs.

    A parent that others may write to does no harm: they could move the folder away, and then we
    keep what we opened, or find one that is not ours.
    """
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{path} is not a directory (nor may it be a link to one)")
    if _HAS_OWNERS and found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user; name a new directory in it")
    if _HAS_OWNERS and found.st_mode & _WRITABLE_BY_OTHERS:
        raise PermissionError(f"{path} can be written to by others; chmod go-w, or name another")


def _check_file(found: os.stat_result, name: str) -> None:
    ours = not _HAS_OWNERS or found.st_uid == os.geteuid()
    if not (ours and stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
        raise PermissionError(f"{name} is not a regular file of this user with one name")


if sys.platform == "win32":  # pragma: no cover - the same promise by other means
    import msvcrt

    def _lock(descriptor: int) -> None:
        """One byte far behind the end: Windows forbids others to read what is locked."""
        os.lseek(descriptor, 2**62, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Not ``lockf``: such a lock goes when *any* descriptor of the file is closed."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
