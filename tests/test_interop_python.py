"""Both SDKs for real, over HTTP: a service of theirs and one of ours make one tree.

Propagator and provider are global, so every service is a process of its own.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from otel_langsmith.receiver import Receiver, StoredRun

ROOT = Path(__file__).parent.parent
PROJECT = "My пр 100%+"
METADATA = {"thread_id": "t 1 + 50% ü", "city": "Zürich"}
TAGS = ["a tag", "b+c", "50%"]

OURS = """
import os, sys
from opentelemetry import trace
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.propagator import LangSmithPropagator
known = {"tracecontext": TraceContextTextMapPropagator, "baggage": W3CBaggagePropagator,
         "langsmith": LangSmithPropagator}
set_global_textmap(CompositePropagator([known[name]() for name in os.environ["WANTED"].split(",")]))
provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor(schedule_delay_millis=50))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("interop")
"""

FLASK = (
    OURS
    + """
import requests
from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
app = Flask("ours")
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()

@app.get("/")
def answer():
    with tracer.start_as_current_span("ours"):
        return requests.get(os.environ["NEXT"], timeout=20).text if "NEXT" in os.environ else "ok"

app.run("127.0.0.1", int(os.environ["PORT"]))
"""
)

PLAIN = """
import os, requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
app = Flask("plain")
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()

@app.get("/")
def answer():
    return requests.get(os.environ["NEXT"], timeout=20).text

app.run("127.0.0.1", int(os.environ["PORT"]))
"""

THEIRS = """
import os, requests, uvicorn, langsmith
from langsmith import traceable, tracing_context
from langsmith.middleware import TracingMiddleware
from langsmith.run_helpers import get_current_run_tree
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

@traceable(name="theirs")
def work():
    inner()
    if "NEXT" not in os.environ:
        return "ok"
    headers = get_current_run_tree().to_headers()
    return requests.get(os.environ["NEXT"], headers=headers, timeout=20).text

@traceable(run_type="tool")
def inner():
    return 1

def answer(request):
    how = os.environ["HOW"]
    if how == "tracing_context":
        with tracing_context(parent=request.headers):
            text = work()
    elif how == "langsmith_extra":
        text = work(langsmith_extra={"parent": request.headers})
    else:
        text = work()
    langsmith.run_trees.get_cached_client().flush()
    return PlainTextResponse(text)

app = Starlette(routes=[Route("/", answer)])
if os.environ["HOW"] == "middleware":
    app = TracingMiddleware(app)
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
"""

THEIR_CLIENT = f"""
import os, requests, langsmith
from langsmith import traceable
from langsmith.run_helpers import get_current_run_tree

@traceable(name="client", project_name={PROJECT!r}, tags={TAGS!r}, metadata={METADATA!r})
def client():
    headers = get_current_run_tree().to_headers()
    assert requests.get(os.environ["NEXT"], headers=headers, timeout=20).text == "ok"

client()
langsmith.run_trees.get_cached_client().flush()
"""

OUR_CLIENT = (
    OURS
    + f"""
import requests
from opentelemetry.propagate import inject
attributes = {{"langsmith.trace.session_name": {PROJECT!r},
              "langsmith.metadata.thread_id": {METADATA["thread_id"]!r}}}
with tracer.start_as_current_span("client", attributes=attributes):
    headers = {{}}
    inject(headers)
    assert requests.get(os.environ["NEXT"], headers=headers, timeout=20).text == "ok"
provider.shutdown()
"""
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(requests_per_minute=1_000_000) as running:
        yield running


def environ(receiver: Receiver, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LANGSMITH_ENDPOINT": receiver.url,
        "LANGSMITH_API_KEY": "local",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_PROJECT": "not this one",
        "WANTED": "tracecontext,baggage,langsmith",
        **more,
    }


@contextmanager
def serving(source: str, environment: dict[str, str]) -> Iterator[str]:
    """A service in a process of its own, listening."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        env={**environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_listening(process, port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the service did not listen in time")


def run(source: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def one_tree(receiver: Receiver, names: list[str]) -> dict[str, StoredRun]:
    """The runs by name, once it holds that they are one tree in one project."""
    assert receiver.store.wait_for(len(names), timeout_s=20, ended=True), [
        (run.name, run.end_time) for run in receiver.store.runs()
    ]
    runs = receiver.store.runs()
    assert sorted(run.name for run in runs) == sorted(names)
    by_id = {run.id: run for run in runs}
    (top,) = [run for run in runs if run.parent_run_id is None]
    assert {run.trace_id for run in runs} == {top.id}
    for below in runs:
        if below is not top:
            parent = by_id[below.parent_run_id]
            assert below.dotted_order.rpartition(".")[0] == parent.dotted_order
    assert {run.project for run in runs} == {PROJECT}
    refused = [line for line in receiver.store.requests() if line.status >= 400]
    assert refused == []
    return {run.name: run for run in runs}


def above(runs: dict[str, StoredRun], name: str) -> str:
    return next(run.name for run in runs.values() if run.id == runs[name].parent_run_id)


@pytest.mark.parametrize(
    "wanted", ["langsmith", "tracecontext,baggage,langsmith", "langsmith,baggage,tracecontext"]
)
def test_a_langsmith_client_calls_our_service(receiver: Receiver, wanted: str) -> None:
    with serving(FLASK, environ(receiver, WANTED=wanted)) as url:
        run(THEIR_CLIENT, environ(receiver, NEXT=url))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert above(runs, "ours") == "GET /"
    for name in ("GET /", "ours"):
        assert {key: runs[name].metadata.get(key) for key in METADATA} == METADATA
        assert sorted(runs[name].tags) == sorted(TAGS)


@pytest.mark.parametrize("how", ["tracing_context", "langsmith_extra", "middleware"])
def test_our_client_calls_a_langsmith_service(receiver: Receiver, how: str) -> None:
    with serving(THEIRS, environ(receiver, HOW=how)) as url:
        run(OUR_CLIENT, environ(receiver, NEXT=url))
        runs = one_tree(receiver, ["client", "theirs", "inner"])
    assert above(runs, "theirs") == "client"
    assert above(runs, "inner") == "theirs"
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["theirs"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_ours_then_w3c_only_then_ours(receiver: Receiver) -> None:
    with ExitStack() as stack:
        far = stack.enter_context(serving(FLASK, environ(receiver, WANTED="langsmith")))
        hop = stack.enter_context(serving(PLAIN, environ(receiver, NEXT=far)))
        run(OUR_CLIENT, environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert runs["GET /"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


@pytest.mark.parametrize("how", ["tracing_context", "langsmith_extra", "middleware"])
def test_ours_then_langsmith_only_then_ours(receiver: Receiver, how: str) -> None:
    with ExitStack() as stack:
        far = stack.enter_context(serving(FLASK, environ(receiver)))
        hop = stack.enter_context(serving(THEIRS, environ(receiver, NEXT=far, HOW=how)))
        run(OUR_CLIENT, environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "theirs", "inner", "GET /", "ours"])
    assert [above(runs, name) for name in ("theirs", "GET /")] == ["client", "theirs"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_langsmith_then_ours_then_langsmith(receiver: Receiver) -> None:
    """Our service calls on with instrumented requests, and no line of LangSmith's."""
    with ExitStack() as stack:
        far = stack.enter_context(serving(THEIRS, environ(receiver, HOW="middleware")))
        hop = stack.enter_context(serving(FLASK, environ(receiver, NEXT=far)))
        run(THEIR_CLIENT, environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "GET /", "ours", "GET", "theirs", "inner"])
    assert [above(runs, name) for name in ("GET /", "GET", "theirs")] == ["client", "ours", "GET"]
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert set(TAGS) <= set(runs["theirs"].tags)
