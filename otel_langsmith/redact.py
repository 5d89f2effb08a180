"""A run → the same run without what was asked to be hidden.

Applied once, last, to the finished run. It fails closed: beside inputs and outputs it withholds
every field that may repeat them, because an instrumentation nobody has a table for yet leaves its
prompts among the metadata.
"""

from dataclasses import dataclass, replace
from typing import Final

from otel_langsmith.run import Json, JsonObject, Run

_TELLING_NOTHING: Final = (
    "OTEL_SPAN_ID",
    "OTEL_TRACE_ID",
    "aggregated_usage",
    "ls_",
    "otel.",
    "otel_langsmith.",
    "service.",
    "telemetry.",
    "thread_id",
    "usage_metadata",
)
"""How the metadata begin that say where a run comes from and what it cost, never what it said."""

_NEVER_KEPT: Final = ("otel.span.name", "otel.links", "otel.attribute.", "ls_stop")


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is to be hidden."""

    inputs: bool = False
    outputs: bool = False
    metadata: bool = False


def hide(run: Run, hiding: Hiding) -> Run:
    """The run with inputs, outputs and metadata withheld as asked.

    Hiding inputs or outputs also withholds attachments, the arguments of events, the words of an
    error (its type stays), and text among metadata and parameters. Hiding metadata leaves ids,
    models and token counts, without which LangSmith could not show the run.
    """
    content = hiding.inputs or hiding.outputs
    if not (content or hiding.metadata):
        return run
    return replace(
        run,
        inputs={} if hiding.inputs else run.inputs,
        outputs={} if hiding.outputs and run.outputs is not None else run.outputs,
        metadata=_metadata(run.metadata, all_of_it=hiding.metadata),
        tags=() if hiding.metadata else run.tags,
        invocation_params=_wordless(run.invocation_params),
        events=[_bare(event) for event in run.events] if content else run.events,
        error=_kind(run.error) if content and run.error is not None else run.error,
        attachments=() if content else run.attachments,
    )


def _metadata(metadata: JsonObject, *, all_of_it: bool) -> JsonObject:
    return {
        key: value
        for key, value in metadata.items()
        if _tells_nothing(key) or (not all_of_it and _is_wordless(value))
    }


def _tells_nothing(key: str) -> bool:
    return key.startswith(_TELLING_NOTHING) and not key.startswith(_NEVER_KEPT)


def _wordless(values: JsonObject) -> JsonObject:
    kept = {key: value for key, value in values.items() if _is_wordless(value)}
    return kept | {key: values[key] for key in ("model",) if key in values}


def _is_wordless(value: Json) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _bare(event: JsonObject) -> JsonObject:
    return {key: event[key] for key in ("name", "time") if key in event}


def _kind(error: str) -> str:
    """The part before the first colon if it is a class name or a code, else nothing of it."""
    kind, colon, _ = error.partition(":")
    return kind if colon and kind.replace(".", "").replace("_", "").isalnum() else "error"
