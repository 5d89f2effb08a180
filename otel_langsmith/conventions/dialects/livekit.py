"""``lk.*``: what LiveKit's agents write of turns, speech and tools beside OpenTelemetry's dialect.

Content was ``lk.chat_ctx`` and is ``lk.pii.chat_ctx``, since LiveKit's own collector strips it by
that word.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_langsmith.conventions.json import from_json, unquoted
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_bool, as_object
from otel_langsmith.conventions.rows import LATE, TOOL_RUNS, Convention, attr, together
from otel_langsmith.conventions.tools import arguments


def both(name: str) -> tuple[str, str]:
    """The attribute's name today, and its name before."""
    return f"lk.pii.{name}", f"lk.{name}"


def context_messages(value: Any) -> Any:
    """The messages of a chat context, which has other items, too."""
    found = as_object(value)
    items = found.get("items") if found is not UNREADABLE else None
    if not isinstance(items, list):
        return UNREADABLE
    return messages([_message(item) for item in items if _is_message(item)], "user")


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") in _MESSAGE_TYPES


_MESSAGE_TYPES: Final = ("message", "function_call", "function_call_output")


def _message(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item without cache breakpoints among the parts of its content."""
    content = item.get("content")
    return {**item, "content": list(_parts(content))} if isinstance(content, list) else item


def _parts(content: list[Any]) -> Iterator[Any]:
    for part in content:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif not (isinstance(part, dict) and part.get("type") == "cache_breakpoint"):
            yield part


def response_messages(found: Mapping[str, Any]) -> Any:
    """The answer, of text and tool calls."""
    answer = {name.rpartition(".")[2]: value for name, value in found.items()}
    calls = from_json(answer.get("function_calls"))
    text = answer.get("text")
    if not (text or calls):
        return UNREADABLE
    return messages([{"role": "assistant", "content": text, "tool_calls": calls}], "assistant")


def is_true(value: Any) -> Any:
    """True; the field is not filled otherwise."""
    return True if as_bool(value) is True else UNREADABLE


LIVEKIT: Final = Convention(
    name="livekit",
    spec="livekit-agents 1.8.9, livekit/agents/telemetry/trace_types.py",
    rows=(
        attr("first_token_s", "lk.response.ttft"),
        attr("tool.name", "lk.function_tool.name", keep=True),
        attr("metadata.tool_call_id", "lk.function_tool.id"),
        attr("error.stated", "lk.function_tool.is_error", via=is_true, keep=True),
        attr("inputs.system", *both("instructions")),
        attr("inputs.messages", *both("chat_ctx"), via=context_messages),
        attr(
            "inputs",
            *both("function_tool.arguments"),
            "lk.function_tool.args",
            via=arguments,
            when=TOOL_RUNS,
        ),
        attr("inputs", *both("user_input"), *both("input_text"), *both("rpc.payload"), when=LATE),
        together(
            "outputs.messages",
            *both("response.text"),
            *both("response.function_calls"),
            via=response_messages,
        ),
        attr("outputs", *both("function_tool.output"), via=unquoted, when=TOOL_RUNS),
        attr("outputs", *both("user_transcript"), *both("rpc.response"), via=from_json, when=LATE),
    ),
)
