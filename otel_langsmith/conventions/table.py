"""Tables of attributes and what they mean: row kinds, and the one interpreter of them all.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from otel_langsmith.conventions.fields import CONTENT, UNIONS, Field
from otel_langsmith.conventions.readers import UNREADABLE, Thin, as_is

Reader: TypeAlias = Callable[[Any], Any]
"""An attribute's value → a field's value, or `UNREADABLE`. Pure and total: never raises."""

Attributes: TypeAlias = dict[str, Any]

PLANS: Final = 4096
"""Shapes remembered before all are forgotten: a service has tens, a hostile one any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Which attributes feed which field, through which reader.

    Build one with `attr`, `prefix`, `spread` or `event`. ``keep`` leaves the attribute where it is,
    so that it reaches metadata under its own name too. ``given`` and ``scope`` say on which spans
    the row applies: those that have all these attributes, those of this instrumentation scope.
    """

    field: Field | None
    keys: tuple[str, ...]
    via: Reader
    content: bool
    family: bool = False
    event: str | None = None
    keep: bool = False
    given: tuple[str, ...] = ()
    scope: str | None = None


def attr(
    field: Field,
    *keys: str,
    via: Reader = as_is,
    keep: bool = False,
    given: tuple[str, ...] = (),
    scope: str | None = None,
) -> Row:
    """A row for the first readable of several attributes."""
    return Row(
        field=field,
        keys=keys,
        via=via,
        content=field in CONTENT,
        keep=keep,
        given=given,
        scope=scope,
    )


def prefix(field: Field, start: str, *, via: Reader = as_is) -> Row:
    """A row for every attribute that begins with ``start``, each kept under its remainder."""
    return Row(field=field, keys=(start,), via=via, content=field in CONTENT, family=True)


def spread(key: str, *, via: Reader, keep: bool = False, content: bool = False) -> Row:
    """A row for one attribute that feeds several fields: ``via`` returns them as a mapping."""
    return Row(field=None, keys=(key,), via=via, content=content, keep=keep)


def event(field: Field, name: str, key: str, *, via: Reader = as_is) -> Row:
    """A row for content in the attribute ``key`` of a span event; the rest of the event stays."""
    return Row(field=field, keys=(key,), via=via, content=True, event=name)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Convention:
    """One dialect of attributes.

    A ``fallback`` convention describes spans that no other knows: its content counts only while
    nobody said what type of run the span is, and otherwise stays in metadata, as its readers clean
    it. ``spec`` says what the table mirrors, by version or commit.
    """

    name: str
    spec: str
    rows: tuple[Row, ...]
    fallback: bool = False


class SpanEvent(Protocol):
    """As much of a span event as content needs."""

    @property
    def name(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Any] | None: ...


@dataclass(slots=True)
class Reading:
    """What the tables made of one span: every attribute is in one of these, or superseded.

    ``params``, ``usage``, its two details and ``lineage`` hold the fields of those prefixes,
    ``fields`` all other scalars; ``metadata`` has the names that rows chose. ``inputs`` and
    ``outputs`` are the fields of the one convention that owns them. ``rest`` holds the attributes
    nobody took, the very objects they were.
    """

    rest: Attributes
    fields: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    input_details: dict[str, Any] = field(default_factory=dict)
    output_details: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def put(self, home: str, name: str, value: Any) -> bool:
        """Whether the field has ``value`` now: the first wins, and another like it is no loss."""
        held: dict[str, Any] = getattr(self, home)
        if name not in held:
            held[name] = value
        elif name in UNIONS:
            held[name] = tuple(dict.fromkeys((*held[name], *value)))
        else:
            return type(held[name]) is type(value) and bool(held[name] == value)
        return True


_HOMES: Final = {
    "usage.input_token_details.": "input_details",
    "usage.output_token_details.": "output_details",
    "usage.": "usage",
    "params.": "params",
    "metadata.": "metadata",
    "lineage.": "lineage",
}


@lru_cache(maxsize=1024)
def home_of(name: str) -> tuple[str, str]:
    """Where in a `Reading` a field lives, and under which name."""
    for start, home in _HOMES.items():
        if name.startswith(start):
            return home, name[len(start) :]
    return "fields", name


class Step(NamedTuple):
    """A row meeting one attribute that is there; without a home it feeds several fields."""

    home: str | None
    name: str
    key: str
    via: Reader
    keep: bool


class Side(NamedTuple):
    """One convention's say on the inputs, or on the outputs."""

    fallback: bool
    steps: tuple[Step, ...]
    events: tuple[Row, ...]


class Plan(NamedTuple):
    """What the tables do with spans of one shape."""

    scalars: tuple[Step, ...]
    aloud: tuple[tuple[Side, ...], tuple[Side, ...]]
    """Who speaks for inputs and outputs of a span with events, and then of one without."""

    quiet: tuple[tuple[Side, ...], tuple[Side, ...]]
    content: tuple[str, ...]
    """Keys that never reach metadata: taken by the owner, or superseded."""


class Table:
    """Several conventions read as one, in order of precedence."""

    def __init__(self, conventions: tuple[Convention, ...]) -> None:
        self._conventions = conventions
        self._plans: dict[tuple[str, ...], Plan] = {}
        rows = [row for convention in conventions for row in convention.rows if row.content]
        self._content = frozenset(
            key for row in rows if not row.family and not row.event for key in row.keys
        )
        self._families = tuple(row.keys[0] for row in rows if row.family)
        self._events = frozenset((row.event, key) for row in rows if row.event for key in row.keys)

    def is_content(self, key: str) -> bool:
        """Whether any convention, winning or not, calls this attribute an input or an output."""
        return key in self._content or key.startswith(self._families)

    def is_event_content(self, name: str, key: str) -> bool:
        """The same for an attribute of a span event."""
        return (name, key) in self._events

    def read(
        self, scope: str, attributes: Attributes, events: tuple[SpanEvent, ...] = ()
    ) -> Reading:
        """What a span says. Takes out of ``attributes`` all that a field has or that is superseded.

        Raises:
            Exception: whatever a reader raises that is not total, as it must be.
        """
        shape = (scope, *attributes)
        plan = self._plans.get(shape) or self._remember(shape)
        reading = Reading(attributes)
        for home, name, key, via, keep in plan.scalars:
            if key in attributes:
                value = via(attributes[key])
                if value is not UNREADABLE:
                    took = reading.put(home, name, value) if home else _spread(reading, value)
                    if took and not keep:
                        del attributes[key]
        inputs, outputs = plan.aloud if events else plan.quiet
        if inputs:
            reading.inputs = _owned(inputs, reading, events)
        if outputs:
            reading.outputs = _owned(outputs, reading, events)
        for key in plan.content:
            attributes.pop(key, None)
        return reading

    def _remember(self, shape: tuple[str, ...]) -> Plan:
        if len(self._plans) >= PLANS:
            self._plans.clear()
        keys = dict.fromkeys(shape[1:])
        return self._plans.setdefault(shape, self._plan(shape[0], keys))

    def _plan(self, scope: str, keys: Collection[str]) -> Plan:
        """What the rows want with these keys; which of them get it, the values decide."""
        scalars: list[Step] = []
        sides: dict[str, list[Side]] = {"inputs": [], "outputs": []}
        claimed: set[str] = set()
        cleaned: set[str] = set()
        for convention in self._conventions:
            rows = [row for row in convention.rows if _applies(row, scope, keys)]
            claims = cleaned if convention.fallback else claimed
            for row in rows:
                steps = [step for step in _steps(row, keys) if step.key not in claimed]
                if _side(row):
                    claims.update(step.key for step in steps)
                else:
                    scalars += steps
            for name, found in sides.items():
                side = _side_of(convention, [row for row in rows if _side(row) == name], keys)
                if side.steps or side.events:
                    found.append(side)
        content = tuple(key for key in keys if self.is_content(key) and key not in cleaned)
        inputs, outputs = map(tuple, sides.values())
        return Plan(tuple(scalars), (inputs, outputs), (_quiet(inputs), _quiet(outputs)), content)


@lru_cache(maxsize=8)
def table_of(conventions: tuple[Convention, ...]) -> Table:
    """The one `Table` of these conventions, with the plans it has made so far."""
    return Table(conventions)


def _side(row: Row) -> str | None:
    """``inputs`` or ``outputs`` if the row feeds one of them."""
    name = (row.field or "").partition(".")[0]
    return name if name in ("inputs", "outputs") else None


def _quiet(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    return tuple(side for side in sides if side.steps)


def _side_of(convention: Convention, rows: list[Row], keys: Collection[str]) -> Side:
    """No attribute twice on one side: the earlier row takes it."""
    steps: dict[str, Step] = {}
    for row in rows:
        for step in _steps(row, keys):
            steps.setdefault(step.key, step)
    events = tuple(row for row in rows if row.event)
    return Side(convention.fallback, tuple(steps.values()), events)


def _applies(row: Row, scope: str, keys: Collection[str]) -> bool:
    return row.scope in (None, scope) and all(key in keys for key in row.given)


def _steps(row: Row, keys: Collection[str]) -> Iterator[Step]:
    """One step for each attribute that the row finds, in the row's order of preference."""
    if row.event:
        return
    if not row.family:
        home, name = home_of(row.field) if row.field else (None, "")
        for key in row.keys:
            if key in keys:
                yield Step(home, name, key, row.via, row.keep)
        return
    start = row.keys[0]
    for key in keys:
        if key.startswith(start) and len(key) > len(start):
            yield Step(*home_of(f"{row.field}.{key[len(start) :]}"), key, row.via, row.keep)


def _spread(reading: Reading, value: Mapping[str, Any]) -> bool:
    """Whether any of several fields took its value."""
    took = False
    for name, part in value.items():
        took = reading.put(*home_of(name), part) or took
    return took


def _owned(
    sides: tuple[Side, ...], reading: Reading, events: tuple[SpanEvent, ...]
) -> dict[str, Any]:
    """The fields of the first convention that yields anything; failing that, of one that tried."""
    attributes = reading.rest
    thin: dict[str, Any] = {}
    owner: dict[str, Any] | None = None
    for side in sides:
        if side.fallback and (owner is not None or "run_type" in reading.fields):
            _clean(side, attributes)
        elif owner is None:
            parts, yields = _parts(side, attributes, events)
            if yields:
                owner = parts
            else:
                thin = thin or parts
            if side.fallback:
                for step in side.steps:
                    attributes.pop(step.key, None)
    return thin if owner is None else owner


def _parts(
    side: Side, attributes: Attributes, events: tuple[SpanEvent, ...]
) -> tuple[dict[str, Any], bool]:
    """What one convention has for one side, and whether there is anything in it."""
    parts: dict[str, Any] = {}
    yields = False
    for _, name, key, via, _ in side.steps:
        if name not in parts and key in attributes:
            yields = _part(parts, name, via(attributes[key])) or yields
    if events and side.events:
        for name, via, value in _in_events(side, events):
            if name not in parts:
                yields = _part(parts, name, via(value)) or yields
    return parts, yields


def _part(parts: dict[str, Any], name: str, value: Any) -> bool:
    """Whether there is anything in this part."""
    if value is UNREADABLE:
        return False
    if isinstance(value, Thin):
        parts[name] = value.value
        return False
    parts[name] = value
    return not (value is None or (isinstance(value, (str, list, tuple, dict)) and not value))


def _in_events(side: Side, events: tuple[SpanEvent, ...]) -> Iterator[tuple[str, Reader, Any]]:
    for found in events:
        held = found.attributes or {}
        for row in side.events:
            if row.event == found.name and row.keys[0] in held:
                yield row.field or "", row.via, held[row.keys[0]]


def _clean(side: Side, attributes: Attributes) -> None:
    """Content of a fallback that nobody needs stays in metadata, in the form it is fit to show."""
    for step in side.steps:
        if step.key in attributes:
            value = step.via(attributes[step.key])
            if value is not UNREADABLE:
                attributes[step.key] = value


__all__ = ["Convention", "Reading", "Row", "Table", "attr", "event", "prefix", "spread", "table_of"]
