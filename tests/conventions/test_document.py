"""`docs/conventions.md` is what the tables say; ``pytest --regen`` writes it anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_langsmith.conventions import CONVENTIONS, Convention, Row

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "conventions.md"

HEAD = """# What is read of which attribute

Generated from the tables of `otel_langsmith/conventions`, in order of precedence: for each field
the first dialect that has anything to say, says it. `early` rows go before all others, `late` rows
after them; what is `kept` reaches metadata under its own name, too. A `…` stands for any end of a
name. CONTRIBUTING.md tells of the kinds of rows, and how to add a dialect.
"""


def document() -> str:
    lines = [HEAD, *(line for one in CONVENTIONS for line in section(one))]
    return "\n".join(lines).rstrip() + "\n"


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
    if not row.is_spoken:
        return names
    said = ", ".join(map(code, row.names))
    return f"events {said}" + (f": {names}" if names else "")


def becomes(row: Row) -> str:
    if row.kind == "spread":
        return "several fields"
    return code(row.field or "", family=row.kind == "prefix")


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
