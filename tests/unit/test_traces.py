"""`delivery.traces`: what LangSmith would drop in silence is dropped by name, in bounded memory."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spans import span

from otel_langsmith import LangSmithSpanExporter
from otel_langsmith.delivery.traces import TRACES_COUNTED, Traces
from otel_langsmith.receiver import Receiver


def admitted(traces: Traces, ids: Iterable[str]) -> int:
    return sum([traces.admit(trace_id) for trace_id in ids])


def test_a_trace_takes_so_many_and_says_so_in_time(caplog: pytest.LogCaptureFixture) -> None:
    traces = Traces(10)
    assert admitted(traces, ["a"] * 8) == 8
    assert caplog.records == []
    assert not traces.full("a")
    assert admitted(traces, ["a"] * 8) == 2
    assert traces.full("a")
    (record,) = caplog.records
    assert record.getMessage().startswith("trace a has 9 runs; those beyond 10 are dropped")


def test_one_full_trace_is_no_other_ones_business() -> None:
    traces = Traces(1)
    assert admitted(traces, ["a", "a", "b"]) == 2


def test_only_so_many_traces_are_counted() -> None:
    traces = Traces(1)
    admitted(traces, ["old", *map(str, range(TRACES_COUNTED))])
    assert (traces.full("old"), traces.full("0")) == (False, True)
    assert len(traces._counts) == TRACES_COUNTED


@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), max_size=12),
    st.integers(1, 20),
)
def test_a_block_is_counted_as_its_runs_are_one_by_one(blocks: list[list[str]], most: int) -> None:
    """A trace that comes near its end has its runs looked at singly, which nothing else may do."""
    whole, single = Traces(most), Traces(most)
    for block in blocks:
        if not whole.admit_all(block):
            admitted(whole, block)
        admitted(single, block)
    assert dict(whole._counts) == dict(single._counts)


def test_a_full_trace_is_not_forgotten_while_blocks_of_others_come() -> None:
    traces = Traces(10)
    assert admitted(traces, ["full"] * 11) == 10
    for number in range(TRACES_COUNTED + 10):
        assert traces.admit_all([f"other {number}"] * 2)
        assert not traces.admit("full")


def test_a_block_far_from_any_end_is_counted_at_once() -> None:
    traces = Traces(100)
    assert traces.admit_all(["a"] * 8)
    assert not traces.admit_all([*["a"] * 80, *["b"] * 8, *["a"] * 2])
    assert dict(traces._counts) == {"a": 8}


def test_blocks_too_count_only_so_many_traces() -> None:
    traces = Traces(100)
    traces.admit_all(["old"])
    for number in range(TRACES_COUNTED):
        traces.admit_all([str(number)])
    assert "old" not in traces._counts
    assert len(traces._counts) == TRACES_COUNTED


def test_the_ledger_names_it(receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", max_trace_runs=3)
    exporter.export([span(1), *(span(n, 1) for n in range(2, 7))])
    exporter.shutdown()
    ledger = exporter.ledger()
    assert (ledger.delivered, ledger.dropped) == (3, {"trace_full": 3})
    assert len(receiver.store.runs()) == 3
