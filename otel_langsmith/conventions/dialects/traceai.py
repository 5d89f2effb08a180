"""traceAI: Future AGI's instrumentations.

They flatten messages and tools as OpenInference does, under names of ``gen_ai.*``. Beside them
``input.value`` has the first text only, and ``output.value`` a tool call in prose. Alibaba's
instrumentations write ``gen_ai.span.kind``, too.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, retrieval
from otel_langsmith.conventions.dialects.openinference import (
    flat_documents,
    flat_inputs,
    flat_outputs,
    tool_schema,
    tools,
)
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import (
    BLANK,
    NOTHING,
    UNREADABLE,
    one_of,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    Convention,
    When,
    attr,
    indexed,
    spread,
)


def nothing_if_null(value: Any) -> Any:
    """`BLANK` for ``null``, which is written where a call has no tools."""
    return BLANK if isinstance(value, str) and value in NOTHING else UNREADABLE


_LLM: Final = When(runs=("llm",), turn="late")
_PARAMETERS: Final = When(
    given=("gen_ai.request.parameters",), unless=("gen_ai.response.model",), turn="early"
)

TRACEAI: Final = Convention(
    name="traceai",
    spec=(
        "https://github.com/future-agi/traceAI fi_instrumentation/fi_types.py, "
        "fi-instrumentation-otel 1.1.0 and traceAI-openai 0.1.10"
    ),
    rows=(
        spread("gen_ai.span.kind", via=one_of(kinds.OPENINFERENCE), keep=True, when=EARLY),
        attr("params.tools", "gen_ai.tool.definitions", via=nothing_if_null, when=EARLY),
        # The response model comes under the name of the request model.
        spread("gen_ai.request.parameters", via=parameters, when=EARLY),
        attr("model.response", "gen_ai.request.model", when=_PARAMETERS),
        indexed("params.tools", "gen_ai.tool.definitions.", via=tools),
        attr("metadata.tool_schema", "gen_ai.tool.parameters", via=tool_schema),
        attr("usage.input_cost", "gen_ai.cost.input"),
        attr("usage.output_cost", "gen_ai.cost.output"),
        attr("usage.total_cost", "gen_ai.cost.total"),
        attr(
            "usage.input_token_details.cache_read",
            "gen_ai.usage.cache_read_tokens",
            "gen_ai.usage.input_tokens.cache_read",
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "gen_ai.usage.cache_write_tokens",
            "gen_ai.usage.input_tokens.cache_write",
        ),
        attr("usage.output_token_details.reasoning", "gen_ai.usage.output_tokens.reasoning"),
        indexed("inputs.messages", "gen_ai.input.messages.", via=flat_inputs),
        attr("inputs.query", "gen_ai.retrieval.query"),
        indexed("outputs.messages", "gen_ai.output.messages.", via=flat_outputs),
        indexed("outputs.documents", "gen_ai.retrieval.documents.", via=flat_documents),
        attr("outputs", "embedding.embeddings", via=retrieval.embedded, when=LATE),
        # The messages have them, too.
        attr("inputs", "gen_ai.input.images", when=_LLM),
    ),
)
