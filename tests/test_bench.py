"""The benchmark suite runs, tells the truth about goals, and an export does not grow dearer.

Timings are asserted nowhere: instructions are, where valgrind can count them.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

for package in ("langsmith", "opentelemetry.exporter", "zstandard", "bench"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not here", allow_module_level=True)
pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")

# what they need may be missing
from bench import instructions, least, report, sink, steps  # noqa: E402
from bench.goals import ROWS, Row  # noqa: E402
from bench.measure import TINY, Result, compare  # noqa: E402
from bench.workloads import LLM, WEB, Workload, chain, finished  # noqa: E402

pytestmark = pytest.mark.programs

needs_valgrind = pytest.mark.skipif(
    not (shutil.which("valgrind") and shutil.which("vgdb")), reason="valgrind is not installed"
)


def result(**series: list[float]) -> Result:
    return Result("key", "title", "unit", series)


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    found = result(ours=[1, 2, 30], theirs=[2, 8, 30])
    assert found.ratio("ours", "theirs") == 0.5


@pytest.mark.parametrize(("ours", "met"), [(39, True), (40, True), (41, False)])
def test_a_goal_is_met_by_the_numbers_and_by_nothing_else(ours: float, met: bool) -> None:
    row = Row("title", "key", "ours", {"OTLP": "theirs"}, {"OTLP": 0.40})
    assert row.verdicts({"key": result(ours=[ours], theirs=[100])}) == [("÷ OTLP ≤ 0.40", met)]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    row = Row("title", "key", "ours", {"OTLP": "theirs"}, {"OTLP": 0.40}, most=1)
    assert row.verdicts({}) == []
    assert row.verdicts({"key": result(ours=[1])}) == [("≤ 1", True)]


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []
    contenders = {name: lambda name=name: lambda: turns.append(name) for name in "ab"}
    series = compare(contenders, rounds=2, per=1)
    assert "".join(turns) == "abbaab"
    assert [len(values) for values in series.values()] == [2, 2]


@pytest.mark.parametrize("workload", [LLM, WEB, chain(400)], ids=lambda workload: workload.key)
def test_no_content_is_used_twice(workload: Workload) -> None:
    assert workload.traces(20) != workload.traces(20)


def test_a_finished_trace_has_its_children_before_their_parents() -> None:
    spans = finished(LLM.traces(20))
    places = {span.context.span_id: place for place, span in enumerate(spans) if span.context}
    parents = [(place, span.parent) for place, span in enumerate(spans) if span.parent]
    assert (len(spans), len(parents)) == (20, 19)
    assert all(places[parent.span_id] > place for place, parent in parents)


def test_every_row_names_a_column_for_each_goal() -> None:
    assert all(set(row.goals) <= set(row.over) <= set(report.COLUMNS) for row in ROWS)


def test_tables_fill_their_places_in_a_document() -> None:
    document = "a\n<!-- bench:goals -->\nold\n<!-- /bench:goals -->\nz"
    filled = report.filled(document, {"goals": "new"})
    assert filled == document.replace("old", "new")
    with pytest.raises(ValueError, match="bench:other"):
        report.filled(document, {"other": "new"})


def test_the_suite_runs(tmp_path: Path) -> None:
    written = tmp_path / "run.json"
    command = [
        sys.executable,
        "-m",
        "bench",
        "export",
        "import",
        "start-end",
        "--tiny",
        "--json",
        str(written),
    ]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    run = json.loads(written.read_text())
    assert {row["title"] for row in run["rows"]} >= {"import", "export, LLM spans"}
    assert "÷ langsmith ≤ 0.25" in printed


def test_each_step_of_an_export_can_be_done_by_itself() -> None:
    with sink.running() as running:
        done = {name: work() for name, work in steps.stations(running.url, LLM)}
    assert list(done) == [f"llm {name}" for name in steps.STATIONS]
    assert done["llm request"].status == 202


def test_what_cannot_be_spared_is_told_beside_what_is_spent() -> None:
    with sink.running() as running:
        found = least.measured(running.url, TINY)
    assert found.keys() == {"LLM spans", "web spans"}
    assert min(found["LLM spans"][name] for name in (*least.LEAST, "ours")) > 0
    made = least.table({"any spans": dict.fromkeys(least.CONTENDERS, 2.5)})
    assert "| all that | 10.0 (4.00 of OTLP) |" in made


def test_what_no_step_accounts_for_is_in_a_row_of_its_own() -> None:
    counts = {f"{kind} {step}": 1_000 for kind in ("llm", "web") for step in steps.STEPS.values()}
    made = steps.table({**counts, f"llm {steps.WHOLE}": 9_000, f"web {steps.WHOLE}": 7_400})
    assert f"| {steps.REST} | 2,000 | 0 |" in made


@pytest.mark.parametrize(("count", "seen"), [(1_100, 0), (1_101, 1), (500, 0)])
def test_a_slowdown_of_more_than_a_tenth_is_seen(count: int, seen: int) -> None:
    assert len(instructions.slower({"case": count}, {"case": 1_000})) == seen


def test_a_difference_of_two_counts_has_the_noise_of_both() -> None:
    before = {"start and end, no processor": 200_000, "start and end": 1_000}
    assert instructions.slower({**before, "start and end": 1_300}, before) == []
    assert len(instructions.slower({**before, "start and end": 1_301}, before)) == 1


@needs_valgrind
@pytest.mark.timeout(600)
def test_a_span_costs_no_more_instructions_than_in_the_baseline() -> None:
    kept = instructions.kept()
    if kept.environment != instructions.counted_with():
        pytest.skip("the baseline was counted with another interpreter or other packages")
    assert instructions.slower(instructions.counted(), kept.instructions) == [], (
        "slower by more than a tenth; if that is the price of something, `make bench-baseline`"
    )


@needs_valgrind
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_span_costs_no_more_beside_otlp_than_in_the_baseline() -> None:
    assert instructions.worse(instructions.counted(), instructions.kept().instructions) == []
