"""`processor`: exact trees, a queue that accounts for every span, a filter that re-parents."""

import asyncio
import gc
import inspect
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, Tracer, set_span_in_context
from support.captures import CAPTURES, load, name_of
from support.delivery import ManualClock, ScriptedTransport, join
from support.spans import START, context, span

from otel_langsmith import ConfigurationError, pipeline
from otel_langsmith.delivery import sender
from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import ORPHANED, Lineage, child, root
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.selection import is_genai, selector
from otel_langsmith.settings import SETTINGS, resolve
from otel_langsmith.tracking import Fate, Tracker, find, hang, in_context, put_in_context
from otel_langsmith.wire.reply import Reply

NEVER = 3_600_000
GENAI = {"gen_ai.operation.name": "chat"}


class Gate(ScriptedTransport):
    """A scripted network behind a gate that a test may shut."""

    def __init__(self) -> None:
        super().__init__([Reply(202)], ManualClock())
        self.open = threading.Event()
        self.open.set()

    def send(self, request: Any, timeout_s: float) -> Reply:
        if not self.open.wait(timeout_s):
            return Reply(None, error="timed out")
        return super().send(request, timeout_s)

    def posted(self) -> str:
        return "".join(request.body.decode("latin-1") for request in self.requests)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(pipeline, "HttpTransport", lambda *_: gate)
    return gate


@pytest.fixture
def make(network: Gate) -> Iterator[Callable[..., tuple[LangSmithSpanProcessor, Tracer]]]:
    made: list[LangSmithSpanProcessor] = []

    def make(
        sampler: Sampler = ALWAYS_ON, **settings: Any
    ) -> tuple[LangSmithSpanProcessor, Tracer]:
        settings = {"api_key": "k", "schedule_delay_millis": 20, **settings}
        processor = LangSmithSpanProcessor(**settings)
        made.append(processor)
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        return processor, provider.get_tracer("tests")

    yield make
    network.open.set()
    for processor in made:
        processor.shutdown(20_000)


def under(tracer: Tracer, parent: Any, name: str = "span", **more: Any) -> Any:
    above = Context() if parent is None else set_span_in_context(parent)
    return tracer.start_span(name, context=above, **more)


def nearest(span: Any) -> Lineage:
    lineage = find(span.get_span_context())
    assert lineage is not None
    return lineage


# Lineage


@given(st.integers(0, 2**32), st.integers(1, 80))
def test_any_tree_in_any_order_has_the_dotted_orders_of_the_oracle(seed: int, nodes: int) -> None:
    draw = random.Random(seed)
    tracker = Tracker(None)
    spans: list[ReadableSpan] = []
    known: list[Lineage] = []
    for number in range(1, nodes + 1):
        above = draw.randrange(len(spans)) if spans and draw.random() > 0.05 else None
        start = START + draw.choice([0, 1, 999, 1_000, -3_600_000_000_000])
        one = span(number, None if above is None else spans[above].context, start=start)
        tracker.start(one, Context())
        spans.append(one)
        run_id = run_id_of(number)
        known.append(root(run_id, start) if above is None else child(known[above], run_id, start))
    order = list(range(nodes))
    draw.shuffle(order)
    for index in order:
        assert tracker.end(spans[index]) == known[index]


@given(st.integers(0, 2**32), st.integers(1, 80), st.booleans())
def test_whatever_is_left_out_each_run_hangs_under_its_nearest_kept_ancestor(
    seed: int, nodes: int, late: bool
) -> None:
    """Also when some places were needed before the spans ended, as a header does."""
    draw = random.Random(seed)
    tracker = Tracker(selector(lambda one: bool((one.attributes or {}).get("kept"))))
    spans: list[ReadableSpan] = []
    kept: list[int | None] = []  # the nearest kept span at or above each
    above_of: list[int | None] = []
    for number in range(1, nodes + 1):
        above = draw.randrange(len(spans)) if spans and draw.random() > 0.1 else None
        keep = draw.random() < 0.5
        one = span(
            number, None if above is None else spans[above].context, attributes={"kept": keep}
        )
        tracker.start(one, Context())
        nearest_above = None if above is None else kept[above]
        kept.append(number if keep else nearest_above)
        above_of.append(nearest_above)
        spans.append(one)
        if late and draw.random() < 0.3:
            found = find(one.context)
            assert (found.run_id if found else None) == (
                None if kept[-1] is None else run_id_of(kept[-1])
            )
    draw.shuffle(order := list(range(nodes)))
    for index in order:
        place = tracker.end(spans[index])
        if kept[index] != index + 1:
            assert place is Fate.FILTERED
            continue
        assert isinstance(place, Lineage)
        expected = above_of[index]
        assert place.parent_run_id == (None if expected is None else run_id_of(expected))
        assert place.notes == ()


@pytest.mark.large
def test_ten_thousand_live_ancestors_are_climbed() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    tracker = Tracker(selector("genai"))
    tracer = provider.get_tracer("tests")
    spans: list[Any] = []
    for _ in range(10_000):
        spans.append(under(tracer, spans[-1] if spans else None))
        tracker.start(spans[-1], None)
    assert find(spans[-1].get_span_context()) is None
    spans[-1].set_attributes(GENAI)
    leaf = tracker.end(spans[-1])
    assert isinstance(leaf, Lineage)
    assert leaf.parent_run_id is None
    spans.reverse()
    while spans:
        spans.pop()
    gc.collect()


def test_a_chain_of_kept_ancestors_is_climbed_at_once() -> None:
    tracker = Tracker(None)
    above = None
    for number in range(1, 901):
        one = span(number, above)
        tracker.start(one, Context())
        above = one.context
    lineage = find(above)
    assert lineage is not None
    assert lineage.dotted_order.count(".") == 899


def test_identity_attributes_count_as_they_are_when_the_place_is_needed(make: Any) -> None:
    _, tracer = make(schedule_delay_millis=NEVER)  # to be shown needs a place, too
    parent = under(tracer, None)
    parent.set_attribute("langsmith.span.id", "019b7cbc-f1ae-7000-8000-000000000001")
    inner = under(tracer, parent)
    assert nearest(inner).parent_run_id == "019b7cbc-f1ae-7000-8000-000000000001"
    assert nearest(parent).run_id == "019b7cbc-f1ae-7000-8000-000000000001"


def test_a_lineage_in_the_context_is_the_parent_of_roots_and_of_remote_children(make: Any) -> None:
    _, tracer = make()
    far = root(run_id_of(77), START - 1)
    held = put_in_context(far, Context())
    assert in_context(held) == far
    assert nearest(tracer.start_span("a", context=held)).parent_run_id == far.run_id
    remote = set_span_in_context(NonRecordingSpan(context(9, remote=True)), held)
    served = tracer.start_span("b", context=remote)
    assert nearest(served).parent_run_id == far.run_id
    below = tracer.start_span("c", context=set_span_in_context(served, held))
    assert nearest(below).parent_run_id == run_id_of(served.get_span_context().span_id)


def test_a_lineage_on_a_remote_parent_goes_before_the_contexts(make: Any) -> None:
    _, tracer = make()
    hang(remote := context(9, remote=True), root(run_id_of(9), START))
    held = put_in_context(root(run_id_of(77), START), Context())
    served = tracer.start_span("a", context=set_span_in_context(NonRecordingSpan(remote), held))
    assert nearest(served).parent_run_id == run_id_of(9)


def test_a_remote_parent_without_lineage_begins_a_trace(make: Any) -> None:
    _, tracer = make()
    remote = set_span_in_context(NonRecordingSpan(context(9, remote=True)), Context())
    served = nearest(tracer.start_span("a", context=remote))
    assert (served.parent_run_id, served.notes) == (None, ())


def test_children_that_start_or_end_after_their_parent_find_it(make: Any) -> None:
    processor, tracer = make()
    parent = under(tracer, None)
    slow = under(tracer, parent)
    parent.end()
    assert processor.force_flush(60_000)
    late = under(tracer, parent)
    slow.end()
    late.end()
    assert processor.force_flush(60_000)
    for one in (slow, late):
        assert nearest(one).parent_run_id == nearest(parent).run_id
    assert (processor.ledger().delivered, processor.ledger().noted) == (3, {})


class DropsByName(Sampler):
    """A sampler that records, or not, what a span's name says, whatever the parent was."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *_: Any, **__: Any):  # noqa: ANN201
        decision = {"drop": Decision.DROP, "record": Decision.RECORD_ONLY}
        return SamplingResult(decision.get(name, Decision.RECORD_AND_SAMPLE))

    def get_description(self) -> str:
        return "by name"


def test_nothing_hangs_under_a_span_that_is_never_sent(make: Any) -> None:
    processor, tracer = make(DropsByName())
    top = under(tracer, None)
    recorded = under(tracer, top, "record")
    below = under(tracer, recorded)
    lost = under(tracer, under(tracer, top, "drop"))
    assert nearest(below).parent_run_id == nearest(top).run_id
    assert nearest(lost).notes == (ORPHANED,)
    assert nearest(lost).parent_run_id is None
    for one in (lost, below, recorded, top):
        one.end()
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 3


@pytest.mark.parametrize(
    "sampler", [ALWAYS_ON, ParentBased(ALWAYS_ON), TraceIdRatioBased(1), TraceIdRatioBased(0.5)]
)
def test_with_every_sampler_the_sampled_trees_are_whole(make: Any, sampler: Sampler) -> None:
    processor, tracer = make(sampler)
    sampled = 0
    for _ in range(20):
        with tracer.start_as_current_span("top") as top:
            for _ in range(3):
                with tracer.start_as_current_span("inner") as inner:
                    if inner.get_span_context().trace_flags.sampled:
                        assert nearest(inner).parent_run_id == nearest(top).run_id
        sampled += 4 * top.get_span_context().trace_flags.sampled
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == processor.ledger().received == sampled


def test_threads_tasks_and_generators_keep_their_own_trees(make: Any) -> None:  # noqa: C901
    processor, tracer = make()
    wrong: list[str] = []

    def check(inner: Any, outer: Any) -> None:
        if nearest(inner).parent_run_id != nearest(outer).run_id:
            wrong.append(inner.name)

    def walk(outer: Any) -> Iterator[None]:
        for _ in range(5):
            with tracer.start_as_current_span("step", context=set_span_in_context(outer)) as inner:
                check(inner, outer)
                yield

    async def task() -> None:
        with tracer.start_as_current_span("task") as outer:
            await asyncio.sleep(0)
            with tracer.start_as_current_span("await") as inner:
                check(inner, outer)
                await asyncio.sleep(0)

    async def tasks() -> None:
        await asyncio.gather(*(task() for _ in range(20)))

    def work() -> None:
        with tracer.start_as_current_span("thread") as outer:
            walks = [walk(outer), walk(outer)]
            for _ in range(5):
                for one in walks:
                    next(one)
            for one in walks:
                one.close()
        asyncio.run(tasks())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 4 * (1 + 10 + 40)


def test_two_processors_with_different_filters_have_trees_of_their_own(make: Any) -> None:
    processor, tracer = make()
    strict = Tracker(selector("genai"))
    top = under(tracer, None)
    strict.start(top, Context())
    inner = under(tracer, top, attributes=GENAI)
    strict.start(inner, Context())
    assert nearest(inner).parent_run_id == nearest(top).run_id
    place = strict.end(inner)
    assert isinstance(place, Lineage)
    assert place.parent_run_id is None
    assert strict.end(top) is Fate.FILTERED
    inner.end()
    top.end()
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 2


def test_a_span_that_began_before_the_processor_waits_for_its_ancestors(make: Any) -> None:
    processor, _ = make()
    parent, inner = span(1), span(2, 1)
    processor.on_end(inner)
    assert processor.force_flush(60_000) is False
    assert processor.ledger().held == 1
    processor.on_end(parent)
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 2


# The filter


def test_the_presets_say_what_they_keep(make: Any) -> None:
    for preset, expected in (("all", 3), ("genai", 1), ("genai+root", 2)):
        processor, tracer = make(span_filter=preset)
        top = under(tracer, None, "GET /")
        middle = under(tracer, top, "SELECT")
        model = under(tracer, middle)
        model.set_attributes(GENAI)
        for one in (model, middle, top):
            one.end()
        assert processor.force_flush(60_000)
        ledger = processor.ledger()
        assert (ledger.delivered, ledger.filtered) == (expected, 3 - expected)
        above = {"all": middle, "genai": None, "genai+root": top}[preset]
        assert nearest(model).parent_run_id == (nearest(above).run_id if above else None)


def test_headers_would_name_the_nearest_kept_ancestor(make: Any) -> None:
    _, tracer = make(span_filter="genai")
    model = under(tracer, None, attributes=GENAI)
    http = under(tracer, model, "POST")
    assert nearest(http) == nearest(model)
    assert find(under(tracer, None, "POST").get_span_context()) is None


def test_a_span_wanted_only_at_its_end_is_kept_beside_its_children(make: Any) -> None:
    processor, tracer = make(span_filter="genai")
    top = under(tracer, None, attributes=GENAI)
    tardy = under(tracer, top)
    inner = under(tracer, tardy, attributes=GENAI)
    inner.end()
    assert processor.force_flush(60_000)
    tardy.set_attributes(GENAI)
    tardy.end()
    top.end()
    assert processor.force_flush(60_000)
    assert nearest(inner).parent_run_id == nearest(tardy).parent_run_id == nearest(top).run_id
    assert processor.ledger().delivered == 3


def test_what_was_kept_for_a_child_stays_kept(make: Any) -> None:
    processor, tracer = make(span_filter=lambda one: one.name == "kept")
    top = under(tracer, None, "kept")
    inner = under(tracer, top, "kept")
    inner.end()
    assert processor.force_flush(60_000)
    top.update_name("renamed")
    top.end()
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 2


def test_a_filter_that_fails_keeps_the_span_and_says_so_once(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    processor, tracer = make(span_filter=lambda one: one.no_such_thing)
    for _ in range(3):
        under(tracer, None).end()
    assert processor.force_flush(60_000)
    assert processor.ledger().delivered == 3
    assert [r.getMessage() for r in caplog.records] == [
        "span_filter failed and spans are kept: AttributeError"
    ]


def test_a_filter_that_is_none_of_them_raises() -> None:
    with pytest.raises(ConfigurationError, match="all, genai, genai\\+root, or a callable"):
        LangSmithSpanProcessor(span_filter="llm")  # the type checker would refuse it as well


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"gen_ai.operation.name": "execute_tool"}, True),
        ({"gen_ai.request.model": "m"}, True),
        ({"openinference.span.kind": "RETRIEVER"}, True),
        ({"traceloop.span.kind": "agent"}, True),
        ({"mcp.method.name": "tools/call"}, True),
        ({"db.system": "pinecone"}, True),
        ({"db.system": "postgresql"}, False),
        ({"db.system": ("pinecone",)}, False),
        ({"http.request.method": "POST"}, False),
        ({"session.id": "s", "gen_ai.agent.name": "copied down"}, False),
        ({}, False),
    ],
)
def test_attributes_tell_generative_ai(attributes: dict[str, Any], kept: bool) -> None:
    assert is_genai(span(1, attributes=attributes)) is kept


def test_captures_of_instrumentations_of_models_are_kept_and_those_of_the_web_are_not() -> None:
    for path in CAPTURES:
        name = name_of(path)
        kept = [
            is_genai(one)
            for one in load(path)
            if not one.instrumentation_scope.name.startswith(("my-app", "autogen"))
        ]
        if name in ("web__fastapi_httpx", "web__redis"):
            assert not any(kept), name
        elif name.startswith(("oi_", "official_genai", "traceloop_openai", "anthropic_")):
            assert all(kept), name


# The queue


def test_a_full_queue_drops_the_new_span_and_says_so_once(
    make: Any, network: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    processor, tracer = make(max_queue_size=5, schedule_delay_millis=NEVER)
    processor._scales.wake_at = 10
    top = under(tracer, None)
    early = [under(tracer, top, f"early {n}") for n in range(5)]
    late = [under(tracer, top, f"late {n}") for n in range(3)]
    for one in early + late:
        one.end()
    ledger = processor.ledger()
    assert (ledger.received, ledger.queued, ledger.dropped) == (8, 5, {"queue_full": 3})
    assert len(caplog.records) == 1
    assert processor.force_flush(60_000) is False
    assert processor.ledger().delivered == 5
    assert "early 4" in network.posted()
    assert "late" not in network.posted()
    top.end()
    assert processor.force_flush(60_000) is True


def test_a_small_queue_is_emptied_before_it_is_full(make: Any) -> None:
    processor, tracer = make(max_queue_size=50, schedule_delay_millis=NEVER)
    for _ in range(20):
        for _ in range(26):
            under(tracer, None).end()
        deadline = time.monotonic() + 60
        while processor.ledger().queued > 1 and time.monotonic() < deadline:
            time.sleep(0.001)
    assert processor.ledger().lost == 0


def test_children_of_a_span_that_found_no_room_hang_under_its_parent(make: Any) -> None:
    processor, tracer = make(max_queue_size=1, schedule_delay_millis=NEVER)
    top = under(tracer, None)
    lost = under(tracer, top)
    inner = under(tracer, lost)
    processor._ended.append(span(99))
    processor._look_at = 0
    lost.end()
    assert nearest(inner).parent_run_id == nearest(top).run_id


def test_the_queue_is_bounded_in_bytes(
    make: Any, network: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_langsmith.scales.MAX_QUEUE_BYTES", 1_000_000)
    monkeypatch.setattr("otel_langsmith.scales.EACH_BYTES", 0)
    network.open.clear()
    processor, tracer = make(schedule_delay_millis=NEVER)
    for _ in range(100):
        under(tracer, None, attributes={"text": "x" * 50_000}).end()
    ledger = processor.ledger()
    assert 10 <= ledger.queued <= 30
    assert ledger.queued + ledger.dropped["queue_full"] == 100


def test_many_spans_wake_the_worker_before_its_time(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER)
    for _ in range(700):
        under(tracer, None).end()
    deadline = time.monotonic() + 60
    while processor.ledger().delivered < 512 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processor.ledger().delivered >= 512


def test_a_span_goes_out_within_the_schedule_delay(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=50)
    under(tracer, None).end()
    assert processor.ledger().queued <= 1
    deadline = time.monotonic() + 60
    while not processor.ledger().delivered and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processor.ledger().delivered == 1


def test_no_thread_is_started_before_a_span_has_started(make: Any) -> None:
    processor, tracer = make()
    assert not processor._worker.runs
    assert processor.force_flush(1_000) is True
    one = under(tracer, None)
    assert processor._worker.runs
    one.end()


def test_the_ledger_balances_at_every_moment(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=1, span_filter=lambda one: one.name != "no")
    done = threading.Event()
    wrong = []

    def watch() -> None:
        seen = 0
        while not done.is_set():
            ledger = processor.ledger()
            if not ledger.balances or ledger.held or ledger.received < seen:
                wrong.append(ledger)
            seen = ledger.received

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(3_000):
        under(tracer, None, "no" if number % 3 else "yes").end()
    assert processor.force_flush(60_000)
    done.set()
    watcher.join()
    assert wrong == []
    ledger = processor.ledger()
    assert (ledger.received, ledger.delivered, ledger.filtered) == (3_000, 1_000, 2_000)


# Flush and shutdown


def test_a_flush_is_true_only_if_what_ended_before_is_delivered(make: Any, network: Gate) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER, timeout=60)
    network.open.clear()
    under(tracer, None).end()
    began = time.monotonic()
    assert processor.force_flush(200) is False
    assert time.monotonic() - began < 30
    network.open.set()
    assert processor.force_flush(60_000) is True
    assert processor.ledger().delivered == 1


def test_a_flush_is_true_while_other_spans_go_on_ending(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=1)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            under(tracer, None).end()
            time.sleep(0.0005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(10):
            under(tracer, None).end()
            assert processor.force_flush(60_000) is True
    finally:
        done.set()
        thread.join()


def test_an_outage_between_two_flushes_is_overcome(make: Any, network: Gate) -> None:
    """The pause after a failure is short however rarely the worker wakes by itself."""
    processor, tracer = make(schedule_delay_millis=NEVER, timeout=0.2)
    network.script([Reply(503)])
    under(tracer, None).end()
    assert processor.force_flush(500) is False
    network.script([Reply(202)])
    assert processor.force_flush(60_000) is True


def test_a_loss_makes_the_next_flush_false_and_the_one_after_it_true(
    make: Any, network: Gate
) -> None:
    processor, tracer = make()
    network.script([Reply(400)])
    under(tracer, None).end()
    assert processor.force_flush(60_000) is False
    network.script([Reply(202)])
    under(tracer, None).end()
    assert processor.force_flush(60_000) is True


def test_shutdown_delivers_then_refuses(make: Any) -> None:
    processor, tracer = make(schedule_delay_millis=NEVER)
    under(tracer, None).end()
    processor.shutdown()
    processor.shutdown()
    under(tracer, None).end()
    ledger = processor.ledger()
    assert (ledger.delivered, ledger.dropped) == (1, {"shut_down": 1})
    join(processor._worker, 60)
    assert not processor._worker.runs


def test_what_ends_while_a_slow_server_takes_its_time_is_not_lost(
    make: Any, network: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty spans end during each request, which takes ten; the queue has room for a hundred."""
    monkeypatch.setattr(sender, "TURN_S", 0.0)
    processor, tracer = make(max_queue_size=100, max_batch_runs=10, live=False)

    def go_on() -> None:
        for _ in range(30 if len(network.requests) <= 10 else 0):
            under(tracer, None).end()

    network.on_send = go_on
    for _ in range(60):
        under(tracer, None).end()
    assert processor.force_flush(60_000)
    processor.shutdown(60_000)
    assert processor.ledger().delivered == 60 + 10 * 30


def test_a_shorter_shutdown_shortens_the_one_that_is_under_way(make: Any, network: Gate) -> None:
    network.open.clear()
    processor, tracer = make(timeout=5)
    under(tracer, None).end()
    first = threading.Thread(target=processor.shutdown, args=(60_000,))
    first.start()
    while not processor._closed:
        time.sleep(0.01)
    began = time.monotonic()
    processor.shutdown(0)
    first.join(30)
    assert not first.is_alive()
    assert time.monotonic() - began < 4.5
    network.open.set()
    join(processor._worker, 60)
    assert processor.ledger().waiting == 0


def test_shutdown_interrupts_back_off_and_still_tries(make: Any, network: Gate) -> None:
    processor, tracer = make(schedule_delay_millis=1, timeout=60)
    network.script([Reply(503, {"retry-after": "60"})])
    under(tracer, None).end()
    while not network.requests:
        time.sleep(0.01)
    network.script([Reply(202)])
    began = time.monotonic()
    processor.shutdown(60_000)
    assert time.monotonic() - began < 30
    assert processor.ledger().delivered == 1


@pytest.mark.parametrize("millis", [0, 300])
def test_shutdown_returns_in_time_from_a_black_hole_and_counts(
    make: Any, network: Gate, millis: int
) -> None:
    network.open.clear()
    processor, tracer = make(schedule_delay_millis=1, timeout=60)
    for _ in range(2_000):
        under(tracer, None).end()
    began = time.monotonic()
    processor.shutdown(millis)
    assert time.monotonic() - began < 30
    ledger = processor.ledger()
    assert (ledger.received, ledger.delivered) == (2_000, 0)
    network.open.set()
    join(processor._worker, 60)
    assert processor.ledger().queued == 0


def test_without_a_worker_flush_and_shutdown_deliver_themselves(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at interpreter exit on Python 3.12, where no thread can be started."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    processor, tracer = make()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        under(tracer, None).end()
        assert processor.force_flush(60_000) is True
        under(tracer, None).end()
        processor.shutdown(60_000)
    assert processor.ledger().delivered == 2


def test_a_start_that_is_no_time_costs_nothing(make: Any) -> None:
    processor, tracer = make()
    under(tracer, None, start_time=float("nan")).end()
    under(tracer, None, start_time=1.5e18).end()
    under(tracer, None).end()
    assert processor.force_flush(60_000) is True
    ledger = processor.ledger()
    assert (ledger.delivered, ledger.noted) == (3, {"time_unwritable": 1})


def test_headers_name_the_project_that_was_set_in_code(make: Any) -> None:
    """The propagator reads it off the lineage; it has no settings of the processor's."""
    _, tracer = make(project="from code")
    parent = under(tracer, None)
    assert nearest(parent).riding.project == "from code"
    assert nearest(under(tracer, parent)).riding.project == "from code"
    parent.end()


def test_a_finalizer_may_end_a_span_inside_on_end(make: Any) -> None:
    """Nothing here waits for a lock that the same thread may hold."""
    processor, tracer = make(schedule_delay_millis=NEVER)
    one = under(tracer, None)

    class Rude(type(processor._ended)):
        def __len__(self) -> int:
            if one.is_recording():
                one.end()
            return super().__len__()

    processor._ended = Rude()
    under(tracer, None).end()
    assert processor.ledger().queued == 2


def test_a_processor_that_was_shut_down_and_let_go_is_freed(network: Gate) -> None:
    processor = LangSmithSpanProcessor(api_key="k")
    processor.on_end(span(1))
    processor.shutdown()
    join(processor._worker, 60)
    freed = weakref.ref(processor)
    del processor
    gc.collect()
    assert freed() is None


def test_each_keyword_is_a_setting_and_documented() -> None:
    rows = [row.keyword for row in SETTINGS if "processor" in row.faces]
    parameters = inspect.signature(LangSmithSpanProcessor).parameters
    assert [*parameters] == rows
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    doc = inspect.getdoc(LangSmithSpanProcessor) or ""
    assert all(f"\n    {keyword}: " in doc for keyword in rows)


def test_opentelemetrys_own_variables_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "77")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "250")
    settings, problems = resolve({}, os.environ)
    assert (settings.max_queue_size, settings.schedule_delay_millis, problems) == (77, 250, ())
    monkeypatch.setenv("OTEL_EXPORTER_LANGSMITH_MAX_QUEUE_SIZE", "78")
    monkeypatch.setenv("OTEL_EXPORTER_LANGSMITH_SPAN_FILTER", "GenAI")
    settings, _ = resolve({}, os.environ)
    assert (settings.max_queue_size, settings.span_filter) == (78, "genai")


def test_links_are_no_parents(make: Any) -> None:
    _, tracer = make()
    one = under(tracer, None)
    linked = under(tracer, None, links=[trace.Link(one.get_span_context())])
    assert nearest(linked).parent_run_id is None
