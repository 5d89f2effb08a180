"""Microsoft's Agent Framework and Semantic Kernel: ``gen_ai.*`` with names of their own.

Semantic Kernel writes content in log records only. Azure's tracer for LangChain calls a retriever a
tool.
"""

from typing import Final

from otel_langsmith.conventions.readers import one_of
from otel_langsmith.conventions.rows import EARLY, Convention, attr

_TYPES: Final = {"retriever": "retriever"}

MICROSOFT: Final = Convention(
    name="microsoft",
    spec=(
        "https://github.com/microsoft/agent-framework agent_framework/observability.py of 1.23 and "
        "https://github.com/microsoft/semantic-kernel semantic_kernel/utils/telemetry of 1.45, "
        "langchain-azure-ai 1.2.12, langchain_azure_ai/callbacks/tracers, "
        "microsoft-agents-a365-observability-core, its constants"
    ),
    rows=(
        attr("run_type", "gen_ai.tool.type", via=one_of(_TYPES), keep=True, when=EARLY),
        attr("metadata.thread_id", "microsoft.session.id"),
        attr("inputs.query", "gen_ai.retriever.query"),
        attr("outputs.documents", "gen_ai.retriever.results"),
        attr("workflow.name", "workflow.name", "workflow_builder.name", keep=True),
        attr("metadata.finish_reasons", "gen_ai.response.finish_reason"),
        attr("usage.input_tokens", "gen_ai.response.prompt_tokens"),
        attr("usage.output_tokens", "gen_ai.response.completion_tokens"),
    ),
)
