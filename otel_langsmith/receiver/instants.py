"""Times as clients write them, to aware UTC datetimes; pure.

RFC 3339 with up to nine fraction digits (Go), with an offset (Python), without any zone (older
Python, read as UTC), and integers, epoch milliseconds (the JavaScript SDK's ``end_time``).
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Final

from otel_langsmith.run import Json

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

_TENS_MS: Final = 9.95
_NEARLY_A_SECOND_MS: Final = 999.5
_NEARLY_A_MINUTE_S: Final = 59.995
"""From here on, rounding would write 10.0 ms, 1000 ms and 60.00 s."""

_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


def read(value: Json) -> datetime:
    """The instant that ``value`` names, cut to microseconds.

    Raises:
        ValueError: it names none.
    """
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a time")  # noqa: TRY004 - one kind of failure for the caller
    try:
        return EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        raise ValueError("a time outside years 1 to 9999") from None


def _from_text(text: str) -> datetime:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 time")
    day, clock, fraction, _, sign, hours, minutes = match.groups()
    local = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6]:0<6}+00:00")
    if sign is None:
        return local
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return local + offset if sign == "-" else local - offset
    except OverflowError:
        raise ValueError("a time outside years 1 to 9999") from None


def microseconds(instant: datetime | None) -> int | None:
    """Microseconds since the epoch: exact, and sortable by SQLite."""
    return None if instant is None else (instant - EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int | None) -> datetime | None:
    """The inverse of `microseconds`."""
    return None if count is None else EPOCH + timedelta(microseconds=count)


def duration(start: datetime | None, end: datetime | None) -> str:
    """The time between, for a person: ``8.4 ms``, ``412 ms``, ``1.24 s``, ``2 min 03 s``.

    ``running`` as long as one of them is unknown.
    """
    if start is None or end is None:
        return "running"
    milliseconds = (end - start) / timedelta(milliseconds=1)
    if abs(milliseconds) < _TENS_MS:
        return f"{milliseconds:.1f} ms"
    if abs(milliseconds) < _NEARLY_A_SECOND_MS:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if abs(seconds) < _NEARLY_A_MINUTE_S:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(abs(seconds)), 60)
    return f"{'-' if seconds < 0 else ''}{minutes} min {rest:02} s"
