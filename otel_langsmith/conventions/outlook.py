"""Which forecast is for which spans of one shape: words tell them apart, and the fields they feed.

What becomes of a span depends on its words for what kind of span it is. An attribute that feeds
several fields is told like a word: by the names of those that it feeds.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from otel_langsmith.conventions.forecast import Forecast, Horizon
from otel_langsmith.conventions.foresight import Mark, Token, token_of
from otel_langsmith.conventions.interpreter import (
    Attributes,
    Interpreter,
    Reading,
    SpanEvent,
    asking,
)
from otel_langsmith.conventions.plan import SEVERAL, Plan
from otel_langsmith.conventions.readers import SILENT, Blank, Constant, Unreadable

_LONGEST_WORD: Final = 64
"""Characters of a word for a kind of span; a text that is longer is something else."""

_MOST_FIELDS: Final = 64
_LONGEST_NAME: Final = 128
"""Fields that attributes of several may feed, and characters of the name of each, for a forecast to
be made: it is kept by them, and they may be anybody's, as parameters in JSON are."""

_SHARED: Final = frozenset((str, int, float, bool, Unreadable, Blank))
"""What all spans that say a word may share, since nobody can change it."""


class Outlook:
    """Reads spans of one shape, most of them by a `Forecast`."""

    __slots__ = ("_forecasts", "_horizon", "_only", "_spreads", "_told", "_words")

    def __init__(self, plan: Plan) -> None:
        self._horizon = Horizon(plan)
        self._words = [step for step in plan.steps if step.is_word]
        self._spreads = {  # by what they read: two that read the same have the same parts
            token_of(step): step
            for step in plan.steps
            if step.home == SEVERAL and not (step.is_word or isinstance(step.via, Constant))
        }
        self._told = itemgetter(*(step.key for step in self._words)) if self._words else None
        self._forecasts: dict[Any, Forecast | None] = {}
        self._only: Forecast | None = None
        """That of all such spans, if there are neither words nor attributes of several fields."""

    def read(self, attributes: Attributes, events: tuple[SpanEvent, ...]) -> Reading:
        """What a span says of which no event says anything."""
        if only := self._only:
            return only.read(attributes, events, ())
        told: Any = self._told(attributes) if self._told else ""
        spread: Sequence[Any] = ()
        if self._spreads:
            spread = [step.via(step.source(attributes)) for step in self._spreads.values()]
            told = (told, *map(_names, spread))
        try:
            forecast = self._forecasts[told]
        except (KeyError, TypeError):  # TypeError: a word that is a list or a dict
            forecast = self._first(attributes, told, spread)
        if forecast:
            return forecast.read(attributes, events, _flat(spread) if spread else ())
        return self.interpret(attributes, events)

    def interpret(self, attributes: Attributes, events: tuple[SpanEvent, ...]) -> Reading:
        """What any span of the shape says."""
        return Interpreter(attributes, events, asking(attributes)).interpret(self._horizon.plan)

    def _first(self, attributes: Attributes, told: Any, spread: Sequence[Any]) -> Forecast | None:
        """The forecast for spans with these words that feed these fields."""
        if self._horizon.room <= 0 or not _are_few(spread):
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
            if type(parts) not in SILENT:
                facts[token] = {name: Mark((token, name), step.source) for name in parts}
                known |= {(token, name): at for at, name in enumerate(parts, len(known))}
        forecast = self._horizon.foresee(attributes, facts, known, len(known))
        if not (self._words or self._spreads):
            self._only = forecast
        return self._forecasts.setdefault(told, forecast)


def _parts(said: Any) -> Collection[Any]:
    return said.values() if isinstance(said, Mapping) else (said,)


def _names(parts: Any) -> tuple[Any, ...]:
    """Which fields these are for, or that they are for none."""
    return (type(parts),) if type(parts) in SILENT else tuple(parts)


def _are_few(spread: Iterable[Any]) -> bool:
    """Whether so few fields are fed, and by names so short, that they may be remembered."""
    names = [name for parts in spread if type(parts) not in SILENT for name in parts]
    return len(names) <= _MOST_FIELDS and max(map(len, names), default=0) <= _LONGEST_NAME


def _flat(spread: Iterable[Any]) -> Iterator[Any]:
    """The values of all these, one after the other."""
    return chain.from_iterable(parts.values() for parts in spread if type(parts) not in SILENT)


__all__ = ["Outlook"]
