"""Log events of model calls and the runs of their spans, with the real SDK and a real server."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Tracer, set_span_in_context

import otel_langsmith
from otel_langsmith import (
    LangSmithLogRecordProcessor,
    LangSmithSpanExporter,
    LangSmithSpanProcessor,
)
from otel_langsmith.log_events import LOG_LATE
from otel_langsmith.receiver import Receiver, StoredRun

NEVER = 3_600_000
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
Log = Callable[[Span, str, Any], None]


@pytest.fixture
def log() -> Iterator[Log]:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(LangSmithLogRecordProcessor())
    logger = provider.get_logger("tests")

    def log(span: Span, name: str, body: Any) -> None:
        logger.emit(body=body, event_name=name, context=set_span_in_context(span))

    yield log
    provider.shutdown()


@pytest.fixture
def make(receiver: Receiver) -> Iterator[Callable[..., tuple[Any, Tracer]]]:
    providers: list[TracerProvider] = []

    def make(kind: Any = LangSmithSpanProcessor, **settings: Any) -> tuple[Any, Tracer]:
        processor = kind(endpoint=receiver.url, api_key="k", **settings)
        provider = TracerProvider(shutdown_on_exit=False)
        batch = kind is LangSmithSpanExporter
        batched = BatchSpanProcessor(processor, schedule_delay_millis=50) if batch else processor
        provider.add_span_processor(batched)
        providers.append(provider)
        return processor, provider.get_tracer("tests")

    yield make
    for provider in providers:
        provider.shutdown()


def converse(tracer: Tracer, log: Log) -> Span:
    with tracer.start_as_current_span("chat", attributes=CHAT) as span:
        log(span, "gen_ai.user.message", {"content": "How warm is it?"})
        log(span, "gen_ai.choice", {"message": {"content": "21 degrees"}})
    return span


def conversation(run: StoredRun) -> list[str]:
    messages = [*(run.inputs or {})["messages"], *(run.outputs or {})["messages"]]
    return [message["content"][0]["text"] for message in messages]


@pytest.mark.parametrize("kind", [LangSmithSpanProcessor, LangSmithSpanExporter])
def test_what_was_logged_is_in_the_run(kind: Any, make: Any, log: Log, receiver: Receiver) -> None:
    _, tracer = make(kind)
    converse(tracer, log)
    assert receiver.store.wait_for(1, timeout_s=60)
    [run] = receiver.store.runs()
    assert conversation(run) == ["How warm is it?", "21 degrees"]
    assert not run.events


def test_a_provider_with_two_processors_tells_both(make: Any, log: Log, receiver: Receiver) -> None:
    with Receiver() as second:
        first, _ = make()
        other = LangSmithSpanProcessor(endpoint=second.url, api_key="k")
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(first)
        provider.add_span_processor(other)
        converse(provider.get_tracer("tests"), log)
        provider.force_flush()
        told = [conversation(run) for one in (receiver, second) for run in one.store.runs()]
        provider.shutdown()
    assert told == [["How warm is it?", "21 degrees"]] * 2


def test_hidden_content_does_not_leave(make: Any, log: Log, receiver: Receiver) -> None:
    processor, tracer = make(hide_inputs=True, hide_outputs=True)
    converse(tracer, log)
    assert processor.force_flush(60_000)
    [run] = receiver.store.runs()
    assert (run.inputs, run.outputs) == ({}, {})
    assert "degrees" not in str(run.extra)


def test_an_open_run_shows_what_was_logged_so_far(make: Any, log: Log, receiver: Receiver) -> None:
    _, tracer = make(schedule_delay_millis=30)
    span = tracer.start_span("chat", attributes=CHAT)
    log(span, "gen_ai.user.message", {"content": "How warm is it?"})
    assert receiver.store.wait_for(1, timeout_s=60)
    [run] = receiver.store.runs()
    assert (run.end_time, run.outputs) == (None, None)
    assert (run.inputs or {})["messages"][0]["content"][0]["text"] == "How warm is it?"
    span.end()


def test_an_event_after_its_run_was_sent_is_counted(
    make: Any, log: Log, receiver: Receiver
) -> None:
    processor, tracer = make()
    span = converse(tracer, log)
    assert processor.force_flush(60_000)
    log(span, "gen_ai.choice", {"message": {"content": "too late"}})
    assert processor.ledger().noted == {LOG_LATE: 1}
    assert processor.force_flush(60_000)
    [run] = receiver.store.runs()
    assert "too late" not in str(run.outputs)


class Poison:
    """A value that breaks whoever looks at it."""

    def __bool__(self) -> bool:
        raise RuntimeError("poison")


def test_nothing_raises_into_the_application() -> None:
    class Record:
        log_record = Poison()

    processor: Any = LangSmithLogRecordProcessor()
    processor.on_emit(Record())
    processor.on_emit(None)
    assert processor.force_flush() is True
    processor.shutdown()


def test_threads_lose_nothing(make: Any, log: Log, receiver: Receiver) -> None:
    processor, tracer = make()
    threads = [
        threading.Thread(target=lambda: [converse(tracer, log) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert processor.force_flush(60_000)
    runs = receiver.store.runs()
    assert len(runs) == 80
    assert all(len(conversation(run)) == 2 for run in runs)


FORK = """
import os
from opentelemetry._logs import LogRecord
from opentelemetry.sdk.trace import TracerProvider
from otel_langsmith.joining import JOINED

tracer = TracerProvider().get_tracer("t")
with tracer.start_as_current_span("chat") as span:
    JOINED.hear(LogRecord(body="hi", event_name="gen_ai.user.message"))
    child = os.fork()
    told = len(JOINED.joined_to(span).events)
    if child == 0:
        os._exit(told)
assert os.waitpid(child, 0)[1] == 0
assert told == 1
"""


@pytest.mark.programs
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_nothing_of_its_parents() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr


# One call that two instrumentations trace, on its way to a server


def double(tracer: Tracer, between: Callable[[], Any] = lambda: None) -> None:
    usage = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 30}
    outer = tracer.start_span("outer", attributes=CHAT)
    inner = tracer.start_span(
        "inner", context=set_span_in_context(outer), attributes={**CHAT, **usage}
    )
    between()
    inner.end()
    between()
    outer.set_attributes({**usage, "gen_ai.output.messages": '[{"role":"assistant"}]'})
    outer.set_attribute("gen_ai.input.messages", '[{"role":"user","content":"hi"}]')
    outer.end()


def tokens(receiver: Receiver) -> dict[str, tuple[str, int | None]]:
    return {
        run.name: (run.run_type, run.total_tokens if run.usage else None)
        for run in receiver.store.runs()
    }


@pytest.mark.parametrize("mode", ["multipart", "basic"])
def test_a_call_traced_twice_counts_once(make: Any, receiver: Receiver, mode: str) -> None:
    processor, tracer = make(mode=mode, schedule_delay_millis=NEVER)
    double(tracer)
    assert processor.force_flush(60_000)
    assert tokens(receiver) == {"outer": ("llm", 150), "inner": ("chain", None)}


def test_a_run_that_was_shown_as_a_model_call_becomes_a_step(make: Any, receiver: Receiver) -> None:
    """The inner one was sent before anyone knew more, so the outer one gives way at its end."""
    processor, tracer = make(schedule_delay_millis=30)

    def settled() -> None:
        sent = len(receiver.store.requests())
        assert receiver.store.wait_for(2, timeout_s=60)
        assert processor.force_flush(60_000)
        assert len(receiver.store.requests()) >= sent

    double(tracer, settled)
    assert processor.force_flush(60_000)
    assert tokens(receiver) == {"outer": ("chain", None), "inner": ("llm", 150)}


# Without code


PROGRAM = """
from opentelemetry import trace
from opentelemetry._logs import get_logger, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from otel_langsmith.log_processor import join_logs

assert join_logs() is False
set_logger_provider(LoggerProvider())
assert join_logs() is True
assert join_logs() is True
from otel_langsmith.joining import JOINED
from opentelemetry.sdk.trace import TracerProvider
tracer = TracerProvider().get_tracer("t")
with tracer.start_as_current_span("chat") as span:
    get_logger("t").emit(body="hi", event_name="gen_ai.user.message")
[event] = JOINED.joined_to(span).events
assert event.attributes["content"] == "hi"
"""


@pytest.mark.programs
def test_the_global_logger_provider_is_joined_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr


ZERO = """
from opentelemetry import trace
from opentelemetry._logs import get_logger

attributes = {"gen_ai.operation.name": "chat"}
with trace.get_tracer("t").start_as_current_span("chat", attributes=attributes):
    get_logger("t").emit(body={"content": "hi"}, event_name="gen_ai.user.message")
"""


@pytest.mark.programs
@pytest.mark.skipif(
    find_spec("otel_langsmith.hooks") is None or find_spec("opentelemetry.distro") is None,
    reason="needs the hook and opentelemetry-distro",
)
def test_zero_code_joins_logs(receiver: Receiver, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(ZERO)
    done = subprocess.run(
        [Path(sys.executable).parent / "opentelemetry-instrument", sys.executable, program],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(otel_langsmith.__file__).parent.parent),
            "LANGSMITH_ENDPOINT": receiver.url,
            "LANGSMITH_API_KEY": "local",
            "OTEL_TRACES_EXPORTER": "langsmith",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    [run] = receiver.store.runs()
    assert (run.inputs or {})["messages"][0]["content"][0]["text"] == "hi"


@pytest.mark.programs
@pytest.mark.skipif(find_spec("otel_langsmith.setup") is None, reason="needs configure")
def test_configure_joins_logs(receiver: Receiver) -> None:
    program = f"""
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
import otel_langsmith
set_logger_provider(LoggerProvider())
otel_langsmith.configure(endpoint={receiver.url!r}, api_key="local")
{ZERO}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    [run] = receiver.store.runs()
    assert (run.inputs or {})["messages"][0]["content"][0]["text"] == "hi"
