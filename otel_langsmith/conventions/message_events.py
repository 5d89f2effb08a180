"""OpenTelemetry's message events (``gen_ai.user.message``, ``gen_ai.choice``) → messages.

They come as span events, as semantic conventions had them from v1.28 on, or as a list of events in
one attribute as JSON, as Logfire and Pydantic AI write them.

Spec: https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-events.md
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, Thin, as_object

INPUTS: Final = (
    "gen_ai.system.message",
    "gen_ai.user.message",
    "gen_ai.assistant.message",
    "gen_ai.tool.message",
)
CHOICE: Final = "gen_ai.choice"

_NO_ANSWER: Final = frozenset(name for name in INPUTS if name != "gen_ai.assistant.message")
"""Events that a model's answer is never among."""

_DATA_URI: Final = re.compile(r"data:[^,]{0,90};base64,")

_WHOLE: Final = "gen_ai.event.content"
"""Azure's SDKs write all of an event as the JSON of this attribute."""

Events: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]
"""Name and attributes of each span event, as `rows.events` hands them to a reader."""


def inputs(events: Events) -> Any:
    """The input messages in span events that are named after the role.

    The instrumentation of botocore writes a tool's result twice, as the tool's and as the user's.
    Two equal results without the id of a call are two.
    """
    items = [{"role": name.split(".")[1], **_opened(event, "content")} for name, event in events]
    found = messages(items, "user")
    once = [
        message
        for before, message in zip([None, *found], found, strict=False)
        if not message.get("tool_call_id") or message != before
    ]
    return once or Thin([])


def outputs(events: Events) -> Any:
    """The output messages in span events, a choice each.

    A choice has its message, or the mere content of one. Strands writes the results of the tools
    that a choice called beside it.
    """
    items = []
    for _, event in events:
        choice = _opened(event, "message")
        inner = choice.pop("message", choice.get("content"))
        items.append(
            {**inner, **choice} if isinstance(inner, dict) else {"content": inner, **choice}
        )
        if "tool.result" in event:
            items.append({"role": "tool", "content": from_json(event["tool.result"])})
    found = messages(items, "assistant")
    return found if any(message["content"] for message in found) else Thin(found)


def _opened(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An event's attributes, with the JSON of the one that is named parsed."""
    whole = as_object(event[_WHOLE]) if _WHOLE in event else UNREADABLE
    if whole is not UNREADABLE:
        event = {**event, **whole}
    return {**event, name: from_json(event[name])} if name in event else dict(event)


def json_inputs(value: Any) -> Any:
    """The input messages in a JSON list of events."""
    return messages(_halves(value)[0], "user") or UNREADABLE


def json_outputs(value: Any) -> Any:
    """The output messages in the same list."""
    return messages(_halves(value)[1], "assistant") or UNREADABLE


def _halves(value: Any) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs: the first choice begins the outputs, or what follows the last input."""
    found = from_json(value)
    if not isinstance(found, (list, tuple)) or not all(map(_is_event, found)):
        return [], []
    names = [item["event.name"] for item in found]
    end = max((number for number, name in enumerate(names, 1) if name in _NO_ANSWER), default=0)
    end = names.index(CHOICE) if CHOICE in names else end
    items = list(map(_message, found))
    return items[:end], items[end:]


def _is_event(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("event.name"), str)


def _message(event: Mapping[str, Any]) -> Any:
    """The message of an event; Logfire has an image by its URI, and other content as ``data``."""
    if isinstance(event.get("data"), dict):
        return event["data"]
    if event["event.name"] != CHOICE:
        content = event.get("content")
        is_image = isinstance(content, str) and _DATA_URI.match(content) is not None
        return {**event, "content": [{"type": "uri", "uri": content}]} if is_image else event
    inner = event.get("message")
    choice = inner if isinstance(inner, dict) else {"content": inner}
    return {**choice, "finish_reason": event.get("finish_reason")}
