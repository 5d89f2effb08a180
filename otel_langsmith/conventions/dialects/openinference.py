"""OpenInference: Arize's instrumentations.

Most content is there twice: raw, as ``input.value`` and ``output.value``, and flattened. The raw
request and response are better wherever they can be read (genai.md §3.3).
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import CONTENT_OF, messages
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import (
    BLANK,
    UNREADABLE,
    Thin,
    as_object,
    one_of,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    EMBEDDING_RUNS,
    LATE,
    RETRIEVER_RUNS,
    Convention,
    When,
    attr,
    indexed,
    prefix,
    spread,
)
from otel_langsmith.conventions.tools import arguments, tool_definitions


def flat_inputs(found: Any) -> Any:
    """The flattened input messages; `Thin` if they are empty."""
    return _flat(found, "user")


def flat_outputs(found: Any) -> Any:
    """The flattened output messages, likewise."""
    return _flat(found, "assistant")


def _flat(found: list[Any], role: str) -> Any:
    items = [_message(item) for item in found]
    made = messages(items, role)
    if any(map(CONTENT_OF, made)):
        return made
    return Thin(made) if any(message.keys() - _BARE for message in made) else UNREADABLE


_BARE: Final = frozenset(("role", "content"))
"""The members of a message that never came: a failed call has one in OpenInference."""


def stray_calls(found: list[Any]) -> Any:
    """Tool calls without a message."""
    return flat_outputs([{"message": {"tool_calls": found}}])


def _message(item: Any) -> Any:
    """A flattened message in a form that `messages` knows."""
    inner = item.get("message") if isinstance(item, dict) else None
    if not isinstance(inner, dict):
        return item
    if not ("contents" in inner or "tool_calls" in inner or inner.get("role") == "tool"):
        return inner  # as most are
    message = dict(inner)
    contents = message.pop("contents", None)
    calls = message.get("tool_calls")
    if isinstance(contents, list):
        message["content"] = [_part(part) for part in contents]
    elif isinstance(message.get("content"), str) and message.get("role") == "tool":
        message["content"] = _result_content(message["content"])
    if isinstance(calls, list):
        message["tool_calls"] = [_inner(call, "tool_call") for call in calls]
    return message


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if "tool_call" in part:
        return {**_inner(part, "tool_call"), "type": "tool_call"}
    found = _inner(part, "message_content")
    image = found.get("image") if isinstance(found, dict) else None
    if isinstance(image, dict):
        inner = _inner(image, "image")
        return {"type": "image_url", "image_url": inner}
    return found


def _inner(item: Any, name: str) -> Any:
    inner = item.get(name) if isinstance(item, dict) else None
    return inner if isinstance(inner, dict) else item


def _result_content(text: str) -> Any:
    """A tool's result: Anthropic's blocks, where the text is the JSON of them; else the text."""
    found = from_json(text)
    is_blocks = isinstance(found, list) and all(
        isinstance(part, dict) and part.get("type") in ("text", "image") for part in found
    )
    return found if is_blocks else text


def prompts(found: list[Any]) -> Any:
    """The texts of a completion API, which has no messages: ``llm.prompts``, ``llm.choices``."""
    embedding_texts = [
        _inner(_inner(item, "prompt"), "completion").get("text") if isinstance(item, dict) else item
        for item in found
    ]
    said = [text for text in embedding_texts if text]
    return said and [{"content": text} for text in said]


def prompt_messages(found: list[Any]) -> Any:
    """The prompts as messages of the user."""
    return messages(prompts(found), "user") or UNREADABLE


def completion_messages(found: list[Any]) -> Any:
    """The choices as messages of the assistant."""
    return messages(prompts(found), "assistant") or UNREADABLE


def tools(found: list[Any]) -> Any:
    """The flattened tools: of each the JSON schema if it is one, else the name and the rest."""
    defined = []
    for item in found:
        inner = _inner(item, "tool")
        tool_schema = as_object(inner.get("json_schema")) if isinstance(inner, dict) else UNREADABLE
        if tool_schema is not UNREADABLE and not _NAMING.isdisjoint(tool_schema):
            inner = tool_schema
        defined.append(inner)
    return tool_definitions(defined)


_NAMING: Final = frozenset(("name", "function", "toolSpec"))
"""Members that make a schema the whole definition of a tool."""


def flat_documents(found: list[Any]) -> Any:
    """The flattened documents."""
    return retrieval.documents([_inner(item, "document") for item in found])


def embedding_texts(found: list[Any]) -> Any:
    """The texts that were embedded."""
    said = [_inner(item, "embedding") for item in found]
    return [item.get("text") for item in said if isinstance(item, dict)] or UNREADABLE


def embedding_vectors(found: list[Any]) -> Any:
    """The count and the dimensions of the embeddings, without their numbers (genai.md §5.4)."""
    inner = [_inner(item, "embedding") for item in found]
    vectors = [item.get("vector") for item in inner if isinstance(item, dict)]
    return retrieval.vectors(map(from_json, vectors)) or UNREADABLE


def metadata(value: Any) -> Any:
    """The user's metadata, member by member; LangChain's has LangSmith's names already."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    fields = {f"metadata.{name}": part for name, part in found.items() if part is not None}
    for name, field in (("ls_provider", "provider"), ("ls_model_name", "model.request")):
        if f"metadata.{name}" in fields and isinstance(found[name], str):
            fields[field] = fields.pop(f"metadata.{name}")
    return fields


def strands_metadata(value: Any) -> Any:
    """The metadata of Strands' processor, without its copies of attributes."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    own = {name: part for name, part in found.items() if not str(name).startswith(_ATTRIBUTES)}
    return metadata(own) if own or not found else BLANK


_ATTRIBUTES: Final = ("gen_ai.", "tags")


def tool_schema(value: Any) -> Any:
    """``tool.parameters`` is a JSON schema by the spec; many write the call's arguments instead."""
    found = as_object(value)
    return found if found is not UNREADABLE and "properties" in found else UNREADABLE


_LATE_LLM: Final = When(runs=("llm",), turn="late")
_STRANDS: Final = When(runs=("llm",), scope=("strands.",))
_BEDROCK: Final = When(runs=("llm",), scope=("openinference.instrumentation.bedrock",), turn="late")

OPENINFERENCE: Final = Convention(
    name="openinference",
    spec=(
        "https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md, "
        "openinference-semantic-conventions 0.1.42"
    ),
    tokens=("First Token Stream Event",),
    rows=(
        spread("openinference.span.kind", via=one_of(kinds.OPENINFERENCE), keep=True, when=EARLY),
        attr("tool.name", "tool.name", keep=True),
        attr("agent.name", "agent.name", "graph.node.name", keep=True),
        attr("provider", "llm.provider"),
        attr("provider", "llm.system", when=LATE),
        attr("model.request", "llm.request.model_name"),
        spread("llm.invocation_parameters", via=parameters),
        spread("embedding.invocation_parameters", via=parameters),
        attr("model.request", "embedding.model_name", "reranker.model_name"),
        attr("model.response", "llm.response.model_name", "llm.model_name"),
        attr("params.top_k", "reranker.top_k"),
        indexed("params.tools", "llm.tools.", via=tools),
        attr(
            "params.tools",
            "input.value",
            via=payloads.tools,
            keep=True,
            when=When(given=("llm.model_name",), unless=("llm.tools.",), turn="late"),
        ),
        attr("metadata.finish_reasons", "llm.finish_reason"),
        attr("metadata.tool_call_id", "tool.id", "tool.call_id", "tool_call.id"),
        attr("metadata.tool_schema", "tool.parameters", via=tool_schema),
        attr("tags", "tag.tags"),
        attr("usage.input_tokens", "llm.token_count.prompt"),
        attr("usage.output_tokens", "llm.token_count.completion"),
        attr("usage.total_tokens", "llm.token_count.total"),
        attr(
            "usage.input_token_details.cache_read",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
            "metadata.usage.cached_prompt_tokens",  # BeeAI
        ),
        attr(
            "usage.input_token_details.cache_creation", "llm.token_count.prompt_details.cache_write"
        ),
        attr("usage.input_token_details.audio", "llm.token_count.prompt_details.audio"),
        attr(
            "usage.output_token_details.reasoning", "llm.token_count.completion_details.reasoning"
        ),
        attr("usage.output_token_details.audio", "llm.token_count.completion_details.audio"),
        attr("usage.input_cost", "llm.cost.prompt"),
        attr("usage.output_cost", "llm.cost.completion"),
        attr("usage.total_cost", "llm.cost.total"),
        attr(
            "inputs.messages",
            "input.value",
            via=payloads.request,
            when=When(runs=("llm",), at_least="llm.input_messages."),
        ),
        attr(
            "inputs",
            "input.value",
            when=When(runs=("tool",), given=("llm.input_messages.",), turn="early"),
        ),
        indexed("inputs.messages", "llm.input_messages.", via=flat_inputs),
        indexed("inputs.messages", "llm.prompts.", via=prompt_messages),
        indexed("inputs.input", "embedding.embeddings.", via=embedding_texts),
        indexed("inputs.documents", "reranker.input_documents.", via=flat_documents),
        attr("inputs.query", "reranker.query"),
        attr(
            "inputs.variables",
            "llm.prompt_template.variables",
            when=When(runs=("llm", "chain", "tool", "retriever", "embedding", "parser")),
        ),
        attr(
            "inputs",
            "input.value",
            via=payloads.call_arguments,
            when=When(runs=("tool",), turn="late"),
        ),
        attr("inputs.messages", "input.value", when=_LATE_LLM),
        attr("inputs", "input.value", when=LATE),
        # Bedrock's InvokeModel has the request here and nowhere else.
        attr(
            "inputs.messages",
            "llm.invocation_parameters",
            via=payloads.request,
            when=_BEDROCK,
        ),
        attr(
            "inputs", "tool.parameters", "llm.prompt_template.variables", via=arguments, when=LATE
        ),
        # The response that Strands' processor writes lacks the tool calls.
        indexed("outputs.messages", "llm.output_messages.", via=flat_outputs, when=_STRANDS),
        attr(
            "outputs",
            "output.value",
            when=When(runs=("tool",), given=("llm.output_messages.",), turn="early"),
        ),
        attr(
            "outputs.messages",
            "output.value",
            via=payloads.response,
            when=When(runs=("llm",), at_least="llm.output_messages."),
        ),
        indexed("outputs.messages", "llm.output_messages.", via=flat_outputs),
        indexed("outputs.messages", "llm.choices.", via=completion_messages),
        indexed("outputs", "embedding.embeddings.", via=embedding_vectors),
        attr(
            "outputs.documents",
            "output.value",
            via=retrieval.documents_of,
            when=RETRIEVER_RUNS,
        ),
        indexed("outputs.documents", "retrieval.documents.", via=flat_documents),
        indexed("outputs.documents", "reranker.output_documents.", via=flat_documents),
        attr("outputs", "output.value", via=retrieval.embedded, when=EMBEDDING_RUNS),
        attr("outputs.messages", "output.value", when=_LATE_LLM),
        attr("outputs", "output.value", when=LATE),
        # Google's automatic calls come without the prefix of their message (genai.md §2.2).
        indexed("outputs.messages", "message.tool_calls.", via=stray_calls, when=LATE),
        spread("metadata", via=strands_metadata, when=When(scope=("strands.",))),
        spread("metadata", via=metadata),
        prefix("metadata", "metadata."),
    ),
)
