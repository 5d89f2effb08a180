"""The exporter as people use it: real spans, real processors, a real server."""

import gc
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExportResult,
)
from opentelemetry.trace import Status, StatusCode
from support.captures import CAPTURES, load, name_of
from support.rude_server import deaf_address, rude_server
from support.spans import context, span

from otel_langsmith import ConfigurationError, LangSmithSpanExporter
from otel_langsmith.conventions import Convention, attr
from otel_langsmith.identity import run_id_of
from otel_langsmith.receiver import Receiver
from otel_langsmith.redact import secrets


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with Receiver(requests_per_minute=1_000_000) as receiver:
        yield receiver


def exporter_to(receiver: Receiver, **settings: Any) -> LangSmithSpanExporter:
    return LangSmithSpanExporter(endpoint=receiver.url, api_key="key", **settings)


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_every_capture_is_accepted_whole(path: Path, server: Receiver) -> None:
    """No exception here, no refusal there, and the tree is the one the spans had."""
    spans = load(path)
    exporter = exporter_to(server)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    ledger = exporter.ledger()
    assert (ledger.delivered, ledger.lost) == (len(spans), 0)
    assert "untranslated" not in ledger.noted
    here = {run_id_of(s.context.span_id) for s in spans}
    for one in spans:
        run = server.store.run(run_id_of(one.context.span_id))
        assert run
        parent = run_id_of(one.parent.span_id) if one.parent else None
        if one.parent is None or parent not in here:
            assert run.parent_run_id is None
        elif one.parent.is_remote:  # known only if it was decided before
            assert run.parent_run_id in (parent, None)
        else:
            assert run.parent_run_id == parent


@pytest.mark.large
def test_ten_thousand_spans_through_the_batch_processor(receiver: Receiver) -> None:
    # on a busy machine a delivery takes more than the ten seconds it has by default
    exporter = exporter_to(receiver, timeout=60)
    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=20_000, schedule_delay_millis=50)
    )
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("root"):
        for branch in range(99):
            with tracer.start_as_current_span(f"branch {branch}"):
                for leaf in range(100):
                    tracer.start_span(f"leaf {leaf}").end()
        for leaf in range(99):
            tracer.start_span(f"leaf {leaf}").end()
        tracer.start_span("last").end()
    assert provider.force_flush(
        100_000
    )  # a shutdown gives up after 30 s, too few on a busy machine
    provider.shutdown()
    ledger = exporter.ledger()
    assert (ledger.received, ledger.delivered) == (10_100, 10_100)
    (trace,) = receiver.store.traces()
    runs = receiver.store.trace(trace.trace_id)
    assert len(runs) == 10_100
    assert {run.depth for run in runs} == {0, 1, 2}


def test_the_simple_processor_from_many_threads(receiver: Receiver) -> None:
    """`export` is then called by many threads at once, one span a call, children first."""
    exporter = exporter_to(receiver)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")

    def work() -> None:
        for _ in range(10):
            with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exporter.force_flush() is True
    assert exporter.ledger().delivered == 160
    assert len(receiver.store.traces(limit=200)) == 80
    provider.shutdown()


def test_a_child_is_held_until_its_parent_ends(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    assert exporter.export([span(2, 1)]) is SpanExportResult.SUCCESS
    assert (exporter.ledger().held, exporter.force_flush()) == (1, False)
    exporter.export([span(1)])
    assert (exporter.ledger().held, exporter.force_flush()) == (0, True)
    assert [run.depth for run in receiver.store.trace(run_id_of(1))] == [0, 1]


def test_shutdown_sends_what_is_held(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    exporter.export([span(3, 2), span(2, 1)])
    exporter.shutdown()
    exporter.shutdown()
    runs = receiver.store.trace(run_id_of(2))
    assert [run.id for run in runs] == [run_id_of(2), run_id_of(3)]
    assert exporter.ledger().noted["orphaned"] == 1
    assert runs[0].metadata["otel.parent_span_id"] == f"{1:016x}"


def test_after_shutdown_spans_are_refused_and_counted(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    exporter.shutdown()
    assert exporter.export([span(1)]) is SpanExportResult.FAILURE
    assert exporter.ledger().dropped == {"shut_down": 1}


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_compression_arrives(receiver: Receiver, compression: Any) -> None:
    exporter = exporter_to(receiver, compression=compression)
    exporter.export([span(1, attributes={"text": "a" * 5_000})])
    assert receiver.store.trace(run_id_of(1))[0].metadata["text"] == "a" * 5_000


def test_what_json_cannot_hold_arrives_as_text(receiver: Receiver) -> None:
    """Each of these alone would fail its whole request (langsmith.md §3.2)."""
    exporter = exporter_to(receiver)
    odd = {
        "nan": float("nan"),
        "huge": 2**70,
        "nul": "a\0b",
        "lone": "\ud800",
        "bytes": b"\xff",
        "mixed": [1, "two", None, {"3": float("inf")}],
    }
    exporter.export([span(1, attributes=odd), span(2)])
    assert exporter.ledger().delivered == 2
    metadata = receiver.store.trace(run_id_of(1))[0].metadata
    assert {key: metadata[key] for key in odd} == {
        "nan": "NaN",
        "huge": str(2**70),
        "nul": "a\\x00b",
        "lone": "\\ud800",
        "bytes": "/w==",
        "mixed": [1, "two", None, {"3": "Infinity"}],
    }


def test_one_run_that_langsmith_would_refuse_costs_no_other(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    stated = {"langsmith.span.dotted_order": "hello", "langsmith.span.id": "no uuid"}
    exporter.export(
        [span(1), span(2, attributes=stated), span(3, name="n" * 500), span(4, start=-1)]
    )
    assert exporter.ledger().delivered == 4
    assert exporter.ledger().noted["override_ignored"] == 1
    assert len(receiver.store.trace(run_id_of(3))[0].name) <= 128


def test_times_that_are_no_whole_numbers_cost_nothing(receiver: Receiver) -> None:
    """`time.time() * 1e9` is a float, and the SDK takes it."""
    exporter = exporter_to(receiver)
    odd: Any = {"start": 1.7e18, "end": 1.8e18}
    none: Any = {"start": float("nan"), "end": None}
    exporter.export([span(1), span(2, **odd), span(3, 2, **odd), span(4, **none)])
    assert exporter.ledger().delivered == 4
    assert receiver.store.trace(run_id_of(2))[0].start_time is not None


def test_what_comes_twice_is_sent_once(receiver: Receiver) -> None:
    """As when one exporter stands behind two processors."""
    exporter = exporter_to(receiver)
    exporter.export([span(1), span(1), span(3, 2), span(3, 2), span(2)])
    exporter.export([span(1), span(3, 2)])
    ledger = exporter.ledger()
    assert (ledger.delivered, ledger.dropped) == (3, {"duplicate": 4})


class Unplaceable(ReadableSpan):
    """Nobody can ask it for what its lineage depends on."""

    @property
    def attributes(self) -> Any:
        raise LookupError


class Untranslatable(ReadableSpan):
    """It can be placed, but not made a run of: that has a name at least."""

    @property
    def name(self) -> Any:
        raise LookupError


@pytest.mark.parametrize("kind", [Unplaceable, Untranslatable])
def test_a_lost_span_fails_its_export_whatever_it_was_lost_to(
    receiver: Receiver, kind: type[ReadableSpan]
) -> None:
    """Bad data is a failure to OpenTelemetry; the other spans are delivered."""
    exporter = exporter_to(receiver)
    bad = kind(name="bad", context=context(2), start_time=1, end_time=2)
    assert exporter.export([span(1), bad]) is SpanExportResult.FAILURE
    ledger = exporter.ledger()
    assert (ledger.delivered, ledger.dropped) == (1, {"untranslatable": 1})
    assert exporter.export([span(3)]) is SpanExportResult.SUCCESS


def test_a_span_that_comes_again_is_no_failure(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    assert exporter.export([span(1)]) is SpanExportResult.SUCCESS
    assert exporter.export([span(1), span(2)]) is SpanExportResult.SUCCESS
    assert exporter.ledger().dropped == {"duplicate": 1}


def test_two_spans_that_claim_one_run_id_cost_no_other(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    claim = {"langsmith.span.id": run_id_of(77)}
    exporter.export([span(1), span(2, attributes=claim), span(3, attributes=claim), span(4)])
    assert {run.id for run in receiver.store.runs()} == {run_id_of(n) for n in (1, 77, 4)}
    assert exporter.ledger().lost == 0


def test_a_flush_lets_go_of_what_waited_too_long(receiver: Receiver) -> None:
    exporter = exporter_to(receiver, max_held_seconds=0.05)
    exporter.export([span(2, 1)])
    time.sleep(0.1)
    assert exporter.force_flush() is True
    assert exporter.ledger().noted == {"orphaned": 1}


def test_a_flush_does_not_wait_for_nothing(nobody: str) -> None:
    exporter = LangSmithSpanExporter(endpoint=nobody, api_key="k", timeout=0.2)
    exporter.export([span(1)])
    began = time.monotonic()
    assert exporter.force_flush(60_000) is False
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), 2**70, None])
def test_any_timeout_is_taken(receiver: Receiver, timeout: Any) -> None:
    exporter = exporter_to(receiver)
    exporter.export([span(1)])
    exporter.force_flush(timeout)
    exporter.shutdown()
    assert exporter.ledger().delivered == 1


def test_a_shutdown_waits_for_an_export_under_way() -> None:
    reply = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    with rude_server([None, None, None, reply]) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k")
        thread = threading.Thread(target=exporter.export, args=([span(1)],))
        thread.start()
        while not server.requests:
            time.sleep(0.01)
        exporter.shutdown()
        assert exporter.ledger().delivered == 1
        thread.join()


def test_a_poisoned_attribute_costs_its_own_content_only(receiver: Receiver) -> None:
    deep: Any = "bottom"
    for _ in range(2_000):
        deep = {"d": deep}
    exporter = exporter_to(receiver)
    hostile = span(2, 1)
    hostile._attributes = {"deep": deep}
    exporter.export([hostile, span(3, 1), span(1)])
    exporter.shutdown()
    assert exporter.ledger().delivered == 3


def test_a_failed_span_is_a_failed_run(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with pytest.raises(ZeroDivisionError), tracer.start_as_current_span("divide"):
        _ = 1 / 0
    with tracer.start_as_current_span("silent") as silent:
        silent.set_status(Status(StatusCode.ERROR))
    by_name = {run.name: run for run in receiver.store.runs()}
    assert by_name["divide"].error.startswith("ZeroDivisionError: division by zero")
    assert by_name["silent"].error
    provider.shutdown()


def test_without_a_key_runs_are_dropped_by_name_and_one_line_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = LangSmithSpanExporter()
    for number in range(1, 4):
        assert exporter.export([span(number)]) is SpanExportResult.FAILURE
    assert exporter.ledger().dropped == {"no_api_key": 3}
    (record,) = caplog.records
    assert "LANGSMITH_API_KEY is not set" in record.getMessage()


def test_an_unusable_environment_warns_and_the_application_lives(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "langsmith.corp")
    monkeypatch.setenv("LANGSMITH_API_KEY", "sesame")
    exporter = LangSmithSpanExporter()
    exporter.export([span(1)])
    assert exporter.ledger().dropped == {"no_endpoint": 1}
    assert "LANGSMITH_ENDPOINT is 'langsmith.corp'" in caplog.text
    assert "sesame" not in caplog.text


def test_an_unusable_argument_raises() -> None:
    with pytest.raises(ConfigurationError, match=r"endpoint is 'langsmith\.corp'"):
        LangSmithSpanExporter(endpoint="langsmith.corp")


def test_a_refused_key_is_counted(receiver: Receiver) -> None:
    with Receiver(api_keys=["right"]) as strict:
        exporter = LangSmithSpanExporter(endpoint=strict.url, api_key="wrong")
        assert exporter.export([span(1)]) is SpanExportResult.FAILURE
        assert exporter.ledger().queued == 1
        exporter.shutdown()
        assert exporter.ledger().dropped == {"http_403": 1}


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a port that nobody listens on."""
    with deaf_address() as url:
        yield url


def test_an_unreachable_endpoint_neither_raises_nor_blocks_beyond_the_deadline(
    nobody: str,
) -> None:
    exporter = LangSmithSpanExporter(endpoint=nobody, api_key="k", timeout=0.5)
    began = time.monotonic()
    assert exporter.export([span(1)]) is SpanExportResult.FAILURE
    assert time.monotonic() - began < 20
    assert exporter.ledger().queued == 1
    assert exporter.force_flush(100) is False
    exporter.shutdown()
    assert exporter.ledger().dropped == {"undelivered": 1}
    assert time.monotonic() - began < 20


def test_the_key_stays_out_of_sight(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="otel_langsmith")
    exporter = LangSmithSpanExporter(endpoint=nobody, api_key="sesame", timeout=0.1)
    exporter.export([span(1)])
    echo = b"HTTP/1.1 403 No\r\nContent-Length: 20\r\n\r\nsesame is not a key!"
    with rude_server([echo]) as server:
        second = LangSmithSpanExporter(endpoint=server.url, api_key="sesame")
        second.export([span(1)])
    assert "is not a key" in caplog.text
    assert "sesame" not in caplog.text + repr(exporter) + repr(exporter.ledger())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sends_its_own_spans_and_not_its_parents(receiver: Receiver) -> None:
    exporter = exporter_to(receiver)
    exporter.export([span(1), span(3, 2)])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            exporter.export([span(11)])
            exporter.shutdown()
            code = 0 if exporter.ledger().delivered == exporter.ledger().received == 1 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    exporter.shutdown()
    assert {run.id for run in receiver.store.runs()} == {run_id_of(n) for n in (1, 3, 11)}


def test_our_own_requests_are_traced_by_nobody(receiver: Receiver) -> None:
    instrumentor = pytest.importorskip("opentelemetry.instrumentation.requests")
    exporter = exporter_to(receiver)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.RequestsInstrumentor().instrument(tracer_provider=provider)
    try:
        exporter.export([span(1), span(9, 8)])
        exporter.shutdown()  # nobody but us suppresses here
    finally:
        instrumentor.RequestsInstrumentor().uninstrument()
    assert {run.id for run in receiver.store.runs()} == {run_id_of(1), run_id_of(9)}
    assert exporter.ledger().received == 2


def test_hidden_content_is_nowhere_on_the_wire(receiver: Receiver) -> None:
    exporter = exporter_to(receiver, hide_inputs=True, hide_outputs=True)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("chat") as chat:
        chat.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.input.messages": '[{"role":"user","parts":[{"content":"CANARY"}]}]',
                "gen_ai.output.messages": "CANARY",
                "gen_ai.usage.input_tokens": 5,
                "vendor.of.tomorrow.prompt": "CANARY",
                "langsmith.metadata.x": "CANARY",
            }
        )
        chat.add_event("CANARY-free", {"text": "CANARY"})
        chat.record_exception(ValueError("CANARY"))
        chat.set_status(Status(StatusCode.ERROR, "CANARY"))
    (run,) = receiver.store.runs()
    assert "CANARY" not in repr(run).replace("CANARY-free", "")
    assert (run.inputs, run.outputs, run.error) == ({}, {}, "ValueError")
    assert run.usage["input_tokens"] == 5
    provider.shutdown()


def test_an_exporter_that_is_let_go_is_freed() -> None:
    """The fork hook cannot be unregistered, so it must not keep what it renews."""
    exporter = LangSmithSpanExporter(api_key="k")
    freed = weakref.ref(exporter)
    del exporter
    gc.collect()
    assert freed() is None


def test_a_convention_of_ones_own_and_redact_reach_the_wire() -> None:
    mine = Convention(
        name="mine", spec="", rows=(attr("inputs.query", "mine.q"), attr("name", "mine.name"))
    )
    with Receiver() as receiver:
        exporter = LangSmithSpanExporter(
            endpoint=receiver.url, api_key="any", conventions=[mine], redact=secrets
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        told = {"mine.q": "with password=hunter2", "mine.name": "my name"}
        provider.get_tracer("t").start_span("span", attributes=told).end()
        provider.shutdown()
        (run,) = receiver.store.runs()
    assert run.name == "my name"
    assert run.inputs == {"query": "with password=[redacted]"}


def test_a_redact_that_fails_is_counted_and_lets_nothing_through() -> None:
    with Receiver() as receiver:
        exporter = LangSmithSpanExporter(
            endpoint=receiver.url, api_key="any", redact=lambda content: content["nothing"]
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        told = {"input.value": "hello", "openinference.span.kind": "CHAIN"}
        provider.get_tracer("t").start_span("span", attributes=told).end()
        provider.shutdown()
        (run,) = receiver.store.runs()
    assert (run.name, run.inputs) == ("chain", {})
    assert dict(exporter.ledger().noted) == {"redaction_failed": 1}
