"""What a table is made of: rows, each of which says what some attributes mean, and conventions.

Knows no attribute by name, and nothing of OpenTelemetry or HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from string import digits
from typing import Any, Final, Literal, TypeAlias

from otel_langsmith.conventions.fields import OPEN, READERS, is_content, is_field
from otel_langsmith.conventions.readers import as_is
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.run import RunType

Reader: TypeAlias = Callable[[Any], Any]
"""An attribute's value → a field's value, or `UNREADABLE`. Pure and total: never raises."""

Kind: TypeAlias = Literal[
    "attr", "together", "prefix", "indexed", "named", "spread", "event", "events"
]

Turn: TypeAlias = Literal["early", "usual", "late"]
"""When in the reading of a span a row has its say."""

TURNS: Final[tuple[Turn, ...]] = ("early", "usual", "late")


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """On which spans a row applies, and when it has its say.

    ``given`` are attributes that must all be there, ``unless`` those that must not. ``scope`` are
    instrumentation scopes, of which one must be the span's. A name that ends in ``.`` stands for
    any that begins so. ``runs`` (content only) are types of runs, as scalar rows decided them.
    ``at_least`` (content only) names an indexed family: fewer messages than that has members do not
    apply.

    ``turn`` is for fields whose precedence is not that of their dialects (genai.md §3): rows are
    read by turn, then by convention, then from the top of the table.
    """

    given: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    runs: tuple[RunType, ...] = ()
    at_least: str | None = None
    turn: Turn = "usual"


ALWAYS: Final = When()
EARLY: Final = When(turn="early")
LATE: Final = When(turn="late")
LLM_RUNS: Final = When(runs=("llm",))
TOOL_RUNS: Final = When(runs=("tool",))
RETRIEVER_RUNS: Final = When(runs=("retriever",))
EMBEDDING_RUNS: Final = When(runs=("embedding",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Which attributes feed which field, through which reader.

    Build one with `attr`, `together`, `prefix`, `indexed`, `named`, `spread`, `event` or `events`.
    ``keep`` leaves the attribute where it is, so that it reaches metadata under its own name too.
    """

    kind: Kind
    field: str | None
    keys: tuple[str, ...]
    via: Reader
    content: bool
    names: tuple[str, ...] = ()
    keep: bool = False
    when: When = ALWAYS

    def is_for(self, scope: str) -> bool:
        """Whether the row is for spans of this instrumentation scope."""
        names = self.when.scope
        return not names or any(
            scope.startswith(name) if name.endswith(".") else scope == name for name in names
        )

    @property
    def side(self) -> str | None:
        """``inputs`` or ``outputs`` if the row feeds one of them."""
        name = (self.field or "").partition(".")[0]
        return name if name in ("inputs", "outputs") else None

    @property
    def is_family(self) -> bool:
        """Whether ``keys`` are beginnings of names."""
        return self.kind in ("prefix", "indexed", "named")

    @property
    def is_grown(self) -> bool:
        """Whether all that the row finds is read as one structure, made of names."""
        return self.kind in ("indexed", "named", "together")

    @property
    def beginnings(self) -> tuple[str, ...]:
        """With what the names of a family begin: of an indexed one, up to a number's first digit.

        ``gen_ai.prompt.0.content`` is of ``gen_ai.prompt.``, and ``gen_ai.prompt.name`` is not.
        """
        start = self.keys[0]
        return tuple(start + digit for digit in digits) if self.kind == "indexed" else (start,)

    def claims(self, key: str) -> bool:
        """Whether the row is for an attribute of this name."""
        return key.startswith(self.beginnings) if self.is_family else key in self.keys

    @property
    def is_spoken(self) -> bool:
        """Whether the row reads span events."""
        return self.kind in ("event", "events")


def attr(
    field: str,
    *keys: str,
    via: Reader | None = None,
    keep: bool = False,
    when: When = ALWAYS,
) -> Row:
    """A row for the first readable of several attributes.

    Without ``via`` the field decides how it is read: see `fields.READERS`.
    """
    return _row("attr", field, keys, _reader(field, via), keep=keep, when=when)


def together(field: str, *keys: str, via: Reader, when: When = ALWAYS) -> Row:
    """A row for what was spread over several attributes: ``via`` gets those there, as a mapping."""
    return _row("together", field, keys, via, when=when)


def prefix(field: str, start: str, *, via: Reader = as_is, when: When = ALWAYS) -> Row:
    """A row for every attribute that begins with ``start``, each kept under its remainder."""
    return _row("prefix", field, (start,), via, when=when)


def indexed(field: str, start: str, *, via: Reader, when: When = ALWAYS) -> Row:
    """A row for what was flattened into ``start`` + ``0.role``, ``0.content``, ``1.role`` ….

    ``via`` gets it grown back into one list, dotted names as nested dicts and numbers as lists.
    Gaps close up, whatever the numbers, and nothing is allocated for them.
    """
    return _row("indexed", field, (start,), via, when=when)


def named(field: str | None, start: str, *, via: Reader, when: When = ALWAYS) -> Row:
    """A row for what was flattened into ``start`` + ``messages``, ``model``, ``usage.input`` ….

    ``via`` gets it grown back into one dict; without a field it returns several, as for `spread`.
    """
    return _row("named", field, (start,), via, when=when)


def spread(
    key: str,
    *,
    via: Reader,
    keep: bool = False,
    content: bool = False,
    when: When = ALWAYS,
) -> Row:
    """A row for one attribute that feeds several fields: ``via`` returns them as a mapping.

    Fields of inputs and outputs are not among them; an `attr` row may read these from the same key.
    ``content`` says that hiding inputs or outputs must reach the attribute.
    """
    return _row("spread", None, (key,), via, keep=keep, content=content, when=when)


def event(
    field: str,
    name: str,
    key: str,
    *,
    via: Reader | None = None,
    when: When = ALWAYS,
) -> Row:
    """A row for content in the attribute ``key`` of a span event; the rest of the event stays.

    Without ``via`` the field decides how it is read, as for `attr`.
    """
    return _row("event", field, (key,), _reader(field, via), names=(name,), content=True, when=when)


def events(
    field: str,
    *names: str,
    via: Reader,
    keys: tuple[str, ...] = (),
    when: When = ALWAYS,
) -> Row:
    """A row for content told in several events: one message each, or one chunk.

    ``via`` gets them all, in the order in which they came, as a list of pairs of name and
    attributes. ``keys`` are those of their attributes that are content; none means all.
    """
    return _row("events", field, keys, via, names=names, content=True, when=when)


def _row(  # noqa: PLR0913 - one for each part of a row
    kind: Kind,
    field: str | None,
    keys: tuple[str, ...],
    via: Reader,
    *,
    names: tuple[str, ...] = (),
    keep: bool = False,
    content: bool = False,
    when: When = ALWAYS,
) -> Row:
    if field is not None and not is_field(field):
        raise ConfigurationError(_unknown(field))
    return Row(
        kind=kind,
        field=field,
        keys=keys,
        via=via,
        content=content or (field is not None and is_content(field)),
        names=names,
        keep=keep,
        when=when,
    )


def _reader(field: str, via: Reader | None) -> Reader:
    return READERS.get(field, as_is) if via is None else via


def _unknown(field: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - rare, and 2 ms to import

    near = get_close_matches(field, READERS, n=1)
    return (
        f"a run has no field {field!r}"
        + (f"; did you mean {near[0]!r}?" if near else ".")
        + f" Names of your own go below {', '.join(OPEN)}"
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Convention:
    """One dialect of attributes: a table whose rows are read from the top.

    ``name`` tells it from other conventions. ``spec`` says what the table mirrors, by version or
    commit. ``tokens`` are names of span events of which each marks a token that was streamed, or
    their beginnings, which end in ``.``: the time of the first is kept. A ``fallback`` describes
    spans that no other convention knows: its content counts only while no row said what type of run
    the span is, and otherwise stays in metadata, as its readers clean it.

    Raises:
        ConfigurationError: ``rows`` holds something that is no row.
    """

    name: str
    spec: str
    rows: tuple[Row, ...]
    fallback: bool = False
    tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows: Any = self.rows
        if not isinstance(rows, (tuple, list)) or not all(isinstance(row, Row) for row in rows):
            raise ConfigurationError(
                f"the rows of convention {self.name!r} must be a tuple of attr(…), prefix(…) and"
                " the like; a single row needs a comma after it"
            )
        object.__setattr__(self, "rows", tuple(rows))
