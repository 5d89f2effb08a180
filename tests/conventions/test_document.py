"""`docs/conventions.md` is what the tables say; ``pytest --regen`` writes it anew."""

from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path

import pytest

from otel_langsmith.conventions import CONVENTIONS, READERS, Convention, Row
from otel_langsmith.conventions.fields import OPEN

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "conventions.md"

HEAD = """# Which attribute becomes what

Generated from the tables of `otel_langsmith/conventions`: first the fields of a run and how each is
read, then each dialect's table, in order of precedence. For each field the first dialect that has a
value decides it. Rows that are `early` go before those of all dialects, `late` ones after them;
what is `kept` is also in the metadata, under its own name. A `…` stands for any end of a name.
CONTRIBUTING.md explains the kinds of rows, and how to add a dialect.

## Fields

A row that names no reader reads its field so. Beside these, a table may fill any name below OPEN.

| read as | fields |
| --- | --- |
"""


def document() -> str:
    opened = ", ".join(code(start, family=True) for start in OPEN)
    head = HEAD.replace("OPEN", opened)
    tables = [line for one in CONVENTIONS for line in section(one)]
    return head + "\n".join([*fields(), "", *tables]).rstrip() + "\n"


def fields() -> Iterator[str]:
    """The fields by what their readers say of themselves."""
    by_reader: dict[str, list[str]] = {}
    for field, reader in READERS.items():
        said = (getdoc(reader) or "One of LangSmith's types of runs, in any case.").splitlines()[0]
        by_reader.setdefault(said, []).append(field)
    for said, names in by_reader.items():
        yield f"| {said.replace('``', '`')} | {', '.join(map(code, names))} |"


def section(convention: Convention) -> Iterator[str]:
    yield f"## {convention.name}\n"
    yield f"Mirrors {convention.spec}.\n"
    if convention.fallback:
        yield "For spans that no other dialect knows.\n"
    yield "| reads | as | when |\n| --- | --- | --- |"
    for row in convention.rows:
        yield f"| {reads(row)} | {becomes(row)} | {when(row)} |"
    if convention.tokens:
        names = ", ".join(code(name, family=name.endswith(".")) for name in convention.tokens)
        yield f"| events {names} | time of the first token | |"
    yield ""


def reads(row: Row) -> str:
    names = ", ".join(code(key, family=row.is_family) for key in row.keys)
    if row.kind == "event":
        return f"event {code(row.names[0])}: {names}"
    return f"events {', '.join(map(code, row.names))}" if row.kind == "events" else names


def becomes(row: Row) -> str:
    if row.field is None:
        return "several fields"
    return code(row.field, family=row.kind == "prefix")


def when(row: Row) -> str:
    told = [row.when.turn] if row.when.turn != "usual" else []
    for word, names in (
        ("with", row.when.given),
        ("without", row.when.unless),
        ("scope", row.when.scope),
        ("runs", row.when.runs),
        ("as much as", (row.when.at_least,) if row.when.at_least else ()),
    ):
        if names:
            told.append(f"{word} {', '.join(map(code, names))}")
    return "; ".join([*told, "kept"] if row.keep else told)


def code(name: str, *, family: bool = False) -> str:
    return f"`{name}…`" if family else f"`{name}`"


def test_the_document_says_what_the_tables_say(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regen"):
        DOCUMENT.write_text(document(), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == document()
