"""A run → the same run without what was asked to be hidden.

It fails closed: beside inputs and outputs it withholds every text that may repeat them, because an
instrumentation nobody has a table for yet leaves its prompts among the metadata.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from otel_langsmith.run import Json, JsonObject, Run

_KEPT: Final = frozenset(
    (
        "OTEL_SPAN_ID",
        "OTEL_TRACE_ID",
        "deployment.environment.name",
        "ls_max_tokens",
        "ls_model_name",
        "ls_model_type",
        "ls_provider",
        "ls_response_model",
        "ls_temperature",
        "otel.parent_span_id",
        "otel.scope.name",
        "otel.scope.version",
        "otel.span.kind",
        "otel_langsmith.notes",
        "otel_langsmith.same_call",
        "service.instance.id",
        "service.name",
        "service.namespace",
        "service.version",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "thread_id",
    )
)
"""The metadata that say where a run comes from, what answered and what it cost."""

COUNTS: Final = frozenset(("aggregated_usage", "usage_metadata"))
"""Objects of numbers."""

_NAME: Final = re.compile(r"[\w.:/@+-]{1,128}", re.ASCII)
"""A word as ids, models and classes are called; no sentence is one."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is to be hidden."""

    inputs: bool = False
    outputs: bool = False
    metadata: bool = False


HIDE_NOTHING: Final = Hiding()


def hide(run: Run, hiding: Hiding) -> Run:
    """The run with inputs, outputs and metadata withheld as asked.

    Hiding inputs or outputs also withholds attachments, the arguments of events, the words of an
    error (its type stays), and all text among metadata and parameters but for the names of models,
    services and the like. Hiding metadata withholds the numbers among them too, and the tags. The
    names of spans stay: they are what OpenTelemetry wants to be the same for many spans.
    """
    content = hiding.inputs or hiding.outputs
    if not (content or hiding.metadata):
        return run
    return replace(
        run,
        name=_name(run) if content else run.name,
        inputs={} if hiding.inputs else run.inputs,
        outputs={} if hiding.outputs and run.outputs is not None else run.outputs,
        metadata=_metadata(run.metadata, numbers=not hiding.metadata),
        tags=() if hiding.metadata else tuple(filter(_NAME.fullmatch, run.tags)),
        invocation_params=_parameters(run.invocation_params),
        events=[_bare(event) for event in run.events] if content else run.events,
        error=_kind_of_error(run) if content else run.error,
        attachments=() if content else run.attachments,
    )


def _name(run: Run) -> str:
    """The run's name, or the span's if somebody made a sentence of that, with what he said."""
    own = run.metadata.get("otel.span.name")
    return own if isinstance(own, str) and not _NAME.fullmatch(run.name) else run.name


def _metadata(metadata: JsonObject, *, numbers: bool) -> JsonObject:
    kept: dict[str, Json] = {}
    for key, value in metadata.items():
        if key in _KEPT:
            kept[key] = _wordless(value)
        elif key in COUNTS:
            kept[key] = counts_of(value)
        elif numbers and _is_number(value) and _NAME.fullmatch(key):
            kept[key] = value
    return kept


def _parameters(parameters: JsonObject) -> JsonObject:
    return {
        key: _wordless(value)
        for key, value in parameters.items()
        if key == "model" or (_is_number(value) and _NAME.fullmatch(key))
    }


def _wordless(value: Json) -> Json:
    """A number, a name, or a list of them; of anything else nothing."""
    if isinstance(value, (list, tuple)):
        return [_wordless(item) for item in value]
    named = isinstance(value, str) and _NAME.fullmatch(value)
    return value if named or _is_number(value) else None


def counts_of(value: Json) -> Json:
    """The numbers of an object, two levels deep as LangSmith's usage has them."""
    if not isinstance(value, Mapping):
        return None
    details = {key: _numbers(part) for key, part in value.items() if isinstance(part, Mapping)}
    return _numbers(value) | {key: part for key, part in details.items() if _is_name(key)}


def _numbers(value: JsonObject) -> dict[str, Json]:
    return {key: item for key, item in value.items() if _is_number(item) and _is_name(key)}


def _is_name(key: object) -> bool:
    return isinstance(key, str) and _NAME.fullmatch(key) is not None


def _is_number(value: Json) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _bare(event: JsonObject) -> JsonObject:
    return {"name": _wordless(event["name"]) or "event", "time": event["time"]}


def _kind_of_error(run: Run) -> str | None:
    if run.error is None:
        return None
    return run.error_type if run.error_type and _NAME.fullmatch(run.error_type) else "error"
