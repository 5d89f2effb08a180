"""One part of a message, of any provider → the content block that LangSmith renders.

OpenTelemetry, OpenAI (chat and Responses), Anthropic, Google, Bedrock, LangChain, Vercel and
Pydantic AI each have parts of their own. Most name their type; Google's and Bedrock's have a member
of that name instead.

Spec: https://docs.langchain.com/langsmith/log-llm-trace
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.json import first_of, from_json, json_text, nested_json
from otel_langsmith.conventions.reprs import bytes_of_repr
from otel_langsmith.run import Json

Block: TypeAlias = dict[str, Json]
Part: TypeAlias = Mapping[str, Any]

_MEDIA: Final = frozenset(("image", "audio", "video"))
_MIME: Final = ("mime_type", "media_type", "mimeType", "mediaType", "contentType", "image_mimetype")
_KINDS: Final = ("kind", "block_type")
"""The member with a part's type in Pydantic AI's saved messages, and in LlamaIndex."""

_BESIDE: Final = ("transcript", "filename")

RESULTS: Final = frozenset(
    (
        "tool_call_response",
        "tool_result",
        "tool-result",
        "function_call_output",
        "custom_tool_call_output",
    )
)
"""Types of parts that are tool messages of their own."""

RESULT_MEMBERS: Final = ("functionResponse", "function_response", "toolResult", "toolResponse")
"""Members that make a part without a type such a message."""


def blocks(parts: Any) -> list[Block]:
    """The blocks of a message's content, whether it is a text, a part or a list of them."""
    if type(parts) is str:
        return [{"type": "text", "text": parts}] if parts else []
    if parts is None:
        return []
    if isinstance(parts, dict):
        return [block(parts)]
    if isinstance(parts, (list, tuple)):
        return [block(part) for part in parts]
    return [{"type": "text", "text": json_text(parts)}]


def block(part: Any) -> Block:
    """The block of a part; a part of an unknown type is kept whole, as ``non_standard``."""
    if not isinstance(part, dict):
        return {"type": "text", "text": json_text(part)}
    kind = part.get("type")
    if kind is None and isinstance(kind := first_of(part, *_KINDS), str):
        part = {**part, "type": kind}
    convert = BY_TYPE.get(kind) if isinstance(kind, str) else None
    if convert is None and (kind is None or kind == ""):
        convert = next((_BY_MEMBER[key] for key in part if key in _BY_MEMBER), None)
    found = convert(part) if convert else None
    return {"type": "non_standard", "value": part} if found is None else found


def is_known(part: Any) -> bool:
    """Whether this is a part of a known type, or with a known member in place of a type."""
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if isinstance(kind, str):
        return kind in BY_TYPE
    return any(key in _BY_MEMBER for key in part)


def _text(part: Part) -> Block | None:
    text = part.get("content")
    if text is None:
        text = part.get("text")
    if type(text) is str and len(part) == 2 and "type" in part:  # noqa: PLR2004 - as most are
        return {"type": "text", "text": text}
    if text is None:
        return None
    if part.get("thought") is True:
        return {"type": "reasoning", "text": json_text(text)}
    found: Block = {"type": "text", "text": json_text(text)}
    if len(part) > 2:  # noqa: PLR2004 - beside its type and its words
        found.update((name, part[name]) for name in _OF_TEXT if part.get(name))
    return found


_OF_TEXT: Final = ("annotations", "citations", "cache_control")
"""Members of OpenAI's and Anthropic's texts that their blocks keep."""


def _refusal(part: Part) -> Block:
    text = json_text(first_of(part, "refusal", "content") or "")
    return {"type": "text", "text": text, "extras": {"refusal": True}}


def reasoning(part: Part) -> Block:
    """Reasoning; in OpenAI's Responses API its text is a summary, in parts, and may be empty.

    Traceloop writes these parts as JSON in place of the text.
    """
    said = first_of(part, "content", "thinking", "text", "reasoning", "summary", "reasoningText")
    if isinstance(said, str) and said.startswith("[{"):
        said = from_json(said)
    if isinstance(said, (list, tuple)):
        said = "\n".join(json_text(item.get("text", "")) for item in said if _is_part(item))
    elif isinstance(said, dict):
        part, said = {**part, **said}, said.get("text")
    found: Block = {"type": "reasoning", "text": "" if said is None else json_text(said)}
    names = ("id", "signature", "encrypted_content", "data")
    extras = {name: part[name] for name in names if part.get(name)}
    return {**found, "extras": extras} if extras else found


def _is_part(item: Any) -> bool:
    return isinstance(item, dict)


def _reasoning_content(part: Part) -> Block | None:
    inner = part.get("reasoningContent")
    return reasoning(inner) if isinstance(inner, dict) else None


def tool_call(part: Part) -> Block:
    """A tool call of any provider; arguments that are no object are under ``__raw``."""
    if part.keys() == _CALL:  # OpenTelemetry's form: an eighth of the cost
        name, found, given = part["name"], part["id"], part["arguments"]
        if name and found and type(given) is dict:
            return {"type": "tool_call", "id": found, "name": name, "args": given}
    function = part.get("function")
    called: Part = function if isinstance(function, dict) else part
    given = nested_json(first_of(called, "arguments", "args", "input", "tool_kwargs"))
    if given is None or given == "":
        given = {}
    return {
        "type": "tool_call",
        "id": first_of(part, "call_id", "id", "tool_call_id", "toolCallId", "toolUseId", "ref"),
        "name": first_of(called, "name", "tool_name", "toolName"),
        "args": given if isinstance(given, dict) else {"__raw": given},
    }


_CALL: Final = frozenset(("type", "id", "name", "arguments"))


def _inner_call(part: Part) -> Block | None:
    inner = first_of(part, "functionCall", "function_call", "toolUse", "toolRequest")
    return tool_call(inner) if isinstance(inner, dict) else None


def _server_tool_call(part: Part) -> Block:
    given = nested_json(first_of(part, "server_tool_call", "arguments", "input", "action"))
    return {
        "type": "server_tool_call",
        "id": part.get("id"),
        "name": part.get("name") or str(part.get("type")).removesuffix("_call"),
        "args": {} if given is None else given,
    }


def _server_tool_result(part: Part) -> Block:
    return {
        "type": "server_tool_result",
        "tool_call_id": first_of(part, "id", "tool_use_id"),
        "output": first_of(part, "server_tool_call_response", "response", "content"),
    }


def _blob(part: Part) -> Block | None:
    return _data(part, first_of(part, "content", "data", "binary_content"))


def _data(part: Part, data: Any, modality: str | None = None) -> Block | None:
    """Media by their bytes, in base64 or not; or by a URL in their place."""
    if isinstance(data, dict):
        data = _buffer(data)
    if isinstance(data, str) and data.startswith(("b'", 'b"')):
        data = bytes_of_repr(data)
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    if not isinstance(data, str):
        return None
    if data.startswith(("data:", "http:", "https:")):
        return _uri({**part, "uri": data}, modality)
    return _media(part, "base64", data, modality)


def _buffer(held: Part) -> bytes | None:
    """The bytes of a ``Buffer`` or ``Uint8Array`` as ``JSON.stringify`` writes them."""
    data = held.get("data") if held.get("type") == "Buffer" else list(held.values())
    try:
        return bytes(data) if isinstance(data, (list, tuple)) else None
    except (TypeError, ValueError):
        return None


def _uri(part: Part, modality: str | None = None) -> Block | None:
    """Media by URL; the bytes of a data URL."""
    uri = first_of(part, "uri", "url", "fileUri", "file_uri")
    if not isinstance(uri, str):
        return None
    head, comma, data = uri.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return _media({"mime_type": head[5:-7], **part}, "base64", data, modality)
    return _media(part, "url", uri, modality)


def _file(part: Part) -> Block | None:
    """A file by id, data or URL; OpenAI has these one level down in chat, and not in Responses."""
    inner = part.get("file")
    part = {**part, **inner} if isinstance(inner, dict) else part
    found = first_of(part, "file_id", "fileId")
    if found is not None:
        return _media(part, "id", found)
    data = first_of(part, "file_data", "fileData", "file_url", "url", "data", "base64")
    return _data(part, data)


def _image_url(part: Part) -> Block | None:
    """OpenAI's image, nested in chat and flat in Responses."""
    image = part.get("image_url")
    found: Part = image if isinstance(image, dict) else {"url": image}
    if part.get("file_id"):
        return _media(part, "id", part["file_id"], "image")
    made = _uri({"url": found.get("url")}, "image")
    detail = found.get("detail") or part.get("detail")
    if made and detail:
        made["extras"] = {"detail": detail}
    return made


def _input_audio(part: Part) -> Block | None:
    audio = part.get("input_audio")
    if not isinstance(audio, dict):
        return None
    return _data({"mime_type": f"audio/{audio.get('format', '*')}"}, audio.get("data"), "audio")


def _sourced(modality: str | None) -> Callable[[Part], Block | None]:
    """Anthropic's image or document, with a ``source``, and LangChain's, without."""

    def convert(part: Part) -> Block | None:
        source = part.get("source")
        if not isinstance(source, dict):
            source = {**part, "content": part.get("base64") or part.get(modality or "")}
        if source.get("text") is not None:
            return {"type": "text", "text": json_text(source["text"])}
        if first_of(source, "file_id") is not None:
            return _media(source, "id", source["file_id"], modality)
        return _uri(source, modality) or _data(
            source, first_of(source, "data", "bytes", "content"), modality
        )

    return convert


def _bedrock(modality: str) -> Callable[[Part], Block | None]:
    """Bedrock's ``{"image": {"format": "png", "source": {"bytes": …}}}``."""

    def convert(part: Part) -> Block | None:
        inner = part.get(modality)
        if not isinstance(inner, dict):
            return None
        source = inner.get("source")
        data = source.get("bytes") if isinstance(source, dict) else inner.get("bytes")
        mime = f"{modality}/{inner.get('format', '*')}" if modality in _MEDIA else None
        return _data({"mime_type": mime, "filename": inner.get("name")}, data, modality)

    return convert


def _inline(part: Part) -> Block | None:
    """Google's inline data, in camel case or snake case."""
    inner = first_of(part, "inlineData", "inline_data")
    return _blob(inner) if isinstance(inner, dict) else None


def _linked(part: Part) -> Block | None:
    inner = first_of(part, "fileData", "file_data", "media")
    return _uri(inner) if isinstance(inner, dict) else None


def _typed_url(part: Part) -> Block | None:
    """Pydantic AI's ``image-url`` and the like."""
    return _uri(part, str(part.get("type")).partition("-")[0])


def _json(part: Part) -> Block:
    return {"type": "text", "text": json_text(part.get("json"))}


def _media(part: Part, key: str, value: Json, modality: str | None = None) -> Block:
    mime = first_of(part, *_MIME)
    kind = str(modality or part.get("modality") or mime).partition("/")[0]
    found: Block = {"type": kind if kind in _MEDIA else "file", key: value}
    if mime:
        found["mime_type"] = mime
    found.update((name, part[name]) for name in _BESIDE if part.get(name))
    return found


BY_TYPE: Final[dict[str, Callable[[Part], Block | None]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "summary_text": _text,
    "refusal": _refusal,
    "reasoning": reasoning,
    "thinking": reasoning,
    "redacted_thinking": reasoning,
    "tool_call": tool_call,
    "tool-call": tool_call,
    "tool_use": tool_call,
    "function": tool_call,
    "function_call": tool_call,
    "custom_tool_call": tool_call,
    "server_tool_call": _server_tool_call,
    "server_tool_use": _server_tool_call,
    "web_search_call": _server_tool_call,
    "file_search_call": _server_tool_call,
    "code_interpreter_call": _server_tool_call,
    "computer_call": _server_tool_call,
    "mcp_call": _server_tool_call,
    "server_tool_call_response": _server_tool_result,
    "web_search_tool_result": _server_tool_result,
    "blob": _blob,
    "binary": _blob,
    "uri": _uri,
    "file": _file,
    "input_file": _file,
    "image_url": _image_url,
    "input_image": _image_url,
    "input_audio": _input_audio,
    "image": _sourced("image"),
    "audio": _sourced("audio"),
    "video": _sourced("video"),
    "document": _sourced(None),
    "image-url": _typed_url,
    "audio-url": _typed_url,
    "video-url": _typed_url,
    "document-url": _typed_url,
}

_BY_MEMBER: Final[dict[str, Callable[[Part], Block | None]]] = {
    "functionCall": _inner_call,
    "function_call": _inner_call,
    "toolUse": _inner_call,
    "toolRequest": _inner_call,
    "reasoningContent": _reasoning_content,
    "inlineData": _inline,
    "inline_data": _inline,
    "media": _linked,
    "fileData": _linked,
    "file_data": _linked,
    "image": _bedrock("image"),
    "video": _bedrock("video"),
    "audio": _bedrock("audio"),
    "document": _bedrock("document"),
    "json": _json,
    "text": _text,
}
"""Parts without a type, by the first of these members that they have."""
