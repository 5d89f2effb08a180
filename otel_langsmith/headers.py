"""The two headers that carry a lineage: ``langsmith-trace``, and our member of ``tracestate``.

Pure text, as `baggage` is: every function is total, and sizes are capped before parsing.

Spec: https://www.w3.org/TR/trace-context/#tracestate-header; LangSmith's own is in langsmith.md §6.
"""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from otel_langsmith.baggage import project_name
from otel_langsmith.identity import parse_dotted_order, uuid_text

MAX_TRACE_BYTES: Final = 8192
MAX_SEGMENTS: Final = 128

MAX_STATE_LENGTH: Final = 256
MAX_STATE_PROJECT_BYTES: Final = 64
"""A longer project stays out of tracestate; cut short, it would name another project."""

_STATE_VERSION: Final = "1"
_STATE_ROOM: Final = (MAX_STATE_LENGTH - len(_STATE_VERSION)) * 6 // 8
"""Bytes that base64 fits into the member."""

_WHOLE_ID: Final = 0x80
_YEAR_1: Final = datetime.min.replace(tzinfo=timezone.utc)
_TICK: Final = timedelta(microseconds=1)


def parse_trace(value: str) -> str | None:
    """The dotted order of a ``langsmith-trace`` header, ids in lower case; None if it is none.

    Stricter than both SDKs (langsmith.md §6.3), as the server is: six digits, no time travel.
    """
    text = value.strip() if len(value) <= MAX_TRACE_BYTES else ""
    segments = parse_dotted_order(text) or ()
    if len(segments) > MAX_SEGMENTS:
        return None
    return ".".join(time + run_id for time, run_id in segments) or None


def pack_state(dotted_order: str, project: str | None = None) -> str:
    """A lineage as one tracestate value of at most 256 characters; empty if it is none.

    A version digit, then in base64url: the project (a byte for its length, then UTF-8), then the
    segments from the root down. A segment is a byte (how many bytes the time takes, plus 128 before
    a whole UUID), the time in microseconds since the segment before or year 1, and the id, of which
    eight bytes are enough for a span id in an otherwise zero UUID.

    Segments that do not fit are left out, those nearest to the current run first: the far run then
    hangs under the nearest ancestor that fits. 14 to 18 of our own do, 8 to 10 of LangSmith's.
    """
    name = (project_name(project) or "").encode()
    packed = bytes([len(name)]) + name if len(name) <= MAX_STATE_PROJECT_BYTES else b"\0"
    before, segments = 0, parse_dotted_order(dotted_order) or ()
    for time, run_id in segments:
        ticks = _ticks(time)
        segment = _packed(ticks - before, bytes.fromhex(run_id.replace("-", "")))
        if len(packed) + len(segment) > _STATE_ROOM:
            break
        packed, before = packed + segment, ticks
    return _STATE_VERSION + _base64(packed) if segments else ""


def unpack_state(value: str) -> tuple[str, str | None] | None:
    """The dotted order and project that `pack_state` put into ``value``; None if it did not."""
    if len(value) > MAX_STATE_LENGTH or value[:1] != _STATE_VERSION:
        return None
    text = value[1:]
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        end = 1 + packed[0] if packed else 1
        name = packed[1:end].decode()
        order = ".".join(_unpacked(packed, end))
    except (ValueError, OverflowError):
        return None
    sound = order and _base64(packed) == text and project_name(name or "-")
    return (order, name or None) if sound else None


def _base64(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def _ticks(time: str) -> int:
    """Microseconds since the start of year 1, of a valid stamp."""
    fields = (time[:4], time[4:6], time[6:8], time[9:11], time[11:13], time[13:15], time[15:21])
    year, month, day, hour, minute, second, fraction = map(int, fields)
    moment = datetime(year, month, day, hour, minute, second, fraction, timezone.utc)
    return (moment - _YEAR_1) // _TICK


def _packed(ticks: int, run_id: bytes) -> bytes:
    whole, length = any(run_id[:8]), (ticks.bit_length() + 7) // 8
    head = length | _WHOLE_ID if whole else length
    return bytes([head]) + ticks.to_bytes(length, "big") + run_id[0 if whole else 8 :]


def _unpacked(packed: bytes, at: int) -> Iterator[str]:
    """The segments of a dotted order; raises ValueError or OverflowError if there are none such."""
    moment = _YEAR_1
    while at < len(packed):
        whole, length = divmod(packed[at], _WHOLE_ID)
        time_end = at + 1 + length
        moment += int.from_bytes(packed[at + 1 : time_end], "big") * _TICK
        at = time_end + (16 if whole else 8)
        run_id = uuid_text(packed[time_end:at].hex().zfill(32))
        if run_id is None or at > len(packed):
            raise ValueError("cut short")
        yield f"{moment.year:04d}{moment:%m%dT%H%M%S%fZ}{run_id}"
