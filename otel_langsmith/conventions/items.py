"""One message, of any provider → the message that LangSmith renders.

LangSmith renders OpenAI's, Anthropic's and LangChain's form, and not the ``parts`` of
OpenTelemetry. Of the three only LangChain's can hold all that occurs (reasoning, files, server
tools), so every message becomes one of that form: ``{"role", "content": [block, …]}``, with tool
results as messages of role ``tool``.

Spec: https://docs.langchain.com/langsmith/log-llm-trace
"""

from collections.abc import Sequence
from typing import Any, Final

from otel_langsmith.conventions.blocks import (
    BY_TYPE,
    RESULTS,
    Block,
    Part,
    block,
    blocks,
    is_known,
    reasoning,
    tool_call,
)
from otel_langsmith.conventions.json import first_of, from_json, json_text
from otel_langsmith.conventions.langchain_messages import LANGCHAIN, is_pair, of_langchain
from otel_langsmith.conventions.results import TYPE_OF, Message, brought, result, tool_message

_ROLES: Final = {
    "ai": "assistant",
    "model": "assistant",
    "human": "user",
    "function": "tool",
    # smolagents' memory.
    "tool-call": "assistant",
    "tool-response": "tool",
    # OpenAI renamed `system` for its reasoning models; LangSmith knows the old name only.
    "developer": "system",
}
_SAYERS: Final[dict[Any, str]] = {
    **{role: role for role in ("assistant", "system", "user")},
    **{role: said for role, said in _ROLES.items() if said != "tool"},
}
"""Roles whose messages are no tool results."""

_TYPES_OF_REASON: Final = (str, type(None))
_NOBODY: Final = ("", "unknown")
_OF_ASSISTANT: Final = frozenset(
    (
        "reasoning",
        "function_call",
        "custom_tool_call",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "computer_call",
        "mcp_call",
    )
)
"""Items of OpenAI's Responses API that are parts of an assistant message."""

_SAYING: Final = ("content", "parts", "contents", "tool_calls", "function_call")
"""Members of which a message has at least one; an object with a type and none of them is a part."""

_WITHHELD: Final = {"type": "text"}
"""What Pydantic AI writes for a text that it must not capture."""


def of_text(item: Any) -> Message | None:
    """The message of an item with a role and one text, as most are; None for any other.

    It takes a third of the time of `add`, and its result needs no closer look (see `Texts`).
    Members that are missing or of another type raise, which is caught, and mean None.
    """
    try:
        said = _SAYERS.get(item["role"])
        if said is None:
            return None
        if "parts" in item:
            parts = item["parts"]
            part = parts[0]
            if len(parts) > 1 or part["type"] != "text" or type(part) is not dict:
                return None
            text = part["content"] if len(part) == 2 else None  # noqa: PLR2004
        else:
            text = item["content"]
    except (LookupError, TypeError):
        return None
    if type(text) is not str or not text or "\0" in text or type(item) is not dict:
        return None
    made: Message = {"role": said, "content": [{"type": "text", "text": text}]}
    if len(item) > 2:  # noqa: PLR2004
        reason = item.get("finish_reason", 0)
        if len(item) > 3 or type(reason) not in _TYPES_OF_REASON or (reason and "\0" in reason):  # noqa: PLR2004
            return None
        if reason:
            made["response_metadata"] = {"finish_reason": reason}
    return made


def add(found: list[Message], item: Any, role: str) -> None:
    """Append the message of an item; ``role`` is its role if it has none."""
    if isinstance(item, dict):
        _add_object(found, item, role)
    elif is_pair(item):
        found.append({"role": _ROLES.get(item[0], item[0]), "content": blocks(item[1])})
    else:
        found.append({"role": role, "content": blocks(item)})


def _add_object(found: list[Message], item: Part, role: str) -> None:
    """The same for an object, after a tool message for each tool result in it."""
    if "role" not in item:
        item = _inside(item)
        kind = item.get("type")
        if isinstance(kind, str) and "role" not in item:
            if _add_part(found, item, kind, role):
                return
            item = of_langchain(item) or item
        if item and "role" not in item and item.keys().isdisjoint(_OF_MESSAGE):
            found.append({"role": role, "content": [block(item)]})
            return
    parts = _parts_of(item)
    if isinstance(parts, (list, tuple)):
        before = len(found)
        content = _content(parts, found)
        if not content and len(found) > before and not item.get("tool_calls"):
            return
    else:
        content = blocks(parts)
    found.append(_message(item, content, role))


def _content(parts: Sequence[Any], found: list[Message]) -> list[Block]:
    """The blocks of a message's parts; tool results among them are appended to ``found``."""
    content: list[Block] = []
    for part in parts:
        kind = part.get("type") if type(part) is dict else None
        convert = BY_TYPE.get(kind) if type(kind) is str else None
        if convert is not None and (made := convert(part)) is not None:  # as most are
            content.append(made)
        elif (answer := result(part)) is not None:
            found.append(answer)
        elif part != _WITHHELD:
            content.append(block(part))
    return content


def _parts_of(item: Part) -> Any:
    """The content of a message, under whatever name."""
    parts = item.get("parts")
    if parts is None:
        parts = first_of(item, "content", "contents", "blocks")
    told_by_tool = item.get("role") == "tool" and not isinstance(parts, str)
    return _told_by_tool(parts) if told_by_tool else parts


def _told_by_tool(found: Any) -> Any:
    """The content of a tool message: its parts, or else a text, as JSON if it was none."""
    items = found if isinstance(found, (list, tuple)) else (found,)
    for item in items:
        if not is_known(item) and brought(item) is None:
            return None if found is None else json_text(found)
    return found


def _add_part(found: list[Message], item: Part, kind: str, role: str) -> bool:
    """Whether the item is a part in place of a message; if so, it was appended as one."""
    if kind in RESULTS:
        found.append(tool_message(item))
        return True
    if kind in _OF_ASSISTANT:
        found.append({"role": "assistant", "content": [block(item)]})
        return True
    if kind not in LANGCHAIN and kind != "constructor" and item.keys().isdisjoint(_SAYING):
        found.append({"role": role, "content": [block(item)]})
        return True
    return False


def _inside(item: Part) -> Part:
    """The message in OpenAI's choice or Google's candidate, with its finish reason; or the item."""
    inner = item.get("message", item.get("content"))
    if not isinstance(inner, dict) or inner.keys().isdisjoint(("role", "parts")):
        return item
    return {**inner, "finish_reason": first_of(item, "finish_reason", "finishReason")}


_CONTENT: Final = frozenset(("role", "content", "parts"))
_ENDING: Final = frozenset(("finish_reason",))


def _message(item: Part, content: list[Block], role: str) -> Message:
    said = item.get("role")
    if isinstance(said, str) and said not in _NOBODY:
        said = _ROLES.get(said, said)
    else:
        said = "assistant" if "tool_calls" in item else role
    message: Message = {"role": said, "content": content}
    beside = item.keys() - _CONTENT
    if beside == _ENDING and item["finish_reason"]:  # as most are
        message["response_metadata"] = {"finish_reason": item["finish_reason"]}
    elif beside:
        _tell_beside(message, item, beside)
    if len(content) > 1 and said == "assistant":
        message["content"] = _told_once(_thought_first(content))
    return message


def _thought_first(content: list[Block]) -> list[Block]:
    """The blocks with reasoning first; Traceloop writes it last."""
    if content[-1]["type"] != "reasoning":
        return content
    return sorted(content, key=lambda found: found["type"] != "reasoning")


def _told_once(content: list[Block]) -> list[Block]:
    """The blocks without texts that are the JSON of a tool call among them (Anthropic's)."""
    called = _called(content) if "tool_call" in map(TYPE_OF, content) else set()
    return [found for found in content if not _repeats(found, called)] if called else content


def _repeats(found: Block, called: set[str]) -> bool:
    if found["type"] != "text" or found["text"][:1] != "{":
        return False
    call = from_json(found["text"])
    return (
        isinstance(call, dict) and call.get("type") == "tool_use" and _is_in(called, call.get("id"))
    )


def _tell_beside(message: Message, item: Part, beside: set[str]) -> None:
    """Put the members beside the content where they belong in the message."""
    if not beside.isdisjoint(_SAID_TOO):
        _add_blocks(message["content"], item)
    if not beside.isdisjoint(_ABOUT):
        _tell_about(message, item)
    if not beside.isdisjoint(_REASONS_TO_END) and (reason := first_of(item, *_REASONS_TO_END)):
        message["response_metadata"] = {"finish_reason": reason}


_SAID_TOO: Final = (
    *("reasoning_content", "reasoning", "refusal"),
    *("tool_calls", "toolCalls", "function_call"),
)
_ABOUT: Final = ("name", "tool_call_id", "toolCallId", "id", "status", "is_error")
_REASONS_TO_END: Final = ("finish_reason", "stop_reason", "finishReason")
"""Members by their use: to look for all of one use at once costs less than for each."""

_OF_MESSAGE: Final = frozenset((*_SAYING, "blocks", *_SAID_TOO, *_REASONS_TO_END))
"""Members of which a message without a role has one; an object with none is mere content."""


def _add_blocks(content: list[Block], item: Part) -> None:
    """Append reasoning, refusal and tool calls to the content, as blocks."""
    thought = first_of(item, "reasoning_content", "reasoning")
    if isinstance(thought, str):
        content.insert(0, reasoning({"content": thought}))
    if item.get("refusal"):
        refused = {"refusal": True}
        content.append({"type": "text", "text": json_text(item["refusal"]), "extras": refused})
    if calls := _calls(item):
        told = _called(content)
        content += [tool_call(call) for call in calls if not _is_in(told, call.get("id"))]


def _calls(item: Part) -> list[Part]:
    """The tool calls beside the content, in OpenAI's, LangChain's or OpenAI's first form."""
    calls = from_json(first_of(item, "tool_calls", "toolCalls"))
    if not isinstance(calls, (list, tuple)):
        calls = [item.get("function_call")]
    return [call for call in calls if isinstance(call, dict)]


def _called(content: list[Block]) -> set[str]:
    """The ids of the tool calls in the content; Anthropic's are there and beside it."""
    called = (held["id"] for held in content if held["type"] == "tool_call")
    return {found for found in called if isinstance(found, str)}


def _is_in(called: set[str], found: Any) -> bool:
    return isinstance(found, str) and found in called


def _tell_about(message: Message, item: Part) -> None:
    """Set the name, the id of the call that was answered, and whether that failed."""
    if named := item.get("name"):
        message["name"] = named
    if answered := first_of(item, "tool_call_id", "toolCallId"):
        message["tool_call_id"] = answered
    elif message["role"] == "tool" and item.get("id"):
        message["tool_call_id"] = item["id"]
    if item.get("status") == "error" or item.get("is_error") is True:
        message["status"] = "error"
