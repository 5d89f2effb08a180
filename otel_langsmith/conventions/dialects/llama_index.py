"""LlamaIndex's own spans, of which all is told in events: ``LLMChatStartEvent`` and the like.

Each event is a step's beginning or end, flattened: ``response.message.blocks``. No attribute of the
span says what it is, so all of them are chains.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions import payloads, retrieval
from otel_langsmith.conventions.json import first_of, from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, Thin
from otel_langsmith.conventions.rows import Convention, events

Told: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]

_QUERIES: Final = ("query_str", "str_or_query_bundle.query_str", "query.query_str", "query")
_TEXTS: Final = ("response.response", "response.text", "response", "output", "answer")


def _last(told: Told) -> Mapping[str, Any]:
    """What the latest of these events says."""
    return list(told)[-1][1]


def asked(told: Told) -> Any:
    """The messages, or the prompt, that a model was given."""
    held = _last(told)
    return payloads.request_or_text(held.get("messages", held.get("prompt")))


def answered(told: Told) -> Any:
    """What it answered: the provider's choices if they are there, for they tell why it ended."""
    held = _last(told)
    choices = payloads.response({"choices": from_json(held.get("response.raw.choices"))})
    if choices is not UNREADABLE:
        return choices
    content = first_of(held, "response.message.blocks", "response.message.content", "response.text")
    found = from_json(content)
    role = held.get("response.message.role", "assistant")
    return messages([{"role": role, "content": found}], "assistant") if found else UNREADABLE


def query(told: Told) -> Any:
    """What was looked for."""
    return first_of(_last(told), *_QUERIES) or Thin(None)


def text(told: Told) -> Any:
    """What a query came to; of one that streams nothing is told."""
    return first_of(_last(told), *_TEXTS) or Thin(None)


def variables(told: Told) -> Any:
    """What a template was filled with."""
    start = "template_args."
    held = _last(told).items()
    return {key.removeprefix(start): part for key, part in held if key.startswith(start)}


def nodes(told: Told) -> Any:
    """The documents that were found, or that an answer rests on."""
    held = _last(told)
    found = from_json(first_of(held, "nodes", "response.source_nodes"))
    items = found if isinstance(found, (list, tuple)) else ()
    return retrieval.documents([_document(item) for item in items]) if items else UNREADABLE


def _document(item: Any) -> Any:
    node = item.get("node") if isinstance(item, dict) else None
    if not isinstance(node, dict):
        return item
    told = {"text": node.get("text"), "metadata": node.get("metadata"), "id": node.get("id_")}
    return {**told, "score": item.get("score")}


def embedded_texts(told: Told) -> Any:
    """The texts that were embedded, which only the end tells."""
    return retrieval.embedded_texts(_last(told).get("chunks"))


def embedded(told: Told) -> Any:
    """How many vectors there are, and how long they are."""
    return retrieval.embedded(_last(told).get("embeddings"))


_CONTENT: Final = (
    *_QUERIES,
    *_TEXTS,
    *("messages", "prompt", "chunks", "embeddings", "nodes", "text_chunks"),
    *("query.embedding", "str_or_query_bundle.embedding", "response.source_nodes"),
    *("response.message.blocks", "response.message.content", "response.raw.choices"),
    *("response.raw.output", "response.delta"),
)
"""Of an event's attributes those with content; the others stay where they are."""

LLAMA_INDEX: Final = Convention(
    name="llama_index",
    spec="llama-index-observability-otel 0.6, llama_index/core/instrumentation/events",
    tokens=("LLMChatInProgressEvent", "LLMCompletionInProgressEvent"),
    rows=(
        events(
            "inputs.messages",
            "LLMChatStartEvent",
            "LLMCompletionStartEvent",
            via=asked,
            keys=_CONTENT,
        ),
        events("inputs.variables", "LLMPredictStartEvent", via=variables),
        events("inputs.input", "EmbeddingEndEvent", via=embedded_texts, keys=_CONTENT),
        events(
            "inputs.query",
            "QueryStartEvent",
            "RetrievalStartEvent",
            "ReRankStartEvent",
            "SynthesizeStartEvent",
            "GetResponseStartEvent",
            via=query,
            keys=_CONTENT,
        ),
        events(
            "outputs.messages",
            "LLMChatEndEvent",
            "LLMCompletionEndEvent",
            via=answered,
            keys=_CONTENT,
        ),
        events("outputs", "EmbeddingEndEvent", via=embedded, keys=_CONTENT),
        events(
            "outputs.output",
            "LLMPredictEndEvent",
            "LLMStructuredPredictEndEvent",
            "QueryEndEvent",
            "SynthesizeEndEvent",
            "GetResponseEndEvent",
            via=text,
            keys=_CONTENT,
        ),
        events(
            "outputs.documents",
            "QueryEndEvent",
            "RetrievalEndEvent",
            "ReRankEndEvent",
            "SynthesizeEndEvent",
            via=nodes,
            keys=_CONTENT,
        ),
    ),
)
