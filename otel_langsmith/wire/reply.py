"""What a reply means for the runs that were sent: a `Verdict`.

A request that failed is a value too, not an exception.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_QUOTA: Final = 429
_FORBIDDEN: Final = 403

LARGE_BYTES: Final = 32_000_000
"""LangSmith has answered larger bodies with 403 instead of 413 (langsmith.md §2.3)."""

Course: TypeAlias = Literal["accept", "retry", "split", "reject", "pause"]

OF_THE_RUN: Final = frozenset({400, 413, 422})
"""Refusals that are said of a run, and not of the request, the key or the hour."""

_COURSES: Final[tuple[tuple[Iterable[int], Course, Course], ...]] = (
    # statuses                                      of one run  of several
    (range(200, 300),                               "accept",   "accept"),
    ((_CONFLICT,),                                  "accept",   "split"),
    ((400, 422),                                    "reject",   "split"),
    ((413,),                                        "split",    "split"),
    ((*range(300, 400), 401, 402, 403, 404, 405, 407, 415), "pause", "pause"),
    ((408, 425, 429, 499, *range(500, 600)),        "retry",    "retry"),
)  # fmt: skip
"""What each status means for a request of one run, and of several; any other rejects the run."""

_OF_ONE: Final = {status: one for statuses, one, _ in _COURSES for status in statuses}
_OF_SEVERAL: Final = {status: several for statuses, _, several in _COURSES for status in statuses}


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
    """The same request may succeed later, not before ``after_s`` seconds.

    ``limited``: a quota is used up, so that asking again at once would only prolong it.
    """

    after_s: float = 0.0
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The same runs may fare differently in smaller requests, or a lone run if it is smaller."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The same request will never succeed; ``reason`` is its name in the ledger."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """No request will succeed until somebody changes something; the runs are not to blame.

    ``reason`` is its name in the ledger, should nobody do so before the end.
    """

    reason: str


Verdict: TypeAlias = Accepted | RetryLater | Split | Rejected | Paused


@dataclass(frozen=True, slots=True)
class Sent:
    """The request that a reply answers.

    Attributes:
        runs: How many it held.
        size: Its bytes, uncompressed.
        tried: It was sent before, so a conflict can only mean that it arrived then.
        of_run: A 404 would be about the run or its parent, not about the endpoint.
    """

    runs: int = 1
    size: int = 0
    tried: bool = False
    of_run: bool = False


def judge(reply: Reply, now: datetime, sent: Sent = Sent()) -> Verdict:
    """The verdict on the reply to what was ``sent``.

    A redirect is no success, for its target never saw the body; nor is a web page, for LangSmith
    never answers with one: both mean that the endpoint is wrong. A conflict (409) means that a run
    is there already: success for a lone run, and for a request that was tried before and whose
    reply went missing; of several new runs only one may be there, so they are split.

    Args:
        reply: What came back.
        now: The time, for a ``Retry-After`` that names a date.
        sent: What it answers.
    """
    status = reply.status
    reason = f"http_{status}"
    course = _course(status, sent)
    if course == "accept" and status != _CONFLICT and _is_page(reply):
        return Paused(f"web_page_{status}")
    if course == "retry":
        after_s = retry_after_s(reply.headers.get("retry-after", ""), now)
        return RetryLater(after_s, limited=status == _QUOTA)
    if course == "accept":
        return Accepted()
    if course == "split":
        return Split()
    return Paused(reason) if course == "pause" else Rejected(reason)


def _course(status: int | None, sent: Sent) -> Course:
    if status is None:
        return "retry"
    if status == _CONFLICT and sent.tried:
        return "accept"
    if status == _FORBIDDEN and sent.size > LARGE_BYTES:
        return "split"
    if status == _NOT_FOUND and sent.of_run:
        return "reject"
    return (_OF_SEVERAL if sent.runs > 1 else _OF_ONE).get(status, "reject")


def _is_page(reply: Reply) -> bool:
    return "text/html" in reply.headers.get("content-type", "")


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
