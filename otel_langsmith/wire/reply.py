"""What a reply means for the runs that were sent: a `Verdict`.

A request that failed is a value too, not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

_ACCEPTED: Final = range(200, 300)
_CONFLICT: Final = 409
_OF_ONE_FOR_ALL: Final = frozenset({400, 413, 422})
"""Refusals that one run can bring upon its whole request, or its whole size."""
_RETRIED: Final = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a status with headers and text, or the reason why nothing did.

    Header names are in lower case; ``text`` is the beginning of the body.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    error: str = ""

    @property
    def summary(self) -> str:
        """``HTTP 422``, or the kind of failure: what can be logged without quoting anyone."""
        return self.error.partition(":")[0] if self.status is None else f"HTTP {self.status}"

    def __str__(self) -> str:
        """``HTTP 422: …`` or what broke the connection, in one line."""
        said = self.error if self.status is None else f"HTTP {self.status}: {self.text}"
        return " ".join(said.split()).rstrip(": ")


@dataclass(frozen=True, slots=True)
class Accepted:
    """LangSmith has the runs."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The same request may succeed later, not before ``after_s`` seconds."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Split:
    """Some of the runs decide for all: the same runs may fare differently in smaller requests."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The same request will never succeed; ``reason`` is its name in the ledger."""

    reason: str


Verdict: TypeAlias = Accepted | RetryLater | Split | Rejected


def judge(reply: Reply, now: datetime, *, runs: int = 1, tried: bool = False) -> Verdict:
    """The verdict on the reply to a request of so many ``runs``.

    ``tried``: it was sent before, and a conflict can only mean that it arrived then.

    A redirect is no success, its target never saw the body; nor is a web page, which LangSmith does
    not answer with. A conflict says that a run is there already: that is success for one run, and
    for a request tried before whose reply went missing. Of several new runs it says only that one
    of them is. ``now`` is for a ``Retry-After`` that names a date.
    """
    if reply.status is None or reply.status in _RETRIED:
        return RetryLater(retry_after_s(reply.headers.get("retry-after", ""), now))
    if runs > 1 and (reply.status in _OF_ONE_FOR_ALL or (reply.status == _CONFLICT and not tried)):
        return Split()
    if reply.status in _ACCEPTED and "text/html" in reply.headers.get("content-type", ""):
        return Rejected(f"web_page_{reply.status}")
    if reply.status in _ACCEPTED or reply.status == _CONFLICT:
        return Accepted()
    return Rejected(f"http_{reply.status}")


def retry_after_s(text: str, now: datetime) -> float:
    """Seconds to wait by a ``Retry-After`` header in either form; 0 if it says nothing usable.

    Spec: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, now)
    return seconds if 0 < seconds < float("inf") else 0.0


def _seconds_until(text: str, now: datetime) -> float:
    try:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - rare, and 3 ms to import

        moment = parsedate_to_datetime(text).astimezone(now.tzinfo)
    except (ValueError, OverflowError):  # no date, or one beyond the calendar
        return 0.0
    return (moment - now).total_seconds()
