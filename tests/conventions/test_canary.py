"""What is hidden is gone: a marker in all content of every capture, and none of it on the wire."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from support.captures import CAPTURES, lineages, load

from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.redact import Hiding, hide
from otel_langsmith.translate import translate
from otel_langsmith.wire.parts import parts_of

CANARY = "the quick canary"
TABLE = table_of(CONVENTIONS)


def marked(value: Any) -> Any:
    """The value with the marker in every text of it, also in those that JSON spells out."""
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        return json.dumps(marked(found)) if isinstance(found, (dict, list)) else value + CANARY
    if isinstance(value, dict):
        return {
            key: part if key in ("type", "role") else marked(part) for key, part in value.items()
        }
    return type(value)(map(marked, value)) if isinstance(value, (list, tuple)) else value


def marked_span(span: ReadableSpan) -> ReadableSpan:
    scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
    attributes = {
        key: marked(value) if TABLE.is_content(key, scope) else value
        for key, value in (span.attributes or {}).items()
    }
    events = [
        Event(event.name, {key: marked(part) for key, part in (event.attributes or {}).items()})
        for event in span.events
    ]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def wire(spans: Iterable[ReadableSpan], hiding: Hiding) -> bytes:
    spans = list(spans)
    runs = (translate(span, line) for span, line in zip(spans, lineages(spans), strict=True))
    parts = (part for run in runs for part in parts_of(hide(run, hiding)))
    return b" ".join(b"%s %s" % (part.name.encode(), part.body) for part in parts)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.json")), ids=lambda path: path.stem)
def test_hidden_content_is_not_on_the_wire(path: Path) -> None:
    spans = list(map(marked_span, load(path)))
    assert CANARY.encode() not in wire(spans, Hiding(inputs=True, outputs=True))


def test_the_marker_would_be_found() -> None:
    spans = map(marked_span, load(CAPTURES / "oi_openai__multi_turn.json"))
    assert wire(spans, Hiding()).count(CANARY.encode()) > 5
