"""What a reply means for the runs that were sent: a `Verdict`.

A request that failed is a value too, not an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

_ACCEPTED: Final = frozenset({*range(200, 300), 409})
"""409 speaks of one run and operation that is there already: a re-send that succeeded before."""

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

    def __str__(self) -> str:
        """``HTTP 422: …`` or what broke the connection; one line, fit for a log."""
        said = self.error if self.status is None else f"HTTP {self.status}: {self.text}"
        return " ".join(said.split())[:300].rstrip(": ")


@dataclass(frozen=True, slots=True)
class Accepted:
    """LangSmith has the runs."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The same request may succeed later, not before ``after_s`` seconds."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """The same request will never succeed; ``reason`` is its name in the ledger."""

    reason: str


Verdict: TypeAlias = Accepted | RetryLater | Rejected


def judge(reply: Reply, now: datetime) -> Verdict:
    """The verdict on a reply; ``now`` is for a ``Retry-After`` that names a date.

    A redirect is no success: its target never saw the body.
    """
    if reply.status is None or reply.status in _RETRIED:
        return RetryLater(retry_after_s(reply.headers.get("retry-after", ""), now))
    if reply.status in _ACCEPTED:
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
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return (moment.astimezone(now.tzinfo) - now).total_seconds()
