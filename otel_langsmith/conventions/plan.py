"""What the rows of all conventions want with spans of one shape: their scope, and their keys.

Which attributes are there decides most of what a table does; that is decided here, once for each
shape. Which of the rows get what they want, the values decide, in `table`.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from otel_langsmith.conventions.flattened import Tree, names_of, tree_of
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
"""The parts of a `Reading` that scalars live in, in the order in which it holds them."""

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


class Step(NamedTuple):
    """A row of scalars meeting one attribute that is there, or one flattened structure."""

    source: Tree
    via: Reader
    home: int
    name: str
    keep: bool
    again: bool
    """Whether other steps read the same attribute."""

    keys: tuple[str, ...]
    """What stays in metadata if the field does not want it."""

    content: bool


class Part(NamedTuple):
    """A row of content meeting one attribute, or one flattened structure."""

    name: str
    source: Tree
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
    """The attributes that the parts read."""

    quick: tuple[tuple[str, str, Reader], ...]
    """Name, attribute and reader of each part, if no part depends on another or on the run."""


class Plan(NamedTuple):
    """What the tables do with spans of one shape."""

    scalars: tuple[Step, ...]
    aloud: tuple[tuple[Side, ...], tuple[Side, ...]]
    """Who speaks for inputs and outputs of a span with events, and then of one without."""

    quiet: tuple[tuple[Side, ...], tuple[Side, ...]]
    kept: tuple[str, ...]
    """Keys of which it is known already that nobody takes them."""


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
        return Plan(steps, (inputs, outputs), (_quiet(inputs), _quiet(outputs)), kept)

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
        return Side(self._conventions[number].fallback, parts, events, sources, _quick(parts))


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


def _quiet(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    return tuple(side for side in sides if side.parts)


def _quick(parts: tuple[Part, ...]) -> tuple[tuple[str, str, Reader], ...]:
    """The parts without their conditions, if there are none; empty if there are."""
    names = {part.name for part in parts}
    sources = {part.source for part in parts if isinstance(part.source, str)}
    alone = len(names) == len(sources) == len(parts) and all("." in name for name in names)
    if not alone or any(part.runs or part.least for part in parts):
        return ()
    return tuple((part.name, str(part.source), part.via) for part in parts)


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
    if not found:
        return
    if row.is_grown:
        home, name = home_of(row.field) if row.field else (SEVERAL, "")
        tree = _tree(row, found)
        keys = tuple(found)
        yield Step(tree, row.via, home, name, row.keep, again=False, keys=keys, content=row.content)
        return
    for key in found:
        home, name = home_of(_field(row, key)) if row.field else (SEVERAL, "")
        keys = (key,)
        yield Step(key, row.via, home, name, row.keep, again=False, keys=keys, content=row.content)


def _parts(row: Row, found: list[str], keys: Collection[str]) -> Iterator[Part]:
    """The same for content."""
    runs, least = row.when.runs, _members(row.when.at_least, keys)
    if row.is_grown and found:
        tree = _tree(row, found)
        yield Part(row.field or "", tree, row.via, runs, least, tuple(found))
    elif not row.is_grown:
        for key in found:
            yield Part(_field(row, key), key, row.via, runs, least, (key,))


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
