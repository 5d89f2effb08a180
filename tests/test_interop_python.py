"""Both SDKs for real, over HTTP: a service of theirs in Python and one of ours make one tree."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.interop import (
    FASTAPI,
    FLASK,
    METADATA,
    OUR_CLIENT,
    OURS,
    PROJECT,
    TAGS,
    Neighbours,
    above,
    passing_on,
)

from otel_langsmith.receiver import Receiver

pytestmark = pytest.mark.programs

pytest.importorskip("opentelemetry.instrumentation.flask")
pytest.importorskip("opentelemetry.instrumentation.httpx")

ALL = "tracecontext,baggage,langsmith"
GET = "GET 127.0.0.1"
"""How an instrumented client's span is called: by whom it asked."""

PLAIN = """
import os, requests
from flask import Flask, request
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
    return requests.get(request.args["next"], timeout=60).text

app.run("127.0.0.1", int(os.environ["PORT"]))
"""

THEIRS = """
import os, requests, uvicorn, langsmith
from langsmith import traceable, tracing_context
from langsmith.middleware import TracingMiddleware
from langsmith.run_helpers import get_current_run_tree
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

@traceable(name="theirs")
def work(following):
    inner()
    if not following:
        return "ok"
    headers = get_current_run_tree().to_headers()
    return requests.get(following, headers=headers, timeout=60).text

@traceable(run_type="tool")
def inner():
    return 1

app = FastAPI()

@app.get("/{how}")
def answer(request: Request, how: str):
    following = request.query_params.get("next")
    if how == "tracing_context":
        with tracing_context(parent=request.headers):
            text = work(following)
    elif how == "langsmith_extra":
        text = work(following, langsmith_extra={"parent": request.headers})
    else:
        text = work(following)
    langsmith.run_trees.get_cached_client().flush()
    return PlainTextResponse(text)

around = TracingMiddleware(app)

async def either(scope, receive, send):
    await (around if scope.get("path") == "/middleware" else app)(scope, receive, send)

uvicorn.run(either, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
"""

HOW = ["tracing_context", "langsmith_extra", "middleware"]
"""The paths of that service, which are the ways to hang a run under the caller's."""

THEIR_CLIENT = f"""
import sys, httpx, langsmith
from langsmith import traceable
from langsmith.run_helpers import get_current_run_tree

@traceable(name="client", project_name={PROJECT!r}, tags={TAGS!r}, metadata={METADATA!r})
def client(url):
    headers = get_current_run_tree().to_headers()
    assert httpx.get(url, headers=headers, timeout=60).text == "ok"

for url in map(str.strip, sys.stdin):
    client(url)
    langsmith.run_trees.get_cached_client().flush()
    print("done", flush=True)
"""


OUR_INSTRUMENTED_CLIENT = (
    OURS
    + f"""
import httpx, requests
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
HTTPXClientInstrumentor().instrument()
RequestsInstrumentor().instrument()
for line in sys.stdin:
    library, url = line.split()
    get = {{"httpx": httpx.get, "requests": requests.get}}[library]
    with tracer.start_as_current_span(
            "client", attributes={{"langsmith.trace.session_name": {PROJECT!r}}}):
        assert get(url, timeout=60).text == "ok"
    assert provider.force_flush()
    print("done", flush=True)
provider.shutdown()
"""
)


@pytest.fixture(scope="module")
def here() -> Iterator[Neighbours]:
    with Receiver(requests_per_minute=1_000_000) as receiver, ExitStack() as stack:
        yield Neighbours(receiver, stack)


@pytest.mark.parametrize("wanted", ["langsmith", ALL, "langsmith,baggage,tracecontext"])
def test_a_langsmith_client_calls_our_service(here: Neighbours, wanted: str) -> None:
    here.client(THEIR_CLIENT)(here.service(FLASK, WANTED=wanted))
    runs = here.one_tree(["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert above(runs, "ours") == "GET /"
    for name in ("GET /", "ours"):
        assert {key: runs[name].metadata.get(key) for key in METADATA} == METADATA
        assert sorted(runs[name].tags) == sorted(TAGS)


@pytest.mark.parametrize("how", HOW)
def test_our_client_calls_a_langsmith_service(here: Neighbours, how: str) -> None:
    here.client(OUR_CLIENT)(here.service(THEIRS) + how)
    runs = here.one_tree(["client", "theirs", "inner"])
    assert above(runs, "theirs") == "client"
    assert above(runs, "inner") == "theirs"
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["theirs"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_a_langsmith_client_calls_our_fastapi_service(here: Neighbours) -> None:
    here.client(THEIR_CLIENT)(here.service(FASTAPI))
    runs = here.one_tree(["client", "GET /", "ours"])
    assert [above(runs, name) for name in ("GET /", "ours")] == ["client", "GET /"]


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_an_instrumented_client_calls_a_langsmith_service(here: Neighbours, library: str) -> None:
    """No line of LangSmith's in the client: the instrumentation injects."""
    here.client(OUR_INSTRUMENTED_CLIENT)(f"{library} {here.service(THEIRS)}tracing_context")
    runs = here.one_tree(["client", GET, "theirs", "inner"])
    assert [above(runs, name) for name in (GET, "theirs")] == ["client", GET]


def test_ours_then_w3c_only_then_ours(here: Neighbours) -> None:
    far = here.service(FLASK, WANTED="langsmith")
    here.client(OUR_CLIENT)(passing_on(here.service(PLAIN), far))
    runs = here.one_tree(["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert runs["GET /"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


@pytest.mark.parametrize("how", HOW)
def test_ours_then_langsmith_only_then_ours(here: Neighbours, how: str) -> None:
    far = here.service(FLASK, WANTED=ALL)
    here.client(OUR_CLIENT)(passing_on(here.service(THEIRS) + how, far))
    runs = here.one_tree(["client", "theirs", "inner", "GET /", "ours"])
    assert [above(runs, name) for name in ("theirs", "GET /")] == ["client", "theirs"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_langsmith_then_ours_then_langsmith(here: Neighbours) -> None:
    """Our service calls on with instrumented requests, and no line of LangSmith's."""
    far = here.service(THEIRS) + "middleware"
    here.client(THEIR_CLIENT)(passing_on(here.service(FLASK, WANTED=ALL), far))
    runs = here.one_tree(["client", "GET /", "ours", GET, "theirs", "inner"])
    assert [above(runs, name) for name in ("GET /", GET, "theirs")] == ["client", "ours", GET]
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert set(TAGS) <= set(runs["theirs"].tags)
