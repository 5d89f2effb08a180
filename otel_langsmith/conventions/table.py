"""Tables of attributes and what they mean, read as one.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from functools import lru_cache
from typing import Final

from otel_langsmith.conventions.interpreter import UNREAD, Attributes, Reading, SpanEvent
from otel_langsmith.conventions.outlook import Outlook
from otel_langsmith.conventions.plan import Planner
from otel_langsmith.conventions.rows import Convention

SHAPES: Final = 2048
"""Shapes remembered before all are forgotten: a service has tens, a hostile one any number."""


class Table:
    """Several conventions read as one, in order of precedence."""

    def __init__(self, conventions: tuple[Convention, ...]) -> None:
        self._planner = Planner(conventions)
        self._outlooks: dict[tuple[str, ...], Outlook] = {}
        rows = [row for convention in conventions for row in convention.rows if row.content]
        self._scoped = [row for row in rows if row.when.scope and not row.is_spoken]
        still = [row for row in rows if not (row.when.scope or row.is_spoken)]
        self._content = frozenset(key for row in still if not row.is_family for key in row.keys)
        self._families = tuple(start for row in still if row.is_family for start in row.beginnings)
        spoken = [row for row in rows if row.is_spoken]
        self._events = frozenset(
            (name, key) for row in spoken for name in row.names for key in row.keys
        )
        self._whole_events = frozenset(name for row in spoken if not row.keys for name in row.names)
        self._heard = frozenset(name for row in spoken for name in row.names)
        self._tokens = tuple(name for convention in conventions for name in convention.tokens)

    def is_token(self, event_name: str) -> bool:
        """Whether a span event of this name tells of a token that came."""
        return event_name.startswith(self._tokens) and any(
            event_name == name or name.endswith(".") for name in self._tokens
        )

    def is_content(self, key: str, scope: str = "") -> bool:
        """Whether any convention, winning or not, calls this attribute an input or an output.

        Some do so only on spans of a certain instrumentation scope.
        """
        return (
            key in self._content
            or key.startswith(self._families)
            or any(row.claims(key) and row.is_for(scope) for row in self._scoped)
        )

    def is_event_content(self, name: str, key: str) -> bool:
        """The same for an attribute of a span event."""
        return name in self._whole_events or (name, key) in self._events

    def read(
        self, scope: str, attributes: Attributes, events: tuple[SpanEvent, ...] = ()
    ) -> Reading:
        """What a span says; the attributes themselves are left as they are.

        Raises:
            Exception: whatever a reader raises that is not total, as it must be.
        """
        shape = (scope, *attributes)
        outlook = self._outlooks.get(shape) or self._remember(shape)
        if events and not self._heard.isdisjoint([event.name for event in events]):
            return outlook.interpret(attributes, events)
        return outlook.read(attributes, events)

    def _remember(self, shape: tuple[str, ...]) -> Outlook:
        if len(self._outlooks) >= SHAPES:
            self._outlooks.clear()
        plan = self._planner.plan(shape[0], dict.fromkeys(shape[1:]))
        return self._outlooks.setdefault(shape, Outlook(plan))


@lru_cache(maxsize=8)
def table_of(conventions: tuple[Convention, ...]) -> Table:
    """The one `Table` of these conventions, with the plans it has made so far."""
    return Table(conventions)


__all__ = ["SHAPES", "UNREAD", "Reading", "Table", "table_of"]
