"""The interpreter, asked of marks in place of values: where they end up, values will.

What it took for granted meanwhile is what has to hold of the values.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

from otel_langsmith.conventions.flattened import Grower
from otel_langsmith.conventions.interpreter import Interpreter
from otel_langsmith.conventions.plan import GATHERED, RUN_TYPE, SEVERAL, Part, Step
from otel_langsmith.conventions.readers import Constant, as_is

Token: TypeAlias = tuple[Any, Any]
"""The reader, and the attribute or the grower: rows that read the same do so once. Of a part of
what feeds several fields, the token of the whole, and the field."""


class Mark:
    """Stands for what a reader makes of an attribute, or of a flattened structure."""

    __slots__ = ("content", "source", "token")

    def __init__(self, token: Token, source: Grower) -> None:
        self.token = token
        self.source = source
        self.content = False
        """Whether it must say something, and not but be readable."""


class UndecidedError(Exception):
    """What becomes of such spans depends on more of them than is known."""


class Foresight(Interpreter):
    """An interpreter of marks, which notes what it asked for and what it took for granted."""

    def __init__(self, keys: Iterable[str], facts: Mapping[Token, Any]) -> None:
        self.asked: dict[Mark, None] = {}
        """The marks that were asked for: what they stand for must be readable."""
        self.same: list[tuple[Any, Any]] = []
        """Two and two, what must be alike: both were meant for one field."""
        self.mixed = False
        """Whether a field is to gather several values of which not all are known."""
        self.sizes: list[tuple[Mark, int]] = []
        """What must be messages, and how many at least."""
        self._marks: dict[Token, Mark] = {}
        self._facts = facts
        raw = {key: self._mark((as_is, key), itemgetter(key)) for key in keys}
        super().__init__(raw, (), self._answer)

    def put(self, home: int, name: str, value: Any) -> bool:
        """That the field has it; of two values of one field, that they are the same."""
        held = self._reading.homes[home]
        if type(value) is Mark and (home, name) == RUN_TYPE:
            raise UndecidedError
        if name not in held or Mark not in (type(held[name]), type(value)):
            return super().put(home, name, value)
        self.mixed = self.mixed or (home, name) in GATHERED
        self.same.append((held[name], value))
        return True

    def suffices(self, value: Any, least: int) -> bool:
        """That it does, if nobody knows yet what it is."""
        if type(value) is not Mark:
            return super().suffices(value, least)
        self.sizes.append((value, least))
        return True

    def _answer(self, one: Step | Part) -> Any:
        if isinstance(one.via, Constant):
            return one.via.value
        token = token_of(one)
        is_spread = isinstance(one, Step) and one.home == SEVERAL
        if token in self._facts:
            fact = self._facts[token]
            if isinstance(fact, Mapping) and not is_spread:  # to one field, all of it is a value
                raise UndecidedError
            return fact
        if is_spread:
            raise UndecidedError
        mark = self._mark(token, one.source)
        self.asked[mark] = None
        mark.content = mark.content or isinstance(one, Part)
        return mark

    def _mark(self, token: Token, source: Grower) -> Mark:
        return self._marks.setdefault(token, Mark(token, source))


def token_of(one: Step | Part) -> Token:
    """By what it reads a step or a part is known."""
    return one.via, one.key or one.source


__all__ = ["Foresight", "Mark", "Token", "UndecidedError", "token_of"]
