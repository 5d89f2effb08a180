"""Lists of messages → messages as LangSmith renders them.

`items` converts each single one. Here is what needs all of them: to parse the attribute that they
are in, to join what belongs to one message, and to match tool results with their calls.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

from otel_langsmith.conventions.blocks import Block, blocks
from otel_langsmith.conventions.items import add, of_text
from otel_langsmith.conventions.json import first_of, from_json
from otel_langsmith.conventions.langchain_messages import of_langchain
from otel_langsmith.conventions.long_numbers import has_long_number, lenient_json, rounded_json
from otel_langsmith.conventions.readers import Thin, as_raw
from otel_langsmith.conventions.results import Message, answered
from otel_langsmith.run import Texts

CONTENT_OF: Final = itemgetter("content")


def input_messages(value: Any) -> Any:
    """The input messages of a model call; `Raw` if they cannot be parsed."""
    return _read(value, "user")


def output_messages(value: Any) -> Any:
    """The output messages of a model call, one for each choice."""
    return _read(value, "assistant")


def instructions(value: Any) -> Any:
    """System instructions, which come without a role, as one system message."""
    found = from_json(value)
    if isinstance(found, dict):
        found = first_of(found, "parts", "content") or found
    content = blocks(found)
    return {"role": "system", "content": content} if content else Thin(None)


def messages(items: Iterable[Any], role: str) -> list[Message]:
    """The items as messages; ``role`` is the role of those that have none."""
    return _converted(items, role)[0]


def is_message(item: Any) -> bool:
    """Whether this is a message: it has a role, or LangChain's serialised form."""
    return isinstance(item, dict) and ("role" in item or of_langchain(item) is not None)


def size(made: Sequence[Any]) -> int:
    """About how many messages there were before those of one answer were joined."""
    return sum(
        [
            len(item.get("content") or "1") if item.get("role") == "assistant" else 1
            for item in made
            if isinstance(item, dict)
        ]
    )


def _read(value: Any, role: str) -> Any:
    """The messages of an attribute; long integers are looked for where there can be numbers."""
    found, raw = rounded_json(value)
    if not isinstance(found, (list, tuple, dict)):
        return as_raw(value)
    made, is_plain = _converted([found] if isinstance(found, dict) else found, role)
    if not is_plain and raw is not None and has_long_number(raw):
        found = lenient_json(value)
        return as_raw(value) if found is value else _read(found, role)
    if is_plain and made:
        return Texts(made)
    for message in made:
        if message["content"]:
            return made
    return Thin(made)


def _converted(items: Iterable[Any], role: str) -> tuple[list[Message], bool]:
    """The messages, and whether each is a role and one text: then there are no numbers."""
    found: list[Message] = []
    is_plain = True
    for item in items:
        message = of_text(item)
        if message is not None:
            found.append(message)
            continue
        is_plain = False
        if isinstance(item, (list, tuple)) and any(isinstance(one, dict) for one in item):
            found += messages(item, role)  # LangChain's batch of prompts
        else:
            add(found, item, role)
    # plain texts need neither joining nor matching
    made = found if is_plain or len(found) == 1 else answered(_joined(found))
    return made, is_plain


def _joined(found: list[Message]) -> list[Message]:
    """OpenAI's Responses API answers in items: those of one answer become one message.

    A message of reasoning alone is joined with the next; one of tool calls alone with the one
    before, unless that has a finish reason: then the calls are another choice.
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
    """Told by the first and last block: reasoning comes before an item's text, calls after it."""
    return bool(content) and content[-1]["type"] == content[0]["type"] == kind
