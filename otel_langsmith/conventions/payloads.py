"""Whole requests and responses of model APIs → messages: what instrumentations keep raw.

A raw payload has what flattened views lose: media, names, refusals, each choice's reason to end. It
is told by its members; one that cannot be told is unreadable here, and shown as it is elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_langsmith.conventions.json import at_path, first_of, from_json
from otel_langsmith.conventions.langchain_messages import is_pair
from otel_langsmith.conventions.messages import instructions, is_message, messages
from otel_langsmith.conventions.readers import UNREADABLE, Raw, Thin, as_count
from otel_langsmith.conventions.results import Message
from otel_langsmith.conventions.tools import tool_definitions

REDACTED: Final = "__REDACTED__"
"""What OpenInference writes for content that it was told to hide."""


def request(value: Any) -> Any:
    """The messages of a request: to OpenAI (old or new), Anthropic, Google, or by LangChain."""
    found = from_json(value)
    if isinstance(found, (list, tuple)):
        found = [item for item in found if not is_tool(item)]
        return messages(found, "user") if any(map(_tells, found)) else UNREADABLE
    if not isinstance(found, dict):
        return UNREADABLE
    said = _told(found)
    if said is None:
        return UNREADABLE
    system = _system(found)
    return [system, *said] if system and not _is_led(said) else said


def answer(value: Any) -> Any:
    """The messages of a response, one for each choice."""
    found = from_json(value)
    if isinstance(found, (list, tuple)):
        return _choices(found)
    return _answer(found) if isinstance(found, dict) else UNREADABLE


def _answer(found: Mapping[str, Any]) -> Any:
    for key, choices in _CHOICES.items():
        inner = found.get(key)
        if isinstance(inner, (list, tuple)) and inner:
            return choices(inner)
    if is_message(found) or _is_google(found):
        return messages([_google(found)], "assistant")
    inner = found.get("message")
    if is_message(inner):
        return messages([inner], "assistant")
    text = first_of(found, *_TEXTS)
    return messages([text], "assistant") if isinstance(text, str) else UNREADABLE


def _choices(found: Sequence[Any]) -> Any:
    """Those of OpenAI without what was around them, or messages as they are.

    Or responses, of which OpenAI's agents list the one.
    """
    if found and all(map(_is_choice, found)):
        return messages(map(_chat_choice, found), "assistant")
    if len(found) == 1 and _is_response(found[0]):
        return _answer(found[0])
    return messages(found, "assistant") if any(map(_tells, found)) else UNREADABLE


_TEXTS: Final = ("combined_chunk_content", "text")
"""An answer that is nothing but words: Logfire's of a stream and of a completion."""


def told(value: Any) -> Any:
    """What a model was told, in events that stand in one attribute instead of on the span."""
    return messages(_halves(value)[0], "user") or UNREADABLE


def chosen(value: Any) -> Any:
    """What it answered in the same events."""
    return messages(_halves(value)[1], "assistant") or UNREADABLE


_CHOICE: Final = "gen_ai.choice"
_TOLD: Final = frozenset(f"gen_ai.{role}.message" for role in ("system", "user", "tool"))


def _halves(value: Any) -> tuple[list[Any], list[Any]]:
    """The messages before an answer and those of it: its choices, or else what nobody told it."""
    found = from_json(value)
    if not isinstance(found, (list, tuple)) or not all(map(_is_event, found)):
        return [], []
    names = [item["event.name"] for item in found]
    end = max((number for number, name in enumerate(names, 1) if name in _TOLD), default=0)
    end = names.index(_CHOICE) if _CHOICE in names else end
    items = list(map(_event_message, found))
    return items[:end], items[end:]


def _is_event(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("event.name"), str)


def _event_message(held: Mapping[str, Any]) -> Any:
    """A choice has its message inside; of an image Logfire has the URI, of others the ``data``."""
    if isinstance(held.get("data"), dict):
        return held["data"]
    if held["event.name"] != _CHOICE:
        said = held.get("content")
        is_data = isinstance(said, str) and said.startswith("data:") and ";base64," in said[:99]
        return {**held, "content": [{"type": "uri", "uri": said}]} if is_data else held
    message = held.get("message")
    inner = message if isinstance(message, dict) else {"content": message}
    return {**inner, "finish_reason": held.get("finish_reason")}


def asked(value: Any) -> Any:
    """The same as `request`, of a mere text too: what the user said."""
    return _told_by(request(value), value, "user")


def answered(value: Any) -> Any:
    """The same as `answer`, of a mere text too."""
    return _told_by(answer(value), value, "assistant")


def _told_by(found: Any, value: Any, role: str) -> Any:
    if found is not UNREADABLE or not isinstance(value, str) or not value or value == REDACTED:
        return found
    is_text = isinstance(from_json(value), str) and not _is_cut(value)
    return messages([value], role) if is_text else UNREADABLE


def offered(value: Any) -> Any:
    """The tools in a request, or those that Langfuse puts among its messages."""
    if isinstance(value, str) and not any(map(value.__contains__, _OFFERED)):
        return UNREADABLE
    found = from_json(value)
    if isinstance(found, dict):
        config = found.get("config")
        tools = first_of(found, "tools", "functions")
        if tools is None and isinstance(config, dict):
            tools = config.get("tools")
        return _defined(tools) if tools else UNREADABLE
    if not isinstance(found, (list, tuple)):
        return UNREADABLE
    return tool_definitions([item["content"] for item in found if is_tool(item)]) or UNREADABLE


def _defined(tools: Any) -> Any:
    """The definitions, if any of them is more than the repr of a function."""
    made = tool_definitions(tools)
    is_told = not isinstance(made, list) or any(isinstance(tool, dict) for tool in made)
    return made if is_told else UNREADABLE


_OFFERED: Final = ('"tools"', '"functions"', '"function"', '"input_schema"')
"""Without any of these words a request, which may be long, offers no tools."""


def is_tool(item: Any) -> bool:
    """Whether a message of role ``tool`` is no answer of one, but its definition."""
    inner = item.get("content") if isinstance(item, dict) and item.get("role") == "tool" else None
    return isinstance(inner, dict) and ("function" in inner or "input_schema" in inner)


def conversation(value: Any) -> Any:
    """What any step took or gave: an object as it is, but with messages as LangSmith has them."""
    found = updated(from_json(value))
    if isinstance(found, str):
        return _whole_text(found)
    if isinstance(found, (list, tuple)):
        told = found and all(map(is_message, found))
        return {"messages": messages(found, "user")} if told else found
    if not isinstance(found, dict):
        return found
    if is_message(found) and "role" not in found:
        return {"messages": messages([found], "user")}
    said = found.get("messages")
    if isinstance(said, (list, tuple)) and said and all(map(_tells, said)):
        return {**found, "messages": messages(said, "user")}
    return found


def _whole_text(text: str) -> Any:
    """A text that is all of what a step took or gave."""
    if text == REDACTED:
        return Thin(text)
    return Raw(text) if _is_cut(text) else text


def updated(found: Any) -> Any:
    """What a node of LangGraph's changed, if that is all that its one command says."""
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        return found
    update = found[0].get("update")
    is_all = "graph" in found[0] and list(filter(None, found[0].values())) == [update]
    return update if is_all and isinstance(update, dict) else found


def called(value: Any) -> Any:
    """What a function of Python's was called with: if all of it has names, these.

    Of those that smolagents calls, one tells how, and nothing of the call.
    """
    found = from_json(value)
    if isinstance(found, dict) and {"args", "kwargs"} <= found.keys() <= _PYTHON:
        return found if found["args"] else found["kwargs"]
    return conversation(found)


_PYTHON: Final = frozenset(("args", "kwargs", "sanitize_inputs_outputs"))


def usage(found: Mapping[str, Any]) -> dict[str, int]:
    """The tokens of OpenAI's usage object, old or new, as fields."""
    fields: dict[str, int] = {}
    for path, field in _USAGE.items():
        count = as_count(at_path(found, path))
        if count is not UNREADABLE:
            fields.setdefault(field, count)
    return fields


_USAGE: Final = {
    ("prompt_tokens",): "usage.input_tokens",
    ("completion_tokens",): "usage.output_tokens",
    ("total_tokens",): "usage.total_tokens",
    ("prompt_tokens_details", "cached_tokens"): "usage.input_token_details.cache_read",
    ("prompt_tokens_details", "audio_tokens"): "usage.input_token_details.audio",
    ("input_tokens",): "usage.input_tokens",
    ("output_tokens",): "usage.output_tokens",
    ("input_tokens_details", "cached_tokens"): "usage.input_token_details.cache_read",
    ("output_tokens_details", "reasoning_tokens"): "usage.output_token_details.reasoning",
    ("cache_creation_input_tokens",): "usage.input_token_details.cache_creation",
    ("completion_tokens_details", "reasoning_tokens"): "usage.output_token_details.reasoning",
    ("completion_tokens_details", "audio_tokens"): "usage.output_token_details.audio",
}


def _is_cut(text: str) -> bool:
    """Whether a text begins as JSON or a Python repr does, and yet was not read as either."""
    return text.lstrip()[:2] in ('{"', "{'", '["', "['", "[{", "[[")


def _tells(item: Any) -> bool:
    """Whether an item of a list is a message, or a list of them as LangChain batches them."""
    if isinstance(item, (list, tuple)):
        return is_pair(item) or (bool(item) and all(map(_tells, item)))
    return is_message(item) or (isinstance(item, dict) and item.get("type") in _RESPONSES)


_RESPONSES: Final = ("message", "reasoning", "function_call", "function_call_output")
"""Items of OpenAI's Responses API, which need no role."""


def _told(found: Mapping[str, Any]) -> list[Message] | None:
    said = found.get("messages")
    if isinstance(said, (list, tuple)) and any(map(_tells, said)):
        return messages(said, "user")
    contents = found.get("contents")
    if contents is not None:
        items = contents if isinstance(contents, (list, tuple)) else (contents,)
        return messages(map(_google, items), "user")
    asked = found.get("input")
    if isinstance(asked, str) or (isinstance(asked, (list, tuple)) and any(map(_tells, asked))):
        return messages((asked,) if isinstance(asked, str) else asked, "user")
    prompt = first_of(found, "prompt", "prompts", "inputText")
    if prompt is not None:
        return messages(prompt if isinstance(prompt, (list, tuple)) else (prompt,), "user")
    return None


def _system(found: Mapping[str, Any]) -> Message | None:
    config = found.get("config")
    inner = first_of(config, *_SYSTEMS) if isinstance(config, dict) else None
    said = None if found.keys().isdisjoint(_SYSTEMS) else first_of(found, *_SYSTEMS)
    said = inner if said is None else said
    made = None if said is None else instructions(said)
    return None if isinstance(made, Thin) else made


_SYSTEMS: Final = ("instructions", "system", "system_instruction", "systemInstruction")
"""Where a request has its system prompt, if not among the messages."""


def _is_led(said: list[Message]) -> bool:
    return bool(said) and said[0]["role"] == "system"


def _is_google(found: Mapping[str, Any]) -> bool:
    content = found.get("content")
    return isinstance(content, dict) and "parts" in content


def _google(found: Any) -> Any:
    """Google's candidate: its content is the message, and it knows why it ended."""
    if not isinstance(found, dict) or not _is_google(found):
        return found
    reason = first_of(found, "finish_reason", "finishReason")
    return {**found["content"], "finish_reason": reason}


def _is_response(item: Any) -> bool:
    return isinstance(item, dict) and not is_message(item) and not item.keys().isdisjoint(_CHOICES)


def _is_choice(item: Any) -> bool:
    return isinstance(item, dict) and "role" not in item and is_message(item.get("message"))


def _chat_choice(choice: Any) -> Any:
    """OpenAI's choice, with a message or a mere text."""
    if not isinstance(choice, dict):
        return choice
    reason = choice.get("finish_reason")
    inner = choice.get("message")
    if isinstance(inner, dict):
        return {**inner, "finish_reason": reason}
    return {"content": choice.get("text"), "finish_reason": reason}


def _generation(generation: Any) -> Any:
    """LangChain's generation: a message, or a mere text."""
    if not isinstance(generation, dict):
        return generation
    about = generation.get("generation_info")
    reason = about.get("finish_reason") if isinstance(about, dict) else None
    inner = generation.get("message")
    if is_message(inner):
        return inner
    return {"content": generation.get("text"), "finish_reason": reason}


def _generations(found: Any) -> list[Message]:
    """Of each prompt the generations, one list in another."""
    lists = [item if isinstance(item, (list, tuple)) else (item,) for item in found]
    return messages([_generation(item) for items in lists for item in items], "assistant")


_CHOICES: Final = {
    "choices": lambda found: messages(map(_chat_choice, found), "assistant"),
    "output": lambda found: messages(found, "assistant"),
    "candidates": lambda found: messages(map(_google, found), "assistant"),
    "generations": _generations,
}
