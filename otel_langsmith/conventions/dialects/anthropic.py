"""``anthropic.*``: what Anthropic's own SDK adds to ``gen_ai.*`` on the spans of its calls."""

from typing import Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.rows import Convention, attr

ANTHROPIC: Final = Convention(
    name="anthropic",
    spec="anthropic 2.12.0, anthropic/_tracing.py and anthropic/lib/_tracing",
    rows=(
        attr("metadata.finish_reasons", "anthropic.message.stop_reason"),
        attr("metadata.service_tier", "anthropic.response.service_tier"),
        attr("params.service_tier", "anthropic.request.service_tier"),
        attr("params.thinking.type", "anthropic.thinking.type"),
        attr("params.thinking.budget_tokens", "anthropic.thinking.budget_tokens"),
        attr(
            "usage.input_token_details.ephemeral_5m_input_tokens",
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        ),
        attr(
            "usage.input_token_details.ephemeral_1h_input_tokens",
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        ),
        # Its tool runner writes this in place of `gen_ai.tool.call.result`.
        attr("outputs", "anthropic.tool_result.content", via=from_json),
    ),
)
