"""What the rows of all conventions want with spans of one shape: their scope, and their keys.

Which attributes are there decides most of what a table does; that is decided here, once for each
shape. Which of the rows get what they want, the values decide, in `table`.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from otel_langsmith.conventions.fields import UNIONS
from otel_langsmith.conventions.flattened import Grower, Tree, grower, names_of, tree_of
from otel_langsmith.conventions.readers import Constant
from otel_langsmith.conventions.rows import TURNS, Convention, Reader, Row
from otel_langsmith.run import RunType

HOMES: Final = (
    "fields",
    "params",
    "usage",
    "input_details",
    "output_details",
    "metadata",
    "lineage",
)
"""The parts of a `Reading` that scalars live in."""

SEVERAL: Final = -1
"""The home of a step that feeds several fields."""

_PREFIXES: Final = {
    "usage.input_token_details.": "input_details",
    "usage.output_token_details.": "output_details",
    "usage.": "usage",
    "params.": "params",
    "metadata.": "metadata",
    "lineage.": "lineage",
}


@lru_cache(maxsize=4096)
def home_of(name: str) -> tuple[int, str]:
    """Where in a `Reading` a field lives, and under which name."""
    for start, home in _PREFIXES.items():
        if name.startswith(start):
            return HOMES.index(home), name[len(start) :]
    return HOMES.index("fields"), name


RUN_TYPE: Final = home_of("run_type")

GATHERED: Final = frozenset(map(home_of, UNIONS))
"""Where the `UNIONS` live: a span's metadata may have a name of theirs, which is but a name."""


class Step(NamedTuple):
    """A row of scalars meeting one attribute that is there, or one flattened structure."""

    key: str
    """The attribute's, if it is one."""

    source: Grower
    via: Reader
    home: int
    name: str
    keep: bool
    again: bool
    """Whether other steps read the same attribute."""

    keys: tuple[str, ...]
    """What stays in metadata if the field does not want it."""

    content: bool

    @property
    def is_word(self) -> bool:
        """Whether it is a word for what kind of span this is, and so has the rest depend on it."""
        told = (self.home, self.name) == RUN_TYPE or (self.home == SEVERAL and self.keep)
        return told and bool(self.key) and not isinstance(self.via, Constant)


class Part(NamedTuple):
    """A row of content meeting one attribute, or one flattened structure."""

    name: str
    """The field's, without its side; empty if it is the whole of that."""

    key: str
    """The attribute's, if it is one."""

    source: Grower
    via: Reader
    runs: tuple[RunType, ...]
    least: int
    keys: tuple[str, ...]


class Side(NamedTuple):
    """One convention's say on the inputs, or on the outputs, in one turn."""

    fallback: bool
    parts: tuple[Part, ...]
    events: tuple[Row, ...]
    sources: frozenset[str]
    """The attributes that the parts read, or would of runs of another type."""


Sides: TypeAlias = tuple[tuple[Side, ...], tuple[Side, ...]]
"""Who speaks for the inputs, and who for the outputs."""


class Plan:
    """What the tables do with spans of one shape.

    ``steps`` are the scalars' in the order in which they are asked. ``kept`` are keys of which it
    is known already that nobody takes them.
    """

    __slots__ = ("_asked", "_sides", "kept", "steps")

    def __init__(self, steps: tuple[Step, ...], sides: Sides, kept: tuple[str, ...]) -> None:
        self.steps = steps
        self.kept = kept
        self._sides = sides
        self._asked: dict[tuple[str, bool], Sides] = {}

    def sides(self, run_type: str, *, aloud: bool) -> Sides:
        """Who speaks for runs of a type, of spans with events or without."""
        asked = (run_type, aloud)
        return self._asked.get(asked) or self._asked.setdefault(asked, self._of_run(*asked))

    def _of_run(self, run_type: str, aloud: bool) -> Sides:
        inputs, outputs = (
            _busy(_of_run(side, run_type, aloud) for side in sides) for sides in self._sides
        )
        return inputs, outputs


class Planner:
    """The rows of several conventions in the order in which they are asked."""

    def __init__(self, conventions: tuple[Convention, ...]) -> None:
        self._conventions = conventions
        self._rows = [
            (number, row)
            for turn in TURNS
            for number, convention in enumerate(conventions)
            for row in convention.rows
            if row.when.turn == turn
        ]
        self._exact: dict[str, list[int]] = {}
        self._starts: list[tuple[str, int]] = []
        self._spoken: list[int] = []
        for rank, (_, row) in enumerate(self._rows):
            if row.is_spoken:
                self._spoken.append(rank)
            elif row.is_family:
                self._starts += [(start, rank) for start in row.beginnings]
            else:
                for key in row.keys:
                    self._exact.setdefault(key, []).append(rank)
        self._any_start = tuple(start for start, _ in self._starts)

    def plan(self, scope: str, keys: Collection[str]) -> Plan:
        """The plan for spans of this scope with these attributes."""
        scalars: list[tuple[Row, list[str]]] = []
        sides: dict[str, dict[tuple[str, int], list[tuple[Row, list[str]]]]] = {
            "inputs": {},
            "outputs": {},
        }
        claimed: set[str] = set()
        cleaned: set[str] = set()
        for rank, found in self._meetings(keys):
            number, row = self._rows[rank]
            if not applies(row, scope, keys):
                continue
            if row.side:
                sides[row.side].setdefault((row.when.turn, number), []).append((row, found))
                (cleaned if self._conventions[number].fallback else claimed).update(found)
            else:
                gone = claimed | cleaned if row.kind == "prefix" else claimed
                scalars.append((row, [key for key in found if row.keep or key not in gone]))
        inputs, outputs = (
            tuple(self._side(number, met, keys) for (_, number), met in side.items())
            for side in sides.values()
        )
        steps = _steps(scalars, claimed)
        taken = {key for step in steps if not step.keep for key in step.keys} | claimed | cleaned
        kept = tuple(key for key in keys if key not in taken)
        return Plan(steps, (inputs, outputs), kept)

    def _meetings(self, keys: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """The rows that find any of their attributes, or look for events, and what they find."""
        found: dict[int, list[str]] = {rank: [] for rank in self._spoken}
        for key in keys:
            for rank in (*self._exact.get(key, ()), *self._families(key)):
                found.setdefault(rank, []).append(key)
        for rank in sorted(found):
            row = self._rows[rank][1]
            yield rank, found[rank] if row.is_family else sorted(found[rank], key=row.keys.index)

    def _families(self, key: str) -> Iterator[int]:
        if key.startswith(self._any_start):
            for start, rank in self._starts:
                if key.startswith(start):
                    yield rank

    def _side(self, number: int, met: list[tuple[Row, list[str]]], keys: Collection[str]) -> Side:
        parts = tuple(part for row, found in met for part in _parts(row, found, keys))
        events = tuple(row for row, _ in met if row.is_spoken)
        sources = frozenset(key for part in parts for key in part.keys)
        return Side(self._conventions[number].fallback, parts, events, sources)


def applies(row: Row, scope: str, keys: Collection[str]) -> bool:
    """Whether the row is for spans of this scope with these attributes, whatever their values."""
    when = row.when
    return (
        row.is_for(scope)
        and all(_has(key, keys) for key in when.given)
        and not any(_has(key, keys) for key in when.unless)
    )


def _has(name: str, keys: Collection[str]) -> bool:
    if name.endswith("."):
        return any(key.startswith(name) for key in keys)
    return name in keys


def _of_run(side: Side, run_type: str, aloud: bool) -> Side | None:
    """What of it is for runs of this type; without events nobody listens to what reads them."""
    parts = tuple(part for part in side.parts if not part.runs or run_type in part.runs)
    events = tuple(
        row for row in side.events if aloud and (not row.when.runs or run_type in row.when.runs)
    )
    if not (side.parts or events):
        return None
    return side._replace(parts=parts, events=events)


def _busy(found: Iterable[Side | None]) -> tuple[Side, ...]:
    """Without those that say nothing of such runs, if others know all of their attributes."""
    sides = [side for side in found if side]
    known: set[str] = set()
    for side in sides:
        if not side.fallback and (side.parts or side.events):
            known |= side.sources
    return tuple(
        side
        for side in sides
        if side.parts or side.events or side.fallback or not side.sources <= known
    )


def _steps(met: Iterable[tuple[Row, list[str]]], claimed: Container[str]) -> tuple[Step, ...]:
    """One step for each attribute that a row found, in the row's order of preference."""
    steps = [step for row, found in met for step in _steps_of(row, found)]
    often = Counter(key for step in steps for key in step.keys)
    return tuple(
        step._replace(
            again=any(often[key] > 1 for key in step.keys),
            keys=tuple(key for key in step.keys if key not in claimed),
        )
        for step in steps
    )


def _steps_of(row: Row, found: list[str]) -> Iterator[Step]:
    content = row.content
    for key, source, keys in _sources(row, found):
        home, name = home_of(_field(row, key)) if row.field else (SEVERAL, "")
        yield Step(
            key, source, row.via, home, name, row.keep, again=False, keys=keys, content=content
        )


def _parts(row: Row, found: list[str], keys: Collection[str]) -> Iterator[Part]:
    """The same for content."""
    runs, least = row.when.runs, _members(row.when.at_least, keys)
    for key, source, met in _sources(row, found):
        yield Part(_within(_field(row, key)), key, source, row.via, runs, least, met)


def _sources(row: Row, found: list[str]) -> Iterator[tuple[str, Grower, tuple[str, ...]]]:
    """What the row reads at once: its name if it is one attribute, how, and all their names."""
    if not row.is_grown:
        for key in found:
            yield key, grower(key), (key,)
    elif found:
        yield "", grower(_tree(row, found)), tuple(found)


def _within(field: str) -> str:
    """``inputs.variables.city`` → ``variables.city``: a field's name within its side."""
    return field.partition(".")[2]


def _tree(row: Row, found: list[str]) -> Tree:
    if row.kind == "together":
        return {key: key for key in found}
    return (tree_of if row.kind == "indexed" else names_of)(row.keys[0], found)


def _field(row: Row, key: str) -> str:
    return f"{row.field}.{key[len(row.keys[0]) :]}" if row.kind == "prefix" else row.field or ""


def _members(start: str | None, keys: Iterable[str]) -> int:
    """How many members an indexed family has."""
    if start is None:
        return 0
    return len({key[len(start) :].partition(".")[0] for key in keys if key.startswith(start)})
