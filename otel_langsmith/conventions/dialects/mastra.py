"""``mastra.*``: Mastra's exporter for OpenTelemetry, for agents, workflows and tools.

Content is under the names ``input`` and ``output``, which are read only where ``mastra.span.type``
is there. A generation sums up its steps, each of which is one request to a model.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_object, one_of
from otel_langsmith.conventions.rows import EARLY, Convention, When, attr, prefix, spread
from otel_langsmith.conventions.tools import arguments

_TYPES: Final = {
    "agent_run": kinds.NAMED_AGENT,
    "llm_generation": kinds.LLM,
    "mcp_tool_call": kinds.TOOL,
    "model_generation": kinds.LLM,
    "scorer_run": kinds.EVALUATOR,
    "tool_call": kinds.TOOL,
}


def response_messages(value: Any) -> Any:
    """The answer, with text, reasoning and tool calls."""
    found = as_object(value)
    if found is UNREADABLE or "text" not in found:
        return payloads.response_or_text(value)
    thought = found.get("reasoningText", found.get("reasoning"))
    said = {"role": "assistant", "content": found["text"], "tool_calls": found.get("toolCalls")}
    return messages([{**said, "reasoning": thought}], "assistant")


_GIVEN: Final = ("mastra.span.type",)
_OWN: Final = When(given=_GIVEN)
_LATE: Final = When(given=_GIVEN, turn="late")
_SCOPED: Final = When(scope=("@mastra/otel", "@mastra/otel-exporter"), turn="late")
_LLM: Final = When(given=_GIVEN, runs=("llm",), turn="early")
_TOOL: Final = When(given=_GIVEN, runs=("tool",), turn="early")

MASTRA: Final = Convention(
    name="mastra",
    spec="@mastra/otel-exporter 0.3.3, src/span-converter.ts",
    rows=(
        spread("mastra.span.type", via=one_of(_TYPES), keep=True, when=EARLY),
        attr("tags", "mastra.tags"),
        attr("metadata.thread_id", "threadId", when=_OWN),
        attr("metadata.user_id", "resourceId", when=_OWN),
        prefix("metadata", "mastra.metadata.", via=from_json),
        attr("params.tools", "input", via=payloads.tools, keep=True, when=_OWN),
        attr("inputs.messages", "input", when=_LLM),
        attr("inputs", "input", via=arguments, when=_TOOL),
        attr("inputs", "input", when=_LATE),
        attr("outputs.messages", "output", via=response_messages, when=_LLM),
        attr("outputs", "output", via=from_json, when=_TOOL),
        attr("outputs", "output", when=_LATE),
        attr("outputs", "body", when=_SCOPED),
    ),
)
