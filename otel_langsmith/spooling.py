"""What waits on disk, for ``otel-langsmith spool`` to list and delete.

Two kinds of directory are read: our own spool, and ``LANGSMITH_FAILED_TRACES_DIR`` of the LangSmith
SDKs. The files of a running process are shown and otherwise left alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

import orjson

from otel_langsmith.delivery.dead_letters import REFUSED, SUFFIX, DeadLetter, read_letter
from otel_langsmith.delivery.destination import Destination, described
from otel_langsmith.delivery.disk import Disk, Folder
from otel_langsmith.delivery.lease import give_up, take_over
from otel_langsmith.delivery.records import Record, unpack
from otel_langsmith.delivery.segment_files import contents, lease_writers, segment_names
from otel_langsmith.envelopes import PATTERN, read_envelope
from otel_langsmith.errors import WireError
from otel_langsmith.wire.parts import MAIN

State: TypeAlias = Literal["waits", "open", "refused", "failed upload"]

_Document = TypeVar("_Document")

STATES: Final[tuple[State, ...]] = ("waits", "open", "refused", "failed upload")


@dataclass(frozen=True, slots=True)
class Found:
    """One run that was found on disk; ``why`` it is there is known of a refused one.

    ``since_ns`` is Unix time. ``in_use``: the process that wrote it lives and will send it.
    """

    state: State
    record: Record
    file: Path
    since_ns: int
    destination: str = ""
    in_use: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        """The run's name, if its main part can be read."""
        with suppress(ValueError, KeyError, AttributeError):
            return str(orjson.loads(self.record.parts[MAIN]).get("name", ""))
        return ""


class Place(NamedTuple):
    """The folder of one destination in a spool directory."""

    folder: Folder
    destination: Destination

    @property
    def title(self) -> str:
        """The destination in a few words."""
        return f"{self.destination.endpoint} {self.destination.project}"


class Directory:
    """A spool directory, opened for reading; ``problems`` says what cannot be read.

    Raises:
        OSError: It cannot be opened. PermissionError: others can write to it, so nothing in it can
            be trusted; the text says what to do.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"there is no directory {path}")
        self._outer = Folder(path)
        self.problems: list[str] = []
        self.places = tuple(self._places())

    def look(self) -> Iterator[Found]:
        """Every run in it, file by file."""
        for place in self.places:
            yield from self.waiting(place)
        for place in self.places:
            for file, letter in self.letters(place):
                why = f"HTTP {letter.status}: {letter.said}" if letter.status else letter.said
                since_ns = file.stat().st_mtime_ns
                yield Found("refused", letter.record, file, since_ns, place.title, why=why)
        for file, records in self.envelopes():
            since_ns = file.stat().st_mtime_ns
            yield from (Found("failed upload", record, file, since_ns) for record in records)

    def waiting(self, place: Place) -> Iterator[Found]:
        """The runs that wait to be sent or ended, the oldest first."""
        folder = place.folder
        living: dict[str, bool] = {}
        for name in segment_names(folder.sizes()):
            file = folder.path / str(name)
            with self._noting(file):
                held = contents(folder, name)
                lives = living.setdefault(name.writer, _lives(folder, name.writer))
                if held.damaged:
                    self.problems.append(f"{file}: damaged in {held.damaged} places")
                state: State = "open" if name.type == "open" else "waits"
                for frame in held.waiting:
                    yield Found(state, unpack(frame), file, frame.time_ns, place.title, lives)

    def letters(self, place: Place) -> Iterator[tuple[Path, DeadLetter]]:
        """The runs that were refused, the oldest first."""
        if (place.folder.path / REFUSED).exists():
            refused = Folder(REFUSED, place.folder)
            yield from self._documents(refused, f"*{SUFFIX}", read_letter)
            refused.release()

    def envelopes(self) -> Iterator[tuple[Path, list[Record]]]:
        """What LangSmith's own SDKs failed to upload, the oldest first."""
        yield from self._documents(self._outer, PATTERN, read_envelope)

    def purge(self, states: frozenset[State]) -> int:
        """Delete the files of runs in such a state, unless they are in use; how many files."""
        files = {found.file for found in self.look() if found.state in states and not found.in_use}
        for file in files:
            file.unlink(missing_ok=True)
        for place in self.places:
            _tidy(place.folder)
        return len(files)

    def _places(self) -> Iterator[Place]:
        for path in sorted(self._outer.path.iterdir()):
            if path.is_dir() and not path.is_symlink():
                with self._noting(path):
                    folder = Folder(path.name, self._outer)
                    destination = described(folder)
                    if destination is not None:
                        yield Place(folder, destination)

    def _documents(
        self, disk: Disk, pattern: str, read: Callable[[bytes], _Document]
    ) -> Iterator[tuple[Path, _Document]]:
        for name in sorted(disk.sizes()):
            if fnmatchcase(name, pattern):
                file = disk.path / name
                with self._noting(file):
                    yield file, read(_bytes(disk, name))

    @contextmanager
    def _noting(self, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problems.append(f"{file}: {error.strerror or error}")
        except (ValueError, WireError) as error:
            self.problems.append(f"{file}: {error}")


def _bytes(disk: Disk, name: str) -> bytes:
    descriptor = disk.open(name)
    try:
        return disk.read(descriptor)
    finally:
        disk.close(descriptor)


def _lives(disk: Disk, writer: str) -> bool:
    lease = take_over(disk, writer)
    if lease is not None:
        give_up(disk, lease, remove=False)
    return lease is None


def _tidy(disk: Disk) -> None:
    """Remove the leases of dead writers that left nothing else."""
    names = disk.sizes()
    for writer in {*lease_writers(names)} - {name.writer for name in segment_names(names)}:
        if lease := take_over(disk, writer):
            give_up(disk, lease, remove=True)
