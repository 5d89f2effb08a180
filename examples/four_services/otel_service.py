"""A service with OpenTelemetry alone, and no line about LangSmith below `start_tracing`."""

import os

import requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithPropagator, LangSmithSpanProcessor

NAME = os.environ["NAME"]
app = Flask(NAME)


def start_tracing() -> trace.Tracer:
    """A tracer whose spans become runs, under the caller's run if there is one."""
    provider = TracerProvider()
    provider.add_span_processor(LangSmithSpanProcessor())
    trace.set_tracer_provider(provider)
    set_global_textmap(CompositePropagator([get_global_textmap(), LangSmithPropagator()]))
    FlaskInstrumentor().instrument_app(app)
    RequestsInstrumentor().instrument()
    return trace.get_tracer(NAME)


tracer = start_tracing()


@app.get("/")
def answer() -> str:
    """What the next service says, and this one's name."""
    with tracer.start_as_current_span(f"work of the {NAME}"):
        said = requests.get(os.environ["NEXT"], timeout=20).text if "NEXT" in os.environ else ""
        return f"{NAME} {said}".strip()


app.run("127.0.0.1", int(os.environ["PORT"]))
