"""A run too large for LangSmith → the same run with its largest fields cut and a note of that."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.parts import ERROR, EVENTS, EXTRA, MAIN, Attached, Parts

TRUNCATED: Final = "truncated"
"""LangSmith refused the run for its size, and its largest field was cut."""

ATTACHMENTS_LEFT_OUT: Final = "attachments_left_out"
"""Plain JSON has no place for a run's attachments; its metadata names them."""

MOST_CUTS: Final = 2
"""A run still refused after its two largest fields were cut is refused for good."""

WORTH_CUTTING: Final = 65_536
"""Bytes: a smaller field is not cut, for it is not what makes a run too large."""

_EXCERPT: Final = 16_384
_EXCERPT_TEXT: Final = 8_192
_EXCERPT_VALUE: Final = 256
"""Small enough that no excerpt, once it is escaped, exceeds `WORTH_CUTTING`."""

_ATTACHMENTS: Final = ".attachments"


def shortened(parts: Parts, cuts: int) -> Parts:
    """The parts with so many fields cut, the largest first; unchanged if none is large.

    Inputs and outputs become an object with the beginning of their text, attachments are left out
    together. The metadata tell which fields were cut and how many bytes they had.
    """
    for _ in range(cuts):
        sizes = _sizes(parts)
        field, size = max(sizes.items(), key=lambda item: item[1], default=("", 0))
        if size <= WORTH_CUTTING:
            break
        told = {f"otel_langsmith.{TRUNCATED}": {field[1:]: size}}
        parts = _marked(_without(parts, field), TRUNCATED, told)
    return parts


def without_attachments(parts: Parts) -> Parts:
    """The parts that plain JSON can hold; the metadata name the others."""
    names = [field.name for field in parts if isinstance(field, Attached)]
    if not names:
        return parts
    told = {f"otel_langsmith.{ATTACHMENTS_LEFT_OUT}": names}
    return _marked(_without(parts, _ATTACHMENTS), ATTACHMENTS_LEFT_OUT, told)


def _sizes(parts: Parts) -> Mapping[str, int]:
    """Bytes of all but the main part."""
    sizes: Counter[str] = Counter()
    for field, body in parts.items():
        sizes[field if isinstance(field, str) else _ATTACHMENTS] += len(body)
    del sizes[MAIN]
    return sizes


def _without(parts: Parts, field: str) -> Parts:
    if field == _ATTACHMENTS:
        return {field: body for field, body in parts.items() if isinstance(field, str)}
    return {**parts, field: dumps(_excerpt(field, parts[field]))}


def _excerpt(field: str, body: bytes) -> object:
    if field == ERROR:
        return str(orjson.loads(body))[:_EXCERPT_TEXT]
    if field == EVENTS:
        return []
    if field == EXTRA:
        return {name: _brief(told) for name, told in orjson.loads(body).items()}
    return {TRUNCATED: body[:_EXCERPT].decode("utf-8", "ignore")}


def _brief(told: Any) -> Any:
    """An object of the extra part with its long values cut."""
    return {key: _brief_value(value) for key, value in told.items()}


def _brief_value(value: object) -> object:
    text = value if isinstance(value, str) else dumps(value).decode()
    return value if len(text) <= _EXCERPT_VALUE else text[:_EXCERPT_VALUE]


def _marked(parts: Parts, note: str, told: Mapping[str, Any]) -> Parts:
    """The parts with metadata that say what was done; a run without any stays silent."""
    if EXTRA not in parts:
        return parts
    extra = orjson.loads(parts[EXTRA])
    metadata = extra.setdefault("metadata", {})
    for key, value in told.items():
        known = metadata.get(key)
        metadata[key] = {**known, **value} if isinstance(known, dict) else value
    notes = metadata.get("otel_langsmith.notes")
    metadata["otel_langsmith.notes"] = [*(notes if isinstance(notes, list) else ()), note]
    return {**parts, EXTRA: dumps(extra)}
