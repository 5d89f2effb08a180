"""What we want to reach, row by row; whether we do is computed from a run, never typed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench import contenders, pipelines
from bench.footprint import beside
from bench.measure import Result

Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Row:
    """One number of ours beside those of others.

    ``over`` names the contender of each column; a goal is the most that ours may be of it, and
    ``most`` the most that ours may be in itself.
    """

    title: str
    result: str
    ours: str = contenders.OURS
    over: Mapping[str, str] = field(default_factory=dict)
    goals: Mapping[str, float] = field(default_factory=dict)
    most: float | None = None

    def ratio(self, results: Results, column: str) -> float:
        """Ours ÷ the column's contender; NaN if either was not measured."""
        if self.result not in results or column not in self.over:
            return math.nan
        return results[self.result].ratio(self.ours, self.over[column])

    def value(self, results: Results) -> float:
        """Ours; NaN if it was not measured."""
        return results[self.result].median(self.ours) if self.result in results else math.nan

    def verdicts(self, results: Results) -> list[tuple[str, bool]]:
        """Every goal of the row that could be measured, and whether it is met."""
        measured = [
            (f"÷ {column} ≤ {most:.2f}", self.ratio(results, column), most)
            for column, most in self.goals.items()
        ]
        if self.most is not None:
            measured.append((f"≤ {self.most:g}", self.value(results), self.most))
        return [(text, found <= most) for text, found, most in measured if not math.isnan(found)]


COLUMNS: Final = ("OTLP", "langsmith", "floor", "other")
"""Whom ours is divided by; ``other`` is named in the row's title."""

_IDENTITY: Final = {
    "OTLP": contenders.OTLP,
    "langsmith": contenders.LANGSMITH_CREATE,
    "floor": contenders.FLOOR,
}
_COMPRESSED: Final = {
    "OTLP": contenders.OTLP_GZIP,
    "langsmith": contenders.LANGSMITH_CREATE_ZSTD,
    "floor": contenders.FLOOR,
}


def _export(what: str, key: str, goals: Mapping[str, float] | None = None) -> Row:
    return Row(f"export, {what}", key, over=_IDENTITY, goals=goals or {})


def _zstd(what: str, key: str, goals: Mapping[str, float] | None = None) -> Row:
    title = f"{what}: our zstd, their gzip"
    return Row(title, key, contenders.OURS_ZSTD, _COMPRESSED, goals or {})


def _whole(what: str, key: str) -> Row:
    over = {"OTLP": pipelines.OTLP_PIPELINE, "langsmith": contenders.RUN_TREE}
    return Row(f"start, end, deliver, {what}", key, pipelines.OURS_PIPELINE, over)


def _within(title: str, key: str, ours: str, other: str, most: float) -> Row:
    return Row(title, key, ours, {"other": other}, {"other": most})


ROWS: Final = (
    _export("LLM spans", "llm", {"OTLP": 0.40, "langsmith": 0.25}),
    _export("web spans", "web", {"OTLP": 0.20}),
    _zstd("export, LLM spans", "llm", {"OTLP": 0.25}),
    _zstd("bytes, LLM spans", "llm bytes", {"OTLP": 1.10}),
    _zstd("export, web spans", "web", {"OTLP": 0.25}),
    _zstd("bytes, web spans", "web bytes"),
    _export("contents of 1 MB", "large", {"OTLP": 0.60}),
    _zstd("export, contents of 1 MB", "large"),
    Row("peak memory, contents of 1 MB", "peak", over=_IDENTITY, goals={"OTLP": 0.15}),
    _export("depth 64", "depth-64"),
    _export("depth 1,000", "depth-1000", {"OTLP": 1.00}),
    _whole("LLM spans", "llm x1"),
    _whole("LLM spans, 4 threads", "llm x4"),
    _whole("LLM spans, 16 threads", "llm x16"),
    _whole("web spans", "web x1"),
    _whole("web spans, 16 threads", "web x16"),
    _within(
        "start and end ÷ with the SDK's idle batch processor",
        "start-end",
        pipelines.OURS_PIPELINE,
        pipelines.IDLE,
        1.05,
    ),
    Row(
        "late requests",
        "late",
        pipelines.OURS_PIPELINE,
        {"OTLP": pipelines.OTLP_PIPELINE},
        {"OTLP": 0.30},
    ),
    Row("import", "import", f"{contenders.OURS}, names", most=10.0),
    Row("import of what is not needed", "unwanted", f"{contenders.OURS}, names", most=0.0),
    *(
        _within(
            f"{count:,} open spans ÷ 1,000",
            "open",
            beside(pipelines.OURS_PIPELINE, count),
            beside(pipelines.OURS_PIPELINE, 1_000),
            1.05,
        )
        for count in (100_000, 1_000_000)
    ),
    *(
        _within(
            f"export, {size:,} spans a trace ÷ 20",
            f"sizes {contenders.OURS}",
            f"{size:,} a trace",
            "20 a trace",
            1.05,
        )
        for size in (2_000, 20_000)
    ),
)
"""The rows of the issue "Fast", in its order."""
