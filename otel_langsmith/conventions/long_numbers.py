"""Integers in JSON that orjson would not keep: beyond 64 bits it makes floats of them.

To look for them costs half as much as parsing; a regular expression costs forty times that.
"""

from typing import Final

_DIGITS_TO_0: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER: Final = b"0" * 19
"""Integers of fewer digits fit 64 bits."""

_LOOKS: Final = 64
"""So many rows of digits are looked at; with more, the slower parser is the quicker one."""

_BEFORE_NUMBERS: Final = (b":", b",", b"[", b"")


def has_long_number(raw: bytes) -> bool:
    """Whether there may be a number that orjson would not keep, in JSON of any size.

    Of 19 digits in a row, three or more lie 6 bytes apart; few texts need the closer look. Most of
    those have the digits in a string, where neither a colon nor a comma stands before them.
    """
    if raw[::6].translate(_DIGITS_TO_0).find(b"000") < 0:
        return False
    digits = raw.translate(_DIGITS_TO_0)
    at = -1
    for _ in range(_LOOKS):
        at = digits.find(_LONG_NUMBER, at + 1)
        if at < 0:
            return False
        if digits[max(0, at - 8) : at].rstrip(b"- \t\r\n")[-1:] in _BEFORE_NUMBERS:
            return True
        at += len(_LONG_NUMBER)
    return True
