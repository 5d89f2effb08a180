"""Structures that were flattened into attribute names → lists and dicts.

``llm.input_messages.1.message.role`` is a member of a dict in a list. The structure follows from
the names alone and is decided once for each shape of span (`tree_of`); `grower` makes the function
that fills in the values of each span.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, TypeAlias

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"
"""The shape of a structure, with the attribute's key at each leaf."""

Grower: TypeAlias = "Callable[[Mapping[str, Any]], Any]"

DEPTH: Final = 12
"""Dots that nest; OpenInference uses eight. Those beyond are part of the last name."""

_ITSELF: Final = ""
"""The name of a value where a structure stands too (``a.0`` beside ``a.0.b``)."""


def tree_of(start: str, keys: Iterable[str]) -> list[Tree]:
    """The structure of the keys that begin with ``start``, a list in the order of their numbers."""
    root = _root(start, keys)
    return [_tree(root[name]) for name in sorted(root, key=_place)]


def names_of(start: str, keys: Iterable[str]) -> dict[str, Tree]:
    """The same as a dict, by their names."""
    return {name: _tree(node) for name, node in _root(start, keys).items()}


def _root(start: str, keys: Iterable[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for key in keys:
        *path, leaf = key[len(start) :].split(".", DEPTH)
        node = root
        for name in path:
            below = node.setdefault(name, {})
            if not isinstance(below, dict):
                below = node[name] = {_ITSELF: below}
            node = below
        if isinstance(node.get(leaf), dict):
            node[leaf][_ITSELF] = key
        else:
            node[leaf] = key
    return root


def grower(tree: Tree) -> Grower:
    """A function from attributes to the structure; each of its leaves must be among them.

    Functions of functions, made once, through which the values pass in the order of the leaves: a
    third of what it costs to walk the tree for each span.
    """
    first, *others = leaves = list(_leaves(tree))
    if tree == first:
        return itemgetter(first)
    fill = _filler(tree)
    if not others:
        return lambda attributes: fill(iter((attributes[first],)))
    values_of = itemgetter(*leaves)
    return lambda attributes: fill(iter(values_of(attributes)))


def _leaves(tree: Tree) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    else:
        for below in tree if isinstance(tree, list) else tree.values():
            yield from _leaves(below)


def _filler(tree: Tree) -> Callable[[Iterator[Any]], Any]:
    if isinstance(tree, str):
        return next
    if isinstance(tree, list):
        items = [_filler(below) for below in tree]
        return lambda values: [fill(values) for fill in items]
    names = tuple(tree)
    if all(isinstance(below, str) for below in tree.values()):
        return lambda values: dict(zip(names, values))  # noqa: B905 - a keyword costs a third more
    fills = [_filler(below) for below in tree.values()]
    if len(fills) == 1:
        [name], [fill] = names, fills
        return lambda values: {name: fill(values)}
    pairs = list(zip(names, fills, strict=True))
    return lambda values: {name: fill(values) for name, fill in pairs}


def _tree(node: Any) -> Tree:
    if not isinstance(node, dict):
        return str(node)
    if all(map(_is_index, node)):
        return [_tree(node[name]) for name in sorted(node, key=_place)]
    return {name: _tree(below) for name, below in node.items()}


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _place(name: str) -> tuple[bool, int, str]:
    """Numbers by their value, without making one of a thousand digits; then words."""
    if not _is_index(name):
        return True, 0, name
    digits = name.lstrip("0")
    return False, len(digits), digits
