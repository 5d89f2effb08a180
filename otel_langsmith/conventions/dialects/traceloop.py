"""OpenLLMetry: Traceloop's SDK and its instrumentations, today's and those up to 0.47.

Today's write OpenTelemetry's ``gen_ai.*``, with ``traceloop.*`` beside it. Those before flattened
messages into ``gen_ai.prompt.0.role``, which LiteLLM and others took over.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval
from otel_langsmith.conventions.blocks import is_known
from otel_langsmith.conventions.json import from_json, unquoted
from otel_langsmith.conventions.messages import is_message, messages
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    Thin,
    as_object,
    as_tags,
    constant,
    one_of,
)
from otel_langsmith.conventions.results import brought
from otel_langsmith.conventions.rows import (
    EARLY,
    EMBEDDING_RUNS,
    LATE,
    Convention,
    When,
    attr,
    events,
    indexed,
    prefix,
    spread,
)
from otel_langsmith.conventions.tools import tool_definitions

KINDS: Final = {
    "workflow": kinds.CHAIN,
    "task": kinds.CHAIN,
    "handoff": kinds.CHAIN,
    "agent": kinds.NAMED_AGENT,
    "tool": kinds.TOOL,
}

REQUESTS: Final = {
    "chat": kinds.LLM,
    # Anthropic's chats and LiteLLM's are completions too, so this says nothing of the model's type.
    "completion": kinds.LLM,
    "embedding": kinds.EMBEDDING,
    "rerank": kinds.RERANKER,
}


def prompts(found: list[Any]) -> Any:
    """The input messages that were flattened into ``gen_ai.prompt.0.role``."""
    return _messages(found, "user")


def completions(found: list[Any]) -> Any:
    """The output messages, one for each choice; LiteLLM has one for each tool call."""
    return _messages(found, "assistant")


def _messages(found: list[Any], role: str) -> Any:
    made = messages(map(_message, found), role)
    return made if any(message["content"] for message in made) else Thin(made)


def _message(item: Any) -> Any:
    """A message whose content may be the JSON of its parts.

    Anthropic's thoughts are messages of role ``thinking``, and the prompts of OpenAI's completions
    are called ``user`` instead of content.
    """
    if not isinstance(item, dict):
        return item
    content = item.get("content", item.get("user"))
    if item.get("role") == "thinking":
        thought = {"type": "reasoning", "content": content}
        return {**item, "role": "assistant", "content": [thought]}
    parts = from_json(content)
    is_parts = isinstance(parts, (list, tuple)) and all(map(_is_part, parts))
    if content == '""':  # as 0.47 writes LangChain's answers without words
        content = None
    return {**item, "content": parts if is_parts else content}


def _is_part(part: Any) -> bool:
    return is_known(part) or brought(part) is not None


def embedding_texts(found: list[Any]) -> Any:
    """The texts that were embedded."""
    said = [item.get("content") if isinstance(item, dict) else item for item in found]
    return [text for item in said if item for text in _texts(item)] or UNREADABLE


def _texts(said: Any) -> list[Any]:
    """One text, or the texts in the JSON of its parts, as Cohere's are written."""
    parts = from_json(said)
    is_parts = isinstance(parts, (list, tuple)) and all(map(_is_part, parts))
    return [part.get("text", part) for part in parts] if is_parts else [said]


def step_inputs(value: Any) -> Any:
    """The inputs of a step: of a Python function, of LangChain's callback, or of an MCP tool."""
    found = as_object(value)
    if found is UNREADABLE:
        return payloads.content(unquoted(value))
    if found.keys() == {"tool_name", "arguments"}:
        return found["arguments"]
    inner = callback_inputs(value)
    return payloads.call_arguments(found) if inner is UNREADABLE else inner


def step_outputs(value: Any) -> Any:
    """The outputs of a step."""
    inner = callback_outputs(value)
    return payloads.content(unquoted(value)) if inner is UNREADABLE else inner


def callback_inputs(value: Any) -> Any:
    """The inputs among the arguments of LangChain's callback ``on_…_start``."""
    found = as_object(value) if _may_be_callback(value) else UNREADABLE
    if found is UNREADABLE or not found.keys() >= _BESIDE:
        return UNREADABLE
    own = {name: part for name, part in found.items() if name not in _BESIDE}
    inner = own.get("inputs")  # a tool has them as ``input_str``, too
    return _unwrapped(own.get("input_str", own) if inner is None else inner)


def callback_outputs(value: Any) -> Any:
    """The outputs among the arguments of ``on_…_end``."""
    found = as_object(value) if _may_be_callback(value) else UNREADABLE
    if found is UNREADABLE or "kwargs" not in found or len(found.keys() & _ENDS) != 1:
        return UNREADABLE
    return _unwrapped(found.get("outputs", found.get("output")))


def callback_tags(value: Any) -> Any:
    """The tags among the arguments of ``on_…_start``."""
    found = as_object(value) if _may_be_callback(value) else UNREADABLE
    if found is UNREADABLE or not found.keys() >= _BESIDE:
        return UNREADABLE
    return as_tags(found["tags"])


def _may_be_callback(value: Any) -> bool:
    """Whether to parse it at all: tool arguments of every instrumentation come here first."""
    return not isinstance(value, str) or "kwargs" in value or "\\u" in value


_BESIDE: Final = frozenset(("tags", "metadata", "kwargs"))
"""Arguments beside the inputs; other attributes have the tags and the metadata, too."""

_ENDS: Final = frozenset(("output", "outputs"))


def _unwrapped(inner: Any) -> Any:
    """Content with LangChain's serialised objects replaced by their members; messages converted."""
    inner = payloads.updated_state(inner)
    if isinstance(inner, dict):
        inner = _kwargs_of(inner)
        if not is_message(inner):
            inner = {name: _kwargs_of_all(part) for name, part in inner.items()}
    return payloads.content(_kwargs_of_all(inner))


def _kwargs_of_all(part: Any) -> Any:
    return [_kwargs_of(item) for item in part] if isinstance(part, list) else _kwargs_of(part)


def _kwargs_of(part: Any) -> Any:
    """The members of a serialised object that is not a message: a prompt, a document."""
    if not isinstance(part, dict) or part.get("type") != "constructor" or is_message(part):
        return part
    inner = part.get("kwargs")
    return inner if isinstance(inner, dict) else part


def vector_db_documents(found_events: Iterable[tuple[str, Mapping[str, Any]]]) -> Any:
    """The documents that a vector database found, an event each, without their vectors."""
    found = [
        {
            word: value
            for key, value in event.items()
            if (word := key.rpartition(".")[2]) != "vector" and value is not None
        }
        for _, event in found_events
    ]
    return retrieval.documents([{"content": item.pop("document", ""), **item} for item in found])


def vector_db_query(found_events: Iterable[tuple[str, Mapping[str, Any]]]) -> Any:
    """The count and the dimensions of the vectors that were searched for."""
    vectors = [from_json(value) for _, attributes in found_events for value in attributes.values()]
    return retrieval.vectors(vectors) or Thin(None)


_CONTENT: Final = "traceloop.entity.input", "gen_ai.task.input"
_ANSWER: Final = "traceloop.entity.output", "gen_ai.task.output"
_LATE_EMBEDDING: Final = When(runs=("embedding",), turn="late")
_PROPERTY: Final = "traceloop.association.properties."

TRACELOOP: Final = Convention(
    name="traceloop",
    spec=(
        "https://github.com/traceloop/openllmetry packages/opentelemetry-semantic-conventions-ai "
        "0.4.x and 0.5.x, as written by instrumentations 0.47 and 0.62"
    ),
    rows=(
        spread("traceloop.span.kind", via=one_of(KINDS), keep=True),
        spread("llm.request.type", via=one_of(REQUESTS), keep=True),
        # The instrumentation of the Responses API writes no type of request.
        indexed(
            "run_type",
            "gen_ai.prompt.",
            via=constant("llm"),
            when=When(given=("gen_ai.request.model",)),
        ),
        attr(
            "run_type",
            "db.vector.query.top_k",
            "db.chroma.query.n_results",
            "db.milvus.query.limit",
            "db.milvus.search.data_count",
            via=constant("retriever"),
            keep=True,
        ),
        attr("name", "traceloop.entity.name", when=When(given=("traceloop.span.kind",))),
        attr("workflow.name", "traceloop.workflow.name"),
        attr(
            "metadata.thread_id",
            f"{_PROPERTY}session_id",
            f"{_PROPERTY}thread_id",
            f"{_PROPERTY}conversation_id",
            f"{_PROPERTY}chat_id",
        ),
        prefix("metadata", _PROPERTY, via=from_json),
        attr("metadata.system_fingerprint", "gen_ai.openai.system_fingerprint"),
        attr("tags", *_CONTENT, via=callback_tags, keep=True),
        attr("params.frequency_penalty", "llm.frequency_penalty"),
        attr("params.presence_penalty", "llm.presence_penalty"),
        attr("params.top_k", "llm.top_k"),
        attr("params.stop", "llm.chat.stop_sequences"),
        attr("params.response_format", "gen_ai.request.structured_output_schema"),
        indexed("params.tools", "llm.request.functions.", via=tool_definitions),
        attr("usage.input_tokens", "llm.usage.prompt_tokens"),
        attr("usage.output_tokens", "llm.usage.completion_tokens"),
        attr("usage.total_tokens", "llm.usage.total_tokens"),
        attr("usage.output_token_details.reasoning", "llm.usage.reasoning_tokens"),
        # A tool of LangChain's has the callback's arguments in place of its own.
        attr("inputs", "gen_ai.tool.call.arguments", via=callback_inputs, when=EARLY),
        attr("outputs", "gen_ai.tool.call.result", via=callback_outputs, when=EARLY),
        indexed("inputs.input", "gen_ai.prompt.", via=embedding_texts, when=EMBEDDING_RUNS),
        indexed("inputs.messages", "gen_ai.prompt.", via=prompts),
        indexed("outputs.messages", "gen_ai.completion.", via=completions),
        prefix("inputs.variables", "traceloop.prompt.template_variables."),
        events("inputs.query", "db.query.embeddings", "db.search.embeddings", via=vector_db_query),
        events("outputs.documents", "db.query.result", "db.search.result", via=vector_db_documents),
        attr("inputs.input", *_CONTENT, when=_LATE_EMBEDDING),
        attr("inputs", *_CONTENT, via=step_inputs, when=LATE),
        attr(
            "outputs.documents",
            *_ANSWER,
            via=retrieval.documents_of,
            when=When(runs=("retriever",), turn="late"),
        ),
        attr("outputs", *_ANSWER, via=retrieval.embedded, when=_LATE_EMBEDDING),
        attr("outputs", *_ANSWER, via=step_outputs, when=LATE),
    ),
)
