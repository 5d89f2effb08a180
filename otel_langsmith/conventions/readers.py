"""Total readers: an attribute's value, whatever it is, → a field's value or `UNREADABLE`.

A span's attributes are written by anybody, in any of the types OpenTelemetry allows, and often as
text: ints as ``"64"``, lists as JSON, dicts as Python reprs, ``""`` and ``"None"`` for nothing.
"""

import ast
import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Final

import orjson

from otel_langsmith.conventions.long_numbers import (
    has_long_number,
    is_exact,
    lenient_json,
    rounded_json,
)
from otel_langsmith.identity import uuid_text
from otel_langsmith.run import Attachment, Json


class Unreadable(Enum):
    """The type of the one value that says: this row does not apply."""

    UNREADABLE = "unreadable"


class Blank(Enum):
    """The type of the one value that says: nobody need keep this attribute (scalars only)."""

    BLANK = "blank"


UNREADABLE: Final = Unreadable.UNREADABLE
BLANK: Final = Blank.BLANK

SILENT: Final = frozenset((Unreadable, Blank))
"""Their types: of values that feed no field."""


@dataclass(frozen=True, slots=True)
class Thin:
    """Content with nothing in it, as messages without parts: shown only if no one has more."""

    value: Json


@dataclass(frozen=True, slots=True)
class Raw:
    """Content that should have had a structure and has none that can be read: kept as it came."""

    value: Json


def is_empty(value: Any) -> bool:
    """Whether there is nothing in it; a type of others is not asked: NumPy's arrays do not know."""
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)


def as_raw(value: Any) -> Any:
    """Content that no reader knows; noted, unless it is nothing."""
    return Thin(value) if is_empty(value) else Raw(value)


NOTHING: Final = frozenset(("", "None", "null", "<not specified>"))
"""How instrumentations spell a missing id or parameter (litellm, ADK, str(None))."""

_LONGEST_NUMBER: Final = 40
LONGEST_REPR: Final = 16_384
"""Characters; Python parses its own reprs a hundred times slower than orjson parses JSON."""

NO_REPR: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
"""What Python raises of texts that spell out nothing."""

_YEAR_S: Final = 31_536_000
_COUNT: Final = re.compile(r"['\"](\w+)['\"]\s*:\s*(\d{1,18})\b")


def as_is(value: Any) -> Any:
    """The value itself."""
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """See `constant`; a class, so that one need not call it to know what it says."""

    value: Any

    def __call__(self, _: Any) -> Any:
        """The same of any of them."""
        return self.value


def constant(value: Any) -> Callable[[Any], Any]:
    """A reader for attributes that say something by being there."""
    return Constant(value)


def as_text(value: Any) -> Any:
    """A text that says something."""
    return value if isinstance(value, str) and value not in NOTHING else UNREADABLE


def as_id(value: Any) -> Any:
    """A text that says something; one that says there is none is nothing to keep."""
    return BLANK if isinstance(value, str) and value in NOTHING else as_text(value)


def as_uuid(value: Any) -> Any:
    """A UUID as text."""
    return uuid_text(value) or UNREADABLE


def as_bool(value: Any) -> Any:
    """A truth value, or its name."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower(), UNREADABLE)


def as_number(value: Any) -> Any:
    """A finite number, or its decimal text."""
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
    """A finite number, left an int or a float as it came."""
    return value if type(value) is float and math.isfinite(value) else as_number(value)


def as_count(value: Any) -> Any:
    """A number of things: a whole number, not negative."""
    if type(value) is int:
        return value if value >= 0 else UNREADABLE
    number = as_number(value)
    return number if isinstance(number, int) and number >= 0 else UNREADABLE


def as_seconds(value: Any) -> Any:
    """A duration that could be one: not negative, below a year."""
    number = as_number(value)
    return number if number is not UNREADABLE and 0 <= number < _YEAR_S else UNREADABLE


def as_cost(value: Any) -> Any:
    """A price above zero, in dollars; who does not know it writes 0."""
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
    """A tuple of tags; LangSmith's SDK joins them by commas, so a tag with one falls apart."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple)):
        return UNREADABLE
    tags = (item.strip() for item in value if isinstance(item, str))
    return tuple(dict.fromkeys(tag for tag in tags if tag)) or UNREADABLE


def from_json(value: Any) -> Any:
    """The object or list that a JSON text spells out; any other value as it is.

    A JSON scalar stays text: a tool that answers ``"2"`` did not answer with a number. So does JSON
    that a length limit cut.
    """
    found, raw = rounded_json(value)
    if raw is None or is_exact(found) or not has_long_number(raw):
        return found
    return lenient_json(value)


def nested_json(value: Any) -> Any:
    """`from_json`, and once more where JSON was put into JSON (pydantic-ai's tool arguments)."""
    found = from_json(value)
    if not isinstance(found, str) or not found.startswith('"'):
        return found
    try:
        inner = from_json(orjson.loads(found))
    except orjson.JSONDecodeError:
        return value
    return value if isinstance(inner, (str, int, float)) else inner


def from_repr(value: Any) -> Any:
    """`from_json`, or the object or list that a Python repr spells out, as LiteLLM writes them."""
    found = from_json(value)
    if not isinstance(found, str) or len(found) > LONGEST_REPR or found[:1] not in ("{", "["):
        return found
    return _literal(found)


def bytes_of_repr(text: str) -> bytes | str:
    """The bytes that Python's repr of them spells out, as ``json.dumps(default=str)`` leaves it."""
    found = _literal(text)
    return found if isinstance(found, bytes) else text


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except NO_REPR:
        return text


def unquoted(value: Any) -> Any:
    """The text that a JSON string spells out; any other value as it is."""
    if not isinstance(value, str) or value[:1] != '"':
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def decoded(value: Any) -> Any:
    """The value that a JSON text spells out, be it a scalar: for dialects that encode whatever."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value) if value.lstrip()[:1] in ("{", "[") else orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def in_json(via: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A reader of what `decoded` gives."""
    return lambda value: via(decoded(value))


def as_instant(value: Any) -> Any:
    """A time in ISO 8601, quoted as JSON or not, as Unix nanoseconds."""
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
    """A JSON object, or the text of one."""
    found = from_json(value)
    return found if isinstance(found, dict) else UNREADABLE


def as_counts(value: Any) -> dict[str, int]:
    """Names and how many: an object of whole numbers, its JSON, or Python's repr of it.

    LangSmith's Python SDK writes ``str(dict)`` here, its JavaScript SDK JSON (langsmith.md §7.2).
    """
    found = from_json(value)
    if isinstance(found, str):
        found = dict(_COUNT.findall(found[:4096]))
    if not isinstance(found, dict):
        return {}
    counts = {str(key): as_count(count) for key, count in found.items()}
    return {key: count for key, count in counts.items() if count is not UNREADABLE}


def first_of(item: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that says something, or None."""
    for name in names:
        value = item.get(name)
        if value is not None and value != "":
            return value
    return None


def picked(fields: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    """A reader for `spread` over an object or its JSON: each field from its path, by its reader.

    A path is dotted. What is not there, or not readable, feeds no field.
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


def at_path(item: Any, path: Sequence[str]) -> Any:
    """What stands at the end of a path of names, or None."""
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item


def one_of(words: Mapping[str, Any], other: Any = UNREADABLE) -> Callable[[Any], Any]:
    """A reader that looks a word up, whatever its case."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value in NOTHING:
            return UNREADABLE
        return words.get(value.strip().lower(), other)

    return read


def as_attachments(value: Any) -> dict[Any, Any]:
    """LangSmith's ``[{name, content, mime_type}]`` as attachments; what is not one, kept as it is.

    Content is base64. A name never leads to a file, and loses its dots, by which LangSmith
    separates the parts of a multipart name.
    """
    found = from_json(value)
    items: Sequence[Any] = found if isinstance(found, (list, tuple)) else (found,)
    attachments, left = [], []
    for item in items:
        attachment = _attachment(item)
        if attachment is None:
            left.append(item)
        else:
            attachments.append(attachment)
    fields: dict[str, Any] = {"attachments": tuple(attachments)} if attachments else {}
    if left:
        fields["metadata.langsmith.attachments"] = left if attachments else value
    return fields


def _attachment(item: Any) -> Attachment | None:
    if not isinstance(item, dict):
        return None
    name, content = item.get("name"), item.get("content")
    if not isinstance(name, str) or not name or not isinstance(content, (str, bytes)):
        return None
    try:
        data = base64.b64decode(content, validate=True) if isinstance(content, str) else content
    except (binascii.Error, ValueError):
        return None
    mime_type = item.get("mime_type")
    return Attachment(
        name.replace(".", "_"),
        mime_type if isinstance(mime_type, str) and mime_type else "application/octet-stream",
        data,
    )


def json_text(value: Any) -> str:
    """A text for a value that must be one; JSON where JSON can hold it."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        pass
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested too deep, or a number too long to write
        return f"<{type(value).__name__}>"
