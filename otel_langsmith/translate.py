"""A finished span and its lineage → a run: the only module that knows both worlds.

What attributes mean is in `conventions`; here fields become a run. It knows the span itself: times,
status, events, links, scope, resource. Nothing here raises for what a span says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from otel_langsmith.conventions import CONVENTIONS, Convention, table_of
from otel_langsmith.conventions.compose import add_model, content, usage
from otel_langsmith.conventions.interpreter import Reading, SpanEvent
from otel_langsmith.conventions.media import detached
from otel_langsmith.conventions.table import Table
from otel_langsmith.failure import EXCEPTION_KEYS, failure_of
from otel_langsmith.identity import iso_time, uuid_text, writable_ns
from otel_langsmith.lineage import (
    DOTTED_ORDER,
    PARENT_ID,
    PROJECT,
    PROJECT_ID,
    SPAN_ID,
    TIME_UNWRITABLE,
    TRACE_ID,
    Lineage,
    attributes_of,
)
from otel_langsmith.log_events import NOTHING, Joined
from otel_langsmith.provenance import Frame, Metadata, about, frame_of
from otel_langsmith.run import RUN_TYPES, Attachment, JsonObject, Run, RunType

UNTRANSLATED: Final = "untranslated"
"""A convention failed on this span; the run says when, where and how it ended, and no content."""

NAME_LENGTH: Final = 128
"""LangSmith cuts longer names; we cut, and keep the whole name in metadata."""

_USAGE_RUNS: Final = frozenset(("llm", "embedding"))


def translate(
    span: ReadableSpan,
    lineage: Lineage,
    *,
    project: str | None = None,
    conventions: Sequence[Convention] = CONVENTIONS,
    joined: Joined = NOTHING,
) -> Run:
    """The run that a span is, whatever its attributes hold.

    Every attribute ends in exactly one place: a field of the run, superseded by content that takes
    precedence, or metadata under its own name (``otel.attribute.<name>`` if that name is taken).
    Values stay as they are, bytes and NaN included: making JSON of them is the wire's work.

    Args:
        span: A finished span, or one still open.
        lineage: Whose child the run is.
        project: Where the run goes if the lineage does not say.
        conventions: The dialects, in order of precedence.
        joined: What was logged for the span, read as if it were its own.
    """
    table = table_of(tuple(conventions))
    try:
        return _run(span, lineage, project, table, _read(span, table, joined))
    except Exception:  # noqa: BLE001 - a convention may be anybody's, and a lost run is worse
        return _untranslated(span, lineage, project, table)


def _untranslated(span: ReadableSpan, lineage: Lineage, project: str | None, table: Table) -> Run:
    """The run without what conventions make of it; without all but its name and times at worst."""
    try:
        return _run(span, lineage, project, table, _unread(span, table))
    except Exception:  # noqa: BLE001 - a span may be anybody's, too
        return _skeleton(span, lineage, project)


def _skeleton(span: ReadableSpan, lineage: Lineage, project: str | None) -> Run:
    """A run with nothing of the span but its name and times."""
    return Run(
        id=lineage.run_id,
        trace_id=lineage.trace_id,
        parent_run_id=lineage.parent_run_id,
        dotted_order=lineage.dotted_order,
        name=str(span.name or "span"),
        run_type="chain",
        start_time_ns=writable_ns(span.start_time or 0),
        end_time_ns=None if span.end_time is None else writable_ns(span.end_time),
        project=lineage.project or project,
        session_id=lineage.project_id,
        notes=(*lineage.notes, UNTRANSLATED),
    )


def _read(span: ReadableSpan, table: Table, joined: Joined) -> Reading:
    attributes, events = attributes_of(span), tuple(span.events)
    if joined is not NOTHING:
        attributes.update(joined.attributes)
        events += joined.events
    return table.read(_scope_of(span), attributes, events)


def _scope_of(span: ReadableSpan) -> str:
    scope = span.instrumentation_scope
    return scope.name if scope else ""


def _unread(span: ReadableSpan, table: Table) -> Reading:
    """The attributes that are no content, by anyone's table, and nothing made of them."""
    attributes = attributes_of(span)
    name = _scope_of(span)
    rest = {key: value for key, value in attributes.items() if not table.is_content(key, name)}
    return Reading.of(rest, tuple(span.events), (UNTRANSLATED,))


def _run(
    span: ReadableSpan,
    lineage: Lineage,
    project: str | None,
    table: Table,
    reading: Reading,
) -> Run:
    fields, params, status = reading.fields, reading.params, span.status
    run_type = _run_type(fields)
    start_ns = writable_ns(span.start_time or 0)
    end = span.end_time
    end_ns = None if end is None else writable_ns(end)
    failure = failure_of(status, fields, reading.events)
    span_name = span.name
    name = _name(str(span_name), run_type, fields)
    notes = (*lineage.notes, *reading.notes)
    if end_ns != end and TIME_UNWRITABLE not in notes:
        notes = (*notes, TIME_UNWRITABLE)
    if "model.request" in fields:
        params.setdefault("model", fields["model.request"])
    computed = about(span, lineage)
    if name != span_name or len(name) > NAME_LENGTH or notes or status.description:
        computed.update(_bent(span_name, name, notes, status, failure.text))
    media: dict[str, Attachment] = {}
    inputs = _side(reading.inputs, "inputs", run_type, media)
    outputs = _side(reading.outputs, "outputs", run_type, media)
    return Run(  # in the order of its fields: see there
        lineage.run_id,
        lineage.trace_id,
        lineage.parent_run_id,
        lineage.dotted_order,
        name[:NAME_LENGTH],
        run_type,
        start_ns,
        end_ns,
        lineage.project or project,
        lineage.project_id,
        fields.get("reference_example_id"),
        {} if inputs is None else inputs,
        outputs,
        failure.text,
        failure.kind,
        _events(table, reading, failure.cause, start_ns),
        _united(lineage.tags, fields.get("tags", ())),
        _metadata(span, lineage, reading, run_type, computed),
        params,
        (*fields.get("attachments", ()), *media.values()),
        notes,
    )


def _side(
    parts: Mapping[str, Any], side: str, run_type: RunType, media: dict[str, Attachment]
) -> JsonObject | None:
    return detached(content(parts, side, run_type), media) if parts else None


def _run_type(fields: Mapping[str, Any]) -> RunType:
    found = fields.get("run_type")
    return cast("RunType", found) if found in RUN_TYPES else "chain"


def _name(span_name: str, run_type: RunType, fields: Mapping[str, Any]) -> str:
    """What the run is called: as somebody asked, else after its tool or agent, else as the span."""
    source = "tool.name" if run_type == "tool" else fields.get("name.from", "name")
    return fields.get("name") or fields.get(source) or _told_apart(span_name, fields) or "span"


def _told_apart(span_name: str, fields: Mapping[str, Any]) -> str:
    """``GET`` → ``GET example.com``: whom an HTTP client called, and nothing private."""
    if "name.target" in fields and span_name.removeprefix("HTTP ") == fields.get("name.method"):
        return f"{span_name} {fields['name.target']}"
    return span_name


def _events(
    table: Table, reading: Reading, cause: SpanEvent | None, start_ns: int
) -> Sequence[JsonObject]:
    """The span's events, but for the error and the content that are elsewhere in the run.

    LangSmith reads the time to first token from an event ``new_token``.
    """
    first_token_s = _first_token_s(reading.fields, start_ns)
    if first_token_s is None and not reading.events:
        return []
    events: list[JsonObject] = []
    if first_token_s is not None:
        at_ns = writable_ns(start_ns + round(first_token_s * 1e9))
        events.append({"name": "new_token", "time": iso_time(at_ns)})
    for event in reading.events:
        if table.is_token(event.name):
            if first_token_s is None:
                first_token_s = 0
                events.append({"name": "new_token", "time": _time(event, start_ns)})
            continue
        attributes = event.attributes or {}
        elsewhere = EXCEPTION_KEYS if event is cause else frozenset()
        kwargs = {
            key: value
            for key, value in attributes.items()
            if key not in elsewhere and not table.is_event_content(event.name, key)
        }
        if kwargs or not attributes:
            time = _time(event, start_ns)
            events.append({"name": event.name, "time": time, "kwargs": kwargs})
    return events


def _first_token_s(fields: Mapping[str, Any], start_ns: int) -> float | None:
    at_ns: int | None = fields.get("first_token_ns")
    if at_ns is None or at_ns < start_ns:
        return fields.get("first_token_s")
    return (at_ns - start_ns) / 1e9


def _time(event: SpanEvent, start_ns: int) -> str:
    return iso_time(writable_ns(event.timestamp or start_ns))


def _metadata(
    span: ReadableSpan,
    lineage: Lineage,
    reading: Reading,
    run_type: RunType,
    computed: Metadata,
) -> Metadata:
    """``extra.metadata``: what rode along, the resource, what nobody took or rows named, ours."""
    if reading.fields:
        add_model(reading, run_type)
    if reading.lineage:
        reading.rest.update(_unhonoured(reading.lineage, lineage))
    if counts := usage(reading, run_type):
        computed["usage_metadata" if run_type in _USAGE_RUNS else "aggregated_usage"] = counts
    metadata = _merged(frame_of(span), reading.rest, reading.metadata, computed)
    for name, value in lineage.metadata.items():
        metadata.setdefault(name, value)
    return metadata


def _united(inherited: Sequence[str], own: Sequence[str]) -> Sequence[str]:
    return tuple(dict.fromkeys((*inherited, *own))) if inherited else own


def _bent(
    span_name: str, name: str, notes: Sequence[str], status: Status, error: str | None
) -> Metadata:
    """What the run does not show as the span had it."""
    bent: Metadata = {}
    said = status.description
    if said and said not in (error or ""):
        bent["otel.status_description"] = said
    if name != span_name or len(name) > NAME_LENGTH:
        bent["otel.span.name"] = span_name
        if name != span_name and len(name) > NAME_LENGTH:
            bent["otel_langsmith.full_name"] = name
    if notes:
        bent["otel_langsmith.notes"] = list(notes)
    return bent


def _unhonoured(stated: Mapping[str, Any], lineage: Lineage) -> Iterable[tuple[str, Any]]:
    """Identity attributes that the run's lineage does not bear out: they must not vanish."""
    for name, key, held in (
        ("run_id", SPAN_ID, lineage.run_id),
        ("trace_id", TRACE_ID, lineage.trace_id),
        ("parent_id", PARENT_ID, lineage.parent_run_id),
        ("dotted_order", DOTTED_ORDER, lineage.dotted_order),
        ("project", PROJECT, lineage.project),
        ("project_id", PROJECT_ID, lineage.project_id),
    ):
        if name in stated:
            value = stated[name]
            if held is None or held not in (value, uuid_text(value), str(value).lower()):
                yield key, value


def _merged(frame: Frame, rest: Metadata, stated: Metadata, computed: Metadata) -> Metadata:
    """All of it in one mapping, each later part winning its names; what lost them is kept aside."""
    metadata = {**frame.both, **rest, **stated, **computed}
    if len(metadata) == frame.size + len(rest) + len(stated) + len(computed):
        return metadata
    metadata.update(frame.scope)
    metadata.update(computed)
    for part, aside in (
        (stated, "otel.attribute."),
        (rest, "otel.attribute."),
        (frame.resource, "resource."),
    ):
        for key, value in part.items():
            if metadata[key] is not value and metadata[key] != value:
                other = aside + key
                while other in metadata:
                    other = aside + other
                metadata[other] = value
    return metadata
