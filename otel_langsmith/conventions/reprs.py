"""Python's reprs of objects → what they were made of.

``json.dumps(default=str)`` leaves them of whatever JSON has no words for: of messages, of all.
"""

import ast
import re
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.readers import LONGEST_REPR, NO_REPR, from_json

Maker: TypeAlias = Callable[[str, Mapping[str, Any]], Any]
"""The name of a class, and the members of an object of it → what it is to be."""

_OBJECT: Final = re.compile(r"([A-Z]\w*)\(\w+=")
_ODD: Final = re.compile(
    r"""'(?:[^'\\]+|\\.)*'?|"(?:[^"\\]+|\\.)*"?"""
    r"""|(?<==)<\w+\.\w+: (?P<enum>'[^'\\]*')>"""
    r"""|(?<==)(?P<address><(?:(?!=<)[^'"]){0,256}? at 0x[0-9a-fA-F]{1,16}>)""",
    re.DOTALL,
)
"""Texts, which stay as they are; members of enums; and what has no value, as a function.

In linear time, of whatever text: no beginning is looked at from another.
"""


def spelt(value: Any, make: Maker, classes: Container[str]) -> Any:
    """The value, or what its JSON or its repr spells out.

    A text in JSON is taken for a repr only of one of these classes: any other may be content.
    """
    found = from_json(value)
    if isinstance(found, str) and found[:1] in ("[", "{"):
        return _parsed(found, make)
    return _held(found, make, classes, _DEPTH)


_DEPTH: Final = 3
"""How deep a pipeline's output has the messages that a component gave."""


def _held(part: Any, make: Maker, classes: Container[str], depth: int) -> Any:
    if isinstance(part, str):
        found = _OBJECT.match(part)
        return _parsed(part, make) if found and found[1] in classes else part
    if depth and isinstance(part, list):
        return [_held(item, make, classes, depth - 1) for item in part]
    if depth and isinstance(part, dict):
        return {name: _held(item, make, classes, depth - 1) for name, item in part.items()}
    return part


def _parsed(text: str, make: Maker) -> Any:
    if len(text) > LONGEST_REPR:
        return text
    code = _ODD.sub(_plain, text)
    try:
        return _value(ast.parse(code, mode="eval").body, make)
    except NO_REPR:
        return text


def _plain(odd: re.Match[str]) -> str:
    return odd["enum"] or ("None" if odd["address"] else odd[0])


def _value(node: ast.expr, make: Maker) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        told = {word.arg: _value(word.value, make) for word in node.keywords if word.arg}
        return make(node.func.id, told)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, make) for item in node.elts]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(_literal(key)): _value(part, make) for key, part in pairs}
    return _literal(node)


def _literal(node: ast.expr | None) -> Any:
    return ast.literal_eval(node) if node else None
