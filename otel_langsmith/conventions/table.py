"""Tables of attributes and what they mean: row kinds, and the one interpreter of them all.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.fields import CONTENT, UNIONS, Field
from otel_langsmith.conventions.readers import UNREADABLE, Thin, as_is

Reader: TypeAlias = Callable[[Any], Any]
"""An attribute's value → a field's value, or `UNREADABLE`. Pure and total: never raises."""

Attributes: TypeAlias = dict[str, Any]

PLANS: Final = 4096
"""Shapes remembered before all are forgotten: a service has tens, a hostile one any number."""

_ABSENT: Final = object()


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


@dataclass(slots=True)
class Reading:
    """What the tables made of one span: every attribute is in one of these, or superseded.

    ``inputs`` and ``outputs`` are the fields of the one convention that owns them. ``metadata`` has
    the names that rows chose, ``rest`` the attributes nobody took, the very objects they were.
    """

    table: "Table"
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    rest: Attributes = field(default_factory=dict)

    def put(self, name: str, value: Any) -> bool:
        """Whether the field took ``value``: scalars coalesce, the first one wins."""
        held, name = (
            (self.metadata, name[9:]) if name.startswith("metadata.") else (self.fields, name)
        )
        if name not in held:
            held[name] = value
        elif name in UNIONS:
            held[name] = tuple(dict.fromkeys((*held[name], *value)))
        else:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Step:
    """A row meeting one attribute that is there."""

    field: str | None
    key: str
    via: Reader
    keep: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One convention's say on the inputs, or on the outputs."""

    fallback: bool
    steps: tuple[Step, ...]
    events: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the tables do with spans of one shape."""

    scalars: tuple[Step, ...]
    inputs: tuple[Side, ...]
    outputs: tuple[Side, ...]
    content: tuple[str, ...]
    """Keys that never reach metadata: taken by the owner, or superseded."""


EventAttributes: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]


class Table:
    """Several conventions read as one, in order of precedence."""

    def __init__(self, conventions: tuple[Convention, ...]) -> None:
        self._conventions = conventions
        self._plans: dict[tuple[str, tuple[str, ...]], Plan] = {}
        rows = [row for convention in conventions for row in convention.rows if row.content]
        self._content = frozenset(
            key for row in rows if not row.family and not row.event for key in row.keys
        )
        self._families = tuple(row.keys[0] for row in rows if row.family)
        self._events = frozenset((row.event, key) for row in rows if row.event for key in row.keys)
        self.reads_events: Final = bool(self._events)

    def is_content(self, key: str) -> bool:
        """Whether any convention, winning or not, calls this attribute an input or an output."""
        return key in self._content or key.startswith(self._families)

    def is_event_content(self, name: str, key: str) -> bool:
        """The same for an attribute of a span event."""
        return (name, key) in self._events

    def read(self, scope: str, attributes: Attributes, events: EventAttributes = ()) -> Reading:
        """What a span says. Empties ``attributes`` of all that went into a field or was superseded.

        Raises:
            Exception: whatever a reader raises that is not total, as it must be.
        """
        shape = (scope, tuple(attributes))
        plan = self._plans.get(shape) or self._remember(shape)
        reading = Reading(self, rest=attributes)
        for step in plan.scalars:
            value = attributes.get(step.key, _ABSENT)
            if value is _ABSENT or (value := step.via(value)) is UNREADABLE:
                continue
            took = _spread(reading, value) if step.field is None else reading.put(step.field, value)
            if took and not step.keep:
                del attributes[step.key]
        if plan.inputs:
            reading.inputs = _owned(plan.inputs, reading, events)
        if plan.outputs:
            reading.outputs = _owned(plan.outputs, reading, events)
        for key in plan.content:
            attributes.pop(key, None)
        return reading

    def _remember(self, shape: tuple[str, tuple[str, ...]]) -> Plan:
        if len(self._plans) >= PLANS:
            self._plans.clear()
        return self._plans.setdefault(shape, self._plan(*shape))

    def _plan(self, scope: str, keys: tuple[str, ...]) -> Plan:
        """What the rows want with these keys; which of them get it, the values decide."""
        scalars: list[Step] = []
        sides: dict[str, list[Side]] = {"inputs": [], "outputs": []}
        content: set[str] = set()
        cleaned: set[str] = set()
        for convention in self._conventions:
            rows = [row for row in convention.rows if _applies(row, scope, keys)]
            scalars += [
                step
                for row in rows
                if not _side(row)
                for step in _steps(row, keys)
                if step.key not in content
            ]
            for name, found in sides.items():
                own = [row for row in rows if _side(row) == name]
                steps = tuple(_distinct(step for row in own for step in _steps(row, keys)))
                events = tuple(row for row in own if row.event)
                if steps or events:
                    found.append(Side(convention.fallback, steps, events))
                (cleaned if convention.fallback else content).update(s.key for s in steps)
        content.update(key for key in keys if self.is_content(key) and key not in cleaned)
        return Plan(
            tuple(scalars),
            tuple(sides["inputs"]),
            tuple(sides["outputs"]),
            tuple(key for key in keys if key in content),
        )


@lru_cache(maxsize=8)
def table_of(conventions: tuple[Convention, ...]) -> Table:
    """The one `Table` of these conventions, with the plans it has made so far."""
    return Table(conventions)


def _side(row: Row) -> str | None:
    """``inputs`` or ``outputs`` if the row feeds one of them."""
    name = (row.field or "").partition(".")[0]
    return name if name in ("inputs", "outputs") else None


def _applies(row: Row, scope: str, keys: tuple[str, ...]) -> bool:
    return row.scope in (None, scope) and all(key in keys for key in row.given)


def _steps(row: Row, keys: tuple[str, ...]) -> Iterator[Step]:
    """One step for each attribute that the row finds, in the row's order of preference."""
    if row.event:
        return
    if not row.family:
        for key in row.keys:
            if key in keys:
                yield Step(row.field, key, row.via, row.keep)
        return
    start = row.keys[0]
    for key in keys:
        if key.startswith(start) and len(key) > len(start):
            yield Step(f"{row.field}.{key[len(start) :]}", key, row.via, row.keep)


def _distinct(steps: Iterable[Step]) -> Iterator[Step]:
    """No attribute twice on one side of one convention: the earlier row takes it."""
    seen: set[str] = set()
    for step in steps:
        if step.key not in seen:
            seen.add(step.key)
            yield step


def _spread(reading: Reading, value: Mapping[Field, Any]) -> bool:
    """Whether any of several fields took its value."""
    took = [reading.put(name, part) for name, part in value.items()]
    return any(took)


def _owned(sides: tuple[Side, ...], reading: Reading, events: EventAttributes) -> dict[str, Any]:
    """The fields of the first convention that yields anything; failing that, of one that tried."""
    empty: dict[str, Any] = {}
    owner: dict[str, Any] | None = None
    for side in sides:
        if side.fallback and (owner is not None or "run_type" in reading.fields):
            _clean(side, reading.rest)
            continue
        if owner is None:
            parts, yields = _parts(side, reading.rest, events)
            if yields:
                owner = parts
            else:
                empty = empty or parts
            if side.fallback:
                for step in side.steps:
                    reading.rest.pop(step.key, None)
    return empty if owner is None else owner


def _parts(
    side: Side, attributes: Attributes, events: EventAttributes
) -> tuple[dict[str, Any], bool]:
    parts: dict[str, Any] = {}
    yields = False
    found = [(step.field, step.via, attributes.get(step.key, _ABSENT)) for step in side.steps]
    found += [
        (row.field, row.via, held[row.keys[0]])
        for name, held in events
        for row in side.events
        if row.event == name and row.keys[0] in held
    ]
    for name, via, value in found:
        if value is _ABSENT or name is None or name in parts:
            continue
        part = via(value)
        if part is UNREADABLE:
            continue
        thin = isinstance(part, Thin)
        parts[name] = part.value if thin else part
        yields = yields or not (thin or _is_empty(part))
    return parts, yields


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, tuple, dict)) and not value)


def _clean(side: Side, attributes: Attributes) -> None:
    """Content of a fallback that nobody needs stays in metadata, in the form it is fit to show."""
    for step in side.steps:
        if step.key in attributes:
            value = step.via(attributes[step.key])
            if value is not UNREADABLE:
                attributes[step.key] = value


__all__ = ["Convention", "Row", "Table", "attr", "event", "prefix", "spread", "table_of"]
