"""Captured spans, as JSON, → the `ReadableSpan`s they were."""

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace.status import Status, StatusCode

from otel_langsmith.lineage import Lineage, of_span
from otel_langsmith.log_events import Bounds, LogEvents
from otel_langsmith.run import Run
from otel_langsmith.translate import translate

CAPTURES = sorted((Path(__file__).parent.parent / "conventions").glob("*/*.span.json"))
"""All of them, each in the folder of its dialect."""

_BY_NAME = {path.name.removesuffix(".span.json"): path for path in CAPTURES}


def named(name: str) -> Path:
    """The capture of this name, as ``oi_openai__chat``."""
    return _BY_NAME[name]


def name_of(path: Path) -> str:
    """What a capture is called, by which tests tell them apart."""
    return path.name.removesuffix(".span.json")


def logs_of(path: Path) -> Path:
    """Where the log records are that came with the spans of a capture, if any did."""
    return path.with_name(f"{name_of(path)}.log.json")


def load(path: Path) -> list[ReadableSpan]:
    """The spans of one capture, in the order in which they ended."""
    return [span_of(captured) for captured in json.loads(path.read_text())]


def log_records(path: Path) -> list[LogRecord]:
    """The log records that came with the spans of one capture, if any did."""
    logs = logs_of(path)
    return list(map(record_of, json.loads(logs.read_text()))) if logs.exists() else []


def record_of(captured: Mapping[str, Any]) -> LogRecord:
    """One captured log record; which spans were sampled was not captured, for all were."""
    span = _context(captured["trace_id"], captured["span_id"])
    return LogRecord(
        timestamp=captured["timestamp"],
        observed_timestamp=captured["observed_timestamp"],
        context=set_span_in_context(NonRecordingSpan(span), Context()),
        body=captured["body"],
        attributes=_attributes(captured["attributes"]),
        event_name=captured["event_name"],
    )


def span_of(captured: Mapping[str, Any]) -> ReadableSpan:
    """One captured span; of the counters of what was dropped, all three."""
    scope = captured["scope"]
    return ReadableSpan(
        name=captured["name"],
        context=_context(
            captured["trace_id"],
            captured["span_id"],
            flags=captured["trace_flags"],
            state=captured["trace_state"],
        ),
        parent=captured["parent_span_id"]
        and _context(
            captured["trace_id"],
            captured["parent_span_id"],
            is_remote=bool(captured["parent_is_remote"]),
        ),
        resource=Resource(_attributes(captured["resource"])),
        attributes=_bounded(captured["attributes"], captured["dropped"]["attributes"]),
        events=_list(
            [
                Event(event["name"], _attributes(event["attributes"]), event["time_unix_nano"])
                for event in captured["events"]
            ],
            captured["dropped"]["events"],
        ),
        links=_list(
            [
                Link(_context(link["trace_id"], link["span_id"]), _attributes(link["attributes"]))
                for link in captured["links"]
            ],
            captured["dropped"]["links"],
        ),
        kind=SpanKind[captured["kind"]],
        status=Status(StatusCode[captured["status"]["code"]], captured["status"]["description"]),
        start_time=captured["start_time_unix_nano"],
        end_time=captured["end_time_unix_nano"],
        instrumentation_scope=scope
        and InstrumentationScope(
            scope["name"], scope["version"], scope["schema_url"], _attributes(scope["attributes"])
        ),
    )


def _context(
    trace_id: str, span_id: str, *, flags: int | None = 1, state: str = "", is_remote: bool = False
) -> SpanContext:
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote,
        TraceFlags(flags or 0),
        TraceState.from_header([state]) if state else None,
    )


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in values.items()}


def _value(value: Any) -> Any:
    """A value as it was on the span: sequences were tuples."""
    if isinstance(value, dict):
        if value.keys() == {"__float__"}:
            return float(value["__float__"])
        if value.keys() == {"__bytes_b64__"}:
            return base64.b64decode(value["__bytes_b64__"])
        return _attributes(value)
    return tuple(_value(item) for item in value) if isinstance(value, list) else value


def _bounded(values: Mapping[str, Any], dropped: int) -> BoundedAttributes:
    attributes = BoundedAttributes(attributes=_attributes(values))
    attributes.dropped = dropped
    return attributes


def _list(items: Iterable[Any], dropped: int) -> BoundedList:
    found = list(items)
    bounded = BoundedList.from_seq(max(len(found), 1), found)
    bounded.dropped = dropped
    return bounded


def lineages(spans: Iterable[ReadableSpan]) -> list[Lineage]:
    """The lineage of each span, by parents in the same capture; other spans are roots."""
    spans = list(spans)
    by_id = {span.context.span_id: span for span in spans}

    def of(span: ReadableSpan) -> Lineage:
        parent = by_id.get(span.parent.span_id) if span.parent else None
        above = of(parent) if parent else None
        return of_span(span.context.span_id, span.start_time or 0, above, span.attributes or {})

    return [of(span) for span in spans]


def runs_of(path: Path) -> list[Run]:
    """The runs of one capture, with what was logged for them."""
    spans, events = load(path), LogEvents(Bounds())
    for record in log_records(path):
        events.hear(record, 0.0)
    return [
        translate(span, line, joined=events.joined_to(span))
        for span, line in zip(spans, lineages(spans), strict=True)
    ]
