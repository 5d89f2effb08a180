"""What the rows of a plan make of one span: the one meaning of a table, value by value.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

from otel_langsmith.conventions.fields import MINOR, MORE, NAMING, OF_MODELS, PLAIN
from otel_langsmith.conventions.messages import size
from otel_langsmith.conventions.plan import GATHERED, SEVERAL, Part, Plan, Side, Step, home_of
from otel_langsmith.conventions.readers import BLANK, UNREADABLE, Raw, Thin, is_empty
from otel_langsmith.conventions.rows import Row
from otel_langsmith.run import RUN_TYPES, RunType

Attributes: TypeAlias = Mapping[str, Any]
Fields: TypeAlias = dict[str, Any]

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


@dataclass(frozen=True, slots=True)
class Traits:
    """What the type of a run and the names of its fields tell of a reading, whatever it says.

    All spans of one forecast have the same, so nobody need look for these names in each.
    """

    run_type: RunType = "chain"
    """The one that it says, if LangSmith knows it."""
    is_counted: bool = False
    """Whether it has any number of tokens, or a price."""
    is_modelled: bool = False
    """Whether there is anything to tell of a model: it is of one, or has any of `OF_MODELS`."""
    is_named: bool = False
    """Whether it has any of `NAMING`."""
    is_plain: bool = True
    """Whether inputs and outputs stand as they are: none is other than `PLAIN`."""
    says_more: bool = False
    """Whether it has any of `MORE`."""


class Reading(NamedTuple):
    """What the tables made of one span: every attribute is in one of these, or superseded.

    ``params``, ``usage``, its two details and ``lineage`` hold the fields of those prefixes,
    ``fields`` all other scalars; ``metadata`` has the names that rows chose. ``inputs`` and
    ``outputs`` are the fields of the one convention that owns them, by their names within the side:
    empty for the whole of it. ``rest`` holds the attributes nobody took, the very objects they
    were; ``notes`` what was to be counted. ``traits`` are `traits_of` all this.
    """

    fields: Fields
    params: Fields
    usage: Fields
    input_details: Fields
    output_details: Fields
    metadata: Fields
    lineage: Fields
    inputs: Fields
    outputs: Fields
    rest: Fields
    events: tuple[SpanEvent, ...]
    notes: tuple[str, ...]
    traits: Traits = Traits()

    @classmethod
    def of(
        cls, rest: Fields, events: tuple[SpanEvent, ...] = (), notes: tuple[str, ...] = ()
    ) -> "Reading":
        """The attributes with nothing made of them."""
        return cls({}, {}, {}, {}, {}, {}, {}, {}, {}, rest, events, notes)

    @property
    def homes(self) -> tuple[Fields, ...]:
        """All that holds fields: first the `plan.HOMES`, then both sides and the rest."""
        return (
            self.fields,
            self.params,
            self.usage,
            self.input_details,
            self.output_details,
            self.metadata,
            self.lineage,
            self.inputs,
            self.outputs,
            self.rest,
        )

    def put(self, home: int, name: str, value: Any) -> bool:
        """Whether the field has ``value`` now: the first wins, and another like it is no loss."""
        held = self.homes[home]
        if name not in held:
            held[name] = value
        elif (home, name) in GATHERED:
            held[name] = tuple(dict.fromkeys((*held[name], *value)))
        else:
            return type(held[name]) is type(value) and bool(held[name] == value)
        return True


def traits_of(reading: Reading) -> Traits:
    """What the names of its fields tell of it."""
    fields, run_type = reading.fields.keys(), reading.fields.get("run_type", "chain")
    return Traits(
        cast("RunType", run_type if run_type in RUN_TYPES else "chain"),
        bool(reading.usage or reading.input_details or reading.output_details),
        run_type == "llm" or not OF_MODELS.isdisjoint(fields),
        not NAMING.isdisjoint(fields),
        PLAIN.issuperset(reading.inputs) and PLAIN.issuperset(reading.outputs),
        not MORE.isdisjoint(fields),
    )


class Interpreter:
    """The rows of a plan, each asked in its turn about one span; used once.

    ``ask`` says what a step or a part reads: by `asking` its value, by `forecast` a mark for that.
    """

    def __init__(
        self,
        attributes: Attributes,
        events: tuple[SpanEvent, ...],
        ask: Callable[[Step | Part], Any],
    ) -> None:
        self._attributes = attributes
        self._ask = ask
        self._used: set[str] = set()
        """The attributes whose content was read."""
        self._unread = False
        self._reading = Reading.of({}, events)

    def interpret(self, plan: Plan) -> Reading:
        """What the span says."""
        reading = self._reading
        reading.rest.update((key, self._attributes[key]) for key in plan.kept)
        self._scalars(plan.steps)
        run_type = reading.fields.get("run_type", "chain")
        self._content(*plan.sides(run_type, aloud=bool(reading.events)))
        notes = (UNREAD,) if self._unread else ()
        return reading._replace(notes=notes, traits=traits_of(reading))

    def put(self, home: int, name: str, value: Any) -> bool:
        """Whether the field has ``value`` now; see `Reading.put`."""
        return self._reading.put(home, name, value)

    def suffices(self, value: Any, least: int) -> bool:
        """Whether these are so many messages."""
        return size(value) >= least

    def _scalars(self, steps: tuple[Step, ...]) -> None:
        homes, rest, attributes = self._reading.homes, self._reading.rest, self._attributes
        left: Fields = {}
        taken: set[str] = set()
        for step in steps:
            home, name, keep, keys = step.home, step.name, step.keep, step.keys
            if keep and home != SEVERAL and name in homes[home] and (home, name) not in GATHERED:
                continue  # the field is filled, and the attribute stays in any case
            if step.again and not keep and keys and taken.issuperset(keys):
                continue  # an earlier row took the attribute
            value = self._ask(step)
            if value is UNREADABLE or value is BLANK:
                took = value is BLANK
            elif home == SEVERAL:
                took = self._spread(value)
            else:
                took = self.put(home, name, value) or step.content
            if keep:
                continue
            if not took:
                left.update((key, attributes[key]) for key in keys)
            elif step.again:
                taken.update(keys)
        rest.update((key, value) for key, value in left.items() if key not in taken)

    def _spread(self, value: Mapping[str, Any]) -> bool:
        """Whether any of several fields took its value."""
        took = False
        for name, part in value.items():
            home, key = home_of(name)
            took = self.put(home, key, part) or took
        return took

    def _content(self, inputs: tuple[Side, ...], outputs: tuple[Side, ...]) -> None:
        """Both sides; of what was meant for a side that ends empty, the attributes are kept."""
        reading, attributes = self._reading, self._attributes
        reading.inputs.update(self._owned(inputs))
        reading.outputs.update(self._owned(outputs))
        for sides, found in ((inputs, reading.inputs), (outputs, reading.outputs)):
            if sides and not found:
                meant = (side.sources for side in sides if not side.fallback)
                unread = frozenset().union(*meant) - self._used
                reading.rest.update((key, attributes[key]) for key in unread)

    def _owned(self, sides: tuple[Side, ...]) -> Fields:
        """The fields of the first convention that has any; failing that, of those that tried.

        What goes with other content (a system prompt, variables) goes with the owner's, whoever
        has it.
        """
        owner: Fields | None = None
        minor: Fields = {}
        poor: Fields = {}
        for side in sides:
            if side.fallback and (owner is not None or "run_type" in self._reading.fields):
                self._clean(side)
            elif owner is None:
                found, thin = self._found(side)
                if _are_minor(found):
                    minor = {**found, **minor}
                    poor = {**thin, **poor}
                else:
                    owner = found
                if side.fallback:
                    self._clean(side)
        return {**poor, **minor} if owner is None else {**minor, **owner}

    def _found(self, side: Side) -> tuple[Fields, Fields]:
        """What one convention has for one side: what says something, and what is but empty.

        An attribute is read once, and one that is the whole of its side only if nothing else is.
        """
        found: Fields = {}
        thin: Fields = {}
        read: set[str] = set()
        for part in side.parts:
            name, keys = part.name, part.keys
            if name in found or keys[0] in read:
                continue
            if found and not name and not _are_minor(found):
                continue
            value = self._ask(part)
            if value is UNREADABLE or (part.least and not self.suffices(value, part.least)):
                continue
            read.add(keys[0])
            self._used.update(keys)
            self._keep(name, value, found, thin)
        for row in side.events:
            name = (row.field or "").partition(".")[2]
            if name not in found:
                for value in _in_events(row, self._reading.events):
                    if self._keep(name, row.via(value), found, thin):
                        break
        return found, thin

    def _keep(self, name: str, value: Any, found: Fields, thin: Fields) -> bool:
        """Whether there is anything in this part."""
        if value is UNREADABLE:
            return False
        if type(value) is Raw:
            self._unread = True
            value = value.value
        if type(value) is Thin:
            thin.setdefault(name, value.value)
            return False
        if is_empty(value):
            thin.setdefault(name, value)
            return False
        found[name] = value
        return True

    def _clean(self, side: Side) -> None:
        """Content of a fallback that nobody needs stays in metadata, in the form fit to show."""
        if side.sources <= self._used:
            return
        rest, attributes = self._reading.rest, self._attributes
        cleaners = {part.key: part for part in side.parts}
        for key in side.sources - self._used:
            value = self._ask(cleaners[key]) if key in cleaners else UNREADABLE
            rest[key] = attributes[key] if value is UNREADABLE else value


def _are_minor(found: Fields) -> bool:
    """Whether all of it only goes with other content, members of such a field included."""
    return all(name.partition(".")[0] in MINOR for name in found)


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


def asking(attributes: Attributes) -> Callable[[Step | Part], Any]:
    """What steps and parts read of these attributes."""
    return lambda one: one.via(one.source(attributes))


__all__ = ["UNREAD", "Interpreter", "Reading", "Traits", "asking", "traits_of"]
