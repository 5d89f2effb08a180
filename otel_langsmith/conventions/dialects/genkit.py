"""``genkit:*``: Google's Genkit, its flows, models and tools, in every language.

All values are JSON. A model's name has its plugin in front, and the output of a model has the
request and the raw response beside the message.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval, tokens
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.models import finish_reasons, parameters, provider
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_object,
    in_json,
    one_of,
    picked,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    EMBEDDING_RUNS,
    LATE,
    LLM_RUNS,
    RETRIEVER_RUNS,
    TOOL_RUNS,
    Convention,
    When,
    attr,
    spread,
)
from otel_langsmith.conventions.tools import arguments

_KINDS: Final = {
    "agent": kinds.AGENT,
    "background-model": kinds.LLM,
    "embedder": kinds.EMBEDDING,
    "evaluator": kinds.EVALUATOR,
    "model": kinds.LLM,
    "prompt": kinds.PROMPT,
    "reranker": kinds.RERANKER,
    "retriever": kinds.RETRIEVER,
    "tool": kinds.TOOL,
}


def model(value: Any) -> Any:
    """The model and the provider in a key such as ``/model/openai/gpt-4o-mini``."""
    kind, _, name = str(value).removeprefix("/").partition("/")
    plugin, slash, model = name.partition("/")
    if kind not in ("model", "embedder") or not name:
        return UNREADABLE
    maker = provider(plugin) if slash else UNREADABLE
    fields = {"model.request": model if slash else name}
    return fields if maker is UNREADABLE else {**fields, "provider": maker}


def request_parameters(value: Any) -> Any:
    """The invocation parameters of a model call."""
    found = as_object(value)
    return found if found is UNREADABLE else parameters(found.get("config"))


def usage_and_finish_reason(value: Any) -> Any:
    """The token counts of an answer, and its finish reason."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    counted = _usage(found.get("usage"))
    return {**_ended(found), **({} if counted is UNREADABLE else counted)}


_usage: Final = tokens.usage("genkit:usage")
_ended: Final = picked({"metadata.finish_reasons": ("finishReason", finish_reasons)})


def response_messages(value: Any) -> Any:
    """The answer, without the request and the raw response beside it."""
    found = as_object(value)
    message = found.get("message") if found is not UNREADABLE else None
    if not isinstance(message, dict):
        return UNREADABLE
    return messages([{**message, "finish_reason": found.get("finishReason")}], "assistant")


def query_text(value: Any) -> Any:
    """The query of a retriever, which is a document, mostly of one text."""
    found = as_object(value)
    query = found.get("query") if found is not UNREADABLE else None
    return (_text(query) or query) if query else UNREADABLE


def documents(value: Any) -> Any:
    """The documents that a retriever returned."""
    found = as_object(value)
    items = found.get("documents") if found is not UNREADABLE else None
    if not isinstance(items, list):
        return UNREADABLE
    return retrieval.documents(
        [{**item, "content": _text(item)} if isinstance(item, dict) else item for item in items]
    )


def embedding_texts(value: Any) -> Any:
    """The texts that were embedded."""
    found = as_object(value)
    items = found.get("input") if found is not UNREADABLE else None
    return list(map(_text, items)) if isinstance(items, list) and items else UNREADABLE


def embedding_vectors(value: Any) -> Any:
    """The count and the dimensions of the vectors."""
    found = as_object(value)
    items = found.get("embeddings") if found is not UNREADABLE else None
    return retrieval.embedded(items) if isinstance(items, list) else UNREADABLE


def _text(document: Any) -> str:
    """The text of a document, which has parts as a message has."""
    parts = document.get("content") if isinstance(document, dict) else None
    said = parts if isinstance(parts, list) else []
    return "\n".join(part["text"] for part in said if _is_text(part))


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


_INPUT: Final = "genkit:input"
_OUTPUT: Final = "genkit:output"

GENKIT: Final = Convention(
    name="genkit",
    spec="genkit 1.x for JavaScript, @genkit-ai/core src/tracing/instrumentation.ts",
    rows=(
        spread("genkit:metadata:subtype", via=one_of(_KINDS), keep=True, when=EARLY),
        spread("genkit:key", via=model, keep=True),
        attr("tool.name", "genkit:name"),
        attr("metadata.thread_id", "genkit:sessionId", "genkit:metadata:thread:name"),
        attr("params.tools", _INPUT, via=payloads.tools, keep=True),
        spread(_INPUT, via=request_parameters, keep=True),
        spread(_OUTPUT, via=usage_and_finish_reason, keep=True),
        attr("inputs.messages", _INPUT, via=payloads.request, when=LLM_RUNS),
        attr("inputs.query", _INPUT, via=query_text, when=RETRIEVER_RUNS),
        attr("inputs.input", _INPUT, via=embedding_texts, when=EMBEDDING_RUNS),
        attr("inputs", _INPUT, via=in_json(arguments), when=TOOL_RUNS),
        attr("inputs", _INPUT, via=in_json(payloads.content), when=LATE),
        attr("outputs.messages", _OUTPUT, via=response_messages, when=When(runs=("llm", "chain"))),
        attr("outputs.documents", _OUTPUT, via=documents, when=RETRIEVER_RUNS),
        attr("outputs", _OUTPUT, via=embedding_vectors, when=EMBEDDING_RUNS),
        attr("outputs", _OUTPUT, via=decoded, when=LATE),
    ),
)
