"""`conventions.flattened`: what was flattened into names grows back, whatever they spell."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.conventions.flattened import Tree, grower, names_of, tree_of

keys = st.lists(st.sampled_from(["0", "1", "10", "role", "message", ""]), min_size=1, max_size=4)
names = st.sets(keys.map(".".join), min_size=1, max_size=8).map(
    lambda found: {f"m.{key}": object() for key in sorted(found)}
)


def walked(tree: Tree, attributes: dict[str, Any]) -> Any:
    """The structure, value by value."""
    if isinstance(tree, str):
        return attributes[tree]
    if isinstance(tree, list):
        return [walked(below, attributes) for below in tree]
    return {name: walked(below, attributes) for name, below in tree.items()}


@given(names)
def test_what_is_grown_is_what_is_walked(attributes: dict[str, Any]) -> None:
    for tree in (tree_of("m.", attributes), names_of("m.", attributes), *attributes):
        assert grower(tree)(attributes) == walked(tree, attributes)
