"""Nothing suspicious in the runs of any capture but what its instrumentation did itself.

For a capture that is new here, what this says is what to look at first.
"""

from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from support.captures import CAPTURES, load, log_records, name_of, named, runs_of
from support.lint import Fault, faults, lost

SILENT = (
    # told not to capture content, or with no way to
    *(
        "*_default__*",
        "google_adk__*",
        "braintrust_otel__span_processor",
    ),
    *("anthropic_native__*", "oi_anthropic__*", "official_genai_anthropic_*"),
    *("oi_langchain__anthropic", "traceloop_langchain__anthropic"),  # for Anthropic's own spans
)
"""Spans without content."""

KNOWN: Mapping[str, tuple[str, ...]] = {
    "call without inputs": (
        *SILENT,
        *("*_embeddings", "*_embeddings_single", "traceloop_openai__image"),
        *("*_ai*__error429", "*_agents__error400", "oi_google_adk__error429"),
        "traceloop047_openai_events__*",  # of 0.47, whose events never came
    ),
    "call without outputs": (
        *SILENT,
        *("*_embeddings", "*_embeddings_single", "oi_llama_index__r*"),
        *("logfire_openai*__stream",),  # the answer is in a span beside
        *("traceloop_cohere__rerank_embed", "langtrace_openai__embed"),
        *("traceloop_openai_agents__chat_*", "traceloop*_openai_events__*"),
    ),
    "call without usage": (
        *("*_no_usage", "oi_dspy__*", "oi_llama_index__*", "oi_google_genai__embeddings"),
        *("logfire_openai*__stream", "*_langchain__async_parallel", "traceloop047_anthropic__*"),
        *("*_openai_agents__chat_*", "langfuse__manual", "braintrust_otel__span_processor"),
        *("genkit__embed", "traceloop_cohere__rerank_embed", "traceloop_llamaindex__rag"),
    ),
    "unread attribute": (
        "google_adk1__tools",  # output without the thoughts, which the response counts
        "openlit_*__*",  # which tools were called, told again in the messages
    ),
    "call without model": (
        *("braintrust_otel__span_processor", "haystack__error400", "mlflow_otlp__decorators"),
        "oi_openai_agents__error400",
    ),
    "call without messages": (
        *("limits_*__length120", "oi_openai__hidden"),
        "oi_llama_index__agent",  # Python reprs
        "langwatch__trace",  # of a function that returned nothing
        "langsmith_otel__*",  # as LangSmith's own SDK sends them
    ),
    "messages of another form": ("langsmith_otel__*", "oi_autogen_*", "oi_llama_index__agent"),
    "empty message": (
        *("official_openai_v2_*", "pydantic_ai_nocontent__*", "traceloop047_openai__image"),
        "agentscope__agent",
        "traceloop_cohere__tools",  # that called tools, which only the call before it tells
    ),
    "tool without content": (
        "langwatch__trace",  # called without arguments, and failed
        *("*mcp*", "autogen_native__agent", "google_adk__*", "pydantic_ai_nocontent__*"),
        *("official_genai_langchain_default__agent", "official_google_genai_*__auto_function"),
    ),
    "call without id": (
        *("litellm_otel__*", "limits_oi_openai__count20"),
        "google_adk1__tools",  # Gemini's have none
    ),
    "result of no call": (
        "google_adk1__tools",
        # the call is not told among what a model was told
        *("oi_smolagents__error_tool", "openlit_langchain__tool_chain", "traceloop_cohere__tools"),
    ),
    "result of another call": ("limits_oi_openai__count20",),
    "thread is torn": (
        # who the user is stands in JSON, or comes when the span beneath has ended
        *("litellm_otel__chat", "mlflow_otlp__langchain_autolog", "*pydantic_ai*__multi_turn"),
        "langwatch__trace",
    ),
    "tokens of no call": (
        "strands_attributes__tools",  # the spans between were not captured
        "ag2__agent",  # told again in a span beside the call
    ),
    "lost": (
        *("logfire_openai_v1__responses_tools", "logfire_openai_agents__responses"),  # "See JSON"
        *("oi_google_genai__*", "oi_langchain__*"),  # headers of a response
        "google_adk1__tools",  # headers of a request
        *(
            "oi_llama_index__*",
            "oi_smolagents__error_tool",
            "oi_haystack__*",
        ),  # Python reprs, told better beside
        "mirascope__traced",  # messages, of a function that shows its arguments
        "traceai_openai__tools",  # calls in prose, told better beside
        "openlit133_*",  # a line for each message, taken apart
    ),
}
"""What is known, and not ours: by kind, in which captures."""


@cache
def found_in(path: Path) -> list[Fault]:
    """All that is suspicious about a capture: of its runs, and of what they should hold."""
    runs = runs_of(path)
    logged: dict[int, list[tuple[str, Any]]] = {}
    for record in log_records(path):
        if record.event_name:
            logged.setdefault(record.span_id or 0, []).append((record.event_name, record.body))
    missed = [
        fault
        for span, run in zip(load(path), runs, strict=True)
        for fault in lost(said_by(span) + logged.get(span.context.span_id, []), run)
    ]
    return [*faults(runs), *missed]


def said_by(span: ReadableSpan) -> list[tuple[str, Any]]:
    """What a span says, but for errors, tags and what some say a second time in other words."""
    told = [(key, value) for key, value in (span.attributes or {}).items() if key not in RETOLD]
    for event in span.events:
        if event.name != "exception" and not event.name.startswith("mlflow.chunk."):
            told += (event.attributes or {}).items()
    return told


RETOLD = ("langsmith.span.tags", "gen_ai.tool.args", "llm.prompt_template.variables")


def is_known(name: str, kind: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in KNOWN.get(kind, ()))


@pytest.mark.parametrize("path", CAPTURES, ids=name_of)
def test_nothing_is_suspicious(path: Path) -> None:
    assert [fault for fault in found_in(path) if not is_known(name_of(path), fault.kind)] == []


def test_what_is_known_is_still_so() -> None:
    """An exception that no capture needs any more hides the next fault."""
    kinds = {name_of(path): {fault.kind for fault in found_in(path)} for path in CAPTURES}
    unused = [
        (kind, pattern)
        for kind, patterns in KNOWN.items()
        for pattern in patterns
        if not any(kind in kinds[name] for name in kinds if fnmatch(name, pattern))
    ]
    assert unused == []


def test_what_a_run_lost_is_found() -> None:
    path = named("oi_openai__multi_turn")
    [span], [run] = load(path), runs_of(path)
    run.inputs = {}
    assert {fault.kind for fault in (*faults([run]), *lost(said_by(span), run))} == {
        "call without inputs",
        "lost",
    }
