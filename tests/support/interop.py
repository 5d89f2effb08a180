"""Services and clients of both worlds, each a process of its own, and the tree they must make.

Propagator and provider are global, so no two services can share a process. Starting one takes most
of a second, so each is started once for all tests of a module, and is told whom to call: a service
by the query (``passing_on``), a client by the lines of its standard input.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.ports import reserved_port

from otel_langsmith.receiver import Receiver, StoredRun

ROOT = Path(__file__).parent.parent.parent
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
from flask import Flask, request
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
app = Flask("ours")
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()

@app.get("/")
def answer():
    with tracer.start_as_current_span("ours"):
        following = request.args.get("next")
        return requests.get(following, timeout=60).text if following else "ok"

app.run("127.0.0.1", int(os.environ["PORT"]))
"""
)

FASTAPI = (
    OURS
    + """
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
app = FastAPI()
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])

@app.get("/")
async def answer():
    with tracer.start_as_current_span("ours"):
        return PlainTextResponse("ok")

uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
"""
)

OUR_CLIENT = (
    OURS
    + f"""
import requests
from opentelemetry.propagate import inject
attributes = {{"langsmith.trace.session_name": {PROJECT!r},
              "langsmith.metadata.thread_id": {METADATA["thread_id"]!r}}}
for url in map(str.strip, sys.stdin):
    with tracer.start_as_current_span("client", attributes=attributes):
        headers = {{}}
        inject(headers)
        assert requests.get(url, headers=headers, timeout=60).text == "ok"
    assert provider.force_flush()
    print("done", flush=True)
provider.shutdown()
"""
)


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


def python(source: str) -> list[str]:
    """The command that runs a Python program."""
    return [sys.executable, "-c", source]


@contextmanager
def serving(command: Sequence[str], environment: dict[str, str]) -> Iterator[str]:
    """The address of a service that runs by ``command`` and listens on ``PORT``."""
    with (
        reserved_port() as port,
        subprocess.Popen(
            command,
            env={**environment, "PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            _await_listening(process, port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(60)


def passing_on(service: str, following: str) -> str:
    """The address by which ``service`` calls ``following``."""
    return f"{service}?{urlencode({'next': following})}"


@contextmanager
def calling(command: Sequence[str], environment: dict[str, str]) -> Iterator[Callable[[str], None]]:
    """Has a client call an address, and wait until what came of it is delivered."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        answers, lines = process.stdout, process.stdin

        def call(url: str) -> None:
            lines.write(f"{url}\n")
            lines.flush()
            assert answers.readline() == "done\n", "what went wrong is on standard error"

        yield call
        lines.close()
        assert process.wait(60) == 0


class Neighbours:
    """Services and clients that all report to one LangSmith, each started when first asked for."""

    def __init__(self, receiver: Receiver, stack: ExitStack) -> None:
        self._receiver = receiver
        self._stack = stack
        self._started: dict[tuple[str, ...], Any] = {}
        self._seen = 0

    def service(self, source: str, **variables: str) -> str:
        """The address of a service in Python."""
        return str(self._once(serving, source, variables))

    def client(self, source: str) -> Callable[[str], None]:
        """What has a client in Python call an address."""
        found: Callable[[str], None] = self._once(calling, source, {})
        return found

    def one_tree(self, names: list[str]) -> dict[str, StoredRun]:
        """The runs since the last tree, by name, once it holds that they are a tree."""
        found = one_tree(self._receiver, names, self._seen)
        self._seen += len(found)
        return found

    def _once(self, start: Any, source: str, variables: dict[str, str]) -> Any:
        key = (source, *variables.values())
        if key not in self._started:
            environment = environ(self._receiver, **variables)
            self._started[key] = self._stack.enter_context(start(python(source), environment))
        return self._started[key]


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the service did not listen in time")


def run(command: Sequence[str], environment: dict[str, str], told: str = "") -> None:
    done = subprocess.run(
        command,
        env=environment,
        input=told,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def one_tree(receiver: Receiver, names: list[str], seen: int = 0) -> dict[str, StoredRun]:
    """The runs after those ``seen``, by name, once it holds that they are a tree in one project."""
    assert receiver.store.wait_for(seen + len(names), timeout_s=60, ended=True), [
        (run.name, run.end_time) for run in receiver.store.runs()
    ]
    runs = receiver.store.runs()[seen:]
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
