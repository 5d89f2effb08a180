"""Both SDKs for real, over HTTP: a service of theirs in Python and one of ours make one tree."""

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
    above,
    environ,
    one_tree,
    python,
    run,
    serving,
)

from otel_langsmith.receiver import Receiver

pytestmark = pytest.mark.programs

pytest.importorskip("opentelemetry.instrumentation.flask")
pytest.importorskip("opentelemetry.instrumentation.httpx")

GET = "GET 127.0.0.1"
"""How an instrumented client's span is called: by whom it asked."""

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
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

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

app = FastAPI()

@app.get("/")
def answer(request: Request):
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

if os.environ["HOW"] == "middleware":
    app = TracingMiddleware(app)
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
"""

THEIR_CLIENT = f"""
import os, httpx, langsmith
from langsmith import traceable
from langsmith.run_helpers import get_current_run_tree

@traceable(name="client", project_name={PROJECT!r}, tags={TAGS!r}, metadata={METADATA!r})
def client():
    headers = get_current_run_tree().to_headers()
    assert httpx.get(os.environ["NEXT"], headers=headers, timeout=20).text == "ok"

client()
langsmith.run_trees.get_cached_client().flush()
"""


OUR_INSTRUMENTED_CLIENT = (
    OURS
    + f"""
import httpx, requests
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
HTTPXClientInstrumentor().instrument()
RequestsInstrumentor().instrument()
get = {{"httpx": httpx.get, "requests": requests.get}}[os.environ["LIBRARY"]]
with tracer.start_as_current_span(
        "client", attributes={{"langsmith.trace.session_name": {PROJECT!r}}}):
    assert get(os.environ["NEXT"], timeout=20).text == "ok"
provider.shutdown()
"""
)


@pytest.mark.parametrize(
    "wanted", ["langsmith", "tracecontext,baggage,langsmith", "langsmith,baggage,tracecontext"]
)
def test_a_langsmith_client_calls_our_service(receiver: Receiver, wanted: str) -> None:
    with serving(python(FLASK), environ(receiver, WANTED=wanted)) as url:
        run(python(THEIR_CLIENT), environ(receiver, NEXT=url))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert above(runs, "ours") == "GET /"
    for name in ("GET /", "ours"):
        assert {key: runs[name].metadata.get(key) for key in METADATA} == METADATA
        assert sorted(runs[name].tags) == sorted(TAGS)


@pytest.mark.parametrize("how", ["tracing_context", "langsmith_extra", "middleware"])
def test_our_client_calls_a_langsmith_service(receiver: Receiver, how: str) -> None:
    with serving(python(THEIRS), environ(receiver, HOW=how)) as url:
        run(python(OUR_CLIENT), environ(receiver, NEXT=url))
        runs = one_tree(receiver, ["client", "theirs", "inner"])
    assert above(runs, "theirs") == "client"
    assert above(runs, "inner") == "theirs"
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["theirs"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_a_langsmith_client_calls_our_fastapi_service(receiver: Receiver) -> None:
    with serving(python(FASTAPI), environ(receiver)) as url:
        run(python(THEIR_CLIENT), environ(receiver, NEXT=url))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert [above(runs, name) for name in ("GET /", "ours")] == ["client", "GET /"]


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_an_instrumented_client_calls_a_langsmith_service(receiver: Receiver, library: str) -> None:
    """No line of LangSmith's in the client: the instrumentation injects."""
    with serving(python(THEIRS), environ(receiver, HOW="tracing_context")) as url:
        run(python(OUR_INSTRUMENTED_CLIENT), environ(receiver, NEXT=url, LIBRARY=library))
        runs = one_tree(receiver, ["client", GET, "theirs", "inner"])
    assert [above(runs, name) for name in (GET, "theirs")] == ["client", GET]


def test_ours_then_w3c_only_then_ours(receiver: Receiver) -> None:
    with ExitStack() as stack:
        far = stack.enter_context(serving(python(FLASK), environ(receiver, WANTED="langsmith")))
        hop = stack.enter_context(serving(python(PLAIN), environ(receiver, NEXT=far)))
        run(python(OUR_CLIENT), environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert above(runs, "GET /") == "client"
    assert runs["GET /"].metadata["thread_id"] == METADATA["thread_id"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


@pytest.mark.parametrize("how", ["tracing_context", "langsmith_extra", "middleware"])
def test_ours_then_langsmith_only_then_ours(receiver: Receiver, how: str) -> None:
    with ExitStack() as stack:
        far = stack.enter_context(serving(python(FLASK), environ(receiver)))
        hop = stack.enter_context(serving(python(THEIRS), environ(receiver, NEXT=far, HOW=how)))
        run(python(OUR_CLIENT), environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "theirs", "inner", "GET /", "ours"])
    assert [above(runs, name) for name in ("theirs", "GET /")] == ["client", "theirs"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_langsmith_then_ours_then_langsmith(receiver: Receiver) -> None:
    """Our service calls on with instrumented requests, and no line of LangSmith's."""
    with ExitStack() as stack:
        far = stack.enter_context(serving(python(THEIRS), environ(receiver, HOW="middleware")))
        hop = stack.enter_context(serving(python(FLASK), environ(receiver, NEXT=far)))
        run(python(THEIR_CLIENT), environ(receiver, NEXT=hop))
        runs = one_tree(receiver, ["client", "GET /", "ours", GET, "theirs", "inner"])
    assert [above(runs, name) for name in ("GET /", GET, "theirs")] == ["client", "ours", GET]
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]
    assert set(TAGS) <= set(runs["theirs"].tags)
