"""Texts that are Python's ``repr()`` of a value → the value.

Instrumentations leave them where they call ``str()`` on a dict, or ``json.dumps(default=str)`` on
an object that JSON cannot hold. Nothing in them is executed.
"""

import ast
import re
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.json import from_json

Maker: TypeAlias = Callable[[str, Mapping[str, Any]], Any]
"""A class's name and the keyword arguments in its repr → the value that stands for the object."""

_LONGEST: Final = 16_384
"""Characters; Python parses its own reprs a hundred times slower than orjson parses JSON."""

_MALFORMED: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
"""What Python raises of a text that is no repr of a value."""

_OBJECT: Final = re.compile(r"([A-Z]\w*)\(\w+=")
_ODD: Final = re.compile(
    r"""'(?:[^'\\]+|\\.)*'?|"(?:[^"\\]+|\\.)*"?"""
    r"""|(?<==)<\w+\.\w+: (?P<enum>'[^'\\]*')>"""
    r"""|(?<==)(?P<address><(?:(?!=<)[^'"]){0,256}? at 0x[0-9a-fA-F]{1,16}>)""",
    re.DOTALL,
)
"""String literals, which stay as they are; and what is no Python expression: an enum's member
(``<Role.USER: 'user'>``), an object by its address (``<function f at 0x7f>``).

Linear in the length of any text: an address is looked for in 256 characters, and in no other one.
"""


def from_repr(value: Any) -> Any:
    """The dict or list of a JSON text, or of a repr of one (LiteLLM); any other value as it is."""
    found = from_json(value)
    if not isinstance(found, str) or len(found) > _LONGEST or found[:1] not in ("{", "["):
        return found
    return _evaluated(found)


def bytes_of_repr(text: str) -> bytes | str:
    """The bytes of ``"b'…'"``; any other text as it is."""
    found = _evaluated(text)
    return found if isinstance(found, bytes) else text


def _evaluated(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except _MALFORMED:
        return text


def from_object_repr(value: Any, make: Maker, classes: Container[str]) -> Any:
    """The value of a JSON text or a repr, with objects as ``make`` gives them; else as it is.

    A text within JSON is parsed only if it is the repr of one of ``classes``: any other is content.
    """
    found = from_json(value)
    if isinstance(found, str) and found[:1] in ("[", "{"):
        return _parsed(found, make)
    return _held(found, make, classes, _DEPTH)


_DEPTH: Final = 3
"""Levels of JSON at which reprs are looked for: a pipeline's output has messages at the third."""


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
    if len(text) > _LONGEST:
        return text
    code = _ODD.sub(_plain, text)
    try:
        return _value(ast.parse(code, mode="eval").body, make)
    except _MALFORMED:
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
