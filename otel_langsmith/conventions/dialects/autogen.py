"""AutoGen, the messages that its runtime carries from agent to agent; and AG2, its fork.

Agents and tools are in ``gen_ai.*``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_object, as_text
from otel_langsmith.conventions.results import Message
from otel_langsmith.conventions.rows import Convention, When, attr, prefix

SCOPES: Final = (
    "autogen SingleThreadedAgentRuntime",
    "autogen GrpcWorkerAgentRuntime",
)


def runtime_message(value: Any) -> Any:
    """The chat messages in an event of a group chat; any other object as it is."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    said = [item for item in _of_event(found) if isinstance(item, dict) and "source" in item]
    return {"messages": _messages(said)} if said else found


def team_messages(value: Any) -> Any:
    """The messages of a team, each of which OpenInference writes as JSON."""
    found = as_object(value)
    listed = found.get("messages") if found is not UNREADABLE else None
    said = [from_json(item) for item in listed] if isinstance(listed, list) else []
    known = said and all(isinstance(item, dict) and "source" in item for item in said)
    return {**found, "messages": _messages(said)} if known else UNREADABLE


def _of_event(found: Mapping[str, Any]) -> list[Any]:
    """``GroupChatStart``, ``GroupChatMessage``, ``GroupChatAgentResponse``, or a message itself."""
    several = found.get("messages")
    if isinstance(several, list):
        return several
    response = found.get("response")
    if isinstance(response, dict):
        return [response.get("chat_message")]
    return [found.get("message", found)]


def _messages(said: Iterable[Mapping[str, Any]]) -> list[Message]:
    return [message for item in said for message in _message(item)]


def _message(item: Mapping[str, Any]) -> list[Message]:
    source = item["source"]
    role = source if source in ("user", "system") else "assistant"
    made = messages([{"role": role, "name": source, "content": item.get("content")}], "assistant")
    about = {name: item[name] for name in _ABOUT if item.get(name)}
    for message in made[-1:]:
        message.update({"id": item["id"]} if item.get("id") else {})
        message.update({"response_metadata": about} if about else {})
    return made


_ABOUT: Final = ("type", "created_at", "models_usage", "metadata")


_RUNTIME: Final = When(scope=SCOPES)
_TEAM: Final = When(scope=("openinference.instrumentation.autogen_agentchat",))

AUTOGEN: Final = Convention(
    name="autogen",
    spec="autogen-core 0.7.5, autogen_core/_telemetry",
    rows=(
        attr("inputs", "message", via=runtime_message, when=_RUNTIME),
        attr("inputs", "input.value", via=team_messages, when=_TEAM),
        attr("outputs", "output.value", via=team_messages, when=_TEAM),
        attr("inputs", "ag2.human_input.prompt", via=as_text),
        attr("outputs", "ag2.human_input.response", via=as_text),
        prefix("metadata", "", via=from_json, when=When(scope=SCOPES, turn="late")),
    ),
)
