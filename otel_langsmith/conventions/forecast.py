"""What the interpreter will make of spans that differ from one it knows in nothing but values.

Most spans of a shape are such. So a shape is interpreted once with a mark in place of each value,
and where the marks ended up, the values of later spans are put: for a fifth of the instructions
that a web span takes of the interpreter. What has to hold of values for that is checked; the
interpreter has the last word.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
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
    asking,
)
from otel_langsmith.conventions.plan import SEVERAL, Part, Plan, Step
from otel_langsmith.conventions.readers import (
    NOTHING,
    Blank,
    Constant,
    Unreadable,
    as_count,
    as_id,
    as_is,
    as_text,
)
from otel_langsmith.conventions.rows import Reader

FORECASTS: Final = 8
"""Those of one shape, by words and by what says nothing; a hostile service has any number."""

_LONGEST_WORD: Final = 64
"""Characters of a word for a kind of span; a text that is longer is something else."""

_MOST_FIELDS: Final = 64
_LONGEST_NAME: Final = 128
"""Fields that attributes of several may feed, and characters of the name of each, for a forecast to
be made: it is kept by them, and they may be anybody's, as parameters in JSON are."""


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
        "_counts",
        "_ends",
        "_facts",
        "_given",
        "_likely",
        "_others",
        "_own",
        "_owns_content",
        "_places",
        "_rest",
        "_said",
        "_templates",
        "_traits",
        "_types",
        "_vias",
        "_whose",
    )

    def __init__(
        self,
        plan: Plan,
        keys: Collection[str],
        facts: Mapping[Token, Any],
        known: Mapping[Token, int],
        start: int,
    ) -> None:
        """Of spans of this plan, of which these facts hold, and which have values up to ``start``.

        Raises:
            UndecidedError: What becomes of them depends on more.
        """
        sight = Foresight(keys, facts)
        foreseen = sight.interpret(plan)
        *homes, rest = foreseen.homes
        self._traits = foreseen.traits
        as_came = all(type(end) is Mark and end.token == (as_is, key) for key, end in rest.items())
        self._rest = rest_of(keys, rest) if as_came else nothing_of
        if not as_came:
            homes.append(rest)
        ends = [end for home in homes for end in home.values()]
        pairs = list(chain.from_iterable(sight.same))
        counts, texts, read = kinds = _kinds((*ends, *pairs, *sight.asked), known)
        likely = (*counts, *texts)
        self._given = several([mark.token[1] for mark in likely])
        self._counts = slice(len(counts)) if counts else None
        self._likely = slice(start, start + len(likely))
        self._vias = [mark.token[0] for mark in likely]
        self._calls = [(mark.token[0], mark.source, mark.content) for mark in read]
        self._own = slice(start, None)
        own = {mark.token: at for at, mark in enumerate(chain.from_iterable(kinds), start)}
        self._places = {**known, **own}
        self._templates = _templates(homes)
        self._ends = tuple(
            (number, name, self._places[end.token])
            for number, home in enumerate(homes)
            for name, end in home.items()
            if type(end) is Mark
        )
        said = [self._places[mark.token] for mark in sight.asked if mark.content]
        self._said = several(said)
        self._owns_content = min(said, default=start) >= start
        """Whether none of it is among what is known already, so that `read` sees all of it."""
        self._checks = (
            *([never] if sight.mixed else ()),
            *(suffices(self._places[mark.token], least) for mark, least in sight.sizes),
            *(is_same(self._getter(one), self._getter(other)) for one, other in sight.same),
        )
        self._facts = facts
        self._others: dict[tuple[Any, ...], Forecast | None] = {}
        self._types: list[type] | None = None
        """Those of the first values that were read here, as most are."""
        self._whose: dict[tuple[type, ...], Forecast] = {}
        """Who reads values of such types, if readers leave the likely ones as they are."""

    def read(
        self,
        outlook: "Outlook",
        attributes: Attributes,
        events: tuple[SpanEvent, ...],
        known: Iterable[Any],
    ) -> Reading:
        """What a span says of which these values are known already.

        Their types are looked at together: one by one costs three times as many bytecodes. They are
        put in their places one by one: ``dict(zip())`` costs three times as many instructions.
        """
        values: Values = []
        if self._places:
            likely = self._given(attributes)
            values = [*known, *likely]
            fits = self._owns_content
            for via, source, is_content in self._calls:
                value = via(source(attributes))
                values.append(value)
                if is_content and not value:  # only then: nobody knows what else a value does
                    fits = False
            types = [*map(type, values)]
            whose = self if types == self._types else self._whose.get(tuple(types))
            if not (whose and fits and NOTHING.isdisjoint(likely)) or (
                self._counts and min(likely[self._counts]) < 0
            ):
                whose = self._closer(outlook, attributes, values, types)
            if whose is not self:
                if whose:
                    return whose.read(outlook, attributes, events, values)
                return self._interpreted(outlook, attributes, events, values)
            if self._checks and self._differs(values):
                return self._interpreted(outlook, attributes, events, values)
        rest = self._rest(attributes)
        parts: Any = ({}, {}, {}, {}, {}, {}, {}, {}, {}, rest, events, (), self._traits)
        for home, template in self._templates:
            parts[home].update(template)
        for home, name, at in self._ends:
            parts[home][name] = values[at]
        return tuple.__new__(Reading, parts)

    def _differs(self, values: Values) -> bool:
        return not all(check(values) for check in self._checks)

    def _closer(
        self, outlook: "Outlook", attributes: Attributes, values: Values, types: list[type]
    ) -> "Forecast | None":
        """Who reads these values, if anybody foresaw them; all are what their readers make now."""
        values[self._likely] = map(_call, self._vias, values[self._likely])
        said = self._said(values)
        if _SILENT.isdisjoint(map(type, values[self._own])) and _all_say(said):
            whose: Forecast | None = self
        else:
            whose = self._otherwise(outlook, attributes, values)
        if whose and len(self._whose) < FORECASTS and types == [*map(type, values)]:
            self._whose[tuple(types)] = whose
            if whose is self and self._types is None:
                self._types = types
        return whose

    def _otherwise(
        self, outlook: "Outlook", attributes: Attributes, values: Values
    ) -> "Forecast | None":
        """What goes on from these values, for spans of which the same say nothing."""
        silence = tuple(map(_SILENCE.get, map(type, values[self._own])))
        if silence in self._others or not (outlook.room > 0 and any(silence)):
            return self._others.get(silence)
        facts = {
            token: values[at] for token, at in self._places.items() if type(values[at]) in _SILENT
        }
        other = outlook.foresee(attributes, {**self._facts, **facts}, self._places, len(values))
        return self._others.setdefault(silence, other)

    def _interpreted(
        self,
        outlook: "Outlook",
        attributes: Attributes,
        events: tuple[SpanEvent, ...],
        values: Values,
    ) -> Reading:
        """What the interpreter makes of these values, and of what else it asks for."""
        known = {token: values[at] for token, at in self._places.items()}

        def ask(one: Step | Part) -> Any:
            token = token_of(one)
            return known[token] if token in known else one.via(one.source(attributes))

        return Interpreter(attributes, events, ask).interpret(outlook.plan)

    def _getter(self, end: Any) -> Callable[[Values], Any]:
        return itemgetter(self._places[end.token]) if type(end) is Mark else lambda _: end


class Outlook:
    """All that is foreseen of spans of one shape, by their words and by which fields they feed.

    Words tell kinds of spans apart, and what becomes of a span depends on them.
    """

    __slots__ = ("_forecasts", "_only", "_spreads", "_told", "_words", "plan", "room")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._words = [step for step in plan.steps if step.is_word]
        self._spreads = {  # by what they read: two that read the same have the same parts
            token_of(step): step
            for step in plan.steps
            if step.home == SEVERAL and not (step.is_word or isinstance(step.via, Constant))
        }
        self._told = itemgetter(*(step.key for step in self._words)) if self._words else None
        self._forecasts: dict[Any, Forecast | None] = {}
        self._only: Forecast | None = None
        """That of all such spans, if there are neither words nor such fields."""
        self.room = FORECASTS
        """For how many more forecasts there is."""

    def read(self, attributes: Attributes, events: tuple[SpanEvent, ...]) -> Reading:
        """What a span says of which no event says anything."""
        if only := self._only:
            return only.read(self, attributes, events, ())
        told: Any = self._told(attributes) if self._told else ""
        spread: Sequence[Any] = ()
        if self._spreads:  # which fields these feed is told like a word
            spread = [step.via(step.source(attributes)) for step in self._spreads.values()]
            told = (told, *map(_names, spread))
        try:
            forecast = self._forecasts[told]
        except (KeyError, TypeError):  # TypeError: a word that is a list or a dict
            forecast = self._first(attributes, told, spread)
        if forecast:
            return forecast.read(self, attributes, events, _flat(spread) if spread else ())
        return self.interpret(attributes, events)

    def interpret(self, attributes: Attributes, events: tuple[SpanEvent, ...]) -> Reading:
        """What any span of the shape says."""
        return Interpreter(attributes, events, asking(attributes)).interpret(self.plan)

    def foresee(
        self,
        keys: Collection[str],
        facts: Mapping[Token, Any],
        known: Mapping[Token, int],
        start: int,
    ) -> Forecast | None:
        """The `Forecast` of these facts, if there can be one."""
        self.room -= 1
        try:
            return Forecast(self.plan, keys, facts, known, start)
        except UndecidedError:
            return None

    def _first(self, attributes: Attributes, told: Any, spread: Sequence[Any]) -> Forecast | None:
        """The forecast for spans with these words that feed these fields."""
        if self.room <= 0 or not _are_few(spread):
            return None
        facts: dict[Token, Any] = {}
        known: dict[Token, int] = {}
        for step in self._words:
            word = attributes[step.key]
            if type(word) is not str or len(word) > _LONGEST_WORD:
                return None
            facts[token_of(step)] = step.via(word)
            if not _SHARED.issuperset(map(type, _parts(facts[token_of(step)]))):
                return None
        for (token, step), parts in zip(self._spreads.items(), spread, strict=True):
            facts[token] = parts
            if type(parts) not in _SILENT:
                facts[token] = {name: Mark((token, name), step.source) for name in parts}
                known |= {(token, name): at for at, name in enumerate(parts, len(known))}
        forecast = self.foresee(attributes, facts, known, len(known))
        if not (self._words or self._spreads):
            self._only = forecast
        return self._forecasts.setdefault(told, forecast)


def _parts(said: Any) -> Collection[Any]:
    return said.values() if isinstance(said, Mapping) else (said,)


def _names(parts: Any) -> tuple[Any, ...]:
    """Which fields these are for, or that they are for none."""
    return (type(parts),) if type(parts) in _SILENT else tuple(parts)


def _are_few(spread: Iterable[Any]) -> bool:
    """Whether so few fields are fed, and by names so short, that they may be remembered."""
    names = [name for parts in spread if type(parts) not in _SILENT for name in parts]
    return len(names) <= _MOST_FIELDS and max(map(len, names), default=0) <= _LONGEST_NAME


def _flat(spread: Iterable[Any]) -> Iterator[Any]:
    """The values of all these, one after the other."""
    return chain.from_iterable(parts.values() for parts in spread if type(parts) not in _SILENT)


_SHARED: Final = frozenset((str, int, float, bool, Unreadable, Blank))
"""What all spans that say a word may share, since nobody can change it."""

_SILENT: Final = frozenset((Unreadable, Blank))
_SILENCE: Final[Mapping[type, type]] = {kind: kind for kind in _SILENT}
"""Not the values themselves: to hash an enum's is a function in Python."""

_SAYING: Final = frozenset((str, bytes, int, float, bool, list, dict, tuple))
_NUMBERS: Final = frozenset((int, float, bool))


def _all_say(content: Sequence[Any]) -> bool:
    """Whether the interpreter would keep all of it as it is."""
    return _SAYING.issuperset(map(type, content)) and (
        all(content) or all(value or type(value) in _NUMBERS for value in content)
    )


def _templates(homes: Iterable[Fields]) -> tuple[tuple[int, Fields], ...]:
    """The homes in which something is fixed; what is not is there but for its place."""
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


def _call(via: Reader, value: Any) -> Any:
    return via(value)


__all__ = ["FORECASTS", "Outlook"]
