"""A run's messages as a short conversation for the page; unknown shapes yield none. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_langsmith.receiver.stored import StoredRun
from otel_langsmith.run import Json

_TURNS_SHOWN: Final = 40
_TURN_CHARS: Final = 2_000
# LangChain's message types are called roles everywhere else.
_ROLES: Final = {"human": "user", "ai": "assistant"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who said what, shortened to a screenful."""

    role: str
    text: str


def turns(run: StoredRun) -> Sequence[Turn]:
    """The messages of a model run, inputs before outputs; empty for other shapes."""
    if run.run_type != "llm":
        return ()
    found = [
        turn
        for message in (*_messages(run.inputs), *_messages(run.outputs))
        if (turn := _turn(message)) is not None
    ]
    return found[-_TURNS_SHOWN:]


def _messages(content: Json) -> Iterator[Json]:
    if not isinstance(content, dict):
        return
    if isinstance(content.get("messages"), list):
        yield from _flat(content["messages"])
    elif isinstance(content.get("choices"), list):
        yield from (
            choice.get("message") for choice in content["choices"] if isinstance(choice, dict)
        )
    elif isinstance(content.get("message"), dict):
        yield content["message"]
    elif "role" in content:
        yield content


def _flat(messages: list[Json]) -> list[Json]:
    # LangChain wraps the list in another one, for a batch of one.
    is_wrapped = len(messages) == 1 and isinstance(messages[0], list)
    return messages[0] if is_wrapped else messages


def _turn(message: Json) -> Turn | None:
    if not isinstance(message, dict):
        return None
    role = message.get("role", message.get("type"))
    if not isinstance(role, str):
        return None
    lines = (*_texts(message.get("content")), *_calls(message.get("tool_calls")))
    text = "\n".join(filter(None, lines))
    shown = text if len(text) <= _TURN_CHARS else f"{text[:_TURN_CHARS]} …"
    return Turn(_ROLES.get(role, role), shown)


def _texts(content: Json) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, dict):
                kind, text = block.get("type", "block"), block.get("text")
                yield text if isinstance(text, str) else f"[{kind}]"


def _calls(calls: Json) -> Iterator[str]:
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            function = call.get("function")
            inner = function if isinstance(function, dict) else call
            arguments = inner.get("arguments", inner.get("args", ""))
            yield f"→ {inner.get('name', 'tool')}({arguments})"
