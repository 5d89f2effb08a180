"""``gen_ai.*``: OpenTelemetry's semantic conventions for generative AI, with ``openai.*``."""

from typing import Any, Final

from otel_langsmith.conventions.messages import (
    arguments,
    documents,
    input_messages,
    instructions,
    output_messages,
    tool_definitions,
)
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_bool,
    as_count,
    as_float,
    as_seconds,
    as_text,
    as_texts,
    constant,
    from_json,
)
from otel_langsmith.conventions.table import Convention, attr, event, prefix, spread

_CHAT: Final = {"run_type": "llm", "model.type": "chat"}
_AGENT: Final = {"run_type": "chain", "name.from": "agent.name"}

OPERATIONS: Final = {
    "chat": _CHAT,
    "generate_content": _CHAT,
    # LiteLLM names its own functions (genai.md §3.2).
    "completion": _CHAT,
    "acompletion": _CHAT,
    "responses": _CHAT,
    "aresponses": _CHAT,
    "text_completion": {"run_type": "llm", "model.type": "llm"},
    "embeddings": {"run_type": "embedding"},
    "embedding": {"run_type": "embedding"},
    "aembedding": {"run_type": "embedding"},
    "retrieval": {"run_type": "retriever"},
    "vector_db_retrieve": {"run_type": "retriever"},
    "search_memory": {"run_type": "retriever"},
    "execute_tool": {"run_type": "tool"},
    "invoke_agent": _AGENT,
    "create_agent": _AGENT,
    "plan": _AGENT,
    "invoke_workflow": {"run_type": "chain", "name.from": "workflow.name"},
}

PROVIDERS: Final = {
    "openai": "openai",
    "openai.chat": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "groq": "groq",
    "perplexity": "perplexity",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "aws": "amazon_bedrock",
    "aws.bedrock": "amazon_bedrock",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google_genai",
    "gcp.gen_ai": "google_genai",
    "gemini": "google_genai",
    "google": "google_genai",
    "gcp.vertex_ai": "google_vertexai",
    "vertex_ai": "google_vertexai",
    "x_ai": "xai",
}
"""To the words of LangChain's integrations, which LangSmith's price table goes by."""

FRAMEWORKS: Final = frozenset(
    ("autogen", "crewai", "langchain", "langgraph", "microsoft.agent_framework", "strands-agents")
)
"""Written as the provider by those who do not know whose model they call."""


def operation(value: Any) -> Any:
    """What an operation says of the run; one we do not know is a chain."""
    word = as_text(value)
    return word if word is UNREADABLE else OPERATIONS.get(word.lower(), {"run_type": "chain"})


def provider(value: Any) -> Any:
    """LangSmith's word for a provider, so that it knows the price.

    No framework, and no CamelCase: LangChain's retrievers name the class of the vector store.
    """
    word = as_text(value)
    if word is UNREADABLE or word in FRAMEWORKS:
        return UNREADABLE
    lower = word.lower()
    return PROVIDERS.get(lower) or (lower if lower == word else UNREADABLE)


def error_type(value: Any) -> Any:
    """The kind of an error; ``_OTHER`` is the spec's word for none."""
    return UNREADABLE if value == "_OTHER" else as_text(value)


_DETAILS: Final = "gen_ai.client.inference.operation.details"

GEN_AI: Final = Convention(
    name="gen_ai",
    spec=(
        "https://github.com/open-telemetry/semantic-conventions-genai docs/gen-ai "
        "as of November 2026 (after semantic-conventions v1.41), with the deprecated spellings"
    ),
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
            given=("gen_ai.request.model",),
        ),
        # After the operation: OpenLIT lists tool names on chat spans (genai.md §0.6).
        attr("run_type", "gen_ai.tool.name", via=constant("tool"), keep=True),
        attr("tool.name", "gen_ai.tool.name", via=as_text, keep=True),
        attr("agent.name", "gen_ai.agent.name", via=as_text, keep=True),
        attr("workflow.name", "gen_ai.workflow.name", via=as_text, keep=True),
        attr("provider", "gen_ai.provider.name", "gen_ai.system", via=provider),
        attr("model.request", "gen_ai.request.model", via=as_text),
        attr("model.response", "gen_ai.response.model", via=as_text),
        attr("metadata.response_id", "gen_ai.response.id", via=as_text),
        attr("metadata.finish_reasons", "gen_ai.response.finish_reasons", via=as_texts),
        attr("metadata.thread_id", "session.id", "gen_ai.conversation.id", via=as_text),
        attr("metadata.user_id", "user.id", "enduser.id", via=as_text),
        attr("metadata.tool_call_id", "gen_ai.tool.call.id", via=as_text),
        attr("first_token_s", "gen_ai.response.time_to_first_chunk", via=as_seconds),
        attr("error.type", "error.type", via=error_type, keep=True),
        attr("params.temperature", "gen_ai.request.temperature", via=as_float),
        attr("params.top_p", "gen_ai.request.top_p", via=as_float),
        attr("params.top_k", "gen_ai.request.top_k", via=as_count),
        attr("params.max_tokens", "gen_ai.request.max_tokens", via=as_count),
        attr("params.frequency_penalty", "gen_ai.request.frequency_penalty", via=as_float),
        attr("params.presence_penalty", "gen_ai.request.presence_penalty", via=as_float),
        attr("params.seed", "gen_ai.request.seed", "gen_ai.openai.request.seed", via=as_count),
        attr("params.stop", "gen_ai.request.stop_sequences", via=as_texts),
        attr("params.n", "gen_ai.request.choice.count", via=as_count),
        attr("params.stream", "gen_ai.request.stream", via=as_bool),
        attr("params.encoding_formats", "gen_ai.request.encoding_formats", via=as_texts),
        attr("params.dimensions", "gen_ai.embeddings.dimension.count", via=as_count),
        attr("params.output_type", "gen_ai.output.type", via=as_text),
        attr("params.reasoning_effort", "gen_ai.request.reasoning.level", via=as_text),
        attr("params.previous_response_id", "gen_ai.request.previous_response.id", via=as_text),
        attr("params.response_format", "gen_ai.openai.request.response_format", via=from_json),
        attr(
            "params.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
            via=as_text,
        ),
        attr("params.tools", "gen_ai.tool.definitions", via=tool_definitions),
        attr(
            "metadata.service_tier",
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            via=as_text,
        ),
        attr(
            "metadata.system_fingerprint",
            "openai.response.system_fingerprint",
            "gen_ai.openai.response.system_fingerprint",
            via=as_text,
        ),
        attr(
            "usage.input_tokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            via=as_count,
        ),
        attr(
            "usage.output_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            via=as_count,
        ),
        attr(
            "usage.input_token_details.cache_read",
            "gen_ai.usage.cache_read.input_tokens",
            via=as_count,
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            via=as_count,
        ),
        attr("usage.input_token_details.audio", "gen_ai.usage.audio.input_tokens", via=as_count),
        attr("usage.input_token_details.image", "gen_ai.usage.image.input_tokens", via=as_count),
        attr("usage.input_token_details.text", "gen_ai.usage.text.input_tokens", via=as_count),
        attr("usage.input_token_details.video", "gen_ai.usage.video.input_tokens", via=as_count),
        attr(
            "usage.output_token_details.reasoning",
            "gen_ai.usage.reasoning.output_tokens",
            via=as_count,
        ),
        attr("usage.output_token_details.audio", "gen_ai.usage.audio.output_tokens", via=as_count),
        attr("usage.output_token_details.image", "gen_ai.usage.image.output_tokens", via=as_count),
        attr("usage.output_token_details.text", "gen_ai.usage.text.output_tokens", via=as_count),
        attr("inputs.system", "gen_ai.system_instructions", via=instructions),
        attr("inputs.messages", "gen_ai.input.messages", via=input_messages),
        attr("inputs.query", "gen_ai.retrieval.query.text", "gen_ai.memory.query.text"),
        prefix("inputs.variables", "gen_ai.prompt.variable."),
        attr("inputs", "gen_ai.tool.call.arguments", via=arguments),
        attr("outputs.messages", "gen_ai.output.messages", via=output_messages),
        attr("outputs.documents", "gen_ai.retrieval.documents", via=documents),
        attr("outputs.records", "gen_ai.memory.records", via=from_json),
        attr("outputs", "gen_ai.tool.call.result", via=from_json),
        event("inputs.system", _DETAILS, "gen_ai.system_instructions", via=instructions),
        event("inputs.messages", _DETAILS, "gen_ai.input.messages", via=input_messages),
        event("outputs.messages", _DETAILS, "gen_ai.output.messages", via=output_messages),
    ),
)
