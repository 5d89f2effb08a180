"""Runs on their way to several destinations, over a network that the test opens and closes."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from support.spans import span

from otel_langsmith.delivery import routes
from otel_langsmith.delivery.clock import SystemClock
from otel_langsmith.delivery.thread import LazyThread
from otel_langsmith.identity import run_id_of
from otel_langsmith.pipeline import Pipeline
from otel_langsmith.processor import LangSmithSpanProcessor, processor_over
from otel_langsmith.settings import resolve
from otel_langsmith.wire.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_langsmith.delivery.transport import Request

FAST, SLOW = "http://fast", "http://slow"


class Network:
    """Answers for both; the slow one while its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.knocked = threading.Event()
        self.sent: dict[str, list[str]] = {FAST: [], SLOW: []}

    def send(self, request: Request, timeout_s: float) -> Reply:
        url = next(url for url in self.sent if request.url.startswith(url))
        if request.url.endswith("/info"):
            return Reply(404)
        if url == SLOW:
            self.knocked.set()
            if not self.gate.wait(timeout_s):
                return Reply(None, error="ReadTimeout")
        self.sent[url].append(request.body.decode())
        return Reply(202)

    def close(self) -> None:
        """It is nobody's."""

    def hang_up(self) -> None:
        """Nothing is under way."""

    def said(self, url: str, run_id: str) -> list[str]:
        """What was done with a run, in order."""
        name = rf'name="(post|patch)\.{run_id}"'
        return [found for body in self.sent[url] for found in re.findall(name, body)]


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.gate.set()


def pipeline(network: Network, **settings: Any) -> Pipeline:
    resolved, _ = resolve({"endpoints": {FAST: "k", SLOW: "k"}, "timeout": 60, **settings}, {})
    return Pipeline(resolved, lambda: network, SystemClock())


def eventually(true: Callable[[], object]) -> bool:
    until_s = time.monotonic() + 60
    while not true() and time.monotonic() < until_s:
        time.sleep(0.005)
    return bool(true())


def test_no_opening_follows_its_end(network: Network) -> None:
    """Which waited longer at a destination that was busy: LangSmith has one post of each run."""
    processor: LangSmithSpanProcessor = processor_over(pipeline(network, schedule_delay_millis=10))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("tests")
    tracer.start_span("first").end()
    assert network.knocked.wait(60)
    second = tracer.start_span("second")
    run_id = run_id_of(second.get_span_context().span_id)
    assert eventually(lambda: network.said(FAST, run_id) == ["post"])
    second.end()
    assert eventually(lambda: network.said(FAST, run_id) == ["post", "patch"])
    network.gate.set()
    assert processor.force_flush(60_000)
    processor.shutdown()
    assert network.said(FAST, run_id) == ["post", "patch"]
    assert network.said(SLOW, run_id) == ["post"]


def test_an_export_waits_for_the_slowest_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = pipeline(network)
    assert not ours.export([span(1)])  # half a second later
    began_s = time.monotonic()
    for number in range(2, 30):
        ours.export([span(number)])
    assert time.monotonic() - began_s < 10  # and not fourteen
    assert ours.ledgers()[FAST].delivered == 29
    network.gate.set()
    assert ours.flush(60)
    monkeypatch.setattr(routes, "GRACE_S", 60)
    assert ours.export([span(30)])  # it is waited for again
    assert len(network.sent[SLOW]) == len({*network.sent[SLOW]})
    ours.close(60)
    assert [ledger.delivered for ledger in ours.ledgers().values()] == [30, 30]


def test_where_no_thread_can_be_started_the_caller_does_the_work(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the interpreter's exit, from Python 3.12 on."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    network.gate.set()
    ours = pipeline(network)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert ours.export([span(1)])
    assert ours.flush(60)
    ours.close(60)
    assert [ledger.delivered for ledger in ours.ledgers().values()] == [1, 1]


def test_without_any_key_that_can_be_used_nothing_is_encoded(network: Network) -> None:
    resolved, _ = resolve({}, {"LANGSMITH_RUNS_ENDPOINTS": "{"})
    ours = Pipeline(resolved, lambda: network, SystemClock())
    assert not ours.export([span(1)])
    assert ours.ledger().dropped == {"no_endpoint": 1}
    blank = replace(resolved, endpoints=(), endpoint=FAST, api_key=None)
    assert Pipeline(blank, lambda: network, SystemClock()).is_alone


def test_a_thread_starts_with_the_first_need_and_again_after_its_end() -> None:
    done = threading.Event()

    def work() -> None:
        done.wait(20)

    thread = LazyThread("tests")
    assert not thread.runs
    assert thread.start(work)
    assert thread.runs
    done.set()
    assert eventually(lambda: not thread.runs)
    assert thread.start(work)
