"""``gen_ai.*``: OpenTelemetry's semantic conventions for generative AI, with ``openai.*``.

With the deprecated names, and with names that instrumentations made up before there were any.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, message_events
from otel_langsmith.conventions.messages import (
    input_messages,
    output_messages,
)
from otel_langsmith.conventions.readers import (
    NOTHING,
    UNREADABLE,
    as_id,
    as_object,
    as_seconds,
    as_text,
    constant,
)
from otel_langsmith.conventions.rows import (
    EMBEDDING_RUNS,
    LATE,
    Convention,
    When,
    attr,
    event,
    events,
    prefix,
    spread,
)
from otel_langsmith.conventions.tools import arguments, result

OPERATIONS: Final = {
    "chat": kinds.CHAT,
    "generate_content": kinds.CHAT,
    # LiteLLM names its own functions (genai.md §3.2).
    "completion": kinds.CHAT,
    "acompletion": kinds.CHAT,
    "responses": kinds.CHAT,
    "aresponses": kinds.CHAT,
    "text_completion": kinds.COMPLETION,
    "embeddings": kinds.EMBEDDING,
    "embedding": kinds.EMBEDDING,
    "aembedding": kinds.EMBEDDING,
    "embed": kinds.EMBEDDING,
    "rerank": kinds.RERANKER,
    "retrieval": kinds.RETRIEVER,
    "retriever": kinds.RETRIEVER,
    "vector_db_retrieve": kinds.RETRIEVER,
    "search_memory": kinds.RETRIEVER,
    "execute_tool": kinds.TOOL,
    "invoke_agent": kinds.AGENT_CALL,
    "create_agent": kinds.AGENT_CALL,
    "plan": kinds.AGENT_CALL,
    "apply_guardrail": kinds.GUARDRAIL,
    "invoke_workflow": kinds.WORKFLOW,
}


def operation(value: Any) -> Any:
    """The kind of an operation; one that is unknown is a chain."""
    try:
        return OPERATIONS[value]  # most are in lower case
    except (KeyError, TypeError):
        word = as_text(value)
    return word if word is UNREADABLE else OPERATIONS.get(word.lower(), kinds.CHAIN)


def first_token_s(value: Any) -> Any:
    """Seconds, from OpenLIT's float of seconds or Strands' whole milliseconds."""
    return as_seconds(value / 1000 if type(value) is int else value)


def embedding_texts(value: Any) -> Any:
    """The texts that were embedded, which some instrumentations write as messages."""
    made = input_messages(value)
    texts = made is not UNREADABLE and isinstance(made, list) and list(map(_only_text, made))
    return texts if texts and None not in texts else UNREADABLE


def _only_text(message: Mapping[str, Any]) -> Any:
    content = message["content"]
    return content[0].get("text") if len(content) == 1 else None


def workflow_inputs(value: Any) -> Any:
    """The inputs of a workflow: a dict, written as the JSON text of one user message."""
    made = input_messages(value)
    only = _only_text(made[0]) if isinstance(made, list) and len(made) == 1 else None
    return as_object(only)


def conversation_id(value: Any) -> Any:
    """The id of a conversation; the id of a response is none, as it changes (genai.md §2.3)."""
    if not isinstance(value, str) or value in NOTHING or value.startswith("resp_"):
        return UNREADABLE
    return value


_NO_TOOL: Final = When(runs=("llm", "chain"))
_DETAILS: Final = "gen_ai.client.inference.operation.details"

GEN_AI: Final = Convention(
    name="gen_ai",
    spec=(
        "https://github.com/open-telemetry/semantic-conventions-genai docs/gen-ai "
        "as of November 2026 (after semantic-conventions v1.41), with the deprecated spellings"
    ),
    tokens=("gen_ai.content.completion.chunk", "llm.content.completion.chunk"),
    rows=(
        spread("gen_ai.operation.name", via=operation, keep=True),
        attr(
            "run_type",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            via=constant("llm"),
            keep=True,
            when=When(given=("gen_ai.request.model",), turn="late"),
        ),
        # Spans of model servers (vLLM, SGLang) have no request model.
        attr(
            "run_type",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            via=constant("llm"),
            keep=True,
            when=When(given=("gen_ai.response.model", "gen_ai.request.id"), turn="late"),
        ),
        # After the operation: OpenLIT lists tool names on chat spans (genai.md §0.6).
        attr(
            "run_type",
            "gen_ai.tool.name",
            via=constant("tool"),
            keep=True,
            when=When(unless=("gen_ai.operation.name",), turn="late"),
        ),
        attr("tool.name", "gen_ai.tool.name", keep=True),
        attr("agent.name", "gen_ai.agent.name", keep=True),
        attr("workflow.name", "gen_ai.workflow.name", keep=True),
        attr("provider", "gen_ai.provider.name"),
        attr("provider", "gen_ai.system", when=LATE),
        attr("model.request", "gen_ai.request.model"),
        attr("model.response", "gen_ai.response.model"),
        attr("metadata.response_id", "gen_ai.response.id", "gen_ai.request.id"),
        attr("metadata.finish_reasons", "gen_ai.response.finish_reasons"),
        attr(
            "metadata.thread_id",
            "session.id",
            "gen_ai.conversation.id",
            "gen_ai.thread.id",
            via=conversation_id,
        ),
        attr(
            "metadata.user_id",
            "user.id",
            "enduser.id",
            "gen_ai.request.user",
            "gen_ai.user",
            "llm.user",
        ),
        # Not on model calls, where OpenLIT lists the tools that the model called.
        attr(
            "metadata.tool_call_id",
            "gen_ai.tool.call.id",
            via=as_id,
            when=When(unless=("gen_ai.request.model",)),
        ),
        attr(
            "first_token_s",
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.latency.time_to_first_token",
        ),
        attr("first_token_s", "gen_ai.server.time_to_first_token", via=first_token_s),
        attr("error.message", "error.message", keep=True),
        attr("error.type", "error.type", keep=True),
        attr("params.temperature", "gen_ai.request.temperature"),
        attr("params.top_p", "gen_ai.request.top_p"),
        attr("params.top_k", "gen_ai.request.top_k"),
        attr("params.max_tokens", "gen_ai.request.max_tokens"),
        attr("params.frequency_penalty", "gen_ai.request.frequency_penalty"),
        attr("params.presence_penalty", "gen_ai.request.presence_penalty"),
        attr("params.seed", "gen_ai.request.seed", "gen_ai.openai.request.seed"),
        attr("params.stop", "gen_ai.request.stop_sequences"),
        attr("params.n", "gen_ai.request.choice.count", "gen_ai.request.n"),
        attr("params.stream", "gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
        attr("params.encoding_formats", "gen_ai.request.encoding_formats"),
        attr("params.dimensions", "gen_ai.embeddings.dimension.count"),
        attr("params.output_type", "gen_ai.output.type"),
        attr(
            "params.reasoning_effort",
            "gen_ai.request.reasoning.level",
            "gen_ai.request.reasoning_effort",
        ),
        attr("params.previous_response_id", "gen_ai.request.previous_response.id"),
        attr("params.response_format", "gen_ai.openai.request.response_format"),
        attr(
            "params.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
        ),
        attr("params.tools", "gen_ai.tool.definitions"),
        attr(
            "metadata.service_tier",
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
        ),
        attr(
            "metadata.system_fingerprint",
            "openai.response.system_fingerprint",
            "gen_ai.openai.response.system_fingerprint",
        ),
        attr("usage.input_tokens", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        attr("usage.output_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        attr("usage.total_tokens", "gen_ai.usage.total_tokens"),
        attr("usage.input_cost", "gen_ai.cost.input_cost"),
        attr("usage.output_cost", "gen_ai.cost.output_cost"),
        attr("usage.total_cost", "gen_ai.cost.total_cost", "gen_ai.usage.cost", "operation.cost"),
        attr(
            "usage.input_token_details.cache_read",
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_input_tokens",
            "gen_ai.usage.input_cached_tokens",
            "agentscope.usage.cache_input_tokens",
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "agentscope.usage.cache_creation_input_tokens",
        ),
        attr("usage.input_token_details.audio", "gen_ai.usage.audio.input_tokens"),
        attr("usage.input_token_details.image", "gen_ai.usage.image.input_tokens"),
        attr("usage.input_token_details.text", "gen_ai.usage.text.input_tokens"),
        attr("usage.input_token_details.video", "gen_ai.usage.video.input_tokens"),
        attr(
            "usage.output_token_details.reasoning",
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.thinking_tokens",
        ),
        attr("usage.output_token_details.audio", "gen_ai.usage.audio.output_tokens"),
        attr("usage.output_token_details.image", "gen_ai.usage.image.output_tokens"),
        attr("usage.output_token_details.text", "gen_ai.usage.text.output_tokens"),
        attr("inputs.system", "gen_ai.system_instructions"),
        attr(
            "inputs.input",
            "gen_ai.input.messages",
            via=embedding_texts,
            when=EMBEDDING_RUNS,
        ),
        attr(
            "inputs",
            "gen_ai.input.messages",
            via=workflow_inputs,
            when=When(
                given=("gen_ai.workflow.name",), unless=("gen_ai.agent.name",), runs=("chain",)
            ),
        ),
        attr("inputs.messages", "gen_ai.input.messages", via=input_messages),
        attr("inputs.query", "gen_ai.retrieval.query.text", "gen_ai.memory.query.text"),
        prefix("inputs.variables", "gen_ai.prompt.variable."),
        attr("inputs", "gen_ai.tool.call.arguments", via=arguments),
        attr("outputs.messages", "gen_ai.output.messages", via=output_messages),
        attr("outputs.documents", "gen_ai.retrieval.documents"),
        attr("outputs.records", "gen_ai.memory.records"),
        attr("outputs", "gen_ai.tool.call.result", via=result),
        event("inputs.system", _DETAILS, "gen_ai.system_instructions"),
        event("inputs.messages", _DETAILS, "gen_ai.input.messages", via=input_messages),
        event("outputs.messages", _DETAILS, "gen_ai.output.messages", via=output_messages),
        events("inputs.messages", *message_events.INPUTS, via=message_events.inputs, when=_NO_TOOL),
        events(
            "outputs.messages", message_events.CHOICE, via=message_events.outputs, when=_NO_TOOL
        ),
    ),
)
