"""What a forecast gets of the values of a span, and what it looks at: functions made once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from otel_langsmith.conventions.messages import size

Values: TypeAlias = list[Any]
"""What is known of one span; a place is an index into it."""

Check: TypeAlias = Callable[[Values], bool]


def several(keys: Sequence[Any]) -> Callable[[Any], Sequence[Any]]:
    """A getter of as many values, be they none or one."""
    if len(keys) > 1:
        return itemgetter(*keys)
    if not keys:
        return lambda _: ()
    [key] = keys
    return lambda held: (held[key],)


def rest_of(
    keys: Collection[str], left: Collection[str]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A getter of what is left: all without the others, or one by one, whichever is less."""
    gone = [key for key in keys if key not in left]
    kept = [*left]

    def without(attributes: Mapping[str, Any]) -> dict[str, Any]:
        rest = {**attributes}
        for key in gone:
            del rest[key]
        return rest

    def picked(attributes: Mapping[str, Any]) -> dict[str, Any]:
        rest = {}
        for key in kept:
            rest[key] = attributes[key]
        return rest

    return without if len(gone) < len(kept) else picked


def nothing_of(_: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of attributes of which all are told elsewhere."""
    return {}


def never(_: Values) -> bool:
    """No values will do: a field is to gather several, and only the interpreter does that."""
    return False


def is_same(one: Callable[[Values], Any], other: Callable[[Values], Any]) -> Check:
    """A check that two values are alike, for one field has both."""

    def check(values: Values) -> bool:
        value, like = one(values), other(values)
        return type(value) is type(like) and bool(value == like)

    return check


def suffices(at: int, least: int) -> Check:
    """A check that these are so many messages."""
    return lambda values: size(values[at]) >= least
