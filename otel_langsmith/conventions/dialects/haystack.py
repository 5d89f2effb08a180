"""``haystack.*``: deepset's Haystack, its pipelines, components and agents.

The kind of a run follows from the type of its component, and the tokens of a model call are in the
component's output: with content tracing off there are none.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval, tokens
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_text, constant
from otel_langsmith.conventions.reprs import from_object_repr
from otel_langsmith.conventions.rows import (
    EMBEDDING_RUNS,
    LATE,
    LLM_RUNS,
    RETRIEVER_RUNS,
    Convention,
    When,
    attr,
    spread,
)
from otel_langsmith.conventions.tools import arguments, tool_definitions

ENDINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "PromptBuilder": kinds.PROMPT,
    "ImageGenerator": kinds.CHAIN,
    "Generator": kinds.LLM,
    "Embedder": kinds.EMBEDDING,
    "Retriever": kinds.RETRIEVER,
    "Ranker": kinds.RERANKER,
    "Agent": kinds.AGENT,
    "": kinds.CHAIN,
}
"""Kinds by the end of a component's type; the first that fits counts."""

MAKERS: Final = {
    "AmazonBedrock": "amazon_bedrock",
    "Anthropic": "anthropic",
    "Azure": "azure",
    "Cohere": "cohere",
    "GoogleAI": "google_genai",
    "GoogleGenAI": "google_genai",
    "HuggingFace": "huggingface",
    "Mistral": "mistral",
    "Ollama": "ollama",
    "OpenAI": "openai",
    "VertexAI": "google_vertexai",
}
"""Providers by the beginning of a component's type."""


def component(value: Any) -> Any:
    """The kind of a component, and the provider that it calls."""
    word = as_text(value)
    if word is UNREADABLE:
        return word
    fields = next(fields for end, fields in ENDINGS.items() if word.endswith(end))
    made = next((maker for start, maker in MAKERS.items() if word.startswith(start)), None)
    return {**fields, "provider": made} if made and fields["run_type"] != "chain" else fields


def _read(value: Any) -> Any:
    """The dict of a JSON text or a repr, in which messages may be reprs."""
    found = from_object_repr(value, _as_json, _CLASSES)
    return found if isinstance(found, dict) else UNREADABLE


def _as_json(name: str, members: Mapping[str, Any]) -> Any:
    """An object of Haystack's as its own ``to_dict`` would write it."""
    if name == "ChatMessage":
        return {key.removeprefix("_"): part for key, part in members.items()}
    kind = _KINDS.get(name)
    if kind is None:
        return {
            key: part for key, part in members.items() if part is not None and key not in _OF_TOOL
        }
    if kind == "text":
        return {kind: members.get(kind)}
    origin = members.get("origin")
    inner = origin["tool_call"] if isinstance(origin, dict) and "tool_call" in origin else origin
    return {kind: {**members, "origin": inner} if inner else dict(members)}


_CLASSES: Final = frozenset(("ChatMessage", "ComponentTool", "MCPTool", "PipelineTool", "Tool"))
"""Classes whose objects are messages or tools."""

_OF_TOOL: Final = ("function", "async_function")
"""Members of a tool that a model does not get; ``function`` would be taken for OpenAI's."""

_KINDS: Final = {
    "FileContent": "file",
    "ImageContent": "image",
    "ReasoningContent": "reasoning",
    "TextContent": "text",
    "ToolCall": "tool_call",
    "ToolCallResult": "tool_call_result",
}


def generator_inputs(value: Any) -> Any:
    """The messages that a generator got, or its prompt."""
    found = _read(value)
    if found is UNREADABLE:
        return found
    said = found.get("messages") or found.get("prompt")
    return _conversation(said, "user")


def generator_outputs(value: Any) -> Any:
    """The messages, or the texts, that a generator returned."""
    found = _read(value)
    return found if found is UNREADABLE else _conversation(found.get("replies"), "assistant")


def builder_outputs(value: Any) -> Any:
    """The messages, or the text, that a prompt builder made."""
    found = _read(value)
    return found if found is UNREADABLE else _conversation(found.get("prompt"), "user")


def _conversation(found: Any, role: str) -> Any:
    items = found if isinstance(found, list) else [found]
    made = messages([_message(item) for item in items if item], role)
    return made if any(message["content"] for message in made) else UNREADABLE


def _message(item: Any) -> Any:
    """Haystack's message in a form that `messages` knows; ``meta`` has the finish reason."""
    if not _is_message(item):
        return item
    meta = item["meta"] if isinstance(item.get("meta"), dict) else {}
    content = item["content"]
    parts = [_part(part) for part in content] if isinstance(content, list) else content
    message = {
        "role": item["role"],
        "content": parts,
        "finish_reason": meta.get("finish_reason"),
    }
    return {**message, "name": item["name"]} if item.get("name") else message


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and "role" in item and "content" in item


def _part(part: Any) -> Any:
    """A part with its type, which Haystack has as the name of its one member."""
    if not isinstance(part, dict) or len(part) != 1:
        return part
    [(kind, inner)] = part.items()
    if not isinstance(inner, dict):
        return part
    if kind == "tool_call_result":
        return _result(inner)
    if kind == "reasoning":
        return {"type": kind, "content": inner.get("reasoning_text")}
    if kind in ("tool_call", "image", "file"):
        data = inner.get("base64_image", inner.get("base64_data"))
        return {**inner, "type": kind, "base64": data} if data else {**inner, "type": kind}
    return part


def _result(inner: Mapping[str, Any]) -> Any:
    origin = inner.get("origin")
    called = origin if isinstance(origin, dict) else {}
    return {
        "type": "tool_result",
        "id": called.get("id"),
        "name": called.get("tool_name"),
        "result": inner.get("result"),
        "is_error": inner.get("error"),
    }


def step_content(value: Any) -> Any:
    """The inputs or outputs of any step, with messages in LangSmith's form, and without nulls."""
    return payloads.content(_shown(from_object_repr(value, _as_json, _CLASSES), _DEPTH))


_DEPTH: Final = 6


def _shown(item: Any, depth: int) -> Any:
    if depth and isinstance(item, list):
        if item and all(map(_is_message, item)):
            return messages(map(_message, item), "user")
        return [_shown(part, depth - 1) for part in item]
    if depth and isinstance(item, dict):
        if _is_message(item):
            return messages([_message(item)], "user")
        return {key: _shown(part, depth - 1) for key, part in item.items() if part is not None}
    return item


def documents(value: Any) -> Any:
    """The documents that were found, without their vectors."""
    found = _read(value)
    items = found.get("documents") if found is not UNREADABLE else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return UNREADABLE
    return retrieval.documents_of(
        [
            {
                key: part
                for key, part in item.items()
                if part is not None and key not in ("embedding", "sparse_embedding")
            }
            for item in items
        ]
    )


def embedding_texts(value: Any) -> Any:
    """The texts that were embedded."""
    found = _read(value)
    if found is UNREADABLE:
        return found
    if found.get("text"):
        return [found["text"]]
    items = found.get("documents")
    said = [item.get("content") for item in items if isinstance(item, dict)] if items else []
    return said or UNREADABLE


def embedding_vectors(value: Any) -> Any:
    """The count and the dimensions of the vectors."""
    found = _read(value)
    if found is UNREADABLE:
        return found
    items = found.get("documents")
    inner = [item.get("embedding") for item in items if isinstance(item, dict)] if items else []
    return retrieval.vectors(inner or [found.get("embedding")]) or UNREADABLE


_MODEL: Final = re.compile(r"[\w.:/@-]{1,128}")
"""What the name of a model looks like; content must not get into metadata as one."""


def model_and_usage(value: Any) -> Any:
    """The model and the token counts in a generator's or an embedder's output."""
    found = _read(value)
    if found is UNREADABLE:
        return found
    meta = found.get("meta")
    for item in (found.get("replies"), meta):
        meta = item[0] if isinstance(item, list) and item else item
        meta = meta.get("meta", meta) if isinstance(meta, dict) else None
        if isinstance(meta, dict) and ("usage" in meta or "model" in meta):
            return _cost(meta)
    return UNREADABLE


def _cost(meta: Mapping[str, Any]) -> dict[str, Any]:
    counts = meta.get("usage")
    fields: dict[str, Any] = tokens.counts(counts) if isinstance(counts, dict) else {}
    model = meta.get("model")
    if isinstance(model, str) and _MODEL.fullmatch(model):
        fields["model.response"] = model
    return fields


def generator_parameters(value: Any) -> Any:
    """The invocation parameters of a generator that are numbers, and its tools."""
    found = _read(value)
    if found is UNREADABLE:
        return found
    given = found.get("generation_kwargs")
    fields: dict[str, Any] = {
        f"params.{name}": part
        for name, part in (given.items() if isinstance(given, dict) else ())
        if isinstance(part, (int, float))
    }
    tools = found.get("tools")
    if isinstance(tools, list) and tools:
        inner = [tool.get("data", tool) if isinstance(tool, dict) else tool for tool in tools]
        fields["params.tools"] = tool_definitions(inner)
    return fields or UNREADABLE


_GIVEN: Final = ("haystack.component.input", "haystack.agent.step.llm.input")
_GAVE: Final = ("haystack.component.output", "haystack.agent.step.llm.output")

_ARIZE: Final = ("openinference.instrumentation.haystack",)
_ARIZE_LLM: Final = When(runs=("llm",), scope=_ARIZE, turn="early")
_ARIZE_STEP: Final = When(runs=("chain", "prompt"), scope=_ARIZE, turn="early")

HAYSTACK: Final = Convention(
    name="haystack",
    spec="haystack/core/pipeline and haystack/components/agents of haystack-ai, November 2026",
    rows=(
        spread("haystack.component.type", via=component, keep=True),
        attr("run_type", _GIVEN[1], via=constant("llm"), keep=True),
        attr("run_type", "haystack.tool.name", via=constant("tool"), keep=True),
        attr("name", "haystack.component.name"),
        attr("tool.name", "haystack.tool.name", keep=True),
        *(spread(key, via=model_and_usage, keep=True) for key in _GAVE),
        *(spread(key, via=generator_parameters, keep=True) for key in _GIVEN),
        # OpenInference flattens no tool that was called, and has the rest of messages as reprs.
        spread("output.value", via=model_and_usage, keep=True, when=When(scope=_ARIZE)),
        spread("input.value", via=generator_parameters, keep=True, when=When(scope=_ARIZE)),
        attr("inputs.messages", "input.value", via=generator_inputs, when=_ARIZE_LLM),
        attr("inputs", "input.value", via=step_content, when=_ARIZE_STEP),
        attr("outputs.messages", "output.value", via=generator_outputs, when=_ARIZE_LLM),
        attr("outputs", "output.value", via=step_content, when=_ARIZE_STEP),
        attr("inputs.messages", *_GIVEN, via=generator_inputs, when=LLM_RUNS),
        attr("inputs.input", _GIVEN[0], via=embedding_texts, when=EMBEDDING_RUNS),
        attr("outputs.messages", *_GAVE, via=generator_outputs, when=LLM_RUNS),
        attr("outputs.messages", _GAVE[0], via=builder_outputs, when=When(runs=("prompt",))),
        attr("outputs", _GAVE[0], via=embedding_vectors, when=EMBEDDING_RUNS),
        attr("outputs.documents", _GAVE[0], via=documents, when=RETRIEVER_RUNS),
        attr("inputs", "haystack.agent.step.tool.input", via=arguments, when=LATE),
        attr("outputs", "haystack.agent.step.tool.output", via=from_json, when=LATE),
        attr(
            "inputs",
            *_GIVEN,
            "haystack.pipeline.input_data",
            "haystack.agent.input",
            via=step_content,
            when=LATE,
        ),
        attr(
            "outputs",
            *_GAVE,
            "haystack.pipeline.output_data",
            "haystack.agent.output",
            via=step_content,
            when=LATE,
        ),
    ),
)
