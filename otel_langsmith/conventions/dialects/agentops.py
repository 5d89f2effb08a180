"""``agentops.*``: what AgentOps writes of the functions that are decorated with it.

Its instrumentations of models speak Traceloop's older dialect, and OpenInference's of tools.
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
    """What a span is; of some the name of Python's enum came with it."""
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
