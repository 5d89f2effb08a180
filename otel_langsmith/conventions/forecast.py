"""What the interpreter will make of spans that differ from one it knows in nothing but values.

Most spans of a shape are such. So a shape is interpreted once with a mark in place of each value,
and where the marks ended up, the values of later spans are put: for two thirds of the instructions
of a web span. What has to hold of values for that is checked; the interpreter has the last word.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from operator import itemgetter
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.foresight import Foresight, Mark, Token, UndecidedError, token_of
from otel_langsmith.conventions.interpreter import (
    Attributes,
    Fields,
    Interpreter,
    Reading,
    SpanEvent,
    asking,
)
from otel_langsmith.conventions.messages import size
from otel_langsmith.conventions.plan import SEVERAL, Part, Plan, Step
from otel_langsmith.conventions.readers import (
    NOTHING,
    Blank,
    Constant,
    Raw,
    Thin,
    Unreadable,
    as_count,
    as_id,
    as_is,
    as_text,
)
from otel_langsmith.conventions.rows import Reader

Values: TypeAlias = list[Any]
Check: TypeAlias = Callable[[Values], bool]

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

    All values of a span stand in one list, and a place is an index into that. First come those that
    are known already: of attributes that feed several fields, and of the forecast that gave way to
    this one. Then this one's own: raw ones, those which likely are what their readers make of them
    (texts, then counts), those that only readers make; and what is fixed. If some say nothing,
    `_otherwise` has another forecast, which goes on from this list.
    """

    __slots__ = (
        "_calls",
        "_checks",
        "_content",
        "_counts",
        "_ends",
        "_facts",
        "_fixed",
        "_given",
        "_gone",
        "_likely",
        "_others",
        "_own",
        "_owns_content",
        "_places",
        "_texts",
        "_traits",
        "_vias",
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
        self._gone = _gone(keys, rest)
        if self._gone is None:
            homes.append(rest)
        ends = [end for home in homes for end in home.values()]
        pairs = list(chain.from_iterable(sight.same))
        raw, texts, counts, read = kinds = _kinds((*ends, *pairs, *sight.asked), known)
        given = (*raw, *texts, *counts)
        self._given = _several([mark.token[1] for mark in given])
        self._texts = slice(len(raw), len(raw) + len(texts))
        self._counts = slice(len(raw) + len(texts), len(given))
        self._likely = slice(len(raw), len(given))
        self._vias = [mark.token[0] for mark in (*texts, *counts)]
        self._calls = [(mark.token[0], mark.source) for mark in read]
        self._own = slice(start, None)
        own = {mark.token: at for at, mark in enumerate(chain.from_iterable(kinds), start)}
        self._places = {**known, **own}
        self._fixed = [end for end in (*ends, *pairs) if type(end) is not Mark]
        fixed = count(start + len(own))
        at = [
            self._places[end.token] if type(end) is Mark else next(fixed) for end in (*ends, *pairs)
        ]
        places = iter(at)
        self._ends = tuple(
            (number, tuple(zip(home, places, strict=False)))
            for number, home in enumerate(homes)
            if home
        )
        said = [self._places[mark.token] for mark in sight.asked if mark.content]
        self._content = _several(said)
        self._owns_content = min(said, default=start) >= start
        """Whether none of it is among what is known already, so that `read` sees all of it."""
        self._checks = (
            *([_never] if sight.mixed else ()),
            *(_suffices(self._places[mark.token], least) for mark, least in sight.sizes),
            *(_is_same(*at[n : n + 2]) for n in range(len(ends), len(at), 2)),
        )
        self._facts = facts
        self._others: dict[tuple[Any, ...], Forecast | None] = {}

    def read(
        self,
        outlook: "Outlook",
        attributes: Attributes,
        events: tuple[SpanEvent, ...],
        values: Values,
    ) -> Reading:
        """What a span says of which these values are known already.

        While its own values are read it is seen whether all fit; if not, `_holds` looks closer.
        """
        given = self._given(attributes)
        own = [*given]
        fits = self._owns_content
        for value in given[self._texts]:
            if type(value) is not str or value in NOTHING:
                fits = False
        for value in given[self._counts]:
            if type(value) is not int or value < 0:
                fits = False
        if not fits:
            own[self._likely] = map(_call, self._vias, given[self._likely])
        for via, source in self._calls:
            value = via(source(attributes))
            if not value or type(value) in _UNSAID:
                fits = False
            own.append(value)
        own += self._fixed
        values += own
        if (fits or self._holds(values)) and not (self._checks and self._differs(values)):
            return self._placed(values, attributes, events)
        if other := self._otherwise(outlook, attributes, values):
            return other.read(outlook, attributes, events, values)
        ask = self._asking(attributes, values)
        return Interpreter(attributes, events, ask).interpret(outlook.plan)

    def _placed(
        self, values: Values, attributes: Attributes, events: tuple[SpanEvent, ...]
    ) -> Reading:
        """These in their places, one by one: ``dict(zip())`` costs three times as much."""
        rest: Fields = {}
        if self._gone is not None:
            rest = dict(attributes)
            for key in self._gone:
                del rest[key]
        homes: tuple[Fields, ...] = ({}, {}, {}, {}, {}, {}, {}, {}, {}, rest)
        for home, ends in self._ends:
            held = homes[home]
            for name, at in ends:
                held[name] = values[at]
        return tuple.__new__(Reading, (*homes, events, (), self._traits))

    def _holds(self, values: Values) -> bool:
        return _SILENT.isdisjoint(map(type, values[self._own])) and _all_say(self._content(values))

    def _differs(self, values: Values) -> bool:
        return not all(check(values) for check in self._checks)

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

    def _asking(self, attributes: Attributes, values: Values) -> Callable[[Step | Part], Any]:
        """What steps and parts read of these attributes, of which these values are known."""
        known = {token: values[at] for token, at in self._places.items()}

        def ask(one: Step | Part) -> Any:
            token = token_of(one)
            return known[token] if token in known else one.via(one.source(attributes))

        return ask


class Outlook:
    """All that is foreseen of spans of one shape, by their words and by which fields they feed.

    Words tell kinds of spans apart, and what becomes of a span depends on them.
    """

    __slots__ = ("_forecasts", "_spreads", "_told", "_words", "plan", "room")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._words = [step for step in plan.steps if step.is_word]
        self._spreads = [
            step
            for step in plan.steps
            if step.home == SEVERAL and not (step.is_word or isinstance(step.via, Constant))
        ]
        self._told = itemgetter(*(step.key for step in self._words)) if self._words else None
        self._forecasts: dict[Any, Forecast | None] = {}
        self.room = FORECASTS
        """For how many more forecasts there is."""

    def read(self, attributes: Attributes, events: tuple[SpanEvent, ...]) -> Reading:
        """What a span says of which no event says anything."""
        told: Any = self._told(attributes) if self._told else ""
        spread: list[Any] = []
        if self._spreads:
            spread = [step.via(step.source(attributes)) for step in self._spreads]
            told = (told, *map(_names, spread))
        try:
            forecast = self._forecasts[told]
        except (KeyError, TypeError):  # TypeError: a word that is a list or a dict
            forecast = self._first(attributes, told, spread)
        if forecast:
            return forecast.read(self, attributes, events, [*_flat(spread)] if spread else [])
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
        for step, parts in zip(self._spreads, spread, strict=True):
            token = token_of(step)
            facts[token] = parts
            if type(parts) not in _SILENT:
                facts[token] = {name: Mark((token, name), step.source) for name in parts}
                known |= {(token, name): at for at, name in enumerate(parts, len(known))}
        forecast = self.foresee(attributes, facts, known, len(known))
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

_UNSAID: Final = frozenset((Unreadable, Blank, Raw, Thin))
_SAYING: Final = frozenset((str, int, float, bool, list, dict, tuple))
_NUMBERS: Final = frozenset((int, float, bool))


def _all_say(content: Sequence[Any]) -> bool:
    """Whether the interpreter would keep all of it as it is."""
    return _SAYING.issuperset(map(type, content)) and (
        all(content) or all(value or type(value) in _NUMBERS for value in content)
    )


def _gone(keys: Collection[str], rest: Fields) -> list[str] | None:
    """What is missing in the rest, if that is less than what is left, all of it as it came."""
    gone = [key for key in keys if key not in rest]
    is_raw = all(type(end) is Mark and end.token == (as_is, key) for key, end in rest.items())
    return gone if is_raw and len(gone) < len(rest) else None


def _kinds(ends: Iterable[Any], known: Container[Token]) -> tuple[list[Mark], ...]:
    """The marks that are not known yet: of raw values, of texts and counts, and of the others."""
    kinds: tuple[list[Mark], ...] = ([], [], [], [])
    for mark in dict.fromkeys(end for end in ends if type(end) is Mark):
        if mark.token not in known:
            via, source = mark.token
            is_read = type(source) is not str or (mark.content and via is as_is)
            kinds[_READ if is_read else _KINDS.get(via, _READ)].append(mark)
    return kinds


# To call the reader of a name, an id or a number of tokens costs more than to look at its value.
_KINDS: Final[Mapping[Reader, int]] = {as_is: 0, as_text: 1, as_id: 1, as_count: 2}
_READ: Final = 3


def _call(via: Reader, value: Any) -> Any:
    return via(value)


def _several(keys: Sequence[Any]) -> Callable[[Any], Sequence[Any]]:
    """A getter of as many values, be they none or one."""
    if len(keys) > 1:
        return itemgetter(*keys)
    if not keys:
        return lambda _: ()
    [key] = keys
    return lambda held: (held[key],)


def _never(_: Values) -> bool:
    """Several values are to be made one: that is not foreseen, but that one says nothing is."""
    return False


def _is_same(one: int, other: int) -> Check:
    return lambda values: (
        type(values[one]) is type(values[other]) and bool(values[one] == values[other])
    )


def _suffices(at: int, least: int) -> Check:
    return lambda values: size(values[at]) >= least


__all__ = ["FORECASTS", "Outlook"]
