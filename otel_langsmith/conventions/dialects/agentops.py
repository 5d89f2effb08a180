"""``agentops.*``: AgentOps' decorators of functions.

Its instrumentations of models write Traceloop's older dialect, those of tools OpenInference's.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads
from otel_langsmith.conventions.readers import UNREADABLE, as_text, one_of
from otel_langsmith.conventions.rows import EARLY, LATE, Convention, When, attr, spread

_KINDS: Final = {
    **kinds.OPENINFERENCE,
    **dict.fromkeys(("session", "workflow", "operation", "task", "team"), kinds.CHAIN),
}


def kind(value: Any) -> Any:
    """The kind of a span, which may have the name of a Python enum in front."""
    word = as_text(value)
    return word if word is UNREADABLE else _kind(word.rpartition(".")[2])


_kind: Final = one_of(_KINDS)
_STEPS: Final = ("entity", "session", "workflow", "agent", "task", "operation", "tool")

AGENTOPS: Final = Convention(
    name="agentops",
    spec="agentops 0.4.21, agentops/semconv",
    rows=(
        spread("agentops.span.kind", via=kind, keep=True, when=EARLY),
        attr("name", "operation.name", when=When(given=("agentops.span.kind",))),
        attr("metadata.tool_call_id", "tool.call.id"),
        attr("tags", "agentops.tags"),
        attr(
            "inputs",
            *(f"agentops.{step}.input" for step in _STEPS),
            via=payloads.call_arguments,
            when=LATE,
        ),
        attr("outputs", *(f"agentops.{step}.output" for step in _STEPS), when=LATE),
    ),
)
