"""Live runs, plain REST and claimed parents, before a real server."""

import gc
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, Tracer, set_span_in_context
from support.delivery import give_time
from support.posts import run
from support.rude_server import deaf_address
from support.spans import context, span

from otel_langsmith import LangSmithPropagator, LangSmithSpanExporter
from otel_langsmith.identity import iso_time, run_id_of
from otel_langsmith.live import MOST_AT_ONCE, picture_of
from otel_langsmith.pipeline import Pipeline
from otel_langsmith.presence import State
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.receiver import Receiver, StoredRun

GENAI = {"gen_ai.operation.name": "chat"}
NEVER = 3_600_000


@pytest.fixture
def make(receiver: Receiver) -> Iterator[Callable[..., tuple[LangSmithSpanProcessor, Tracer]]]:
    made: list[LangSmithSpanProcessor] = []

    def make(**settings: Any) -> tuple[LangSmithSpanProcessor, Tracer]:
        given = {"endpoint": receiver.url, "api_key": "k", "schedule_delay_millis": 30, **settings}
        processor = LangSmithSpanProcessor(**given)
        made.append(processor)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        return processor, provider.get_tracer("tests")

    yield make
    for processor in made:
        processor.shutdown(20_000)


def under(tracer: Tracer, parent: Any, name: str = "span", **more: Any) -> Any:
    above = Context() if parent is None else set_span_in_context(parent)
    return tracer.start_span(name, context=above, **more)


def until(holds: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(holds())


def runs(receiver: Receiver) -> dict[str, StoredRun]:
    return {run.name: run for run in receiver.store.runs()}


def sent(receiver: Receiver) -> list[str]:
    return [
        line.method
        for line in receiver.store.requests()
        if line.path.startswith("/runs") and line.status < 300
    ]


# Live


def test_a_long_span_is_pending_first_and_then_complete(make: Any, receiver: Receiver) -> None:
    processor, tracer = make()
    attributes = {"gen_ai.prompt": "why?", "langsmith.span.tags": "early"}
    top = under(tracer, None, "top", attributes=attributes)
    inner = under(tracer, top, "inner")
    assert receiver.store.wait_for(2, timeout_s=60)
    pending = runs(receiver)
    assert {run.status for run in pending.values()} == {"pending"}
    assert pending["top"].inputs == {"input": "why?"}
    assert pending["inner"].parent_run_id == pending["top"].id
    assert processor.ledger().received == 0
    page = requests.get(f"{receiver.url}/traces/{pending['top'].id}", timeout=30).text
    assert "running" in page
    top.set_attribute("gen_ai.completion", "therefore")
    top.set_attribute("langsmith.span.tags", "")
    inner.end()
    top.end()
    assert processor.force_flush(60_000) is True
    done = runs(receiver)
    assert {run.status for run in done.values()} == {"success"}
    assert (done["top"].inputs, done["top"].tags) == ({"input": "why?"}, [])
    assert done["top"].outputs == {"output": "therefore"}
    assert done["top"].dotted_order == pending["top"].dotted_order
    ledger = processor.ledger()
    assert (ledger.received, ledger.delivered, ledger.noted) == (2, 2, {})
    assert all(line.status == 202 for line in receiver.store.requests() if line.method != "GET")


def test_a_span_between_two_flushes_is_one_post(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER)
    for _ in range(3):
        under(tracer, None).end()
    open_still = under(tracer, None)
    assert processor.force_flush(60_000) is True
    assert len(sent(receiver)) == 1
    assert len(receiver.store.runs()) == 3
    open_still.end()


def test_without_live_runs_there_is_one_post_for_each(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(live=False)
    one = under(tracer, None)
    time.sleep(0.15)
    assert not processor._worker.runs
    assert receiver.store.runs() == []
    one.end()
    assert processor.force_flush(60_000) is True
    assert len(sent(receiver)) == 1


def test_many_ended_spans_are_no_reason_to_show_the_open_ones(
    make: Any, receiver: Receiver
) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER)
    top = under(tracer, None, "top")
    for _ in range(1_500):
        under(tracer, top).end()
    assert processor.force_flush(60_000)
    assert "top" not in runs(receiver)
    top.end()


def test_what_is_open_at_shutdown_is_closed_as_failed(make: Any, receiver: Receiver) -> None:
    processor, tracer = make()
    shown = under(tracer, None, "shown", attributes={"gen_ai.prompt": "why?"})
    gone = under(tracer, shown, "gone")
    assert receiver.store.wait_for(2, timeout_s=60)
    del gone
    gc.collect()
    processor.shutdown()
    unseen = under(tracer, shown, "after")
    found = runs(receiver)
    assert [found[name].error for name in ("shown", "gone")] == [
        "the process ended before this span did"
    ] * 2
    assert found["shown"].inputs == {"input": "why?"}
    assert found["shown"].end_time is not None
    ledger = processor.ledger()
    assert (ledger.received, ledger.noted) == (0, {"unended": 2})
    unseen.end()
    assert "after" not in runs(receiver)


def test_what_is_hidden_stays_hidden_while_it_is_open(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(hide_inputs=True)
    one = under(tracer, None, attributes={"gen_ai.prompt": "sesame", "other": "sesame"})
    assert receiver.store.wait_for(1, timeout_s=60)
    assert "sesame" not in repr(receiver.store.runs())
    one.end()
    assert processor.force_flush(60_000)


def test_only_what_is_wanted_now_is_shown_and_that_is_final(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(span_filter="genai")
    top = under(tracer, None, "POST /")
    model = under(tracer, top, "model", attributes=GENAI)
    tardy = under(tracer, top, "tardy")
    below = under(tracer, tardy, "below", attributes=GENAI)
    assert receiver.store.wait_for(2, timeout_s=60)
    assert {*runs(receiver)} == {"model", "below"}
    tardy.set_attributes(GENAI)
    for one in (below, tardy, model, top):
        one.end()
    assert processor.force_flush(60_000)
    assert {name: run.parent_run_id for name, run in runs(receiver).items()} == {
        "model": None,
        "below": None,
        "tardy": None,
    }
    assert processor.ledger().filtered == 1


def test_being_asked_in_vain_decides_nothing(make: Any, receiver: Receiver) -> None:
    """A span that turns out to be wanted later keeps the children that come after."""
    processor, tracer = make(span_filter="genai")
    shown = under(tracer, None, "shown", attributes=GENAI)
    late = under(tracer, shown, "late")
    assert receiver.store.wait_for(1, timeout_s=60)
    until(lambda: not processor._live._waiting)
    late.set_attributes(GENAI)
    child = under(tracer, late, "child", attributes=GENAI)
    for one in (child, late, shown):
        one.end()
    assert processor.force_flush(60_000)
    found = runs(receiver)
    assert found["child"].parent_run_id == found["late"].id
    assert found["late"].parent_run_id == found["shown"].id


def test_openings_wait_behind_what_ended_and_are_not_counted(make: Any, receiver: Receiver) -> None:
    with deaf_address() as nowhere:
        # long enough for a busy machine to end it before it would be opened
        processor, tracer = make(endpoint=nowhere, timeout=0.2, schedule_delay_millis=300)
        ended, still = under(tracer, None), under(tracer, None)
        ended.end()
        assert until(lambda: processor.ledger().queued == 1)
        time.sleep(0.6)
        assert (processor.ledger().received, processor._live._opened) == (1, {})
        processor.shutdown(500)
    assert processor.ledger().dropped == {"undelivered": 1}
    assert processor.ledger().noted == {}
    still.end()


def test_an_opening_that_nobody_answered_is_noted_and_costs_the_run_nothing(
    make: Any, receiver: Receiver
) -> None:
    with deaf_address() as nowhere:
        processor, tracer = make(endpoint=nowhere, timeout=0.2)
        one = under(tracer, None, "one")
        opened = processor._live._opened
        assert until(lambda: any(run.presence.state is State.UNSURE for run in opened.values()))
        one.end()
        send_to(processor._pipeline, receiver.url)
        assert until(lambda: processor.ledger().delivered == 1)
    assert processor.ledger().noted == {"opening_failed": 1}
    assert runs(receiver)["one"].status == "success"


def send_to(pipeline: Pipeline, url: str) -> None:
    """As if the server had been at this address all the time."""
    (lane,) = pipeline._lanes
    lane._sender._server._settings = replace(pipeline.settings, endpoint=url)
    give_time(pipeline)


def test_no_open_span_is_kept_alive(make: Any, receiver: Receiver) -> None:
    processor, tracer = make()
    shown = under(tracer, None, "shown")
    assert receiver.store.wait_for(1, timeout_s=60)
    held = weakref.ref(shown)
    del shown
    early = weakref.ref(under(tracer, None, "early"))
    assert until(lambda: gc.collect() >= 0 and held() is early() is None)
    assert processor.ledger().lost == 0


def test_many_are_shown_a_part_at_a_time_and_parents_first(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER)
    spans = [under(tracer, None)]
    for _ in range(2 * MOST_AT_ONCE):
        spans.append(under(tracer, spans[-1]))
    live = processor._live
    live.look(processor._started)
    shown: list[str] = []
    while now := live.to_open():
        assert len(now) <= MOST_AT_ONCE
        for placed in now:
            live.opening(placed, run(1))
            assert placed.presence is not None
            placed.presence.opening_accepted()
        live.settle(again=True)
        shown += [placed.lineage.run_id for placed in now]
    assert shown == [run_id_of(span.get_span_context().span_id) for span in spans]


def test_what_is_watched_is_bounded(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(max_queue_size=3)
    spans = [under(tracer, None, f"span {n}") for n in range(5)]
    assert receiver.store.wait_for(3, timeout_s=60)
    time.sleep(0.15)
    assert len(receiver.store.runs()) == 3
    for one in spans:
        one.end()
        assert processor.force_flush(60_000)
    assert {run.status for run in receiver.store.runs()} == {"success"}
    assert len(receiver.store.runs()) == 5


def test_many_threads_write_to_spans_while_they_are_shown(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(schedule_delay_millis=1)
    done = threading.Event()

    def work(number: int) -> None:
        while not done.is_set():
            with tracer.start_as_current_span("work", context=Context()) as one:
                for n in range(60):
                    one.set_attribute(f"key {n}", number)
                    one.add_event("event")
                time.sleep(0.002)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    done.set()
    for thread in threads:
        thread.join()
    assert processor.force_flush(60_000)
    ledger = processor.ledger()
    assert (ledger.lost, ledger.noted) == (0, {})
    assert ledger.delivered == len(receiver.store.runs())
    assert {run.status for run in receiver.store.runs()} == {"success"}


def test_a_span_that_changes_too_fast_is_not_pictured() -> None:
    class Restless(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            raise RuntimeError("dictionary changed size during iteration")

        keys = __iter__  # type: ignore[assignment]

    one = span(1)
    one._attributes = Restless(a=1)
    assert picture_of(one) is None
    assert picture_of(span(2, attributes={"a": 1})) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_closes_nothing_of_its_parents(make: Any, receiver: Receiver) -> None:
    processor, tracer = make()
    shown = under(tracer, None, "shown")
    assert receiver.store.wait_for(1, timeout_s=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forks while threads run
        child = os.fork()
    if child == 0:
        try:
            processor.shutdown(5_000)
        finally:
            os._exit(len(processor.ledger().noted))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert runs(receiver)["shown"].status == "pending"
    shown.end()
    assert processor.force_flush(60_000)
    assert runs(receiver)["shown"].status == "success"


# Plain REST


@pytest.mark.parametrize("live", [True, False])
def test_plain_rest_sends_parents_first_and_leaves_the_place_to_the_server(
    make: Any, receiver: Receiver, live: bool
) -> None:
    processor, tracer = make(mode="basic", live=live, schedule_delay_millis=NEVER)
    top = under(tracer, None, "top")
    middle = under(tracer, top, "middle")
    leaf = under(tracer, middle, "leaf")
    leaf.end()
    assert processor.force_flush(60_000) is True
    assert [(run.name, run.status, run.depth) for run in receiver.store.runs()] == [
        ("top", "pending", 0),
        ("middle", "pending", 1),
        ("leaf", "success", 2),
    ]
    middle.end()
    top.end()
    assert processor.force_flush(60_000) is True
    assert {run.status for run in receiver.store.runs()} == {"success"}
    assert sent(receiver) == ["POST", "POST", "POST", "PATCH", "PATCH"]
    assert {line.path for line in receiver.store.requests() if line.method == "POST"} == {"/runs"}
    ledger = processor.ledger()
    assert (ledger.delivered, ledger.noted) == (3, {})


def test_plain_rest_shows_live_runs(make: Any, receiver: Receiver) -> None:
    processor, tracer = make(mode="basic")
    top = under(tracer, None, "top")
    inner = under(tracer, top, "inner")
    assert receiver.store.wait_for(2, timeout_s=60)
    top.end()
    processor.shutdown()
    assert inner.is_recording()  # held until here: who lets go of a span shows it no more
    assert [(run.name, run.status) for run in receiver.store.runs()] == [
        ("top", "success"),
        ("inner", "error"),
    ]
    assert all(line.status in (200, 202) for line in receiver.store.requests())


def test_ended_trees_are_one_plain_post_for_each_run(receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", mode="basic")
    exporter.export([span(3, 2), span(2, 1), span(1), span(4, 1)])
    assert [run.depth for run in receiver.store.runs()] == [0, 1, 2, 1]
    assert sent(receiver) == ["POST"] * 4
    exporter.shutdown()


def test_threads_do_not_overtake_parents_in_plain_rest(receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", mode="basic")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")

    def work() -> None:
        for _ in range(5):
            with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exporter.force_flush(60_000)
    assert len(receiver.store.traces(limit=100)) == 30
    assert exporter.ledger().delivered == 60
    assert all(line.status in (200, 202) for line in receiver.store.requests())
    provider.shutdown()


def test_a_parent_of_another_process_may_come_later(receiver: Receiver, make: Any) -> None:
    """Then the run says its whole place: the caller ends after what it called."""
    caller, calling = make(mode="basic", live=False)
    called, serving = make(mode="basic", live=False)
    propagator, headers = LangSmithPropagator(), {}
    client = under(calling, None, "client")
    propagator.inject(headers, set_span_in_context(client, Context()))
    serving.start_span("served", context=propagator.extract(headers, Context())).end()
    assert called.force_flush(60_000)
    client.end()
    assert caller.force_flush(60_000)
    found = runs(receiver)
    assert found["served"].parent_run_id == found["client"].id
    assert found["served"].trace_id == found["client"].id
    assert all(line.status in (200, 202) for line in receiver.store.requests())


def test_attachments_that_cannot_travel_are_named_and_noted(receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", mode="basic")
    held = '[{"name": "note", "content": "aGk=", "mime_type": "text/plain"}]'
    exporter.export([span(1, attributes={"langsmith.attachments": held})])
    (run,) = receiver.store.runs()
    assert run.attachments == {}
    assert run.metadata["otel_langsmith.attachments_left_out"] == ["note"]
    assert exporter.ledger().noted == {"attachments_left_out": 1}


def test_an_outage_of_plain_rest_loses_nothing_and_no_order(receiver: Receiver) -> None:
    with deaf_address() as nowhere:
        exporter = LangSmithSpanExporter(
            endpoint=nowhere, api_key="k", mode="basic", timeout=0.2, compression="gzip"
        )
        exporter.export([span(2, 1), span(1)])
        exporter.export([span(3, 2)])
        assert exporter.ledger().queued == 3
        send_to(exporter._pipeline, receiver.url)
        assert exporter.force_flush(60_000) is True
    assert [run.depth for run in receiver.store.runs()] == [0, 1, 2]


# Claimed parents


def serve(tracer: Tracer, remote: SpanContext) -> Any:
    return tracer.start_span(
        "served", context=set_span_in_context(NonRecordingSpan(remote), Context())
    )


def exported_by_otlp(receiver: Receiver, span_id: int) -> None:
    """The run that LangSmith makes of a span it gets by OTLP."""
    run = {
        "id": run_id_of(span_id),
        "name": "caller",
        "run_type": "chain",
        "start_time": iso_time(1_000_000_000),
    }
    headers = {"x-api-key": "k"}
    reply = requests.post(f"{receiver.url}/runs", json=run, headers=headers, timeout=30)
    assert reply.status_code == 202


def test_a_remote_parent_that_is_there_is_found_by_the_server(
    make: Any, receiver: Receiver
) -> None:
    exported_by_otlp(receiver, 9)
    processor, tracer = make(remote_parent="parent", live=False)
    served = serve(tracer, context(9, remote=True))
    under(tracer, served, "inner").end()
    served.end()
    other = under(tracer, None, "other")
    other.end()
    assert processor.force_flush(60_000) is True
    found = runs(receiver)
    assert {found[name].trace_id for name in ("served", "inner")} == {run_id_of(9)}
    assert [found[name].depth for name in ("caller", "served", "inner", "other")] == [0, 1, 2, 0]
    assert found["served"].parent_run_id == run_id_of(9)
    paths = {line.path for line in receiver.store.requests()}
    assert paths == {"/runs", "/runs/multipart"}
    assert processor.ledger().noted == {}


@pytest.mark.parametrize("live", [True, False])
def test_a_remote_parent_that_nobody_knows_leaves_a_trace_of_its_own(
    make: Any, receiver: Receiver, live: bool
) -> None:
    processor, tracer = make(remote_parent="parent", live=live)
    served = serve(tracer, context(9, remote=True))
    inner = under(tracer, served, "inner")
    if live:
        assert receiver.store.wait_for(2, timeout_s=60)
    inner.end()
    served.end()
    assert processor.force_flush(60_000) is True
    found = runs(receiver)
    assert found["served"].parent_run_id is None
    assert found["inner"].parent_run_id == found["served"].id
    assert found["inner"].trace_id == found["served"].id
    assert {run.status for run in found.values()} == {"success"}
    assert found["served"].metadata["otel.parent_span_id"] == f"{9:016x}"
    assert processor.ledger().noted == {"parent_unknown": 1}
    assert processor.ledger().delivered == 2


def test_a_claimed_place_is_named_to_nobody(make: Any) -> None:
    processor, tracer = make(remote_parent="parent")
    served = serve(tracer, context(9, remote=True))
    headers: dict[str, str] = {}
    LangSmithPropagator().inject(headers, set_span_in_context(served, Context()))
    assert "langsmith-trace" not in headers
    assert "traceparent" in headers
    served.end()
    assert processor.force_flush(60_000)


def test_what_is_left_out_hands_the_claim_on(make: Any, receiver: Receiver) -> None:
    exported_by_otlp(receiver, 9)
    processor, tracer = make(remote_parent="parent", span_filter="genai")
    served = serve(tracer, context(9, remote=True))
    under(tracer, served, "model", attributes=GENAI).end()
    served.end()
    assert processor.force_flush(60_000)
    assert runs(receiver)["model"].parent_run_id == run_id_of(9)


def test_the_exporter_claims_as_well(receiver: Receiver) -> None:
    exported_by_otlp(receiver, 9)
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", remote_parent="parent")
    exporter.export([span(2, 1), span(1, 9, remote=True)])
    assert {run.trace_id for run in receiver.store.runs()} == {run_id_of(9)}
    exporter.shutdown()
