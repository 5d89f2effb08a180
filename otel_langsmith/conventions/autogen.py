"""AutoGen: the messages that its runtime carries from agent to agent.

Its agents and tools are told by ``gen_ai.*``; what the runtime does with messages, by rows here.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_object, from_json
from otel_langsmith.conventions.rows import Convention, When, attr, prefix

SCOPES: Final = (
    "autogen SingleThreadedAgentRuntime",
    "autogen GrpcWorkerAgentRuntime",
)


def carried(value: Any) -> Any:
    """The chat messages that an event of a group chat brings; any other object as it is."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    said = [item for item in _of_event(found) if isinstance(item, dict) and "source" in item]
    return {"messages": messages(map(_message, said), "assistant")} if said else found


def _of_event(found: Mapping[str, Any]) -> list[Any]:
    """``GroupChatStart``, ``GroupChatMessage``, ``GroupChatAgentResponse``, or a message itself."""
    several = found.get("messages")
    if isinstance(several, list):
        return several
    response = found.get("response")
    if isinstance(response, dict):
        return [response.get("chat_message")]
    return [found.get("message", found)]


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    source = item["source"]
    role = source if source in ("user", "system") else "assistant"
    return {"role": role, "name": source, "content": item.get("content")}


_RUNTIME: Final = When(scope=SCOPES)

AUTOGEN: Final = Convention(
    name="autogen",
    spec="autogen-core 0.7.5, autogen_core/_telemetry",
    rows=(
        attr("inputs", "message", via=carried, when=_RUNTIME),
        prefix("metadata", "", via=from_json, when=When(scope=SCOPES, turn="late")),
    ),
)
