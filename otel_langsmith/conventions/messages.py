"""Messages of any vintage → messages as LangSmith renders them.

LangSmith shows OpenAI's, Anthropic's and its own LangChain form, and not the ``parts`` of
OpenTelemetry. Of the three only the last can hold all of what occurs (reasoning, files, server
tools), so every dialect ends here: ``{"role", "content": [block, …]}``, tool results as messages
of role ``tool``.

Spec: https://docs.langchain.com/langsmith/log-llm-trace
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
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
from otel_langsmith.conventions.langchain import LANGCHAIN, is_pair, of_langchain
from otel_langsmith.conventions.long_numbers import has_long_number, lenient_json, rounded_json
from otel_langsmith.conventions.readers import Thin, as_raw, first_of, from_json, json_text
from otel_langsmith.conventions.results import (
    TYPE_OF,
    Message,
    answered,
    brought,
    result,
    tool_message,
)

_ROLES: Final = {
    "ai": "assistant",
    "model": "assistant",
    "human": "user",
    "function": "tool",
    # smolagents tells its memory so.
    "tool-call": "assistant",
    "tool-response": "tool",
    # OpenAI renamed `system` for its reasoning models; LangSmith knows only the old word.
    "developer": "system",
}
_SAYERS: Final[dict[Any, str]] = {
    **{role: role for role in ("assistant", "system", "user")},
    **{role: said for role, said in _ROLES.items() if said != "tool"},
}
"""Whose messages bring no results of tools."""

_TYPES_OF_REASON: Final = (str, type(None))
_NOBODY: Final = ("", "unknown")
_ITEMS: Final = frozenset(
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
"""What OpenAI's Responses API puts beside messages, each a part of the assistant's next one."""

_SAYING: Final = ("content", "parts", "contents", "tool_calls", "function_call")
"""Members of which a message has one; a thing with a type and none of these is a part."""

CONTENT_OF: Final = itemgetter("content")
_CONTENT: Final = frozenset(("role", "content", "parts"))

_WITHHELD: Final = {"type": "text"}
"""What Pydantic AI writes of a text that it was told not to capture."""


def input_messages(value: Any) -> Any:
    """What a model was told: a list of messages, or the raw text if it is no JSON."""
    return _read(value, "user")


def output_messages(value: Any) -> Any:
    """What a model answered, one message for each choice."""
    return _read(value, "assistant")


def instructions(value: Any) -> Any:
    """System instructions, which come without a role, as the one message they are."""
    found = from_json(value)
    if isinstance(found, dict):
        found = first_of(found, "parts", "content") or found
    content = blocks(found)
    return {"role": "system", "content": content} if content else Thin(None)


def messages(items: Iterable[Any], role: str) -> list[Message]:
    """The messages that these items are; ``role`` is whose they are if they do not say."""
    return _converted(items, role)[0]


def _converted(items: Iterable[Any], role: str) -> tuple[list[Message], bool]:
    """The messages, and whether each was but a role and one text: then there are no numbers."""
    found: list[Message] = []
    is_plain = True
    for item in items:
        spoken = _spoken(item)
        if spoken is not None:
            found.append(spoken)
        else:
            is_plain = False
            _add_any(found, item, role)
    # of mere texts none belongs to another
    made = found if is_plain or len(found) == 1 else answered(_joined(found))
    return made, is_plain


def _spoken(item: Any) -> Message | None:
    """The message, if it is but a role and one text, and why it ended: as most are.

    A third of what `_add` takes for it. What is not there, or no such thing, is an error here, and
    told by None.
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
    if type(text) is not str or not text or type(item) is not dict:
        return None
    made: Message = {"role": said, "content": [{"type": "text", "text": text}]}
    if len(item) > 2:  # noqa: PLR2004
        reason = item.get("finish_reason", 0)
        if len(item) > 3 or type(reason) not in _TYPES_OF_REASON:  # noqa: PLR2004
            return None
        if reason:
            made["response_metadata"] = {"finish_reason": reason}
    return made


def _add_any(found: list[Message], item: Any, role: str) -> None:
    if isinstance(item, dict):
        _add(found, item, role)
    elif is_pair(item):
        found += _said(item[1], _ROLES.get(item[0], item[0]))
    elif isinstance(item, (list, tuple)):
        is_list = any(isinstance(one, dict) for one in item)
        found += messages(item, role) if is_list else _said(item, role)
    else:
        found += _said(item, role)


def is_message(item: Any) -> bool:
    """Whether this looks like a message: it has a role, or is one of LangChain's."""
    return isinstance(item, dict) and ("role" in item or of_langchain(item) is not None)


def size(made: Sequence[Any]) -> int:
    """How many messages there were before those of one answer were joined, as near as it shows."""
    return sum(
        [
            len(item.get("content") or "1") if item.get("role") == "assistant" else 1
            for item in made
            if isinstance(item, dict)
        ]
    )


def _read(value: Any, role: str) -> Any:
    """The messages of an attribute; what was rounded is looked for only if there are numbers."""
    found, raw = rounded_json(value)
    if not isinstance(found, (list, tuple, dict)):
        return as_raw(value)
    made, is_plain = _converted([found] if isinstance(found, dict) else found, role)
    if not is_plain and raw is not None and has_long_number(raw):
        found = lenient_json(value)
        return as_raw(value) if found is value else _read(found, role)
    for message in made:
        if message["content"]:
            return made
    return Thin(made)


def _said(item: Any, role: str) -> list[Message]:
    return [{"role": role, "content": blocks(item)}]


def _add(found: list[Message], item: Part, role: str) -> None:
    """A message as it came, after a tool message for each result that it brought."""
    if "role" not in item:
        item = _inside(item)
        kind = item.get("type")
        if isinstance(kind, str) and "role" not in item:
            if _add_item(found, item, kind, role):
                return
            item = of_langchain(item) or item
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
    """What the parts of a message say; the results of tools among them are ``found``."""
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
    parts = item.get("parts")
    if parts is None:
        parts = first_of(item, "content", "contents", "blocks")
    told_by_tool = item.get("role") == "tool" and not isinstance(parts, str)
    return _told_by_tool(parts) if told_by_tool else parts


def _told_by_tool(found: Any) -> Any:
    """A tool's result: parts, or else a text, which is JSON of what was none."""
    items = found if isinstance(found, (list, tuple)) else (found,)
    for item in items:
        if not is_known(item) and brought(item) is None:
            return None if found is None else json_text(found)
    return found


def _add_item(found: list[Message], item: Part, kind: str, role: str) -> bool:
    """Whether the item is one of those that stand beside messages, and was added as such."""
    if kind in RESULTS:
        found.append(tool_message(item))
        return True
    if kind in _ITEMS:
        found.append({"role": "assistant", "content": [block(item)]})
        return True
    if kind not in LANGCHAIN and kind != "constructor" and item.keys().isdisjoint(_SAYING):
        found.append({"role": role, "content": [block(item)]})
        return True
    return False


def _inside(item: Part) -> Part:
    """The message in a choice of OpenAI's, or in a candidate of Google's, with why it ended."""
    inner = item.get("message", item.get("content"))
    if not isinstance(inner, dict) or inner.keys().isdisjoint(("role", "parts")):
        return item
    return {**inner, "finish_reason": first_of(item, "finish_reason", "finishReason")}


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
        _add_members(message, content, item, beside)
    if len(content) > 1 and said == "assistant":
        message["content"] = _told_once(_thought_first(content))
    return message


def _thought_first(content: list[Block]) -> list[Block]:
    """What was thought stands before what was said, though Traceloop puts it last."""
    if content[-1]["type"] != "reasoning":
        return content
    return sorted(content, key=lambda found: found["type"] != "reasoning")


def _told_once(content: list[Block]) -> list[Block]:
    """Without the texts that are the JSON of a call beside them: Anthropic's by LangChain's."""
    called = _called(content) if "tool_call" in map(TYPE_OF, content) else set()
    return [found for found in content if not _repeats(found, called)] if called else content


def _repeats(found: Block, called: set[str]) -> bool:
    if found["type"] != "text" or found["text"][:1] != "{":
        return False
    call = from_json(found["text"])
    return (
        isinstance(call, dict) and call.get("type") == "tool_use" and _is_in(called, call.get("id"))
    )


def _add_members(message: Message, content: list[Block], item: Part, beside: set[str]) -> None:
    """What stands beside the content of a message, in the one place where it belongs."""
    if not beside.isdisjoint(_SAID_TOO):
        _add_said(content, item)
    if not beside.isdisjoint(_TOLD):
        _tell(message, item)
    if not beside.isdisjoint(_REASONS_TO_END) and (reason := first_of(item, *_REASONS_TO_END)):
        message["response_metadata"] = {"finish_reason": reason}


_SAID_TOO: Final = (
    *("reasoning_content", "reasoning", "refusal"),
    *("tool_calls", "toolCalls", "function_call"),
)
_TOLD: Final = ("name", "tool_call_id", "toolCallId", "id", "status", "is_error")
_ENDING: Final = frozenset(("finish_reason",))
_REASONS_TO_END: Final = ("finish_reason", "stop_reason", "finishReason")
"""Members by what they are for: to look for all of one kind costs less than for each."""


def _tell(message: Message, item: Part) -> None:
    if named := item.get("name"):
        message["name"] = named
    if answered := first_of(item, "tool_call_id", "toolCallId"):
        message["tool_call_id"] = answered
    elif message["role"] == "tool" and item.get("id"):
        message["tool_call_id"] = item["id"]
    if item.get("status") == "error" or item.get("is_error") is True:
        message["status"] = "error"


def _add_said(content: list[Block], item: Part) -> None:
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
    """Tool calls beside the content: OpenAI's, LangChain's, and the one that OpenAI had first."""
    calls = from_json(first_of(item, "tool_calls", "toolCalls"))
    if not isinstance(calls, (list, tuple)):
        calls = [item.get("function_call")]
    return [call for call in calls if isinstance(call, dict)]


def _called(content: list[Block]) -> set[str]:
    """The ids of the calls among the blocks: Anthropic's stand in both places, by the same id."""
    called = (held["id"] for held in content if held["type"] == "tool_call")
    return {found for found in called if isinstance(found, str)}


def _is_in(called: set[str], found: Any) -> bool:
    return isinstance(found, str) and found in called


def _joined(found: list[Message]) -> list[Message]:
    """OpenAI's Responses API answers in items: those of one answer are one message.

    Reasoning on its own belongs to what follows; calls on their own to what went before, unless
    that has said why it ended: then it is another choice.
    """
    joined = found[:1]
    for message in found[1:]:
        before = joined[-1]
        if message["role"] == "assistant" == before["role"] and _belongs(before, message):
            before["content"] += message["content"]  # in place: there may be thousands of them
            joined[-1] = {**before, **message, "content": before["content"]}
        else:
            joined.append(message)
    return joined


def _belongs(before: Message, message: Message) -> bool:
    if _is_all("reasoning", before["content"]):
        return True
    return "response_metadata" not in before and _is_all("tool_call", message["content"])


def _is_all(kind: str, content: list[Block]) -> bool:
    """By the first and last block: reasoning stands before the text of an item, calls after it."""
    return bool(content) and content[-1]["type"] == content[0]["type"] == kind
