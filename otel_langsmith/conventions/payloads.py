"""Whole requests and responses of model APIs → messages.

Instrumentations keep them as JSON. They have what flattened attributes lose: media, names,
refusals, finish reasons. A payload is recognised by its members; one that is not is `UNREADABLE`
for the readers of messages, and shown as it is by `content`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_langsmith.conventions.json import first_of, from_json
from otel_langsmith.conventions.langchain_messages import is_pair
from otel_langsmith.conventions.messages import instructions, is_message, messages
from otel_langsmith.conventions.readers import UNREADABLE, Raw, Thin
from otel_langsmith.conventions.results import Message
from otel_langsmith.conventions.tools import tool_definitions

REDACTED: Final = "__REDACTED__"
"""What OpenInference writes for content that it was told to hide."""


def request(value: Any) -> Any:
    """The messages of a request to OpenAI (chat, Responses, completions), Anthropic or Google.

    LangChain's lists of messages are requests, too.
    """
    found = from_json(value)
    if isinstance(found, (list, tuple)):
        found = [item for item in found if not is_tool(item)]
        return messages(found, "user") if any(map(_is_item, found)) else UNREADABLE
    if not isinstance(found, dict):
        return UNREADABLE
    made = _prompt(found)
    if made is None:
        return UNREADABLE
    system = _system_prompt(found)
    return [system, *made] if system and not _begins_with_system(made) else made


def response(value: Any) -> Any:
    """The messages of a response, one for each choice."""
    found = from_json(value)
    if isinstance(found, (list, tuple)):
        return _of_list(found)
    return _of_response(found) if isinstance(found, dict) else UNREADABLE


def request_or_text(value: Any) -> Any:
    """The messages of a request; a mere text is the user's message."""
    return _or_text(request(value), value, "user")


def response_or_text(value: Any) -> Any:
    """The messages of a response; a mere text is the assistant's message."""
    return _or_text(response(value), value, "assistant")


def _or_text(found: Any, value: Any, role: str) -> Any:
    if found is not UNREADABLE or not isinstance(value, str) or not value or value == REDACTED:
        return found
    is_text = isinstance(from_json(value), str) and not _is_cut(value)
    return messages([value], role) if is_text else UNREADABLE


def tools(value: Any) -> Any:
    """The tool definitions in a request, or among its messages, where Langfuse puts them."""
    if isinstance(value, str) and not any(map(value.__contains__, _TOOL_WORDS)):
        return UNREADABLE
    found = from_json(value)
    if isinstance(found, dict):
        config = found.get("config")
        given = first_of(found, "tools", "functions")
        if given is None and isinstance(config, dict):
            given = config.get("tools")
        return _definitions(given) if given else UNREADABLE
    if not isinstance(found, (list, tuple)):
        return UNREADABLE
    return tool_definitions([item["content"] for item in found if is_tool(item)]) or UNREADABLE


_TOOL_WORDS: Final = ('"tools"', '"functions"', '"function"', '"input_schema"')
"""A request without any of these has no tools, and need not be parsed."""


def _definitions(given: Any) -> Any:
    """The definitions, unless all of them are mere reprs of functions."""
    made = tool_definitions(given)
    is_defined = not isinstance(made, list) or any(isinstance(tool, dict) for tool in made)
    return made if is_defined else UNREADABLE


def is_tool(item: Any) -> bool:
    """Whether a message of role ``tool`` is no result, but the definition of one."""
    inner = item.get("content") if isinstance(item, dict) and item.get("role") == "tool" else None
    return isinstance(inner, dict) and ("function" in inner or "input_schema" in inner)


def content(value: Any) -> Any:
    """The inputs or outputs of any step: as they are, but with messages in LangSmith's form."""
    found = updated_state(from_json(value))
    if isinstance(found, str):
        return _text(found)
    if isinstance(found, (list, tuple)):
        are_messages = found and all(map(is_message, found))
        return {"messages": messages(found, "user")} if are_messages else found
    if not isinstance(found, dict):
        return found
    if is_message(found) and "role" not in found:
        return {"messages": messages([found], "user")}
    listed = found.get("messages")
    if isinstance(listed, (list, tuple)) and listed and all(map(_is_item, listed)):
        return {**found, "messages": messages(listed, "user")}
    return found


def _text(text: str) -> Any:
    if text == REDACTED:
        return Thin(text)
    return Raw(text) if _is_cut(text) else text


def updated_state(found: Any) -> Any:
    """The ``update`` of a LangGraph ``Command``, if the command says nothing else."""
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        return found
    update = found[0].get("update")
    is_all = "graph" in found[0] and list(filter(None, found[0].values())) == [update]
    return update if is_all and isinstance(update, dict) else found


def call_arguments(value: Any) -> Any:
    """The arguments of a Python function as ``{"args", "kwargs"}``; without args, the kwargs."""
    found = from_json(value)
    if isinstance(found, dict) and {"args", "kwargs"} <= found.keys() <= _CALL:
        return found if found["args"] else found["kwargs"]
    return content(found)


_CALL: Final = frozenset(("args", "kwargs", "sanitize_inputs_outputs"))
"""The last is a flag of smolagents, and no argument."""


def _is_cut(text: str) -> bool:
    """Whether a text begins as JSON or a Python repr does, and yet was not read as either."""
    return text.lstrip()[:2] in ('{"', "{'", '["', "['", "[{", "[[")


def _is_item(item: Any) -> bool:
    """Whether an item of a list is a message, or a list of them as LangChain batches them."""
    if isinstance(item, (list, tuple)):
        return is_pair(item) or (bool(item) and all(map(_is_item, item)))
    return is_message(item) or (isinstance(item, dict) and item.get("type") in _RESPONSES_ITEMS)


_RESPONSES_ITEMS: Final = ("message", "reasoning", "function_call", "function_call_output")
"""Types of OpenAI's Responses API, whose items need no role."""


def _prompt(found: Mapping[str, Any]) -> list[Message] | None:
    """The messages of a request, under the name that its API has for them; None without any."""
    listed = found.get("messages")
    if isinstance(listed, (list, tuple)) and any(map(_is_item, listed)):
        return messages(listed, "user")
    contents = found.get("contents")
    if contents is not None:
        items = contents if isinstance(contents, (list, tuple)) else (contents,)
        return messages(map(_google_message, items), "user")
    given = found.get("input")
    if isinstance(given, str) or (isinstance(given, (list, tuple)) and any(map(_is_item, given))):
        return messages((given,) if isinstance(given, str) else given, "user")
    prompt = first_of(found, "prompt", "prompts", "inputText")
    if prompt is not None:
        return messages(prompt if isinstance(prompt, (list, tuple)) else (prompt,), "user")
    return None


def _system_prompt(found: Mapping[str, Any]) -> Message | None:
    config = found.get("config")
    inner = first_of(config, *_SYSTEM) if isinstance(config, dict) else None
    given = None if found.keys().isdisjoint(_SYSTEM) else first_of(found, *_SYSTEM)
    given = inner if given is None else given
    made = None if given is None else instructions(given)
    return None if isinstance(made, Thin) else made


_SYSTEM: Final = ("instructions", "system", "system_instruction", "systemInstruction")
"""Members with the system prompt, where it is not among the messages."""


def _begins_with_system(made: list[Message]) -> bool:
    return bool(made) and made[0]["role"] == "system"


def _of_response(found: Mapping[str, Any]) -> Any:
    for key, read in _CHOICES.items():
        inner = found.get(key)
        if isinstance(inner, (list, tuple)) and inner:
            return read(inner)
    if is_message(found) or _is_candidate(found):
        return messages([_google_message(found)], "assistant")
    inner = found.get("message")
    if is_message(inner):
        return messages([inner], "assistant")
    text = first_of(found, "combined_chunk_content", "text")  # Logfire's of streams, completions
    return messages([text], "assistant") if isinstance(text, str) else UNREADABLE


def _of_list(found: Sequence[Any]) -> Any:
    """OpenAI's choices without their response, the one response of OpenAI's agents, or messages."""
    if found and all(map(_is_choice, found)):
        return messages(map(_openai_message, found), "assistant")
    if len(found) == 1 and _is_response(found[0]):
        return _of_response(found[0])
    return messages(found, "assistant") if any(map(_is_item, found)) else UNREADABLE


def _is_response(item: Any) -> bool:
    return isinstance(item, dict) and not is_message(item) and not item.keys().isdisjoint(_CHOICES)


def _is_choice(item: Any) -> bool:
    return isinstance(item, dict) and "role" not in item and is_message(item.get("message"))


def _openai_message(choice: Any) -> Any:
    """The message of OpenAI's choice; a choice of its completions has a mere text."""
    if not isinstance(choice, dict):
        return choice
    reason = choice.get("finish_reason")
    inner = choice.get("message")
    if isinstance(inner, dict):
        return {**inner, "finish_reason": reason}
    return {"content": choice.get("text"), "finish_reason": reason}


def _is_candidate(found: Mapping[str, Any]) -> bool:
    content = found.get("content")
    return isinstance(content, dict) and "parts" in content


def _google_message(found: Any) -> Any:
    """The content of Google's candidate, which is the message; the candidate has its reason."""
    if not isinstance(found, dict) or not _is_candidate(found):
        return found
    reason = first_of(found, "finish_reason", "finishReason")
    return {**found["content"], "finish_reason": reason}


def _langchain_message(generation: Any) -> Any:
    """The message of LangChain's generation, or its mere text."""
    if not isinstance(generation, dict):
        return generation
    about = generation.get("generation_info")
    reason = about.get("finish_reason") if isinstance(about, dict) else None
    inner = generation.get("message")
    if is_message(inner):
        return inner
    return {"content": generation.get("text"), "finish_reason": reason}


def _of_choices(found: Sequence[Any]) -> list[Message]:
    return messages(map(_openai_message, found), "assistant")


def _of_output(found: Sequence[Any]) -> list[Message]:
    return messages(found, "assistant")


def _of_candidates(found: Sequence[Any]) -> list[Message]:
    return messages(map(_google_message, found), "assistant")


def _of_generations(found: Sequence[Any]) -> list[Message]:
    """LangChain's generations, in a list for each prompt."""
    lists = [item if isinstance(item, (list, tuple)) else (item,) for item in found]
    generations = [_langchain_message(item) for items in lists for item in items]
    return messages(generations, "assistant")


_CHOICES: Final = {
    "choices": _of_choices,
    "output": _of_output,
    "candidates": _of_candidates,
    "generations": _of_generations,
}
"""The member with a response's choices: in OpenAI's chat and Responses, Google's, LangChain's."""
