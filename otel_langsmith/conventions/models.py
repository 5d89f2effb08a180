"""Providers, models, finish reasons and invocation parameters → LangSmith's names for them."""

import re
from functools import lru_cache
from typing import Any, Final

from otel_langsmith.conventions.readers import UNREADABLE, as_object, as_text, as_texts
from otel_langsmith.conventions.tools import tool_definitions
from otel_langsmith.credentials import without_secret_members

PROVIDERS: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "groq": "groq",
    "perplexity": "perplexity",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "mistral": "mistral",
    "amazon-bedrock": "amazon_bedrock",
    "aws": "amazon_bedrock",
    "aws.bedrock": "amazon_bedrock",
    "bedrock": "amazon_bedrock",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure-openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "microsoft.foundry": "azure",
    "gcp.gemini": "google_genai",
    "gcp.gen_ai": "google_genai",
    "gemini": "google_genai",
    "google": "google_genai",
    "googleai": "google_genai",
    "google.generative-ai": "google_genai",
    "gcp.vertex_ai": "google_vertexai",
    "google.vertex": "google_vertexai",
    "vertex": "google_vertexai",
    "vertex_ai": "google_vertexai",
    "vertexai": "google_vertexai",
    "x_ai": "xai",
    "xai": "xai",
    "cerebras": "cerebras",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "hugging_face": "huggingface",
    "huggingface": "huggingface",
    "ibm.watsonx.ai": "ibm",
    "moonshot_ai": "moonshot",
    "nvidia": "nvidia",
    "ollama": "ollama",
    "openrouter": "openrouter",
    "together": "together",
    "together_ai": "together",
    "togetherai": "together",
    "vllm": "vllm",
    "watsonx": "ibm",
}
"""What instrumentations write → the names of LangChain's integrations, which prices go by."""

FRAMEWORKS: Final = frozenset(
    (
        "autogen",
        "crewai",
        "gcp.vertex.agent",
        "haystack",
        "langchain",
        "langgraph",
        "llama_index",
        "microsoft.agent_framework",
        "strands-agents",
    )
)
"""What instrumentations write as the provider where they do not know it."""


_MAKERS: Final = re.compile(
    r"(?:\w+/)?(?:(gpt-|o\d|chatgpt|text-embedding-(?:3|ada)-)|(claude)|(gemini))", re.IGNORECASE
)
_OF_MAKERS: Final = (None, "openai", "anthropic", "google_genai")

_REASONS: Final = {
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "complete": "stop",
    "completed": "stop",
    "finish": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "length": "length",
    "content_filter": "content_filter",
}


def provider(value: Any) -> Any:
    """The provider under its name in LangSmith's price table (``Azure OpenAI`` → ``azure``).

    Not the name of a framework, nor one in CamelCase: LangChain's retrievers write the class of the
    vector store here.
    """
    if type(value) is str and (told := PROVIDERS.get(value)):
        return told  # as most do
    word = as_text(value)
    if word is UNREADABLE or word in FRAMEWORKS:
        return UNREADABLE
    lower = word.lower()
    known = _known(lower) or _hosted(lower)
    return known or (lower if lower == word and ":" not in word else UNREADABLE)


def _hosted(word: str) -> str | None:
    """The provider of a host, with or without a port: LiveKit names providers so."""
    host = word.partition(":")[0]
    return next((maker for end, maker in _HOSTS.items() if host.endswith(end)), None)


_HOSTS: Final = {
    "amazonaws.com": "amazon_bedrock",
    "aiplatform.googleapis.com": "google_vertexai",
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.together.xyz": "together",
    "api.x.ai": "xai",
    "generativelanguage.googleapis.com": "google_genai",
    "openai.azure.com": "azure",
    "openrouter.ai": "openrouter",
}


def _known(word: str) -> str | None:
    """The provider of an API: ``openai.responses``, ``google.vertex.chat``."""
    while word and word not in PROVIDERS:
        word = word.rpartition(".")[0]
    return PROVIDERS.get(word)


def error_type(value: Any) -> Any:
    """The type of an error, from its name or ``<class 'name'>``; ``_OTHER`` says nothing."""
    word = as_text(value)
    if word is UNREADABLE or word == "_OTHER":
        return UNREADABLE
    return word.removeprefix("<class '").removesuffix("'>")


def maker(model: str) -> str | None:
    """The provider of a model, by its name alone; LiteLLM's names begin with the provider."""
    head, slash, _ = model.partition("/")
    if slash and (named := PROVIDERS.get(head.lower())):
        return named
    found = _MAKERS.match(model)
    return _OF_MAKERS[found.lastindex or 0] if found else None


def finish_reasons(value: Any) -> Any:
    """The finish reasons, a tuple in OpenAI's words; messages keep the provider's own."""
    if type(value) is tuple and len(value) == 1 and type(value[0]) is str:
        return _reasons(value)  # as most are
    found = as_texts(value)
    return found if found is UNREADABLE else _reasons(found)


@lru_cache(maxsize=256)
def _reasons(words: tuple[str, ...]) -> Any:
    """Cached: there are few, and to translate one costs 11,000 instructions."""
    found = as_texts(words)
    if found is UNREADABLE:
        return found
    return tuple(_REASONS.get(_plain(word), word) for word in found)


def _plain(reason: str) -> str:
    """``FinishReason.TOOL_CALLS`` and ``tool-calls`` → ``tool_calls``."""
    return reason.rpartition(".")[2].lower().replace("-", "_")


def parameters(value: Any) -> Any:
    """The invocation parameters of a model call; without messages, API keys and headers."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    given = {name: part for name, part in found.items() if name not in _ELSEWHERE and _is_set(part)}
    fields: dict[str, Any] = {
        f"params.{_SPELT.get(name, name)}": part
        for name, part in without_secret_members(given).items()
    }
    if "tools" in found:
        fields["params.tools"] = tool_definitions(found["tools"])
    model = as_text(found.get("model", found.get("model_name")))
    if model is not UNREADABLE:
        fields["model.request"] = model
    return fields


def _is_set(part: Any) -> bool:
    """Whether a parameter was given; Langfuse writes ``Infinity`` for no limit."""
    return part is not None and part not in ([], "", "Infinity", "None")


_SPELT: Final = {
    "maxTokens": "max_tokens",
    "maxOutputTokens": "max_tokens",
    "maxTokenCount": "max_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}
"""Parameters in camel case (Bedrock, Google, Vercel) → their names everywhere else."""

_ELSEWHERE: Final = frozenset(
    (
        *("contents", "input", "inputText", "instructions", "messages", "prompt", "system"),
        "system_instruction",
        *("model", "model_name", "tools", "_type"),
    )
)
