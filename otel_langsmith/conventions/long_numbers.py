"""Integers of more than 64 bits in JSON, which orjson rounds to floats.

To look for them costs a quarter of what parsing does; a regular expression costs ten times as much.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

_DIGITS_TO_0: Final = bytes.maketrans(b"123456789", b"0" * 9)
_DIGITS: Final = 19
"""Integers of fewer digits fit 64 bits."""

_ROW: Final = b"0" * _DIGITS
_APART: Final = 6
_ONES: Final = b"0" * (_DIGITS // _APART)
_find_row: Final = re.compile(rb"[0-9]{%d}" % _DIGITS).search
_fits: Final = re.compile(rb"[0-9]{19}(?![0-9])").match

_LOOKS: Final = 64
"""So many places are looked at by themselves; with more, it is quicker to look everywhere."""

_ROWS: Final = 64
"""So many rows of digits are looked at; with more, the slower parser is the quicker one."""

_BEFORE_NUMBERS: Final = b":,[- \t\r\n"
_BEFORE: Final = 64
_OR_NOT_SEEN: Final = (b"\\", b"")
"""What may stand before a backslash that is not a quote's own: another, or what lies too far."""

_AROUND_NUMBERS: Final = b" \t\r\n:,[]{}0123456789.eE+-truefalsn"
"""All that stands between a number and the quote before it: signs, other numbers, words of JSON."""


def rounded_json(value: Any) -> tuple[Any, bytes | None]:
    """The dict or list of a JSON text, as orjson parses it; any other value as it is.

    The second is the text for `has_long_number`, or None if nothing can have been rounded.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value, None
    try:
        raw = value.encode()
        return orjson.loads(raw), raw
    except ValueError:
        return lenient_json(value), None


def lenient_json(text: str) -> Any:
    """The value of a JSON text with NaN, lone surrogates or long integers; else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_exact(found: Any) -> bool:
    """Whether it is a small dict of scalars without floats: then nothing in it was rounded.

    Most tool arguments are. This costs half of a look at the text if that is short, else a tenth.
    """
    is_small = type(found) is dict and len(found) <= _FEW
    return is_small and _EXACT.issuperset(map(type, found.values()))


_FEW: Final = 8
_EXACT: Final = frozenset((bool, int, str, type(None)))


def has_long_number(raw: bytes) -> bool:
    """Whether there may be a number that orjson would not keep, in JSON of any size.

    Of 19 digits in a row, three or more lie 6 bytes apart; few texts need the closer look.
    """
    ones = raw[::_APART].translate(_DIGITS_TO_0)
    at = ones.find(_ONES)
    return at >= 0 and _is_number_among(raw, _rows(raw, ones, at))


def _rows(raw: bytes, ones: bytes, at: int) -> Iterator[int]:
    """Where there are 19 digits in a row, each row at least where it begins."""
    for _ in range(_LOOKS):
        row = _find_row(raw, max(0, (at - 1) * _APART + 1), at * _APART + _DIGITS)
        if row:
            yield row.start()
        at = ones.find(_ONES, at + 1)
        if at < 0:
            return
    digits, begin = raw.translate(_DIGITS_TO_0), (at - 1) * _APART
    while (begin := digits.find(_ROW, begin)) >= 0:
        yield begin
        begin += _DIGITS


def _is_number_among(raw: bytes, rows: Iterator[int]) -> bool:
    """Whether one of them stands outside a text: after an even number of quotes."""
    seen, is_text = 0, False
    for number, at in enumerate(rows):
        if number == _ROWS:
            return True
        if _may_be_number(raw[max(0, at - _BEFORE) : at]):
            is_text ^= _quotes(raw[seen:at]) % 2 == 1
            seen = at
            if not is_text and (raw[at - 1 : at] == b"-" or not _fits(raw, at)):
                return True
    return False


def _may_be_number(before: bytes) -> bool:
    """Whether digits after this may be one, and not of a text: that is quicker to see for most."""
    if before[-1:] not in _BEFORE_NUMBERS:
        return False
    above, _, between = before.rpartition(b'"')
    is_quoted = above.endswith(b"\\") and above[-2:-1] not in _OR_NOT_SEEN
    return not is_quoted and not between.translate(None, _AROUND_NUMBERS)


def _quotes(raw: bytes) -> int:
    """How many quotes begin or end a text."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return raw.count(b'"')
