"""A run → the tables that people read and the JSON that programs do."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from bench.goals import COLUMNS, ROWS, Results, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.measure import Result

PACKAGES: Final = (
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "langsmith",
    "orjson",
    "requests",
    "requests-toolbelt",
    "zstandard",
)


def environment() -> dict[str, str]:
    """What the numbers hold for: interpreter, machine and versions."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "python": python,
        "build": " ".join((*platform.python_build(), platform.python_compiler())),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in PACKAGES},
    }


def summary(results: Results) -> str:
    """One row per goal of the issue: ours, ours ÷ others, goal, and whether it is met."""
    measured = [row for row in ROWS if not math.isnan(row.value(results))]
    head = ["", "ours", *(f"÷ {column}" for column in COLUMNS), "goal", ""]
    return table([head, *(_cells(row, results) for row in measured)])


def _cells(row: Row, results: Results) -> list[str]:
    verdicts = row.verdicts(results)
    return [
        row.title,
        f"{row.value(results):,.1f} {results[row.result].unit}",
        *(_number(row.ratio(results, column)) for column in COLUMNS),
        ", ".join(text for text, _ in verdicts),
        ", ".join("met" if met else "NOT MET" for _, met in verdicts),
    ]


def details(results: Iterable[Result]) -> str:
    """Everything that was measured, one table per quantity."""
    return "\n\n".join(map(_detail, results))


def _detail(result: Result) -> str:
    first = next(iter(result.series))
    return f"{result.title} ({result.unit})\n\n" + table(
        [
            ["", "median", "±", f"÷ {first}"],
            *(
                [
                    name,
                    f"{result.median(name):,.1f}",
                    f"{result.spread(name):.0%}",
                    _number(result.ratio(name, first)),
                ]
                for name in result.series
            ),
        ]
    )


def table(rows: list[list[str]]) -> str:
    """A Markdown table, aligned so that it is read as it is; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(_aligned(cell, width, at) for at, (cell, width) in cells) + " |"
        for cells in (enumerate(zip(row, widths, strict=True)) for row in rows)
    ]
    rule = ["-" * width if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def as_json(results: Iterable[Result]) -> str:
    """Everything, every round included."""
    found: Mapping[str, Result] = {result.key: result for result in results}
    return json.dumps(
        {
            "environment": environment(),
            "rows": [
                {
                    "title": row.title,
                    "ours": row.value(found),
                    "ratios": {column: row.ratio(found, column) for column in row.over},
                    "goals": dict(row.verdicts(found)),
                }
                for row in ROWS
                if not math.isnan(row.value(found))
            ],
            "results": [
                {
                    "key": result.key,
                    "title": result.title,
                    "unit": result.unit,
                    "series": dict(result.series),
                }
                for result in found.values()
            ],
        },
        indent=1,
    )


def filled(document: str, tables: Mapping[str, str]) -> str:
    """The document with each ``<!-- bench:NAME --> … <!-- /bench:NAME -->`` filled anew."""
    for name, text in tables.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        head, found, rest = document.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the document has no place {begin} … {end}")
        document = f"{head}{begin}\n{text}\n{end}{tail}"
    return document
