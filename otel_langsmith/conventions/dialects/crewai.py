"""CrewAI: crews, agents and tasks, beside the dialects of its instrumentations.

OpenInference's writes ``crew_*`` and ``task_*``, as CrewAI's own telemetry does, Traceloop's writes
``crewai.*``. All values are texts, many of them JSON.
"""

from typing import Any, Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.rows import LATE, Convention, When, attr, prefix

SCOPES: Final = (
    "openinference.instrumentation.crewai",
    "opentelemetry.instrumentation.crewai",
    "opentelemetry.instrumentation.crewai.",
    "crewai.telemetry",
)


def tasks(value: Any) -> Any:
    """The tasks of a crew."""
    return {"tasks": from_json(value)}


CREWAI: Final = Convention(
    name="crewai",
    spec=(
        "openinference-instrumentation-crewai 1.1.21, opentelemetry-instrumentation-crewai 0.62.4"
    ),
    rows=(
        attr("agent.name", "crewai.agent.role", keep=True),
        attr("inputs", "crewai.task.description", when=LATE),
        attr("inputs", "crewai.crew.tasks", via=tasks, when=LATE),
        attr(
            "outputs",
            "crewai.crew.result",
            "crewai.agent.result",
            "crewai.task.result",
            "crewai.crew.tasks_output",
            when=LATE,
        ),
        prefix("metadata", "", via=from_json, when=When(scope=SCOPES, turn="late")),
    ),
)
