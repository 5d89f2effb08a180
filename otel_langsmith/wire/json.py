"""JSON that LangSmith takes: whatever an attribute can hold, with nothing dropped.

What JSON or LangSmith cannot hold is kept as text: NaN, an integer over 64 bits, a lone surrogate,
a NUL. Any one of them would fail the whole request (langsmith.md §3.2).
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from itertools import chain, compress, repeat
from math import isfinite, isnan
from operator import contains, is_
from typing import Any, Final

import orjson

from otel_langsmith.run import Json, are_texts

MAX_DEPTH: Final = 96
"""Nesting beyond this becomes text. orjson gives up at 254 levels; a cycle would never end."""

NoneType: Final = type(None)

_LEAST_INT: Final = -(2**63)
_MOST_INT: Final = 2**64 - 1
_MOST_DECIMAL_BITS: Final = 14_000
"""str() refuses integers of more than 4,300 decimal digits; hex() takes any."""

_NUL: Final = b"\\u0000"
_find_zeros: Final = re.compile(rb"0000(?<=\\u0000)").search
_find_null: Final = re.compile(
    rb"""ull(?<=null)  # and whatever makes it more than a word in a text:
    (?: (?<=[,\[]null) | (?<=":null)(?<![^\\]\\":null) | (?<![\s\S]null) )""",
    re.VERBOSE,
).search
"""What begins with a rare letter is found in half the time that ``bytes.find`` takes."""

_BACKSLASH: Final = ord("\\")
"""Without one there is no NUL either, and to see that takes next to nothing."""

_LOOKS: Final = 64
"""So many marks are looked at; with more, the value is."""

_BACKSLASHES: Final = 64
"""So many before ``\\u0000`` are counted: if even, it is a NUL; with more, it is taken for one."""

_SHORT: Final = 2_048
"""Bytes of a body that is searched with others."""

_LONG: Final = 16_384
_LONG_TEXT: Final = 128
"""Bytes of a body, and of its values on average, from which on it counts how long they are."""

_FAITHFUL: Final = frozenset((bool, int, str, NoneType))
"""Types of which orjson writes null for None only."""

_KNOWN: Final = _FAITHFUL.union((dict, list, tuple))
_ZERO: Final = repeat(0)
_all_of: Final = chain.from_iterable


def dumps(value: object) -> bytes:
    """The value as UTF-8 JSON; equal to ``orjson.dumps`` where that is faithful.

    orjson raises on most of what we must keep as text, but writes NaN as ``null`` and lets NUL
    pass. Both leave a mark in the output, and finding none costs 1 µs a kilobyte.
    """
    if not value and type(value) is dict:
        return b"{}"
    try:
        body = orjson.dumps(value, plain)
    except TypeError:
        return orjson.dumps(plain(value))
    return _kept(value, body)


def dumps_all(values: Sequence[object]) -> Sequence[bytes]:
    """Each value as `dumps` has it, by one look at all that are short.

    To begin a look costs as much as to look at 100 bytes, and most values are short. Most of the
    others are `Texts`, of which it is known that nothing was lost.
    """
    try:
        bodies = [*map(orjson.dumps, values, _PLAIN)]
    except TypeError:
        return [*map(dumps, values)]
    together = b",".join([body for body in bodies if len(body) <= _SHORT])
    are_whole = not (_BACKSLASH in together and _find_zeros(together)) and not _find_null(together)
    if are_whole and max(map(len, bodies), default=0) <= _SHORT:
        return bodies
    return [
        body if (are_whole if len(body) <= _SHORT else are_texts(value)) else _kept(value, body)
        for value, body in zip(values, bodies, strict=False)
    ]


def _kept(value: object, body: bytes) -> bytes:
    """What orjson made of the value; if that lost anything, what keeps it."""
    if len(body) > _LONG and _is_faithful(value, len(body) // _LONG_TEXT):
        return body
    if _BACKSLASH in body and _find_zeros(body) and _holds_nul(body):
        return orjson.dumps(plain(value))
    if _find_null(body) and not _is_finite(value):
        return orjson.dumps(plain(value))
    return body


def _is_faithful(value: object, most: int) -> bool:
    """Whether plainly nothing in it was lost, if it has no more than so many values.

    To look at long texts one by one takes a fifth of what it takes to search the body they make.
    All that is equally deep is looked at together, which executes no bytecode for each.
    """
    level = [value]
    while level:
        kinds = {*map(type, level)}
        if not kinds <= _KNOWN:
            return False
        others = len(kinds) > 1
        held: dict[type, list[Any]] = {
            kind: [*compress(level, map(is_, map(type, level), repeat(kind)))] if others else level
            for kind in kinds
        }
        dicts = held.get(dict, ())
        texts = chain({*_all_of(dicts)}, held.get(str, ()))
        # as UTF-8, which orjson leaves with each text: a fifth of what the text itself takes
        if any(map(contains, map(str.encode, texts), _ZERO)):
            return False
        nested = [*map(dict.values, dicts), *held.get(list, ()), *held.get(tuple, ())]
        most -= sum(map(len, nested))  # before they are put together: numbers may be millions
        if most < 0:
            return False
        level = [*_all_of(nested)]
    return True


def _holds_nul(body: bytes) -> bool:
    """Whether there is more than its spelling in a text, whose own backslashes are doubled."""
    at = -1
    for _ in range(_LOOKS):
        at = body.find(_NUL, at + 1)
        if at < 0:
            return False
        before = body[max(0, at - _BACKSLASHES) : at]
        row = len(before) - len(before.rstrip(b"\\"))
        if not row % 2 or row == _BACKSLASHES:
            return True
    return True


def _is_finite(value: Any) -> bool:
    """Whether every number in it is finite, as far as is plain to see."""
    kind = type(value)
    if kind in _FAITHFUL:
        return True
    if kind is float:
        return isfinite(value)
    if kind is dict:
        return all(map(_is_finite, value.values()))
    return (kind is list or kind is tuple) and all(map(_is_finite, value))


def plain(value: object, depth: int = 0) -> Json:
    """The value as JSON types that survive the journey; never raises."""
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value, depth)
    return plain_text(_described(value))


_PLAIN: Final = repeat(plain)


def plain_text(text: str) -> str:
    r"""The text, with NULs and lone surrogates spelled out: ``\x00``, ``\ud800``."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain_integer(value: int, _depth: int) -> Json:
    if _LEAST_INT <= value <= _MOST_INT:
        return int(value)
    return str(value) if value.bit_length() < _MOST_DECIMAL_BITS else hex(value)


def _plain_float(value: float, _depth: int) -> Json:
    if isfinite(value):
        return float(value)
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain_bytes(value: bytes, _depth: int) -> str:
    data = bytes(value)
    try:
        return plain_text(data.decode("utf-8"))
    except UnicodeDecodeError:
        return b64encode(data).decode("ascii")


def _plain_mapping(value: Mapping[object, object], depth: int) -> Json:
    if depth >= MAX_DEPTH:
        return plain_text(_described(value))
    held: dict[str, Json] = {}
    taken: Counter[str] = Counter()
    for key, item in value.items():
        held[_free_key(key, held, taken)] = plain(item, depth + 1)
    return held


def _plain_sequence(value: Iterable[object], depth: int) -> Json:
    if depth >= MAX_DEPTH:
        return plain_text(_described(value))
    return [plain(item, depth + 1) for item in value]


def _free_key(key: object, held: Container[str], taken: Counter[str]) -> str:
    """The key as text that no other key of the object became already: 1 and "1" both stay."""
    text = free = plain_text(key if isinstance(key, str) else _described(key))
    while free in held:
        taken[text] += 1
        free = f"{text}_{taken[text]}"
    return free


def _described(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and deep nesting does
        return f"<{type(value).__name__}>"


_CONVERSIONS: Final[tuple[tuple[Any, Callable[[Any, int], Json]], ...]] = (
    ((bool, NoneType), lambda value, _depth: value),
    (Enum, lambda value, depth: plain(value.value, depth)),
    (str, lambda value, _depth: plain_text(value)),
    (int, _plain_integer),
    (float, _plain_float),
    (Mapping, _plain_mapping),
    ((list, tuple, AbstractSet), _plain_sequence),
    ((bytes, bytearray, memoryview), _plain_bytes),
)
"""What each kind of value becomes, the first that fits; an Enum may be a str or an int too."""
