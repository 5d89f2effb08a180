"""The processor as people use it: a real server, forks, spawned processes, interpreter exit."""

import multiprocessing
import os
import random
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer, set_span_in_context
from support.delivery import join

from otel_langsmith.identity import run_id_of
from otel_langsmith.live import OPENING_FAILED
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.receiver import Receiver

ROOT = Path(__file__).parent.parent


FOR_EVER_S = 60.0
"""Longer than a test waits for anything."""


@contextmanager
def never_a_word() -> Iterator[str]:
    """A server that accepts connections and says nothing until it hangs up."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def tracing(url: str, **settings: Any) -> tuple[LangSmithSpanProcessor, Tracer]:
    settings = {"schedule_delay_millis": 50, **settings}
    processor = LangSmithSpanProcessor(endpoint=url, api_key="key", **settings)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return processor, provider.get_tracer("tests")


def run_id(span: Any) -> str:
    return run_id_of(span.get_span_context().span_id)


def program(url: str, body: str) -> subprocess.CompletedProcess[str]:
    """Run a program that has a provider with our processor and a tracer."""
    head = """
        import multiprocessing, os, sys, threading
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from otel_langsmith.processor import LangSmithSpanProcessor
        provider = TracerProvider()
        processor = LangSmithSpanProcessor(schedule_delay_millis=3_600_000)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("program")
    """
    environ = {**os.environ, "LANGSMITH_ENDPOINT": url, "LANGSMITH_API_KEY": "any"}
    environ["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-c", dedent(head) + dedent(body)],
        capture_output=True,
        text=True,
        env=environ,
        timeout=100,
        check=False,
    )


def names(receiver: Receiver) -> list[str]:
    return sorted(run.name for run in receiver.store.runs())


@pytest.mark.large
def test_ten_thousand_spans_deep_and_wide_arrive_as_they_were(receiver: Receiver) -> None:
    """Parents end before, between and after their children."""
    # a request may take long on a busy machine, so some openings may fail: a courtesy, no loss
    processor, tracer = tracing(receiver.url, max_queue_size=20_000, timeout=240)
    draw = random.Random(7)
    top = tracer.start_span("top", context=Context())
    spans, above = [top], {run_id(top): None}
    for _ in range(9_999):
        parent = draw.choice(spans[-1_000:])
        one = tracer.start_span("span", context=set_span_in_context(parent))
        above[run_id(one)] = run_id(parent)
        spans.append(one)
        if draw.random() < 0.3:
            draw.choice(spans[-200:]).end() if draw.random() < 0.5 else one.end()
    draw.shuffle(spans)
    for one in spans:
        if one.is_recording():
            one.end()
    assert processor.force_flush(240_000) is True
    ledger = processor.ledger()
    assert (ledger.received, ledger.delivered) == (10_000, 10_000)
    assert ledger.noted.keys() <= {OPENING_FAILED}
    (found,) = receiver.store.traces()
    assert {run.id: run.parent_run_id for run in receiver.store.trace(found.trace_id)} == above
    processor.shutdown()


def test_a_shutdown_delivers_a_full_queue(receiver: Receiver) -> None:
    processor, tracer = tracing(receiver.url, schedule_delay_millis=3_600_000, timeout=60)
    for _ in range(3_000):
        tracer.start_span("span", context=Context()).end()
    processor.shutdown(240_000)
    assert processor.ledger().delivered == 3_000


@pytest.mark.parametrize("millis", [100, 1_000])
def test_shutdown_and_flush_return_in_time_from_a_black_hole(millis: int) -> None:
    with never_a_word() as url:
        processor, tracer = tracing(url, timeout=FOR_EVER_S)
        for _ in range(200):
            tracer.start_span("span", context=Context()).end()
        began = time.monotonic()
        assert processor.force_flush(millis) is False
        processor.shutdown(millis)
        assert time.monotonic() - began < FOR_EVER_S / 2
        assert processor.ledger().delivered == 0
    join(processor._worker, FOR_EVER_S / 2)
    assert processor.ledger().dropped == {"undelivered": 200}


def test_a_server_that_drips_does_not_hold_up_shutdown() -> None:
    """A read timeout begins anew with every byte; our caller waits for the worker, not for it."""
    begun, done = threading.Event(), threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nX: ")
            begun.set()
            while not done.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        processor, tracer = tracing(url, timeout=FOR_EVER_S)
        tracer.start_span("span", context=Context()).end()
        assert begun.wait(FOR_EVER_S)
        began = time.monotonic()
        processor.shutdown(500)
        assert time.monotonic() - began < FOR_EVER_S / 2
        done.set()
        thread.join()
        join(processor._worker, FOR_EVER_S / 2)


def test_our_own_requests_are_traced_by_nobody(receiver: Receiver) -> None:
    instrumentor = pytest.importorskip("opentelemetry.instrumentation.requests")
    processor, tracer = tracing(receiver.url)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    instrumentor.RequestsInstrumentor().instrument(tracer_provider=provider)
    try:
        tracer.start_span("mine", context=Context()).end()
        assert processor.force_flush(60_000)
        processor.shutdown()
    finally:
        instrumentor.RequestsInstrumentor().uninstrument()
    assert processor.ledger().received == 1
    assert names(receiver) == ["mine"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_parent_and_forked_child_each_send_their_own(receiver: Receiver) -> None:
    """The queue of the parent is sent once; a span open at the fork is the parent's."""
    processor, tracer = tracing(receiver.url, schedule_delay_millis=3_600_000)
    tracer.start_span("before", context=Context()).end()
    shared = tracer.start_span("open", context=Context())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forks while threads run
        child = os.fork()
    inner = tracer.start_span("inner", context=set_span_in_context(shared))
    inner.end()
    shared.end()
    if child == 0:
        code = 1
        try:
            delivered = processor.force_flush(60_000)
            ledger = processor.ledger()
            processor.shutdown(60_000)
            code = 0 if delivered and (ledger.delivered, ledger.filtered) == (1, 1) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert processor.force_flush(60_000)
    processor.shutdown()
    assert processor.ledger().delivered == 3
    runs = receiver.store.runs()
    assert sorted(run.name for run in runs) == ["before", "inner", "inner", "open"]
    assert {run.parent_run_id for run in runs if run.name == "inner"} == {run_id(shared)}
    sent = receiver.store.requests()
    assert all(status in (200, 202) for *_, status, _ in sent)


@pytest.mark.programs
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_deliver_what_they_flush(
    receiver: Receiver, tmp_path: Path, method: str
) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    script = tmp_path / "script.py"
    script.write_text(
        dedent(f"""
        import multiprocessing
        from opentelemetry.sdk.trace import TracerProvider
        from otel_langsmith.processor import LangSmithSpanProcessor

        provider = TracerProvider()
        processor = LangSmithSpanProcessor(schedule_delay_millis=3_600_000)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("program")

        def work(number):
            with tracer.start_as_current_span(f"child {{number}}"):
                pass
            assert processor.force_flush(60_000)

        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with tracer.start_as_current_span("parent"):
                pass
            children = [context.Process(target=work, args=(n,)) for n in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0, child.exitcode
        """)
    )
    environ = {**os.environ, "LANGSMITH_ENDPOINT": receiver.url, "LANGSMITH_API_KEY": "any"}
    environ["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script],
        capture_output=True,
        text=True,
        env=environ,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert names(receiver) == ["child 0", "child 1", "child 2", "parent"]


@pytest.mark.programs
@pytest.mark.parametrize(
    "body",
    [
        'tracer.start_span("last").end()',
        'with tracer.start_as_current_span("last"): sys.exit(0)',
        # no worker yet when the interpreter exits: on Python 3.12 none can be started any more
        'import atexit; atexit.register(lambda: tracer.start_span("last").end())',
        'threading.Thread(target=lambda: tracer.start_span("last").end()).start()',
    ],
    ids=["a span", "inside a span", "a span at exit", "a span of a thread"],
)
def test_what_ended_is_delivered_at_interpreter_exit(receiver: Receiver, body: str) -> None:
    done = program(receiver.url, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(receiver) == ["last"]


@pytest.mark.programs
def test_exit_from_a_black_hole_takes_no_longer_than_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGSMITH_TIMEOUT", "600")
    with never_a_word() as url:
        done = program(
            url,
            """
            import atexit
            tracer.start_span("last").end()
            atexit.register(lambda: processor.shutdown(500))
            """,
        )
    assert done.returncode == 0  # else its own time would be up
