"""Microsoft's Agent Framework and Semantic Kernel, who speak ``gen_ai.*`` with words of their own.

Semantic Kernel tells its content in log records alone.
"""

from typing import Final

from otel_langsmith.conventions.models import finish_reasons
from otel_langsmith.conventions.readers import as_count, as_text
from otel_langsmith.conventions.rows import Convention, attr

MICROSOFT: Final = Convention(
    name="microsoft",
    spec=(
        "https://github.com/microsoft/agent-framework agent_framework/observability.py of 1.23 and "
        "https://github.com/microsoft/semantic-kernel semantic_kernel/utils/telemetry of 1.45"
    ),
    rows=(
        attr("workflow.name", "workflow.name", "workflow_builder.name", via=as_text, keep=True),
        attr("metadata.finish_reasons", "gen_ai.response.finish_reason", via=finish_reasons),
        attr("usage.input_tokens", "gen_ai.response.prompt_tokens", via=as_count),
        attr("usage.output_tokens", "gen_ai.response.completion_tokens", via=as_count),
    ),
)
