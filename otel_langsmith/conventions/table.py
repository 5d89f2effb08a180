"""Tables of attributes and what they mean: the one interpreter of them all.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from otel_langsmith.conventions.fields import MINOR, UNIONS
from otel_langsmith.conventions.messages import size
from otel_langsmith.conventions.plan import SEVERAL, Plan, Planner, Side, Simple, Step, home_of
from otel_langsmith.conventions.readers import BLANK, UNREADABLE, Raw, Thin
from otel_langsmith.conventions.rows import Convention, Row

Attributes: TypeAlias = Mapping[str, Any]
Fields: TypeAlias = dict[str, Any]

PLANS: Final = 4096
"""Shapes remembered before all are forgotten: a service has tens, a hostile one any number."""

UNREAD: Final = "unread_content"
"""Content in a form that no reader knows (cut JSON, a Python repr); it is shown as it came."""


class SpanEvent(Protocol):
    """As much of a span event as a run needs."""

    @property
    def name(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def attributes(self) -> Mapping[str, Any] | None: ...


class Reading:
    """What the tables made of one span: every attribute is in one of these, or superseded.

    ``params``, ``usage``, its two details and ``lineage`` hold the fields of those prefixes,
    ``fields`` all other scalars; ``metadata`` has the names that rows chose. ``inputs`` and
    ``outputs`` are the fields of the one convention that owns them, by their names within the side:
    empty for the whole of it. ``rest`` holds the attributes nobody took, the very objects they
    were; ``notes`` what was to be counted.
    """

    __slots__ = (
        "events",
        "fields",
        "homes",
        "input_details",
        "inputs",
        "lineage",
        "metadata",
        "notes",
        "output_details",
        "outputs",
        "params",
        "rest",
        "usage",
    )

    def __init__(self, rest: Fields, events: tuple[SpanEvent, ...] = ()) -> None:
        self.rest = rest
        self.events = events
        self.fields: Fields = {}
        self.params: Fields = {}
        self.usage: Fields = {}
        self.input_details: Fields = {}
        self.output_details: Fields = {}
        self.metadata: Fields = {}
        self.lineage: Fields = {}
        self.inputs: Fields = {}
        self.outputs: Fields = {}
        self.notes: tuple[str, ...] = ()
        self.homes = (  # in the order of `plan.HOMES`
            self.fields,
            self.params,
            self.usage,
            self.input_details,
            self.output_details,
            self.metadata,
            self.lineage,
        )

    def put(self, home: int, name: str, value: Any) -> bool:
        """Whether the field has ``value`` now: the first wins, and another like it is no loss."""
        held = self.homes[home]
        if name not in held:
            held[name] = value
        elif name in UNIONS:
            held[name] = tuple(dict.fromkeys((*held[name], *value)))
        else:
            return type(held[name]) is type(value) and bool(held[name] == value)
        return True


class Table:
    """Several conventions read as one, in order of precedence."""

    def __init__(self, conventions: tuple[Convention, ...]) -> None:
        self._planner = Planner(conventions)
        self._plans: dict[tuple[str, ...], Plan] = {}
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
        plan = self._plans.get(shape) or self._remember(shape)
        reading = Reading({key: attributes[key] for key in plan.kept}, events)
        if plan.scalars:
            _read_scalars(plan.scalars, reading, attributes)
        if plan.simple:
            _read_simple(plan.simple, reading, attributes)
        run_type = reading.fields.get("run_type", "chain")
        asked = plan.aloud if events else plan.quiet
        inputs, outputs = asked.get(run_type) or plan.ask(run_type, asked)
        if inputs or outputs:
            _read_content(inputs, outputs, reading, attributes)
        return reading

    def _remember(self, shape: tuple[str, ...]) -> Plan:
        if len(self._plans) >= PLANS:
            self._plans.clear()
        plan = self._planner.plan(shape[0], dict.fromkeys(shape[1:]))
        return self._plans.setdefault(shape, plan)


@lru_cache(maxsize=8)
def table_of(conventions: tuple[Convention, ...]) -> Table:
    """The one `Table` of these conventions, with the plans it has made so far."""
    return Table(conventions)


def _read_scalars(steps: tuple[Step, ...], reading: Reading, attributes: Attributes) -> None:
    homes = reading.homes
    left: Fields = {}
    taken: set[str] = set()
    for step in steps:
        _, source, via, home, name, keep, again, keys, content = step
        if again and not keep and keys and taken.issuperset(keys):
            continue
        value = via(source(attributes))
        if value is UNREADABLE or value is BLANK:
            took = value is BLANK
        elif home >= 0 and name not in homes[home]:
            homes[home][name] = value
            took = True
        elif home == SEVERAL:
            took = _spread(reading, value)
        else:
            took = reading.put(home, name, value) or content
        if keep:
            continue
        if not took:
            left.update((key, attributes[key]) for key in keys)
        elif again:
            taken.update(keys)
    if left:
        reading.rest.update((key, value) for key, value in left.items() if key not in taken)


def _read_simple(steps: tuple[Simple, ...], reading: Reading, attributes: Attributes) -> None:
    homes = reading.homes
    for key, via, home, name, left in steps:
        given = attributes[key]
        value = via(given)
        if value is UNREADABLE:
            if left:
                reading.rest[key] = given
        elif name not in homes[home]:
            if value is not BLANK:
                homes[home][name] = value
        elif left and not (value is BLANK or reading.put(home, name, value)):
            reading.rest[key] = given


def _spread(reading: Reading, value: Mapping[str, Any]) -> bool:
    """Whether any of several fields took its value."""
    took = False
    for name, part in value.items():
        home, key = home_of(name)
        took = reading.put(home, key, part) or took
    return took


def _read_content(
    inputs: tuple[Side, ...],
    outputs: tuple[Side, ...],
    reading: Reading,
    attributes: Attributes,
) -> None:
    """Both sides; of what was meant for a side that ends empty, the attributes are kept."""
    used: set[str] = set()
    if inputs:
        reading.inputs = _owned(inputs, reading, attributes, used)
    if outputs:
        reading.outputs = _owned(outputs, reading, attributes, used)
    for sides, found in ((inputs, reading.inputs), (outputs, reading.outputs)):
        if sides and not found:
            meant = (side.sources for side in sides if not side.fallback)
            unread = frozenset().union(*meant) - used
            reading.rest.update((key, attributes[key]) for key in unread)


def _owned(
    sides: tuple[Side, ...],
    reading: Reading,
    attributes: Attributes,
    used: set[str],
) -> Fields:
    """The fields of the first convention that has any; failing that, of those that tried.

    What goes with other content (a system prompt, variables) goes with the owner's, whoever has it.
    """
    owner: Fields | None = None
    minor: Fields = {}
    poor: Fields = {}
    for side in sides:
        if side.fallback and (owner is not None or "run_type" in reading.fields):
            _clean(side, reading, attributes, used)
        elif owner is None:
            found, thin = _found(side, reading, attributes, used)
            if found.keys() <= MINOR:
                minor = {**found, **minor}
                poor = {**thin, **poor}
            else:
                owner = found
            if side.fallback:
                _clean(side, reading, attributes, used)
    if owner is None:
        return {**poor, **minor}
    return {**minor, **owner} if minor else owner


def _found(
    side: Side, reading: Reading, attributes: Attributes, used: set[str]
) -> tuple[Fields, Fields]:
    """What one convention has for one side: what says something, and what is there but empty."""
    find = _find_quickly if side.quick else _find
    found, thin = find(side, reading, attributes, used)
    for row in side.events:
        name = (row.field or "").partition(".")[2]
        if name not in found:
            for value in _in_events(row, reading.events):
                if _keep(reading, name, row.via(value), found, thin):
                    break
    return found, thin


def _find_quickly(
    side: Side, reading: Reading, attributes: Attributes, used: set[str]
) -> tuple[Fields, Fields]:
    """What `_find` does, for parts without conditions: half of its cost, and most spans."""
    found: Fields = {}
    thin: Fields = {}
    for name, key, via in side.quick:
        value = via(attributes[key])
        if value is not UNREADABLE:
            used.add(key)
            if value and type(value) in _SAYING:
                found[name] = value
            else:
                _keep(reading, name, value, found, thin)
    return found, thin


def _find(
    side: Side, reading: Reading, attributes: Attributes, used: set[str]
) -> tuple[Fields, Fields]:
    """An attribute is read once, and one that is the whole of its side only if nothing else is."""
    found: Fields = {}
    thin: Fields = {}
    read: set[str] = set()
    for name, _, source, via, _, least, keys in side.parts:
        if name in found or keys[0] in read:
            continue
        if found and not name and not found.keys() <= MINOR:
            continue
        value = via(source(attributes))
        if value is UNREADABLE or (least and size(value) < least):
            continue
        read.add(keys[0])
        used.update(keys)
        _keep(reading, name, value, found, thin)
    return found, thin


_SAYING: Final = frozenset((str, int, list, dict, tuple))
"""Types of which a value that is true says something."""


def _keep(reading: Reading, name: str, value: Any, found: Fields, thin: Fields) -> bool:
    """Whether there is anything in this part."""
    if value is UNREADABLE:
        return False
    if type(value) is Raw:
        reading.notes = (UNREAD,)
        value = value.value
    if type(value) is Thin:
        thin.setdefault(name, value.value)
        return False
    if value is None or (isinstance(value, (str, list, tuple, dict)) and not value):
        thin.setdefault(name, value)
        return False
    found[name] = value
    return True


def _in_events(row: Row, events: tuple[SpanEvent, ...]) -> Iterator[Any]:
    """What an event row reads: one attribute of each event, or all of these events at once."""
    if row.kind == "event":
        name, key = row.names[0], row.keys[0]
        for found in events:
            if found.name == name and found.attributes and key in found.attributes:
                yield found.attributes[key]
    else:
        told = [
            (found.name, dict(found.attributes or {}))
            for found in events
            if found.name in row.names
        ]
        if told:
            yield told


def _clean(side: Side, reading: Reading, attributes: Attributes, used: set[str]) -> None:
    """Content of a fallback that nobody needs stays in metadata, in the form it is fit to show."""
    if side.sources <= used:
        return
    cleaners = {part.key: part.via for part in side.parts}
    for key in side.sources - used:
        value = cleaners[key](attributes[key]) if key in cleaners else UNREADABLE
        reading.rest[key] = attributes[key] if value is UNREADABLE else value


__all__ = ["PLANS", "UNREAD", "Reading", "Table", "table_of"]
