"""Pipecat: the turns of a voice agent, what was heard, answered and said.

Speaks OpenTelemetry's dialect of models and services, and has the content beside it.
"""

from typing import Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import as_bool, as_seconds, as_text
from otel_langsmith.conventions.rows import Convention, When, attr
from otel_langsmith.conventions.tools import tool_definitions

_OWN: Final = When(scope=("pipecat", "pipecat."))
_LATE: Final = When(scope=_OWN.scope, turn="late")
_LLM: Final = When(scope=_OWN.scope, runs=("llm",))

PIPECAT: Final = Convention(
    name="pipecat",
    spec="pipecat-ai 1.14.0, pipecat/utils/tracing/service_attributes.py",
    rows=(
        attr("metadata.thread_id", "conversation.id", via=as_text, when=_OWN),
        attr("first_token_s", "metrics.ttfb", via=as_seconds, when=_OWN),
        attr("params.stream", "stream", via=as_bool, when=_OWN),
        attr("params.tool_choice", "tool_choice", via=from_json, when=_OWN),
        attr("params.tools", "tools", "tools.definitions", via=tool_definitions, when=_OWN),
        attr("inputs.messages", "input", via=payloads.request_or_text, when=_LLM),
        attr("inputs", "input", "text", via=payloads.content, when=_LATE),
        attr("outputs.messages", "output", "text_output", via=payloads.response_or_text, when=_LLM),
        attr(
            "outputs",
            "output",
            "text_output",
            "transcript",
            via=payloads.content,
            when=_LATE,
        ),
    ),
)
