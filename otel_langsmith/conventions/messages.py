"""Messages of any vintage → messages as LangSmith renders them.

LangSmith shows OpenAI's, Anthropic's and its own LangChain form, and not the ``parts`` of
OpenTelemetry. Of the three only the last can hold all of what occurs (reasoning, files, server
tools), so every dialect ends here: ``{"role", "content": [block, …]}``, tool results as messages
of role ``tool``.

Spec: https://docs.langchain.com/langsmith/log-llm-trace
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.readers import Thin, from_json, json_text, nested_json
from otel_langsmith.run import Json

Block: TypeAlias = dict[str, Json]
Message: TypeAlias = dict[str, Json]
Part: TypeAlias = Mapping[str, Any]

_ROLES: Final = {
    "ai": "assistant",
    "model": "assistant",
    "human": "user",
    "function": "tool",
    # OpenAI renamed `system` for its reasoning models; LangSmith knows only the old word.
    "developer": "system",
}
_MEDIA: Final = frozenset(("image", "audio", "video"))
_RESULTS: Final = frozenset(("tool_call_response", "tool_result"))


def input_messages(value: Any) -> Any:
    """What a model was told: a list of messages, or the raw text if it is no JSON."""
    return _messages(value, "user")


def output_messages(value: Any) -> Any:
    """What a model answered, one message for each choice."""
    return _messages(value, "assistant")


def instructions(value: Any) -> Any:
    """System instructions, which come without a role, as the one message they are."""
    found = from_json(value)
    if isinstance(found, dict) and "parts" in found:
        found = found["parts"]
    blocks = _blocks(found)
    return {"role": "system", "content": blocks} if blocks else Thin(None)


def arguments(value: Any) -> Any:
    """A tool's arguments: an object where there is one, else what was there."""
    return nested_json(value)


def documents(value: Any) -> Any:
    """Retrieved documents in LangChain's form; OpenTelemetry promises only an id and a score."""
    found = from_json(value)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, (list, tuple)):
        return value
    return [_document(item) for item in found]


def tool_definitions(value: Any) -> Any:
    """Tool definitions in OpenAI's form; what a provider built in stays as it is."""
    found = from_json(value)
    if not isinstance(found, (list, tuple)):
        return found
    return [_tool_definition(nested_json(item)) for item in found]


def _messages(value: Any, role: str) -> Any:
    found = from_json(value)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, (list, tuple)):
        return value
    messages: list[Message] = []
    for item in found:
        if isinstance(item, dict):
            _add(messages, item, role)
        else:
            messages.append({"role": role, "content": _blocks(item)})
    if len(messages) > 1:
        messages = _joined(messages)
    return messages if any(message["content"] for message in messages) else Thin(messages)


def _add(messages: list[Message], item: Part, role: str) -> None:
    """A message as it came, after a tool message for each result that it brought."""
    parts = item.get("parts")
    if parts is None:
        parts = item.get("content")
    before = len(messages)
    if isinstance(parts, (list, tuple)):
        content = []
        for part in parts:
            if _kind(part) in _RESULTS:
                messages.append(_tool_message(part))
            else:
                content.append(_block(part))
    else:
        content = _blocks(parts)
    if content or len(messages) == before or item.get("tool_calls"):
        messages.append(_message(item, content, role))


def _message(item: Part, content: list[Block], role: str) -> Message:
    said = item.get("role")
    said = _ROLES.get(said, said) if isinstance(said, str) and said else role
    message: Message = {"role": said, "content": content}
    calls = item.get("tool_calls")
    if isinstance(calls, (list, tuple)):
        content += [_tool_call(call) for call in calls if isinstance(call, dict)]
    if name := item.get("name"):
        message["name"] = name
    if answered := item.get("tool_call_id"):
        message["tool_call_id"] = answered
    if reason := item.get("finish_reason"):
        message["response_metadata"] = {"finish_reason": reason}
    return message


def _joined(messages: list[Message]) -> list[Message]:
    """OpenAI's Responses API answers in items: reasoning on its own belongs to what follows it."""
    joined = messages[:1]
    for message in messages[1:]:
        before = joined[-1]
        if message["role"] == "assistant" == before["role"] and _only_reasons(before["content"]):
            before["content"] += message["content"]  # in place: there may be thousands of them
            joined[-1] = {**before, **message, "content": before["content"]}
        else:
            joined.append(message)
    return joined


def _only_reasons(blocks: list[Block]) -> bool:
    """By the first and last block: the tool calls of an item stand at its end, its text before."""
    return bool(blocks) and blocks[-1]["type"] == blocks[0]["type"] == "reasoning"


def _kind(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else ""


def _first(part: Part, *names: str) -> Any:
    return next((part[name] for name in names if name in part), None)


def _blocks(parts: Any) -> list[Block]:
    if parts is None or parts == "":
        return []
    if isinstance(parts, dict):
        parts = (parts,)
    if not isinstance(parts, (list, tuple)):
        return [{"type": "text", "text": json_text(parts)}]
    return [_block(part) for part in parts]


def _block(part: Any) -> Block:
    if not isinstance(part, dict):
        return {"type": "text", "text": json_text(part)}
    convert = _BLOCKS.get(_kind(part))
    block = convert(part) if convert else None
    return {"type": "non_standard", "value": part} if block is None else block


def _text(part: Part) -> Block | None:
    text = part.get("content", part.get("text"))
    return None if text is None else {"type": "text", "text": json_text(text)}


def _refusal(part: Part) -> Block:
    text = json_text(part.get("refusal", part.get("content", "")))
    return {"type": "text", "text": text, "extras": {"refusal": True}}


def _reasoning(part: Part) -> Block:
    text = _first(part, "content", "thinking", "text")
    block: Block = {"type": "reasoning", "text": "" if text is None else json_text(text)}
    extras = {key: part[key] for key in ("id", "signature", "encrypted_content") if part.get(key)}
    return {**block, "extras": extras} if extras else block


def _tool_call(part: Part) -> Block:
    function = part.get("function")
    called = function if isinstance(function, dict) else part
    given = nested_json(_first(called, "arguments", "args", "input"))
    if given is None or given == "":
        given = {}
    return {
        "type": "tool_call",
        "id": part.get("id"),
        "name": called.get("name"),
        "args": given if isinstance(given, dict) else {"__raw": given},
    }


def _is_block(part: Any) -> bool:
    return _kind(part) in _BLOCKS


def _tool_message(part: Part) -> Message:
    """A tool's result: ``response`` in OpenTelemetry's schema, ``result`` in its examples."""
    result = _first(part, "response", "result", "content")
    blocks = isinstance(result, (list, tuple)) and all(map(_is_block, result))
    message: Message = {
        "role": "tool",
        "tool_call_id": part.get("id", part.get("tool_use_id")),
        "content": _blocks(result if blocks or result is None else json_text(result)),
    }
    if part.get("name"):
        message["name"] = part["name"]
    if part.get("is_error"):
        message["status"] = "error"
    return message


def _server_tool_call(part: Part) -> Block:
    return {
        "type": "server_tool_call",
        "id": part.get("id"),
        "name": part.get("name"),
        "args": part.get("server_tool_call", part.get("arguments", {})),
    }


def _server_tool_result(part: Part) -> Block:
    return {
        "type": "server_tool_result",
        "tool_call_id": part.get("id"),
        "output": part.get("server_tool_call_response", part.get("response")),
    }


def _blob(part: Part) -> Block | None:
    data = part.get("content", part.get("data"))
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    return _media(part, "base64", data) if isinstance(data, str) else None


def _uri(part: Part) -> Block | None:
    uri = part.get("uri", part.get("url"))
    if not isinstance(uri, str):
        return None
    head, comma, data = uri.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return _media({"mime_type": head[5:-7], **part}, "base64", data)
    return _media(part, "url", uri)


def _file(part: Part) -> Block | None:
    found = part.get("file_id")
    return None if found is None else _media(part, "id", found)


def _image_url(part: Part) -> Block | None:
    """OpenAI's own form, where an instrumentation passed it on unchanged."""
    image = part.get("image_url")
    found = image if isinstance(image, dict) else {"url": image}
    block = _uri({"modality": "image", "url": found.get("url")})
    if block and found.get("detail"):
        block["extras"] = {"detail": found["detail"]}
    return block


def _media(part: Part, key: str, value: Json) -> Block:
    mime = part.get("mime_type")
    modality = str(part.get("modality") or mime).partition("/")[0]
    block: Block = {"type": modality if modality in _MEDIA else "file", key: value}
    if mime:
        block["mime_type"] = mime
    for name in ("transcript", "filename"):
        if part.get(name):
            block[name] = part[name]
    return block


_BLOCKS: Final[dict[str, Callable[[Part], Block | None]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "tool_call": _tool_call,
    "tool_use": _tool_call,
    "server_tool_call": _server_tool_call,
    "server_tool_call_response": _server_tool_result,
    "blob": _blob,
    "uri": _uri,
    "file": _file,
    "image_url": _image_url,
    "input_image": _image_url,
}


_TEXT_OF_DOCUMENT: Final = ("page_content", "content", "text")


def _document(item: Any) -> Json:
    if not isinstance(item, dict):
        return {"page_content": json_text(item), "type": "Document", "metadata": {}}
    text = _first(item, *_TEXT_OF_DOCUMENT)
    metadata = _without(item, (*_TEXT_OF_DOCUMENT, "type"))
    given = metadata.get("metadata")
    if isinstance(given, dict):
        metadata = {**given, **_without(metadata, ("metadata",))}
    return {
        "page_content": "" if text is None else json_text(text),
        "type": "Document",
        "metadata": metadata,
    }


def _without(item: Part, names: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in names}


def _tool_definition(tool: Any) -> Json:
    if not isinstance(tool, dict) or "function" in tool or not tool.get("name"):
        return tool
    if tool.get("type", "function") not in ("function", "custom"):
        return tool
    function = _without(tool, ("type", "input_schema"))
    if "input_schema" in tool:
        function.setdefault("parameters", tool["input_schema"])
    return {"type": "function", "function": function}
