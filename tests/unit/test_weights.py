"""What is said to take so much memory does: `assembly.memory_of` and `backlog.pack`."""

import gc
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from support.properties import examples
from support.spans import span
from support.spools import record, run_id

from otel_langsmith.assembly import Assembly, Bounds, _bytes_of, _memory_of, memory_of
from otel_langsmith.delivery.backlog import Backlog, pack, unpack
from otel_langsmith.presence import Presence
from otel_langsmith.scales import MAX_QUEUE_BYTES, Scales
from otel_langsmith.wire.batch import Batch, EncodedRun
from otel_langsmith.wire.parts import OUTPUTS, Attached

MANY = 60

SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "bare": lambda _: {},
    "texts": lambda n: {f"key {key}": f"value {n} {key}" * 8 for key in range(10)},
    "numbers": lambda n: {f"key {key}": n + key / 7 for key in range(10)},
    "a document": lambda n: {"key": f"{n}" + "x" * 10_000},
    "one in Chinese": lambda n: {"key": f"{n}" + "\u4e2d" * 5_000},
    "a list": lambda n: {"key": [f"item {n} {number}" for number in range(50)]},
}


def traced(make: Callable[[int], object]) -> float:
    """Bytes that one of many takes."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        held = [make(number) for number in range(MANY)]
        return (tracemalloc.get_traced_memory()[0] - before) / len(held)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("events", [0, 5])
def test_a_span_weighs_about_what_it_takes(
    shape: Callable[[int], dict[str, Any]], events: int
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")

    def ended(number: int) -> Any:
        span = tracer.start_span("span", attributes=shape(number))
        for _ in range(events):
            span.add_event("event", shape(number))
        span.end()
        return span

    assert 0.6 < traced(ended) / memory_of(ended(1)) < 1.6  # objects differ from Python to Python


def held_by(assembly: Assembly) -> int:
    waiting = (family.spans.values() for family in assembly._waiting.values())
    return sum(memory_of(span) for spans in waiting for span in spans)


@pytest.mark.parametrize("rhythm", [1, 2, 7, 20, 24, 48, 55, 64])
def test_spans_that_wait_take_about_as_much_as_they_may(rhythm: int) -> None:
    """Few are weighed at first, and one in so many is a hundred times as heavy."""
    heavy, light = {"key": "x" * 300_000}, {"key": "x" * 100}
    spans = [
        span(number, 1, attributes=light if number % rhythm else heavy)
        for number in range(2, 3_002)
    ]
    most = sum(map(memory_of, spans)) // 2
    assembly = Assembly(Bounds(spans=10_000, bytes=most, age_s=1e9))
    for at in range(0, len(spans), 50):
        assembly.add(spans[at : at + 50], now_s=0)
        assert held_by(assembly) < 1.4 * most
    assert 0.7 * most < held_by(assembly)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES))
@examples(40)
def test_attributes_weigh_the_same_in_one_step_and_one_by_one(attributes: dict[str, Any]) -> None:
    assert _bytes_of(attributes) == _memory_of(attributes)


def noise(number: int) -> EncodedRun:
    """A run that nothing can compress."""
    parts = {**record(number).parts, OUTPUTS: random.randbytes(3000)}
    return EncodedRun(run_id(number), parts)


@pytest.mark.parametrize("runs", [1, 20])
@pytest.mark.parametrize("known", [False, True])
def test_a_packed_batch_takes_no_more_than_it_says(runs: int, *, known: bool) -> None:
    batches = [
        Batch([replace(noise(n), presence=Presence() if known else None) for n in range(runs)], 1)
        for _ in range(MANY)
    ]
    assert traced(lambda n: pack(batches[n])) <= 1.1 * pack(batches[0]).size


def test_a_packed_batch_comes_back_as_it_was() -> None:
    origin, presence = object(), Presence()
    with_file = {**record(2).parts, Attached("a", "text/plain"): b"x"}
    runs = [
        EncodedRun("1", record(1).parts, moment="closing", cuts=2),
        EncodedRun("2", with_file, presence, alone=True, origin=origin),
        EncodedRun("3", {}, place={"parent_run_id": "2"}),
    ]
    for batch in (Batch(runs, 9, tried=True), Batch(runs[:1], 7, accused=True), Batch([], 0)):
        back = unpack(pack(batch))
        assert back == batch
        assert [id(run.presence) for run in back.runs] == [id(run.presence) for run in batch.runs]


def test_a_backlog_keeps_within_its_bytes_and_the_newest() -> None:
    backlog = Backlog(100_000)
    gone = [
        run.run_id
        for number in range(100)
        for batch in backlog.add(Batch([noise(number)], 3000))
        for run in batch.runs
    ]
    left = []
    while batch := backlog.take():
        left += [run.run_id for run in batch.runs]
    assert gone + left == [run_id(number) for number in range(100)]
    assert 20 < len(left) < 33


def test_spans_that_are_being_encoded_count_until_they_are_let_go() -> None:
    scales, half = Scales(1000), MAX_QUEUE_BYTES // 2
    assert scales.weigh(half, 0)
    scales.take()
    assert scales.weigh(half, 0)
    assert not scales.weigh(half, 1)
    assert not scales.light
    scales.done()
    assert scales.weigh(half // 2, 1)


def test_a_longer_queue_has_more_room() -> None:
    assert Scales(2**20).weigh(2 * MAX_QUEUE_BYTES, 1)
