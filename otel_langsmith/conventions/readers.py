"""Readers: an attribute's value, whatever its type, → a field's value, or `UNREADABLE`.

Instrumentations write values in any type that OpenTelemetry allows, and often as text: ``"64"`` for
an int, JSON for a list, ``""`` or ``"None"`` for no value. A reader accepts all of them and never
raises.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Final

from otel_langsmith.conventions.json import at_path, decoded, from_json
from otel_langsmith.identity import uuid_text
from otel_langsmith.run import Json


class Unreadable(Enum):
    """The type of `UNREADABLE`: the row does not apply, and the attribute is left for others."""

    UNREADABLE = "unreadable"


class Blank(Enum):
    """The type of `BLANK`: the attribute says nothing and is dropped (scalar rows only)."""

    BLANK = "blank"


UNREADABLE: Final = Unreadable.UNREADABLE
BLANK: Final = Blank.BLANK

SILENT: Final = frozenset((Unreadable, Blank))
"""The types of the results that feed no field."""


@dataclass(frozen=True, slots=True)
class Thin:
    """Empty content, such as messages without parts: shown only if no other row has more."""

    value: Json


@dataclass(frozen=True, slots=True)
class Raw:
    """Content that should be structured and could not be parsed: shown as it came, and counted."""

    value: Json


def is_empty(value: Any) -> bool:
    """Whether it is None or an empty text or collection; NumPy's arrays have no truth value."""
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)


def as_raw(value: Any) -> Any:
    """`Raw`, or `Thin` where the value is empty."""
    return Thin(value) if is_empty(value) else Raw(value)


NOTHING: Final = frozenset(("", "None", "null", "<not specified>"))
"""What instrumentations write for a missing id or parameter (LiteLLM, ADK, ``str(None)``)."""

_LONGEST_NUMBER: Final = 40

_YEAR_S: Final = 31_536_000
_COUNT: Final = re.compile(r"['\"](\w+)['\"]\s*:\s*(\d{1,18})\b")


def as_is(value: Any) -> Any:
    """The value itself."""
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """See `constant`; a class, so that its value can be known without a call."""

    value: Any

    def __call__(self, _: Any) -> Any:
        """The constant, whatever the attribute's value."""
        return self.value


def constant(value: Any) -> Callable[[Any], Any]:
    """A reader for an attribute whose mere presence decides the field."""
    return Constant(value)


def as_text(value: Any) -> Any:
    """A text that is not empty and no word for nothing (``None``, ``null``)."""
    return value if isinstance(value, str) and value not in NOTHING else UNREADABLE


def as_id(value: Any) -> Any:
    """The same; an attribute that says `NOTHING` is dropped."""
    return BLANK if isinstance(value, str) and value in NOTHING else as_text(value)


def as_uuid(value: Any) -> Any:
    """A UUID as text."""
    return uuid_text(value) or UNREADABLE


def as_bool(value: Any) -> Any:
    """A bool, or its name in any case."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower(), UNREADABLE)


def as_number(value: Any) -> Any:
    """A finite number, or the text of one; an int where it is whole."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return UNREADABLE
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER:
            return UNREADABLE
        try:
            value = float(value)
        except ValueError:
            return UNREADABLE
    if isinstance(value, float):
        if not math.isfinite(value):
            return UNREADABLE
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def as_float(value: Any) -> Any:
    """A finite number, an int or a float as it came."""
    return value if type(value) is float and math.isfinite(value) else as_number(value)


def as_count(value: Any) -> Any:
    """A whole number that is not negative."""
    if type(value) is int:
        return value if value >= 0 else UNREADABLE
    number = as_number(value)
    return number if isinstance(number, int) and number >= 0 else UNREADABLE


def as_seconds(value: Any) -> Any:
    """A duration in seconds, from 0 to a year."""
    number = as_number(value)
    return number if number is not UNREADABLE and 0 <= number < _YEAR_S else UNREADABLE


def as_cost(value: Any) -> Any:
    """A price in dollars, above 0: instrumentations that do not know the price write 0."""
    number = as_float(value)
    return number if number is not UNREADABLE and number > 0 else UNREADABLE


def as_texts(value: Any) -> Any:
    """A tuple of texts, from a sequence, its JSON, or a single text."""
    found = from_json(value)
    if isinstance(found, str):
        found = (found,)
    if not isinstance(found, (list, tuple)):
        return UNREADABLE
    return tuple(item for item in found if as_text(item) is not UNREADABLE) or UNREADABLE


def as_tags(value: Any) -> Any:
    """A tuple of distinct tags, from a sequence, or from a text with commas (LangSmith's SDK)."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)):
        return UNREADABLE
    tags = (item.strip() for item in value if isinstance(item, str))
    return tuple(dict.fromkeys(tag for tag in tags if tag)) or UNREADABLE


def in_json(via: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``via``, given the value after `decoded`."""
    return lambda value: via(decoded(value))


def as_instant(value: Any) -> Any:
    """A time in ISO 8601, as JSON or not, in Unix nanoseconds; UTC where it names no time zone."""
    text = decoded(value)
    if not isinstance(text, str):
        return UNREADABLE
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        since = (at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - _EPOCH
    except (ValueError, OverflowError):
        return UNREADABLE
    return (since // timedelta(microseconds=1)) * 1000


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def as_object(value: Any) -> Any:
    """A dict, or the JSON of one."""
    found = from_json(value)
    return found if isinstance(found, dict) else UNREADABLE


def as_counts(value: Any) -> dict[str, int]:
    """A dict of counts by name, from a dict, its JSON or its repr; other members are left out.

    LangSmith's Python SDK writes ``str(dict)`` here, its JavaScript SDK JSON (langsmith.md §7.2).
    """
    found = from_json(value)
    if isinstance(found, str):
        found = dict(_COUNT.findall(found[:4096]))
    if not isinstance(found, dict):
        return {}
    counts = {str(key): as_count(count) for key, count in found.items()}
    return {key: count for key, count in counts.items() if count is not UNREADABLE}


def picked(fields: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    """A reader for `spread`, of a dict or its JSON: ``{field: (dotted path, reader)}``.

    A member that is missing or unreadable feeds no field.
    """
    paths = [(field, path.split("."), via) for field, (path, via) in fields.items()]

    def read(value: Any) -> Any:
        found = as_object(value)
        if found is UNREADABLE:
            return UNREADABLE
        parts = {field: at_path(found, path) for field, path, _ in paths}
        made = {field: via(parts[field]) for field, _, via in paths if parts[field] is not None}
        return {field: part for field, part in made.items() if part is not UNREADABLE}

    return read


def one_of(words: Mapping[str, Any], other: Any = UNREADABLE) -> Callable[[Any], Any]:
    """A reader that looks a word up in any case; ``other`` is for the words that are not there."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value in NOTHING:
            return UNREADABLE
        return words.get(value.strip().lower(), other)

    return read
