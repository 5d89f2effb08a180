"""Tool results of any provider → messages of role ``tool``, each with the id of its call."""

from operator import itemgetter
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.blocks import (
    RESULT_MEMBERS,
    RESULTS,
    Block,
    Part,
    blocks,
    is_known,
)
from otel_langsmith.conventions.json import first_of, json_text
from otel_langsmith.run import Json

Message: TypeAlias = dict[str, Json]

TYPE_OF: Final = itemgetter("type")


def result(part: Any) -> Message | None:
    """The message of a part that is a tool result; None of any other."""
    found = brought(part)
    return None if found is None else tool_message(found)


def brought(part: Any) -> Part | None:
    """The tool result that a part is or has; None if it is no such part."""
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind is None:
        inner = first_of(part, *RESULT_MEMBERS)
        return inner if isinstance(inner, dict) else None
    return part if isinstance(kind, str) and kind in RESULTS else None


def tool_message(part: Part) -> Message:
    """A tool's result: ``response`` in OpenTelemetry's schema, ``result`` in its examples."""
    if part.keys() == _RESULT and part["id"]:  # OpenTelemetry's form: a quarter of the cost
        said = part["response"]
        if type(said) is str and said:
            text: Block = {"type": "text", "text": said}
            return {"role": "tool", "tool_call_id": part["id"], "content": [text]}
    result = first_of(part, "response", "result", "content", "output")
    failed = part.get("is_error") is True or part.get("status") == "error"
    if isinstance(result, dict) and result.keys() == {"type", "value"}:  # Vercel's
        failed = str(result["type"]).startswith("error")
        result = result["value"]
    is_blocks = isinstance(result, (list, tuple)) and all(map(is_known, result))
    message: Message = {
        "role": "tool",
        "tool_call_id": first_of(
            part, "call_id", "id", "tool_use_id", "tool_call_id", "toolUseId", "toolCallId", "ref"
        ),
        "content": blocks(result if is_blocks or result is None else json_text(result)),
    }
    if name := first_of(part, "name", "toolName"):
        message["name"] = name
    if failed:
        message["status"] = "error"
    return message


_RESULT: Final = frozenset(("type", "id", "response"))


def answered(found: list[Message]) -> list[Message]:
    """The messages, each tool result with the id of its call.

    Google's results have the tool's name and no id, others have neither; and some calls have the id
    of OpenAI's item (``fc_0``), which no result refers to.
    """
    waiting: list[Block] = []
    for message in found:
        if message["role"] == "tool":
            _answer(message, waiting)
        elif message["role"] == "assistant" and "tool_call" in map(TYPE_OF, message["content"]):
            waiting += [held for held in message["content"] if held["type"] == "tool_call"]
            del waiting[:-_WAITING]
    return found


def _answer(message: Message, waiting: list[Block]) -> None:
    """Find the call of a tool message, and give both one id."""
    told, name = message.get("tool_call_id"), message.get("name")
    call = _fitting(waiting, told, name)
    if call is None:
        return
    waiting.remove(call)  # the first that is equal to it is itself
    if told:
        call["id"] = told
    elif call["id"]:
        message["tool_call_id"] = call["id"]


def _fitting(waiting: list[Block], told: Any, name: Any) -> Block | None:
    for call in waiting:
        if call["id"] == told if told else name in (None, call["name"]):
            return call
    return next(filter(_is_item, waiting), None) if told else None


def _is_item(call: Block) -> bool:
    return isinstance(call["id"], str) and call["id"].startswith("fc_")


_WAITING: Final = 128
"""Calls without a result that are remembered; no model makes more at once."""
