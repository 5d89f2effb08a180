"""OpenLIT: OpenTelemetry's dialect, with content of its own beside it.

It writes the tools that a model called on the span of that call, joined by commas; the messages
have them, too, and apart.
"""

from typing import Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.readers import as_bool, as_count, as_text, from_json
from otel_langsmith.conventions.rows import EARLY, LATE, Convention, When, attr
from otel_langsmith.conventions.tools import arguments

_LLM: Final = When(runs=("llm",), turn="late")
_TOOL: Final = When(runs=("tool",), turn="late")

OPENLIT: Final = Convention(
    name="openlit",
    spec="openlit/semcov of https://github.com/openlit/openlit, 1.45, November 2026",
    rows=(
        attr("params.stream", "gen_ai.request.is_stream", via=as_bool),
        attr("metadata.service_tier", "gen_ai.response.service_tier", via=as_text),
        attr("metadata.system_fingerprint", "gen_ai.response.system_fingerprint", via=as_text),
        attr("usage.total_tokens", "gen_ai.client.token.usage", via=as_count),
        attr("inputs", "gen_ai.tool.args", "gen_ai.tool.input", via=arguments, when=_TOOL),
        attr("outputs", "gen_ai.tool.output", via=from_json, when=_TOOL),
        attr(
            "inputs",
            "gen_ai.content.prompt",
            "gen_ai.workflow.input",
            "gen_ai.framework.pipeline.input_data",
            via=payloads.conversation,
            when=LATE,
        ),
        attr(
            "outputs",
            "gen_ai.content.completion",
            "gen_ai.workflow.output",
            "gen_ai.framework.pipeline.output_data",
            "gen_ai.agent.final_result",
            via=payloads.conversation,
            when=LATE,
        ),
        attr("outputs.reasoning", "gen_ai.content.reasoning", via=as_text, when=EARLY),
        # Told again in the messages, and apart.
        attr("outputs", "gen_ai.response.tool_calls", "gen_ai.tool.args", when=_LLM),
    ),
)
