"""LlamaIndex's own spans, whose content is in span events: ``LLMChatStartEvent`` and the like.

Each event is the start or the end of a step, flattened: ``response.message.blocks``. No attribute
tells the kind of a span, so all of them are chains.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions import payloads, retrieval
from otel_langsmith.conventions.json import first_of, from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, Thin
from otel_langsmith.conventions.rows import Convention, events

Events: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]

_QUERIES: Final = ("query_str", "str_or_query_bundle.query_str", "query.query_str", "query")
_TEXTS: Final = ("response.response", "response.text", "response", "output", "answer")


def _last(step_events: Events) -> Mapping[str, Any]:
    """The attributes of the last of these events."""
    return list(step_events)[-1][1]


def prompt_messages(step_events: Events) -> Any:
    """The messages, or the prompt, of a model call."""
    event = _last(step_events)
    return payloads.request_or_text(event.get("messages", event.get("prompt")))


def response_messages(step_events: Events) -> Any:
    """The answer: the provider's choices if they are there, since they have the finish reason."""
    event = _last(step_events)
    choices = payloads.response({"choices": from_json(event.get("response.raw.choices"))})
    if choices is not UNREADABLE:
        return choices
    content = first_of(
        event, "response.message.blocks", "response.message.content", "response.text"
    )
    found = from_json(content)
    role = event.get("response.message.role", "assistant")
    return messages([{"role": role, "content": found}], "assistant") if found else UNREADABLE


def query(step_events: Events) -> Any:
    """The query."""
    return first_of(_last(step_events), *_QUERIES) or Thin(None)


def text(step_events: Events) -> Any:
    """The text of a response; one that is streamed has none."""
    return first_of(_last(step_events), *_TEXTS) or Thin(None)


def variables(step_events: Events) -> Any:
    """The variables of a prompt template."""
    start = "template_args."
    members = _last(step_events).items()
    return {key.removeprefix(start): part for key, part in members if key.startswith(start)}


def nodes(step_events: Events) -> Any:
    """The documents that were retrieved, or that a response cites."""
    event = _last(step_events)
    found = from_json(first_of(event, "nodes", "response.source_nodes"))
    items = found if isinstance(found, (list, tuple)) else ()
    return retrieval.documents([_document(item) for item in items]) if items else UNREADABLE


def _document(item: Any) -> Any:
    node = item.get("node") if isinstance(item, dict) else None
    if not isinstance(node, dict):
        return item
    document = {
        "text": node.get("text"),
        "metadata": node.get("metadata"),
        "id": node.get("id_"),
    }
    return {**document, "score": item.get("score")}


def embedding_texts(step_events: Events) -> Any:
    """The texts that were embedded, which are in the end event only."""
    return retrieval.embedded_texts(_last(step_events).get("chunks"))


def embedding_vectors(step_events: Events) -> Any:
    """The count and the dimensions of the vectors."""
    return retrieval.embedded(_last(step_events).get("embeddings"))


_CONTENT: Final = (
    *_QUERIES,
    *_TEXTS,
    *("messages", "prompt", "chunks", "embeddings", "nodes", "text_chunks"),
    *("query.embedding", "str_or_query_bundle.embedding", "response.source_nodes"),
    *("response.message.blocks", "response.message.content", "response.raw.choices"),
    *("response.raw.output", "response.delta"),
)
"""The attributes of events that are content; the others stay with their event."""

LLAMA_INDEX: Final = Convention(
    name="llama_index",
    spec="llama-index-observability-otel 0.6, llama_index/core/instrumentation/events",
    tokens=("LLMChatInProgressEvent", "LLMCompletionInProgressEvent"),
    rows=(
        events(
            "inputs.messages",
            "LLMChatStartEvent",
            "LLMCompletionStartEvent",
            via=prompt_messages,
            keys=_CONTENT,
        ),
        events("inputs.variables", "LLMPredictStartEvent", via=variables),
        events("inputs.input", "EmbeddingEndEvent", via=embedding_texts, keys=_CONTENT),
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
            via=response_messages,
            keys=_CONTENT,
        ),
        events("outputs", "EmbeddingEndEvent", via=embedding_vectors, keys=_CONTENT),
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
