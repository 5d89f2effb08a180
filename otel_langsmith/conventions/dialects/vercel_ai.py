"""``ai.*``: Vercel's AI SDK, whose spans come from Node and its relatives.

A call is two spans: the function that was called (``ai.generateText``), a step with the usage of
all its models' calls, and in it each call of a model (``ai.generateText.doGenerate``).
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import input_messages, messages
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    Thin,
    as_number,
    as_seconds,
    as_text,
    as_texts,
)
from otel_langsmith.conventions.rows import Convention, When, attr, prefix, spread, together
from otel_langsmith.conventions.tools import arguments

CALLS: Final = {
    "doGenerate": kinds.LLM,
    "doStream": kinds.LLM,
    "doEmbed": kinds.EMBEDDING,
    "doRerank": kinds.RERANKER,
    "toolCall": kinds.TOOL,
}
"""Kinds by the last word of an operation; any other word is a function of the SDK."""


def operation(value: Any) -> Any:
    """The kind of an operation."""
    word = as_text(value)
    return word if word is UNREADABLE else CALLS.get(word.rpartition(".")[2], kinds.FUNCTION)


def milliseconds(value: Any) -> Any:
    """A duration in seconds, from milliseconds."""
    number = as_number(value)
    return number if number is UNREADABLE else as_seconds(number / 1000)


def response_messages(held: Mapping[str, Any]) -> Any:
    """The answer, whose parts have an attribute each."""
    parts = [
        *_parts(held, ("ai.response.reasoning", "ai.result.reasoning"), "reasoning"),
        *_parts(held, ("ai.response.text", "ai.result.text"), "text"),
        *_parts(held, ("ai.response.object", "ai.result.object"), "text"),
        *_parts(held, ("ai.response.files",), "file"),
    ]
    calls = held.get("ai.response.toolCalls", held.get("ai.result.toolCalls"))
    message = {"role": "assistant", "content": parts, "tool_calls": calls}
    made = messages([message], "assistant")
    return made if made[0]["content"] else Thin(made)


def _parts(held: Mapping[str, Any], keys: tuple[str, ...], kind: str) -> list[Any]:
    """A text as a part of this kind; a list of parts as the list it is."""
    said = next((held[key] for key in keys if held.get(key)), None)
    found = said if kind == "text" else from_json(said)
    if isinstance(found, (list, tuple)):
        return list(found)
    return [] if found is None else [{"type": kind, "text": found}]


def embedding_vectors(value: Any) -> Any:
    """The count and the dimensions of the embeddings."""
    found = from_json(value)
    items = found if isinstance(found, (list, tuple)) else ()
    vectors = [from_json(item) for item in items]
    return retrieval.vectors(vectors if any(map(_is_list, vectors)) else [items]) or UNREADABLE


def _is_list(item: Any) -> bool:
    return isinstance(item, (list, tuple))


def embedding_texts(value: Any) -> Any:
    """The texts to embed, each a JSON string."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return [_unquoted(item) for item in items]


def _unquoted(item: Any) -> Any:
    is_quoted = isinstance(item, str) and item[:1] == item[-1:] == '"'
    found = from_json(f"[{item}]") if is_quoted else item
    return found[0] if isinstance(found, list) and len(found) == 1 else item


def ranked_documents(value: Any) -> Any:
    """The documents to rank, each of which may be JSON."""
    found = from_json(value)
    return retrieval.documents([from_json(item) for item in found] if _is_list(found) else found)


VERCEL_AI: Final = Convention(
    name="vercel_ai",
    spec=(
        "https://ai-sdk.dev/docs/ai-sdk-core/telemetry and packages/ai/src of "
        "https://github.com/vercel/ai at 6.0.326, with the names of 3 to 5"
    ),
    tokens=("ai.stream.firstChunk",),
    rows=(
        spread("ai.operationId", via=operation, keep=True),
        attr("function.name", "ai.telemetry.functionId", keep=True),
        attr("tool.name", "ai.toolCall.name", keep=True),
        attr("metadata.tool_call_id", "ai.toolCall.id"),
        attr("provider", "ai.model.provider"),
        attr("model.request", "ai.model.id"),
        attr("model.response", "ai.response.model"),
        attr("metadata.response_id", "ai.response.id"),
        attr("metadata.finish_reasons", "ai.response.finishReason", "ai.finishReason"),
        attr("first_token_s", "ai.response.msToFirstChunk", via=milliseconds),
        attr(
            "metadata.thread_id",
            "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.session_id",
            "ai.telemetry.metadata.threadId",
            "ai.telemetry.metadata.thread_id",
            "ai.telemetry.metadata.conversationId",
            "ai.telemetry.metadata.conversation_id",
            "ai.telemetry.metadata.chatId",
        ),
        attr("metadata.user_id", "ai.telemetry.metadata.userId", "ai.telemetry.metadata.user_id"),
        attr("tags", "ai.telemetry.metadata.tags", via=as_texts),
        prefix("metadata", "ai.telemetry.metadata."),
        attr("params.max_tokens", "ai.settings.maxOutputTokens", "ai.settings.maxTokens"),
        attr("params.temperature", "ai.settings.temperature"),
        attr("params.top_p", "ai.settings.topP"),
        attr("params.top_k", "ai.settings.topK"),
        attr("params.frequency_penalty", "ai.settings.frequencyPenalty"),
        attr("params.presence_penalty", "ai.settings.presencePenalty"),
        attr("params.seed", "ai.settings.seed"),
        attr("params.stop", "ai.settings.stopSequences"),
        attr("params.tools", "ai.prompt.tools"),
        attr("params.tool_choice", "ai.prompt.toolChoice"),
        attr("params.response_format", "ai.schema"),
        attr(
            "usage.input_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"
        ),
        attr("usage.output_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens"),
        attr("usage.total_tokens", "ai.usage.totalTokens"),
        attr(
            "usage.input_token_details.cache_read",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ),
        attr(
            "usage.output_token_details.reasoning",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
        ),
        attr("usage.output_token_details.text", "ai.usage.outputTokenDetails.textTokens"),
        attr("inputs.messages", "ai.prompt.messages", via=input_messages),
        attr("inputs.messages", "ai.prompt", via=payloads.request),
        attr("inputs.input", "ai.values", "ai.value", via=embedding_texts),
        attr("inputs.documents", "ai.documents", via=ranked_documents),
        attr("inputs", "ai.toolCall.args", "ai.toolCall.input", via=arguments),
        attr("inputs", "ai.prompt", via=from_json),
        together(
            "outputs.messages",
            "ai.response.reasoning",
            "ai.result.reasoning",
            "ai.response.text",
            "ai.result.text",
            "ai.response.object",
            "ai.result.object",
            "ai.response.files",
            "ai.response.toolCalls",
            "ai.result.toolCalls",
            via=response_messages,
            when=When(runs=("llm", "chain")),
        ),
        attr("outputs", "ai.embeddings", "ai.embedding", via=embedding_vectors),
        attr("outputs.documents", "ai.ranking"),
        attr("outputs", "ai.toolCall.result", "ai.toolCall.output", via=from_json),
    ),
)
