"""The format of the spool's files: a sequence of frames, each with a checksum of its own.

    marker 8 │ CRC-32 4 │ kind 1 │ codec 1 │ spans 2 │ time 8 │ length 4 │ payload

The marker is the same in every frame of a writer and known from the file's name, so a reader finds
the next frame after any damage, and content that happens or pretends to be a frame is none: the
marker is random and never leaves the disk. The sum covers everything behind it. It is CRC-32 and
not CRC-32C: both find every error burst of up to 32 bits, but only the former is in the standard
library, at 0.9 µs for 2 KB against 330 µs for a table in Python.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, Literal, NamedTuple, TypeAlias

import orjson

from otel_langsmith.identity import iso_time
from otel_langsmith.run import JsonObject
from otel_langsmith.wire.parts import MAIN, Part, Parts, named, size_of, unnamed

Verb: TypeAlias = Literal["post", "patch", "feedback"]
"""What is to be done with what a record holds; feedback is only ever left by LangSmith's SDKs."""

MARKER_BYTES: Final = 8

MAX_RUN_BYTES: Final = 2**28
"""The most a record may inflate to: far above what LangSmith takes, far below what hurts."""

_HEAD: Final = struct.Struct("<8sIBBHqI")
_SUMMED_FROM: Final = 12
_PLAIN, _DEFLATED = 0, 1
_WORTH_DEFLATING: Final = 256
_FAST: Final = 1
_OFFSET: Final = struct.Struct("<Q")
_NAMES_LENGTH: Final = struct.Struct("<I")


class Kind(IntEnum):
    """What a frame says."""

    RUN = 1
    """A run waits to be sent."""
    OPENED = 2
    """A run was begun; the payload is what to send should the process never end it."""
    ENDED = 3
    """A run that was begun has ended."""
    SETTLED = 4
    """The runs at these offsets of the same file wait no more."""


@dataclass(frozen=True, slots=True)
class Record:
    """A run as it goes to LangSmith, in either mode: the parts are ready-made and masked.

    ``spans`` is how many spans of the ledger it settles: 0 for the post of a run that still runs.
    ``doubtful``: should LangSmith have the run already, this post is to be sent as a patch.
    ``alone``: it is to be sent as plain REST, and ``place`` is then what tells its place in a tree.
    """

    run_id: str
    verb: Verb
    parts: Parts
    spans: int = 1
    doubtful: bool = False
    alone: bool = False
    place: JsonObject = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all its parts, as LangSmith counts them."""
        return size_of(self.parts)


class Frame(NamedTuple):
    """One frame of a file and where it begins; ``payload`` is inflated by `unpack` only."""

    offset: int
    kind: int
    codec: int
    spans: int
    time_ns: int
    payload: bytes


def frame(kind: Kind, payload: bytes, marker: bytes, time_ns: int, *, spans: int = 0) -> bytes:
    """The payload as one frame, to be appended to a file of this marker."""
    codec, payload = _deflated(payload)
    tail = _HEAD.pack(marker, 0, kind, codec, spans, time_ns, len(payload))[_SUMMED_FROM:]
    total = zlib.crc32(payload, zlib.crc32(tail))
    return marker + total.to_bytes(4, "little") + tail + payload


def scan(data: bytes, marker: bytes) -> tuple[list[Frame], int]:
    """The intact frames of a file in order, and how many stretches of it are damaged.

    A damaged stretch cost at least one frame. Never raises, whatever the data.
    """
    frames: list[Frame] = []
    damaged = position = 0
    while position < len(data):
        found = _frame_at(data, position, marker)
        if found is not None:
            frames.append(found)
            position += _HEAD.size + len(found.payload)
        else:
            damaged += 1
            position = _next_frame(data, position + 1, marker)
    return frames, damaged


def pack(record: Record) -> bytes:
    """The record as a payload."""
    parts = [*named(record.verb, record.run_id, record.parts)]
    heads = [[part.name, part.content_type, len(part.body)] for part in parts]
    flags = [record.doubtful, record.alone, record.place]
    names = orjson.dumps([record.run_id, record.verb, heads, *flags])
    return b"".join((_NAMES_LENGTH.pack(len(names)), names, *(part.body for part in parts)))


def unpack(frame: Frame) -> Record:
    """The record of a frame.

    Raises:
        ValueError: Its sum is right, yet it is no record: another program wrote it.
    """
    payload = content(frame)
    try:
        (length,) = _NAMES_LENGTH.unpack_from(payload)
        run_id, verb, heads, *flags = orjson.loads(payload[_NAMES_LENGTH.size :][:length])
        parts = unnamed(_parts(payload, _NAMES_LENGTH.size + length, heads))
        return Record(run_id, verb, parts, frame.spans, *flags)
    except (struct.error, TypeError, ValueError) as error:
        raise ValueError(f"no record at offset {frame.offset}") from error


def ending(record: Record, time_ns: int) -> Record:
    """The record with that end in its main part: what it needs to close a run left open.

    Raises:
        ValueError: Its main part is no JSON object.
    """
    fields = orjson.loads(record.parts.get(MAIN, b""))
    if not isinstance(fields, dict):
        raise ValueError("the main part of a run is an object")  # noqa: TRY004 - as unreadable JSON
    body = orjson.dumps(fields | {"end_time": iso_time(time_ns)})
    return replace(record, parts={**record.parts, MAIN: body})


def content(frame: Frame, max_bytes: int = MAX_RUN_BYTES) -> bytes:
    """The payload as it was given to `frame`.

    Raises:
        ValueError: It does not inflate, or to more than ``max_bytes``.
    """
    if frame.codec == _PLAIN:
        return frame.payload
    inflater = zlib.decompressobj()
    try:
        payload = inflater.decompress(frame.payload, max_bytes)
    except zlib.error as error:
        raise ValueError(f"the payload at offset {frame.offset} does not inflate") from error
    if not inflater.eof:
        raise ValueError(f"the payload at offset {frame.offset} is larger than any run")
    return payload


def pack_offsets(offsets: Sequence[int]) -> bytes:
    """The payload of a `Kind.SETTLED` frame."""
    return b"".join(map(_OFFSET.pack, offsets))


def unpack_offsets(frame: Frame) -> Iterator[int]:
    """The offsets of a `Kind.SETTLED` frame."""
    payload = content(frame)
    whole = len(payload) - len(payload) % _OFFSET.size
    return (offset for (offset,) in _OFFSET.iter_unpack(payload[:whole]))


def _deflated(payload: bytes) -> tuple[int, bytes]:
    """The smaller form: runs shrink to a quarter or a half, for 20 to 50 µs a kilobyte."""
    if len(payload) >= _WORTH_DEFLATING:
        smaller = zlib.compress(payload, _FAST)
        if len(smaller) < len(payload):
            return _DEFLATED, smaller
    return _PLAIN, payload


def _frame_at(data: bytes, position: int, marker: bytes) -> Frame | None:
    start = position + _HEAD.size
    if start > len(data):
        return None
    own, total, kind, codec, spans, time_ns, length = _HEAD.unpack_from(data, position)
    if own != marker or start + length > len(data):
        return None
    payload = data[start : start + length]
    summed = zlib.crc32(data[position + _SUMMED_FROM : start])
    if zlib.crc32(payload, summed) != total:
        return None
    return Frame(position, kind, codec, spans, time_ns, payload)


def _next_frame(data: bytes, position: int, marker: bytes) -> int:
    """Where the next intact frame begins, or the end of the data."""
    while (position := data.find(marker, position)) >= 0:
        if _frame_at(data, position, marker) is not None:
            return position
        position += 1
    return len(data)


def _parts(payload: bytes, position: int, heads: Sequence[Sequence[object]]) -> Iterator[Part]:
    for name, content_type, length in heads:
        if not isinstance(length, int) or position + length > len(payload):
            raise ValueError("a part is cut short")
        yield Part(str(name), str(content_type), payload[position : position + length])
        position += length
