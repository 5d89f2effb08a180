"""Prompt flow: Microsoft's tracer of functions and of the models that they call.

Its names have no prefix (``inputs``, ``output``, ``span_type``); events repeat the content.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval
from otel_langsmith.conventions.json import unquoted
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import as_count, one_of, picked
from otel_langsmith.conventions.rows import LATE, Convention, When, attr, event, spread

_TYPES: Final = {
    **{word: kinds.OPENINFERENCE[word] for word in ("llm", "tool", "embedding", "agent")},
    "function": kinds.CHAIN,
    "flow": kinds.CHAIN,
    "retrieval": kinds.RETRIEVER,
    "reranking": kinds.RERANKER,
}


_DETAILS: Final = {
    "usage.input_token_details.cache_read": (
        "usage.prompt_tokens_details.cached_tokens",
        as_count,
    ),
    "usage.output_token_details.reasoning": (
        "usage.completion_tokens_details.reasoning_tokens",
        as_count,
    ),
}


def function_result(value: Any) -> Any:
    """The result of a function, which is JSON even if it is a text."""
    return payloads.content(unquoted(value))


_NAME: Final = ("promptflow",)
_OWN: Final = When(scope=_NAME)
_ANSWERED: Final = When(scope=_NAME, given=("llm.response.model",))
_LLM: Final = When(runs=("llm",), scope=_NAME)
_EMBEDDING: Final = When(runs=("embedding",), scope=_NAME)
_RETRIEVER: Final = When(runs=("retriever",), scope=_NAME)

PROMPTFLOW: Final = Convention(
    name="promptflow",
    spec="promptflow-tracing 1.18.5, promptflow/tracing/_trace.py",
    rows=(
        spread("span_type", via=one_of(_TYPES), keep=True, when=When(scope=_NAME, turn="early")),
        spread("inputs", via=parameters, keep=True, when=_ANSWERED),
        spread("output", via=picked(_DETAILS), keep=True, when=_ANSWERED),
        attr("model.response", "llm.response.model", when=_OWN),
        attr("inputs.messages", "inputs", when=_LLM),
        attr("inputs.input", "inputs", when=_EMBEDDING),
        attr("inputs", "inputs", when=_OWN),
        # The prompt that was made of them has these, too.
        attr("inputs", "prompt.variables", "prompt.template", when=_OWN),
        attr("outputs.messages", "output", via=payloads.response, when=_LLM),
        attr("outputs.messages", "llm.generated_message", via=payloads.response, when=_LLM),
        attr("outputs.messages", "output", when=_LLM),
        attr("outputs", "output", via=retrieval.embedded, when=_EMBEDDING),
        attr("outputs.documents", "output", via=retrieval.documents_or_texts, when=_RETRIEVER),
        attr("outputs", "output", via=function_result, when=_OWN),
        # Copies of the attributes above.
        event("inputs", "promptflow.function.inputs", "payload", when=LATE),
        event("outputs", "promptflow.function.output", "payload", via=function_result, when=LATE),
        event("outputs", "promptflow.llm.generated_message", "payload", when=LATE),
        event("outputs", "promptflow.embedding.embeddings", "payload", when=LATE),
        event("inputs", "promptflow.prompt.template", "payload", when=LATE),
    ),
)
