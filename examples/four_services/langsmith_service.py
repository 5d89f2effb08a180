"""A service with LangSmith's Python SDK alone; it has never heard of OpenTelemetry."""

import os

import requests
from flask import Flask, request
from langsmith import traceable, tracing_context
from langsmith.run_helpers import get_current_run_tree

NAME = os.environ["NAME"]
app = Flask(NAME)


@traceable(name=f"work of the {NAME}")
def work() -> str:
    """What the next service says, and this one's name."""
    headers = get_current_run_tree().to_headers()
    said = requests.get(os.environ["NEXT"], headers=headers, timeout=20).text
    return f"{NAME} {said}"


@app.get("/")
def answer() -> str:
    """The work, as a run under the caller's."""
    headers = {name.lower(): value for name, value in request.headers}  # the SDK wants them so
    with tracing_context(parent=headers):
        return work()


app.run("127.0.0.1", int(os.environ["PORT"]))
