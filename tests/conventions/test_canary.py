"""What is hidden is gone: a marker in all content of every capture, and none of it on the wire."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link
from opentelemetry.trace.status import Status, StatusCode
from support.captures import CAPTURES, lineages, load, name_of, named
from support.posts import posted

from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.lineage import PROJECT
from otel_langsmith.redact import Guard, Hiding, secrets, texts
from otel_langsmith.translate import translate

pytestmark = pytest.mark.large  # all captures, four times over

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


Chosen = Callable[[str, str], bool]


def marked_span(span: ReadableSpan, chosen: Chosen) -> ReadableSpan:
    """The span with the marker in the attributes chosen, and in all there is beside attributes."""
    scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
    attributes = {
        key: marked(value) if chosen(key, scope) else value
        for key, value in (span.attributes or {}).items()
    }
    events = [
        Event(event.name, {key: marked(part) for key, part in (event.attributes or {}).items()})
        for event in span.events
    ]
    status = span.status
    failed = status.status_code is StatusCode.ERROR
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=[*events, Event(f"so said {CANARY}", {CANARY: 1})],
        links=[*span.links, Link(span.context, {"said": CANARY})],
        kind=span.kind,
        status=Status(status.status_code, f"{status.description} {CANARY}" if failed else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def wire(spans: Iterable[ReadableSpan], guard: Guard, *, name: str | None = None) -> bytes:
    """All of the runs that would be sent; of their names, ``name`` if there is one."""
    spans = list(spans)
    runs = (translate(span, line) for span, line in zip(spans, lineages(spans), strict=True))
    guarded = [guard(run) for run in runs]
    shown = [replace(run, name=name) if name else run for run in guarded]
    parts = (part for run in shown for part in posted(run))
    return b" ".join(b"%s %s" % (part.name.encode(), part.body) for part in parts)


def anything(key: str, _: str) -> bool:
    """But where a run goes, which is no content."""
    return key != PROJECT


HIDDEN = Guard(Hiding(inputs=True, outputs=True))
EVERY = pytest.mark.parametrize("path", CAPTURES, ids=name_of)


@EVERY
def test_hidden_content_is_not_on_the_wire(path: Path) -> None:
    spans = [marked_span(span, TABLE.is_content) for span in load(path)]
    assert CANARY.encode() not in wire(spans, HIDDEN)


@EVERY
def test_nor_is_what_any_other_attribute_says(path: Path) -> None:
    """But for the names of runs, which some of them give: these stay, and are `redact`'s."""
    spans = [marked_span(span, anything) for span in load(path)]
    assert CANARY.encode() not in wire(spans, HIDDEN, name="a name")


@EVERY
def test_what_redact_takes_out_is_nowhere(path: Path) -> None:
    spans = [marked_span(span, anything) for span in load(path)]
    guard = Guard(redact=texts(lambda text: text.replace(CANARY, "")))
    assert CANARY.encode() not in wire(spans, guard)


@EVERY
def test_if_redact_fails_all_is_withheld(path: Path) -> None:
    spans = [marked_span(span, anything) for span in load(path)]
    assert CANARY.encode() not in wire(spans, Guard(redact=refuse))


def refuse(_: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError(CANARY)


@pytest.mark.parametrize("guard", [Guard(), Guard(redact=secrets)])
def test_the_marker_would_be_found(guard: Guard) -> None:
    capture = load(named("oi_openai__multi_turn"))
    spans = [marked_span(span, TABLE.is_content) for span in capture]
    assert wire(spans, guard).count(CANARY.encode()) > 5
