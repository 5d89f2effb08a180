"""Captured spans and the runs they become, reviewed as diffs; ``pytest --regen`` writes them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from support.captures import CAPTURES, name_of, runs_of

from otel_langsmith.conventions import CONVENTIONS, dialects, table_of
from otel_langsmith.conventions.table import UNREAD
from otel_langsmith.run import RUN_TYPES, Run

UNREADABLE = ("limits_",)
"""Captures with JSON that a limit cut."""


def shown(run: Run) -> dict[str, Any]:
    """A run as JSON, without what is empty."""
    kept = {name: value for name, value in dataclasses.asdict(run).items() if value or value == 0}
    found: dict[str, Any] = json.loads(json.dumps(kept, default=repr))
    return found


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_captured_spans_become_these_runs(path: Path, request: pytest.FixtureRequest) -> None:
    golden = path.with_name(f"{name_of(path)}.run.json")
    runs = [shown(run) for run in runs_of(path)]
    stale = not golden.exists() or runs != json.loads(golden.read_text())
    if stale and request.config.getoption("--regen"):
        golden.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")
    assert runs == json.loads(golden.read_text())


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_every_captured_span_becomes_a_run(path: Path) -> None:
    for run in runs_of(path):
        assert run.run_type in RUN_TYPES
        assert not run.notes or (name_of(path).startswith(UNREADABLE) and run.notes == (UNREAD,))
        assert not any(
            table_of(CONVENTIONS).is_content(key) and _model(key) for key in run.metadata
        )


def _model(key: str) -> bool:
    """Content of model spans; that of plain ones may stay in metadata, cleaned."""
    return key.startswith(("gen_ai.", "langsmith.", "llm.", "input.value", "output.value"))


def test_every_dialect_has_a_table_a_place_in_the_tuple_and_captures() -> None:
    """Adding a dialect is one file, one line and one folder; this says which is missing."""
    package = Path(dialects.__file__).parent
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    named = {convention.name for convention in CONVENTIONS}
    folders = {path.parent.name for path in CAPTURES}
    missing = {
        "without a file of its name": (named | folders) - files,
        "without a line in CONVENTIONS": (files | folders) - named,
        "without captures in tests/conventions": (files | named) - folders,
    }
    assert not {what: which for what, which in missing.items() if which}
