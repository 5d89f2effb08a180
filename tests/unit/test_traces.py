"""`delivery.traces`: what LangSmith would drop in silence is dropped by name, in bounded memory."""

from collections.abc import Iterable

import pytest
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
    assert record.getMessage() == "trace a has 9 runs; those beyond 10 are dropped"


def test_one_full_trace_is_no_other_ones_business() -> None:
    traces = Traces(1)
    assert admitted(traces, ["a", "a", "b"]) == 2


def test_only_so_many_traces_are_counted() -> None:
    traces = Traces(1)
    admitted(traces, ["old", *map(str, range(TRACES_COUNTED))])
    assert (traces.full("old"), traces.full("0")) == (False, True)
    assert len(traces._counts) == TRACES_COUNTED


def test_the_ledger_names_it(receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", max_trace_runs=3)
    exporter.export([span(1), *(span(n, 1) for n in range(2, 7))])
    exporter.shutdown()
    ledger = exporter.ledger()
    assert (ledger.delivered, ledger.dropped) == (3, {"trace_full": 3})
    assert len(receiver.store.runs()) == 3
