"""Findings → a table for people, JSON for programs, and whether they pass."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from otel_langsmith.doctor.situation import Finding, Verdict
from otel_langsmith.tree import printable
from otel_langsmith.version import __version__

SCHEMA: Final = 1
"""Grows when a field of the document changes its meaning or goes; new fields may come without."""

_STYLES: Final[dict[Verdict, str]] = {
    "ok": "green",
    "warning": "yellow",
    "error": "red",
    "skipped": "dim",
}


def table(findings: Sequence[Finding]) -> Table:
    """One finding a line, what to do about it below."""
    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check, verdict, found, remedy in findings:
        style = _STYLES[verdict]
        said = Text(printable(found), style="dim" if verdict == "skipped" else "")
        if remedy:
            said.append(f"\n→ {printable(remedy)}", "dim" if verdict == "ok" else "bold")
        grid.add_row(Text(verdict, style), Text(check), said)
    return grid


def document(findings: Sequence[Finding], *, strict: bool) -> dict[str, object]:
    """What ``--json`` prints."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "passed": passed(findings, strict=strict),
        "findings": [finding._asdict() for finding in findings],
    }


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how many problems there are."""
    counts = Counter(finding.verdict for finding in findings)
    parts = [_counted(counts["error"], "problem"), _counted(counts["warning"], "warning")]
    return ", ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def passed(findings: Sequence[Finding], *, strict: bool) -> bool:
    """Whether there is no problem, and with ``strict`` no warning either."""
    failing = {"error", "warning"} if strict else {"error"}
    return not any(finding.verdict in failing for finding in findings)
