"""The names of the spool's files, and which runs wait in each.

A file belongs to a writer, of whom there is one in each process, and is only ever appended to. Its
name says when it was begun, as which of the writer's files, and by whom; the format's version is
part of the ending, so that an older program leaves the files of a newer one alone.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Final, Literal, NamedTuple, TypeAlias

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.records import (
    MARKER_BYTES,
    Frame,
    Kind,
    content,
    scan,
    unpack,
    unpack_offsets,
)

FileType: TypeAlias = Literal["runs", "open"]

LEASE_SUFFIX: Final = ".v1.lease"

_WRITER: Final = re.compile(r"[0-9]{1,10}-[0-9a-f]{16}", re.ASCII)
_NAME: Final = re.compile(
    rf"([0-9]{{13}})-([0-9]{{6}})-({_WRITER.pattern})\.v1\.(runs|open)", re.ASCII
)


class SegmentName(NamedTuple):
    """``1763727600000-000001-4711-9f3c2a….v1.runs``; in order of age, open runs last.

    ``made_ms`` is Unix time in milliseconds, ``number`` counts the files of a writer.
    """

    type: FileType
    made_ms: int
    number: int
    writer: str

    def __str__(self) -> str:
        """The file's name."""
        return f"{self.made_ms:013d}-{self.number:06d}-{self.writer}.v1.{self.type}"

    @property
    def marker(self) -> bytes:
        """What each frame of the file begins with."""
        return bytes.fromhex(self.writer.rpartition("-")[2])

    @property
    def order(self) -> tuple[bool, int, int, str]:
        """What to sort by: runs before the ends of runs, then the oldest first."""
        return (self.type == "open", self.made_ms, self.number, self.writer)


def new_writer() -> str:
    """The name of a writer in this process, which no other has or had."""
    return f"{os.getpid()}-{token_hex(MARKER_BYTES)}"


def segment_names(names: Iterable[str]) -> list[SegmentName]:
    """The segments among the files of a folder, the oldest first."""
    found = (
        SegmentName(_file_type(match[4]), int(match[1]), int(match[2]), match[3])
        for match in map(_NAME.fullmatch, names)
        if match
    )
    return sorted(found, key=lambda name: name.order)


def lease_writers(names: Iterable[str]) -> Iterator[str]:
    """The writers whose leases are among the files of a folder."""
    for name in names:
        writer = name.removesuffix(LEASE_SUFFIX)
        if writer != name and _WRITER.fullmatch(writer):
            yield writer


@dataclass(frozen=True, slots=True)
class Contents:
    """What waits in a file, in order; ``last_ns`` is the time of its last frame."""

    waiting: tuple[Frame, ...]
    damaged: int
    last_ns: int


def contents(disk: Disk, name: SegmentName) -> Contents:
    """What waits in the file: runs that are not settled, or were begun and not ended.

    Raises:
        OSError: It cannot be read, or is no file of ours.
    """
    descriptor = disk.open(str(name))
    try:
        frames, damaged = scan(disk.read(descriptor), name.marker)
    finally:
        disk.close(descriptor)
    settled = {at for frame in frames if frame.kind == Kind.SETTLED for at in _offsets(frame)}
    waits = _not_ended(frames) if name.type == "open" else _runs(frames)
    waiting = tuple(frame for frame in waits if frame.offset not in settled)
    return Contents(waiting, damaged, max((frame.time_ns for frame in frames), default=0))


def _runs(frames: Iterable[Frame]) -> Iterator[Frame]:
    return (frame for frame in frames if frame.kind == Kind.RUN)


def _not_ended(frames: Iterable[Frame]) -> Iterator[Frame]:
    begun: dict[str, Frame] = {}
    for frame in frames:
        with suppress(ValueError):
            if frame.kind == Kind.OPENED:
                begun[unpack(frame).run_id] = frame
            elif frame.kind == Kind.ENDED:
                for run_id in content(frame).decode().split():
                    begun.pop(run_id, None)
    return iter(begun.values())


def _offsets(frame: Frame) -> Iterable[int]:
    try:
        return unpack_offsets(frame)
    except ValueError:
        return ()


def _file_type(text: str) -> FileType:
    return "open" if text == "open" else "runs"
