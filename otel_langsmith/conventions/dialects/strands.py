"""Strands Agents: ``gen_ai.*`` in span events, with content in Bedrock's form.

A tool's span has message events, too: its arguments are a message, its result a choice.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import UNREADABLE, as_texts
from otel_langsmith.conventions.rows import EARLY, TOOL_RUNS, Convention, When, attr, event
from otel_langsmith.conventions.tools import arguments


def tool_arguments(value: Any) -> Any:
    """The arguments of the one call among these messages."""
    call = _only_part(value, "tool_call")
    return UNREADABLE if call is None else arguments(call.get("arguments"))


def tool_result(value: Any) -> Any:
    """The result of the one call among these messages."""
    answer = _only_part(value, "tool_call_response")
    return UNREADABLE if answer is None else result(answer.get("response", answer.get("result")))


def result(value: Any) -> Any:
    """A tool's result: Bedrock's blocks; a single one as its text or its JSON."""
    found = from_json(value)
    if isinstance(found, (list, tuple)) and len(found) == 1 and isinstance(found[0], dict):
        [block] = found
        if block.keys() == {"text"} or block.keys() == {"json"}:
            [found] = block.values()
    return found


def _only_part(value: Any, kind: str) -> Mapping[str, Any] | None:
    found = from_json(value)
    items = found if isinstance(found, (list, tuple)) else ()
    parts = [
        part
        for item in items
        if isinstance(item, dict) and isinstance(item.get("parts"), (list, tuple))
        for part in item["parts"]
    ]
    fits = len(parts) == 1 and isinstance(parts[0], dict) and parts[0].get("type") == kind
    return parts[0] if fits else None


_EARLY_TOOL: Final = When(runs=("tool",), turn="early")
_OWN_TOOL: Final = When(runs=("tool",), scope=("strands.",), turn="early")
_DETAILS: Final = "gen_ai.client.inference.operation.details"

STRANDS: Final = Convention(
    name="strands",
    spec="https://github.com/strands-agents/sdk-python src/strands/telemetry/tracer.py of 1.62",
    rows=(
        attr("tags", "tags", via=as_texts),
        attr("metadata.tool_schema", "gen_ai.tool.json_schema"),
        # Early: the system prompt goes with the messages of any other row.
        attr("inputs.system", "system_prompt", when=EARLY),
        attr("inputs", "gen_ai.input.messages", via=tool_arguments, when=_OWN_TOOL),
        attr("outputs", "gen_ai.output.messages", via=tool_result, when=_OWN_TOOL),
        event("inputs", _DETAILS, "gen_ai.input.messages", via=tool_arguments, when=_EARLY_TOOL),
        event("outputs", _DETAILS, "gen_ai.output.messages", via=tool_result, when=_EARLY_TOOL),
        event("inputs", "gen_ai.tool.message", "content", via=arguments, when=TOOL_RUNS),
        event("outputs", "gen_ai.choice", "message", via=result, when=TOOL_RUNS),
        attr("outputs", "tool.result", via=result, when=TOOL_RUNS),
    ),
)
