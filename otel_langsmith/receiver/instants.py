"""Times as clients write them, to aware UTC datetimes; pure.

RFC 3339 with up to nine fraction digits (Go), with an offset (Python), without any zone (older
Python, read as UTC), and integers, epoch milliseconds (the JavaScript SDK's ``end_time``).
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Final

from otel_langsmith.run import Json

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

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
