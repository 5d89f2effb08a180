"""A finished span and its lineage → a run: the only module that knows both worlds.

What attributes mean is in `conventions`; here fields become a run. It knows the span itself: times,
status, events, links, scope, resource. Nothing here raises for what a span says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.conventions.compose import content, tell_of_model, usage
from otel_langsmith.conventions.interpreter import Reading, SpanEvent
from otel_langsmith.conventions.media import detached
from otel_langsmith.conventions.table import Table
from otel_langsmith.failure import ERROR, EXCEPTION_KEYS, failure_of
from otel_langsmith.identity import LAST_NS, iso_time, uuid_text, writable_ns
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
from otel_langsmith.run import Attachment, JsonObject, Run, RunType, are_texts

UNTRANSLATED: Final = "untranslated"
"""A convention failed on this span; the run says when, where and how it ended, and no content."""

NAME_LENGTH: Final = 128
"""LangSmith cuts longer names; we cut, and keep the whole name in metadata."""

_USAGE_RUNS: Final = frozenset(("llm", "embedding"))


def translate(  # noqa: PLR0913 - the rest by keyword, and seldom
    span: ReadableSpan,
    lineage: Lineage,
    *,
    project: str | None = None,
    table: Table | None = None,
    joined: Joined = NOTHING,
    attributes: Mapping[str, Any] | None = None,
) -> Run:
    """The run that a span is, whatever its attributes hold.

    Every attribute ends in exactly one place: a field of the run, superseded by content that takes
    precedence, or metadata under its own name (``otel.attribute.<name>`` if that name is taken).
    Values stay as they are, bytes and NaN included: making JSON of them is the wire's work.

    Who has many spans does the three steps of it one after the other, each for all of them: `see`,
    `Table.read`, `tell`.

    Args:
        span: A finished span, or one still open.
        lineage: Whose child the run is.
        project: Where the run goes if the lineage does not say.
        table: The dialects, in order of precedence; all that are known if left out.
        joined: What was logged for the span, read as if it were its own.
        attributes: The span's, if somebody has read them already. They are left as they are.
    """
    table = table or table_of(CONVENTIONS)
    try:
        frame, told, events = see(span, attributes, joined)
        reading = table.read(frame.scope_name, told, events)
        return tell(span, lineage, project, table, frame, reading)
    except Exception as error:  # noqa: BLE001 - spans and conventions may be anybody's
        return _untranslated(span, lineage, project, table, error)


Seen: TypeAlias = tuple[Frame, Mapping[str, Any], tuple[SpanEvent, ...]]
"""What there is to be read of a span: where it comes from, its attributes and its events."""


def see(
    span: ReadableSpan, attributes: Mapping[str, Any] | None = None, joined: Joined = NOTHING
) -> Seen:
    """The first step: what there is to be read of a span, for the second, which is `Table.read`.

    Raises:
        Exception: whatever a span raises that is not the SDK's.
    """
    told = attributes_of(span) if attributes is None else attributes
    events = tuple(span.events)
    if joined is not NOTHING:
        told, events = {**told, **joined.attributes}, events + joined.events
    return frame_of(span), told, events


def tell(  # noqa: PLR0913, PLR0917 - all that a run is made of
    span: ReadableSpan,
    lineage: Lineage,
    project: str | None,
    table: Table,
    frame: Frame,
    reading: Reading,
) -> Run:
    """The third step: the run that these make; what few have is looked for on its trait.

    Raises:
        Exception: whatever a span raises that is not the SDK's.
    """
    fields, params, _, _, _, stated, claims, inputs, outputs, rest, events, notes, traits = reading
    run = _begun(lineage, project)
    run.run_type = run_type = traits.run_type
    start_ns, end_ns = span.start_time, span.end_time
    notes = lineage.notes + notes
    if not (type(start_ns) is type(end_ns) is int and 0 <= start_ns <= end_ns <= LAST_NS):
        start_ns, end_ns, notes = _bent_times(start_ns, end_ns, notes)
    run.start_time_ns = start_ns
    run.end_time_ns = end_ns
    run.notes = notes
    computed, status = about(span, lineage), span.status
    if traits.says_more or events or type(status) is not Status or status.status_code is ERROR:
        computed.update(_tell_more(run, table, reading, status))
    span_name = span.name
    called = str(span_name)
    full_name = _name(called, run_type, fields) if traits.is_named else called or "span"
    run.name = name = full_name[:NAME_LENGTH]
    if name is not span_name or notes:
        _tell_of_bent(computed, span_name, full_name, notes)
    if traits.is_modelled:
        tell_of_model(stated, fields, params, run_type)
    run.invocation_params = params
    if claims:
        rest.update(_unhonoured(claims, lineage))
    if traits.is_counted and (counts := usage(reading, run_type)):
        computed["usage_metadata" if run_type in _USAGE_RUNS else "aggregated_usage"] = counts
    run.metadata = metadata = {**frame.both, **rest, **stated, **computed}
    if len(metadata) != frame.size + len(rest) + len(stated) + len(computed):
        _weigh(metadata, frame, rest, stated, computed)
    if riding := lineage.riding.metadata:
        _ride(riding, metadata)
    run.inputs = inputs
    run.outputs = outputs or None
    if not traits.is_plain:
        _shape_sides(run)
    return run


def _untranslated(
    span: ReadableSpan, lineage: Lineage, project: str | None, table: Table, error: Exception
) -> Run:
    """The run without what conventions make of it; without all but its name and times at worst."""
    try:
        frame = frame_of(span)
        reading = _unread(span, frame.scope_name, table)
        reading.rest[f"otel_langsmith.{UNTRANSLATED}"] = _place(error)
        return tell(span, lineage, project, table, frame, reading)
    except Exception:  # noqa: BLE001 - a span may be anybody's, too
        return _skeleton(span, lineage, project)


def _place(error: Exception) -> str:
    """What was raised and where, for the author of a convention; its message may have content."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    code = trace.tb_frame.f_code
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} in {code.co_name} ({file}:{trace.tb_lineno})"


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
        project=lineage.riding.project or project,
        session_id=lineage.riding.project_id,
        notes=(*lineage.notes, UNTRANSLATED),
    )


def _unread(span: ReadableSpan, scope: str, table: Table) -> Reading:
    """The attributes that are no content, by anyone's table, and nothing made of them."""
    attributes = attributes_of(span)
    rest = {key: value for key, value in attributes.items() if not table.is_content(key, scope)}
    return Reading.of(rest, tuple(span.events), (UNTRANSLATED,))


def _begun(lineage: Lineage, project: str | None) -> Run:
    """A run at its place, of which nothing is told yet."""
    run, riding = object.__new__(Run), lineage.riding
    run.id = lineage.run_id
    run.trace_id = lineage.trace_id
    run.parent_run_id = lineage.parent_run_id
    run.dotted_order = lineage.dotted_order
    run.project = riding.project or project
    run.session_id = riding.project_id
    run.tags = _united(riding.tags, ()) if riding.tags else ()
    run.error = run.error_type = run.reference_example_id = None
    run.events = run.attachments = ()
    return run


def _tell_more(run: Run, table: Table, reading: Reading, status: Status) -> Metadata:
    """Fill in what few runs have, and tell the metadata that go with it."""
    fields = reading.fields
    failure = failure_of(status, fields, reading.events)
    run.error, run.error_type = failure.text, failure.kind
    run.events = _events(table, reading, failure.cause, run.start_time_ns)
    run.tags = _united(run.tags, fields.get("tags", ()))
    run.attachments = tuple(fields.get("attachments", ()))
    run.reference_example_id = fields.get("reference_example_id")
    said = status.description
    return {"otel.status_description": said} if said and said not in (run.error or "") else {}


def _shape_sides(run: Run) -> None:
    """Give inputs and outputs the shapes that LangSmith has for them, and take out their media."""
    media: dict[str, Attachment] = {}
    if run.inputs and not are_texts(run.inputs):
        run.inputs = detached(content(run.inputs, "inputs", run.run_type), media)
    if run.outputs and not are_texts(run.outputs):
        run.outputs = detached(content(run.outputs, "outputs", run.run_type), media)
        if run.error and _are_empty_messages(run.outputs):
            run.outputs = None  # the answer that a failed call never gave
    if media:
        run.attachments = (*run.attachments, *media.values())


def _are_empty_messages(outputs: JsonObject) -> bool:
    """Whether outputs are nothing but messages of a role and no content."""
    messages = outputs.get("messages")
    return len(outputs) == 1 and all(
        isinstance(message, dict)
        and message.keys() == {"role", "content"}
        and not message["content"]
        for message in (messages if isinstance(messages, list) else (None,))
    )


def _bent_times(
    start: int | None, end: int | None, notes: tuple[str, ...]
) -> tuple[int, int | None, tuple[str, ...]]:
    """Times that can be written; the lineage has told already if the start was bent."""
    end_ns = None if end is None else writable_ns(end)
    if end_ns != end and TIME_UNWRITABLE not in notes:
        notes = (*notes, TIME_UNWRITABLE)
    return writable_ns(start or 0), end_ns, notes


def _name(span_name: str, run_type: RunType, fields: Mapping[str, Any]) -> str:
    """What the run is called: as somebody asked, else after its tool or agent, else as the span.

    ``GET`` is told apart from others as ``GET example.com``, by whom an HTTP client called, and by
    nothing private.
    """
    source = "tool.name" if run_type == "tool" else fields.get("name.from", "name")
    if asked := fields.get("name") or fields.get(source):
        return cast("str", asked)
    if span_name.removeprefix("HTTP ") == fields.get("name.method") and "name.target" in fields:
        return f"{span_name} {fields['name.target']}"
    return span_name or "span"


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


def _united(inherited: Sequence[str], own: Sequence[str]) -> Sequence[str]:
    return tuple(dict.fromkeys((*inherited, *own))) if inherited else own


def _tell_of_bent(computed: Metadata, span_name: str, full_name: str, notes: Sequence[str]) -> None:
    """Add what the run does not show as the span had it."""
    is_long = len(full_name) > NAME_LENGTH
    if full_name != span_name or is_long:
        computed["otel.span.name"] = span_name
    if full_name != span_name and is_long:
        computed["otel_langsmith.full_name"] = full_name
    if notes:
        computed["otel_langsmith.notes"] = list(notes)


def _unhonoured(stated: Mapping[str, Any], lineage: Lineage) -> Iterable[tuple[str, Any]]:
    """Identity attributes that the run's lineage does not bear out: they must not vanish."""
    for name, key, held in (
        ("run_id", SPAN_ID, lineage.run_id),
        ("trace_id", TRACE_ID, lineage.trace_id),
        ("parent_id", PARENT_ID, lineage.parent_run_id),
        ("dotted_order", DOTTED_ORDER, lineage.dotted_order),
        ("project", PROJECT, lineage.riding.project),
        ("project_id", PROJECT_ID, lineage.riding.project_id),
    ):
        if name in stated:
            value = stated[name]
            if held is None or held not in (value, uuid_text(value), str(value).lower()):
                yield key, value


def _ride(riding: JsonObject, metadata: Metadata) -> None:
    """Add what rode along, unless the span has another."""
    for name, value in riding.items():
        metadata.setdefault(name, value)


def _weigh(
    metadata: Metadata, frame: Frame, rest: Metadata, stated: Metadata, computed: Metadata
) -> None:
    """Let each later part win its names, and keep aside what lost them."""
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
