"""``gcp.vertex.agent.*``: Google's Agent Development Kit, which writes ``gen_ai.*`` beside it.

Version 1 has the request and the response of a model as JSON, and on its tools' spans empty ones;
version 2 has content in ``gen_ai.*``, if it is told to capture it.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import input_messages
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_count,
    as_float,
    as_object,
    as_texts,
    picked,
)
from otel_langsmith.conventions.rows import EARLY, LATE, LLM_RUNS, Convention, attr, spread
from otel_langsmith.conventions.tokens import usage
from otel_langsmith.conventions.tools import arguments, tool_definitions


def kind_by_request(value: Any) -> Any:
    """A model call, if the request is not empty."""
    found = as_object(value)
    return kinds.CHAT if found not in ({}, UNREADABLE) else UNREADABLE


REQUEST: Final = picked(
    {
        "params.tools": ("config.tools", tool_definitions),
        "params.temperature": ("config.temperature", as_float),
        "params.top_p": ("config.top_p", as_float),
        "params.top_k": ("config.top_k", as_count),
        "params.max_tokens": ("config.max_output_tokens", as_count),
        "params.stop": ("config.stop_sequences", as_texts),
        "params.seed": ("config.seed", as_count),
        "params.response_format": ("config.response_schema", from_json),
    }
)
"""The invocation parameters in a request."""


def response_usage(value: Any) -> Any:
    """The usage in a response; Google counts thoughts apart from output, LangSmith among it."""
    found = as_object(value)
    counted = UNREADABLE if found is UNREADABLE else as_object(found.get("usage_metadata"))
    fields = counted if counted is UNREADABLE else _USAGE(counted)
    if fields is not UNREADABLE and "usage.output_tokens" in fields:
        thoughts = fields.get("usage.output_token_details.reasoning", 0)
        fields["usage.output_tokens"] += thoughts
    return fields


_USAGE: Final = usage("gcp.vertex.agent.usage")

GOOGLE_ADK: Final = Convention(
    name="google_adk",
    spec="https://github.com/google/adk-python src/google/adk/telemetry of 1.20 and 2.13",
    rows=(
        spread("gcp.vertex.agent.llm_request", via=kind_by_request, keep=True, when=LATE),
        spread("gcp.vertex.agent.llm_request", via=REQUEST, keep=True, when=EARLY),
        # Early, since `gen_ai.usage.output_tokens` are without the thoughts (genai.md §2.3).
        spread("gcp.vertex.agent.llm_response", via=response_usage, keep=True, when=EARLY),
        attr("metadata.thread_id", "gcp.vertex.agent.session_id"),
        attr(
            "inputs.messages",
            "gcp.vertex.agent.llm_request",
            via=payloads.request,
            when=LLM_RUNS,
        ),
        attr("inputs.messages", "gcp.vertex.agent.data", via=input_messages),
        attr("inputs", "gcp.vertex.agent.tool_call_args", via=arguments),
        attr(
            "outputs.messages",
            "gcp.vertex.agent.llm_response",
            via=payloads.response,
            when=LLM_RUNS,
        ),
        attr("outputs", "gcp.vertex.agent.tool_response", via=from_json),
    ),
)
