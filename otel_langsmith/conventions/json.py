"""JSON in attributes: text → value, and the members of objects.

An attribute can hold no object, so instrumentations write JSON, some of them JSON within JSON. A
text that is not JSON, or was cut at a length limit, stays the text it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from otel_langsmith.conventions.long_numbers import (
    has_long_number,
    is_exact,
    lenient_json,
    rounded_json,
)


def from_json(value: Any) -> Any:
    """The dict or list of a JSON text; any other value as it is.

    A JSON scalar stays text: a tool that answers ``"2"`` did not answer with a number. So does JSON
    that was cut at a length limit.
    """
    found, raw = rounded_json(value)
    if raw is None or is_exact(found) or not has_long_number(raw):
        return found
    return lenient_json(value)


def nested_json(value: Any) -> Any:
    """`from_json`, also of JSON within a JSON string (Pydantic AI's tool arguments)."""
    found = from_json(value)
    if not isinstance(found, str) or not found.startswith('"'):
        return found
    try:
        inner = from_json(orjson.loads(found))
    except orjson.JSONDecodeError:
        return value
    return value if isinstance(inner, (str, int, float)) else inner


def unquoted(value: Any) -> Any:
    """The text of a JSON string; any other value as it is."""
    if not isinstance(value, str) or value[:1] != '"':
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def decoded(value: Any) -> Any:
    """The value of any JSON text, scalars too: for dialects that encode every value."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value) if value.lstrip()[:1] in ("{", "[") else orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def json_text(value: Any) -> str:
    """A text as it is, any other value as JSON, or as its repr where JSON cannot hold it."""
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


def first_of(item: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that is neither None nor ``""``; None if there is none."""
    for name in names:
        value = item.get(name)
        if value is not None and value != "":
            return value
    return None


def at_path(item: Any, path: Sequence[str]) -> Any:
    """The member at the end of a path of names, or None."""
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item
