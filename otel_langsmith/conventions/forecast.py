"""What the interpreter will make of spans that differ from one it knows in nothing but values.

Most spans of a shape are such. So a shape is interpreted once with a mark in place of each value,
and where the marks ended up, the values of later spans are put: for a fifth of the instructions
that a web span takes of the interpreter. What has to hold of values for that is checked; the
interpreter has the last word.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from otel_langsmith.conventions.foresight import Foresight, Mark, Token, UndecidedError, token_of
from otel_langsmith.conventions.getters import (
    Values,
    is_same,
    never,
    nothing_of,
    rest_of,
    several,
    suffices,
)
from otel_langsmith.conventions.interpreter import (
    Attributes,
    Fields,
    Interpreter,
    Reading,
    SpanEvent,
)
from otel_langsmith.conventions.plan import Part, Plan, Step
from otel_langsmith.conventions.readers import NOTHING, SILENT, as_count, as_id, as_is, as_text
from otel_langsmith.conventions.rows import Reader
from otel_langsmith.run import Texts

FORECASTS: Final = 8
"""So many of one shape are kept; by words and by what says nothing there may be any number."""

MIXTURES: Final = 32
"""Types of values that come together, for which it is remembered whose they are."""


class Horizon:
    """What the forecasts of one shape have in common: its plan, and how many there may be."""

    __slots__ = ("plan", "room")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.room = FORECASTS
        """For how many more forecasts there is."""

    def foresee(
        self,
        keys: Collection[str],
        facts: Mapping[Token, Any],
        known: Mapping[Token, int],
        start: int,
    ) -> "Forecast | None":
        """The `Forecast` of these facts, if there can be one."""
        self.room -= 1
        try:
            return Forecast(self, keys, facts, known, start)
        except UndecidedError:
            return None


class Forecast:
    """Where the values of such spans go, and what must hold of them for that.

    What is fixed stands in templates, and what nobody asked for stays in the rest as it came. All
    other values of a span stand in one list, and a place is an index into that. First come those
    that are known already: of attributes that feed several fields, and of the forecast that gave
    way to this one. Then this one's own: counts and texts, which likely are what their readers make
    of them; and those that only readers make. If some say nothing, `_otherwise` has another
    forecast, which goes on from this list.
    """

    __slots__ = (
        "_calls",
        "_checks",
        "_content",
        "_counts",
        "_ends",
        "_facts",
        "_given",
        "_horizon",
        "_likely",
        "_others",
        "_own",
        "_places",
        "_rest",
        "_templates",
        "_traits",
        "_types",
        "_vias",
        "_whose",
    )

    def __init__(
        self,
        horizon: Horizon,
        keys: Collection[str],
        facts: Mapping[Token, Any],
        known: Mapping[Token, int],
        start: int,
    ) -> None:
        """Of spans with these keys, of which these facts hold, and with values up to ``start``.

        Raises:
            UndecidedError: What becomes of them depends on more.
        """
        sight = Foresight(keys, facts)
        foreseen = sight.interpret(horizon.plan)
        self._horizon, self._facts, self._traits = horizon, facts, foreseen.traits
        *homes, rest = foreseen.homes
        as_came = all(type(end) is Mark and end.token == (as_is, key) for key, end in rest.items())
        self._rest = rest_of(keys, rest) if as_came else nothing_of
        if not as_came:
            homes.append(rest)
        ends = [end for home in homes for end in home.values()]
        pairs = list(chain.from_iterable(sight.same))
        counts, texts, read = _kinds((*ends, *pairs, *sight.asked), known)
        likely = (*counts, *texts)
        self._given = several([mark.token[1] for mark in likely])
        self._vias = [mark.token[0] for mark in likely]
        self._calls = [(mark.token[0], mark.source) for mark in read]
        self._counts = slice(len(counts)) if counts else None
        self._likely = slice(start, start + len(likely))
        self._own = slice(start, None)
        own = {mark.token: at for at, mark in enumerate((*likely, *read), start)}
        self._places = {**known, **own}
        self._templates = _templates(homes)
        self._ends = tuple(
            (number, name, self._places[end.token])
            for number, home in enumerate(homes)
            for name, end in home.items()
            if type(end) is Mark
        )
        self._content = [self._places[mark.token] for mark in sight.asked if _may_be_empty(mark)]
        self._checks = (
            *([never] if sight.mixed else ()),
            *(suffices(self._places[mark.token], least) for mark, least in sight.sizes),
            *(is_same(self._getter(one), self._getter(other)) for one, other in sight.same),
        )
        self._others: dict[tuple[Any, ...], Forecast | None] = {}
        self._types: list[type] | None = None
        """Those of the first values that were read here, as most are."""
        self._whose: dict[tuple[type, ...], Forecast] = {}
        """Who reads values of such types, if readers leave the likely ones as they are."""

    def read(
        self, attributes: Attributes, events: tuple[SpanEvent, ...], known: Iterable[Any]
    ) -> Reading:
        """What a span says of which these values are known already.

        Their types are looked at together: one by one costs three times as many bytecodes. They are
        put in their places one by one: ``dict(zip())`` costs three times as many instructions.
        """
        values: Values = []
        if self._places:
            likely = self._given(attributes)
            values = [*known, *likely]
            for via, source in self._calls:
                values.append(via(source(attributes)))
            types = [*map(type, values)]
            whose = self if types == self._types else self._whose.get(tuple(types))
            if not (whose and NOTHING.isdisjoint(likely)) or (
                self._counts and min(likely[self._counts]) < 0
            ):
                whose = self._closer(attributes, values, types)
            if whose is not self:
                read = whose.read if whose else self._interpreted
                return read(attributes, events, values)
            for at in self._content:
                if not values[at] and type(values[at]) not in _NUMBERS:
                    return self._interpreted(attributes, events, values)
            if self._checks and self._differs(values):
                return self._interpreted(attributes, events, values)
        rest = self._rest(attributes)
        parts: Any = ({}, {}, {}, {}, {}, {}, {}, {}, {}, rest, events, (), self._traits)
        for home, template in self._templates:
            parts[home].update(template)
        for home, name, at in self._ends:
            parts[home][name] = values[at]
        return tuple.__new__(Reading, parts)  # as Reading._make does, which counts them first

    def _differs(self, values: Values) -> bool:
        return not all(check(values) for check in self._checks)

    def _closer(
        self, attributes: Attributes, values: Values, types: list[type]
    ) -> "Forecast | None":
        """Who reads these values, if anybody foresaw them; all are what their readers make now."""
        values[self._likely] = map(_call, self._vias, values[self._likely])
        content = {type(values[at]) for at in self._content}
        if content <= _SAYING and SILENT.isdisjoint(map(type, values[self._own])):
            whose: Forecast | None = self
        else:
            whose = self._otherwise(attributes, values)
        if whose and len(self._whose) < MIXTURES and types == [*map(type, values)]:
            self._whose[tuple(types)] = whose
            if whose is self and self._types is None:
                self._types = types
        return whose

    def _otherwise(self, attributes: Attributes, values: Values) -> "Forecast | None":
        """What goes on from these values, for spans of which the same say nothing."""
        silence = tuple(map(_SILENCE.get, map(type, values[self._own])))
        if silence in self._others or not (self._horizon.room > 0 and any(silence)):
            return self._others.get(silence)
        facts = {
            token: values[at] for token, at in self._places.items() if type(values[at]) in SILENT
        }
        facts = {**self._facts, **facts}
        other = self._horizon.foresee(attributes, facts, self._places, len(values))
        return self._others.setdefault(silence, other)

    def _interpreted(
        self, attributes: Attributes, events: tuple[SpanEvent, ...], values: Values
    ) -> Reading:
        """What the interpreter makes of these values, and of what else it asks for."""
        known = {token: values[at] for token, at in self._places.items()}

        def ask(one: Step | Part) -> Any:
            token = token_of(one)
            return known[token] if token in known else one.via(one.source(attributes))

        return Interpreter(attributes, events, ask).interpret(self._horizon.plan)

    def _getter(self, end: Any) -> Callable[[Values], Any]:
        return itemgetter(self._places[end.token]) if type(end) is Mark else lambda _: end


_SILENCE: Final[Mapping[type, type]] = {kind: kind for kind in SILENT}
"""Not the values themselves: to hash an enum's is a function in Python."""

_NUMBERS: Final = frozenset((int, float, bool))
_SAYING: Final = _NUMBERS.union((str, bytes, list, Texts, dict, tuple))
"""Types of content that the interpreter keeps as it is, unless it is empty."""


def _templates(homes: Iterable[Fields]) -> tuple[tuple[int, Fields], ...]:
    """The homes in which something is fixed; a mark among it holds its value's place."""
    return tuple(
        (number, home)
        for number, home in enumerate(homes)
        if any(type(end) is not Mark for end in home.values())
    )


def _kinds(ends: Iterable[Any], known: Container[Token]) -> tuple[list[Mark], ...]:
    """The marks that are not known yet: of counts, of texts, and of the others."""
    kinds: tuple[list[Mark], ...] = ([], [], [])
    for mark in dict.fromkeys(end for end in ends if type(end) is Mark):
        if mark.token not in known:
            via, source = mark.token
            kinds[_KINDS.get(via, _READ) if type(source) is str else _READ].append(mark)
    return kinds


# To call the reader of a name, an id or a number of tokens costs more than to look at its value.
_KINDS: Final[Mapping[Reader, int]] = {as_count: 0, as_text: 1, as_id: 1}
_READ: Final = 2


def _may_be_empty(mark: Mark) -> bool:
    """Whether it is content, of which a reader may leave something that says nothing."""
    return mark.content and mark.token[0] not in _KINDS


def _call(via: Reader, value: Any) -> Any:
    return via(value)


__all__ = ["FORECASTS", "MIXTURES", "Forecast", "Horizon"]
