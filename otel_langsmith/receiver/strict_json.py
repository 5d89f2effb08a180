"""Bytes to a JSON value, refusing all that LangSmith cannot store; knows nothing of runs.

The standard decoder is used rather than orjson because it has hooks where the rules are: orjson
turns an integer over 64 bits into a float and so would hide the very thing that is refused.
"""

import json
import re
from typing import Final, NoReturn

from otel_langsmith.receiver.refusal import unprocessable
from otel_langsmith.run import Json

MAX_DEPTH: Final = 250
"""How deep values may nest. LangSmith's own limit is unknown; orjson, which its Python service and
its SDK encode with, stops at 254."""

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_LONGEST_INTEGER: Final = 20  # digits of 2**64 - 1, or a sign and the 19 of -(2**63)
_SUSPECT_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE_OR_NUL: Final = re.compile("[\x00\ud800-\udfff]")


def decode(body: bytes, where: str) -> Json:
    """The value that ``body`` spells; ``where`` names it in a refusal.

    Raises:
        RefusedError: 422, for text that is not UTF-8 or not JSON, ``NaN`` and the infinities,
            integers beyond 64 bits, floats beyond double, NUL, lone surrogates, and nesting beyond
            `MAX_DEPTH`.
    """
    try:
        text = body.decode()
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_integer, parse_float=_number
        )
        _check_strings(value, text)
        _check_depth(value, body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise unprocessable(f"{where}: invalid JSON: {reason}") from None
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER and _SMALLEST <= (number := int(digits)) <= _LARGEST:
        return number
    raise ValueError(f"int too big to convert: {digits[:30]}")


def _number(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"number out of range: {digits[:30]}")
    return number


def _check_strings(value: Json, text: str) -> None:
    # Only an escape can smuggle these in: raw, they are no UTF-8 or no JSON. Most bodies have none.
    if _SUSPECT_ESCAPE.search(text) is None:
        return
    level = [value]
    while level:
        for found in level:
            if isinstance(found, str) and (match := _SURROGATE_OR_NUL.search(found)):
                raise ValueError(f"character U+{ord(match[0]):04X} cannot be stored")
        level = [child for parent in level for child in _keys_and_children(parent)]


def _keys_and_children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _check_depth(value: Json, body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    level, depth = [value], 0
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        level = [child for v in level for child in (v.values() if isinstance(v, dict) else v)]
