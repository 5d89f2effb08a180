"""Log records become events of their spans, within bounds, and nothing is lost in silence."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from support.spans import TRACE, span

from otel_langsmith.log_events import (
    LOG_LATE,
    LOG_UNJOINED,
    NOTHING,
    Bounds,
    LogEvents,
    event_of,
    name_of,
)

DETAILS = "gen_ai.client.inference.operation.details"
BOUNDS = Bounds()


def record(
    body: Any = None,
    name: str | None = "gen_ai.user.message",
    *,
    at: ReadableSpan | SpanContext | None = None,
    **attributes: Any,
) -> LogRecord:
    context = at.context if isinstance(at, ReadableSpan) else at
    around = set_span_in_context(NonRecordingSpan(context), Context()) if context else Context()
    return LogRecord(timestamp=7, context=around, body=body, attributes=attributes, event_name=name)


def said(records: LogEvents, of: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in records.joined_to(of).events]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (record("hi"), "gen_ai.user.message"),
        (record("hi", None, **{"event.name": "gen_ai.choice"}), "gen_ai.choice"),
        (record(None, DETAILS), DETAILS),
        # content was not to be captured
        (record(None), None),
        (record(None, "gen_ai.choice"), None),
        # what an application logs besides
        (record("hi", None), None),
        (record("hi", "user.signed_in"), None),
        (record("hi", None, **{"event.name": 5}), None),
    ],
)
def test_an_event_of_a_model_call_is_known_by_its_name(given: LogRecord, name: str | None) -> None:
    assert name_of(given) == name


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"content": "hi", "role": "user"}, {"content": "hi", "role": "user"}),
        ('{"content": "hi"}', {"content": "hi"}),
        ("hi", {"content": "hi"}),
        (["hi"], {"content": ["hi"]}),
        ({"content": ({"text": "hi"},)}, {"content": [{"text": "hi"}]}),
        ({"content": None, "n": 1.5, "raw": b"x"}, {"content": None, "n": 1.5, "raw": b"x"}),
    ],
)
def test_a_body_says_what_attributes_of_an_event_say(
    body: Any, attributes: Mapping[str, Any]
) -> None:
    told = {"event.name": "x", "code.line.number": 5, "gen_ai.system": "openai"}
    event, size = event_of("gen_ai.choice", record(body, **told))
    assert dict(event.attributes or {}) == {"gen_ai.system": "openai", **attributes}
    assert (event.name, event.timestamp) == ("gen_ai.choice", 7)
    assert size > 0


def test_an_exception_that_is_logged_is_the_exception_of_its_span() -> None:
    event, _ = event_of("gen_ai.client.operation.exception", record(None))
    assert event.name == "exception"


def test_what_an_application_does_to_its_messages_later_changes_nothing() -> None:
    content = [{"type": "text", "text": "before"}]
    records, one = LogEvents(BOUNDS), span(1)
    records.hear(record({"content": content}, at=one), 0.0)
    content[0]["text"] = "after"
    content.clear()
    assert said(records, one)[0][1] == {"content": [{"type": "text", "text": "before"}]}


def test_a_body_may_hold_itself() -> None:
    body: dict[str, Any] = {}
    body["content"] = body
    assert event_of("gen_ai.choice", record(body))[1] > 0


def test_events_come_in_their_order_and_to_their_own_span() -> None:
    records, one, other = LogEvents(BOUNDS), span(1), span(2)
    for text, at in (("a", one), ("b", other), ("c", one)):
        records.hear(record({"content": text}, at=at), 0.0)
    assert [event[1]["content"] for event in said(records, one)] == ["a", "c"]
    assert [event[1]["content"] for event in said(records, other)] == ["b"]
    assert len(records) == 0
    assert records.joined_to(span(3)) is NOTHING


def test_each_of_several_exporters_finds_them() -> None:
    records, one = LogEvents(BOUNDS), span(1)
    records.hear(record("hi", at=one), 0.0)
    assert said(records, one) == said(records, one) == [("gen_ai.user.message", {"content": "hi"})]


def test_an_open_span_is_told_so_far_and_its_end_all() -> None:
    records, ended = LogEvents(BOUNDS), span(1)
    opened = ReadableSpan(name="span", context=ended.context, start_time=1)
    records.hear(record("hi", at=ended), 0.0)
    assert len(said(records, opened)) == 1
    records.hear(record("there", at=ended), 0.0)
    assert len(said(records, ended)) == 2
    assert records.notes == []


def test_what_comes_after_the_run_was_sent_is_counted() -> None:
    records, one = LogEvents(BOUNDS), span(1)
    records.hear(record("elsewhere", at=span(2)), 0.0)
    assert said(records, one) == []
    records.hear(record("late", at=one), 0.0)
    assert (records.notes, said(records, one), len(records)) == ([LOG_LATE], [], 1)


def test_what_belongs_to_no_span_or_to_one_that_is_not_sampled_is_left_alone() -> None:
    records = LogEvents(BOUNDS)
    records.hear(record("hi"), 0.0)
    records.hear(record("hi", at=SpanContext(TRACE, 1, False, TraceFlags(0))), 0.0)
    assert (len(records), records.notes) == (0, [])


def test_a_record_of_a_whole_call_has_the_attributes_that_its_span_lacks() -> None:
    one = span(1, attributes={"gen_ai.operation.name": "chat", "mine": "mine"})
    records = LogEvents(BOUNDS)
    for text in ("first", "last"):
        told = {"gen_ai.output.messages": [text], "mine": "theirs", "gen_ai.operation.name": "chat"}
        records.hear(record(None, DETAILS, at=one, **told), 0.0)
    assert records.joined_to(one) == ({"gen_ai.output.messages": ["last"]}, ())


def test_what_a_span_has_as_events_of_its_own_is_not_told_twice() -> None:
    plain = span(1)
    events = [Event("gen_ai.user.message", {"content": "hi"})]
    one = ReadableSpan(name="span", context=plain.context, events=events, start_time=1, end_time=2)
    records = LogEvents(BOUNDS)
    records.hear(record("hi", at=one), 0.0)
    records.hear(record("answer", "gen_ai.choice", at=one), 0.0)
    assert said(records, one) == [("gen_ai.choice", {"content": "answer"})]


@pytest.mark.parametrize(
    ("bounds", "last_s"),
    [
        (replace(BOUNDS, records=4), 0.0),
        (replace(BOUNDS, bytes=4_000), 0.0),
        (replace(BOUNDS, age_s=10), 10.5),
    ],
)
def test_the_oldest_go_when_there_are_too_many(bounds: Bounds, last_s: float) -> None:
    """All of the oldest span's: half a conversation would mislead."""
    records, spans = LogEvents(bounds), [span(1), span(2), span(3)]
    for index, one in enumerate(spans):
        for _ in range(2):
            records.hear(record("x" * 500, at=one), last_s if index == 2 else float(index))
    assert [len(said(records, one)) for one in spans] == [0, 2, 2]
    assert records.notes == [LOG_UNJOINED] * 2


def test_a_record_larger_than_all_the_room_is_not_kept() -> None:
    records = LogEvents(replace(BOUNDS, bytes=1_000))
    records.hear(record("x" * 2_000, at=span(1)), 0.0)
    assert (len(records), records.notes) == (0, [LOG_UNJOINED])
