"""Captured log records, joined to their spans: what was said is in the runs, and can be hidden."""

from pathlib import Path
from typing import Any

import pytest
from conventions.test_canary import CANARY, marked
from support.captures import CAPTURES, lineages, load, log_records, logs_of, name_of, named
from support.posts import posted

from otel_langsmith.log_events import Bounds, LogEvents
from otel_langsmith.redact import Hiding, hide
from otel_langsmith.run import Run
from otel_langsmith.translate import translate

LOGGED = [path for path in CAPTURES if logs_of(path).exists()]
QUESTION, ANSWER = "Capital of France?", "Paris is the capital of France."


def runs_of(path: Path, *, canary: bool = False) -> list[Run]:
    """The runs of a capture with what was logged for them."""
    events = LogEvents(Bounds())
    for record in log_records(path):
        if canary:
            record.body, record.attributes = marked(record.body), marked_content(record.attributes)
        events.hear(record, 0.0)
    spans = load(path)
    runs = [
        translate(span, line, joined=events.joined_to(span))
        for span, line in zip(spans, lineages(spans), strict=True)
    ]
    assert len(events) == 0
    return runs


def marked_content(attributes: Any) -> dict[str, Any]:
    """Marked where content is: all of what is structured, and the variables of a prompt."""
    return {
        key: marked(value) if "messages" in key or "variable" in key or "tool" in key else value
        for key, value in attributes.items()
    }


def words(side: Any) -> list[tuple[str, Any]]:
    """Who said what: the text, or the names of the tools that were called."""
    return [
        (
            message["role"],
            " ".join(block.get("text") or block.get("name") or "" for block in message["content"]),
        )
        for message in (side or {}).get("messages", [])
    ]


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        (
            "official_openai_v2_legacy_content__multi_turn",
            [
                ("system", "You are terse."),
                ("user", "Hi"),
                ("assistant", "Hello!"),
                ("user", QUESTION),
            ],
            [("assistant", ANSWER)],
        ),
        (
            "official_openai_v2_legacy_content__n_choices",
            [("user", "Capital?")],
            [("assistant", ANSWER)] * 2,
        ),
        (
            "official_openai_v2_event_only__image",
            None,
            [("assistant", ANSWER)],
        ),
        (
            "official_genai_openai_event_only__parallel_tools",
            [("system", "Use tools."), ("user", "PAR weather in Paris and time in London?")],
            [("assistant", "get_weather get_time")],
        ),
        (
            "official_botocore_bedrock__chat",
            None,
            [("assistant", ANSWER)],
        ),
        (
            "pydantic_ai1x_v1_logs__error_tool",
            [("user", "go")],
            [("assistant", "broken")],
        ),
        (
            "semantic_kernel__tools",
            [("user", "Weather in Paris?")],
            [("assistant", "weather-get_weather")],
        ),
        (
            "traceloop_openai_events__parallel_tools",
            [("system", "Use tools."), ("user", "PAR weather in Paris and time in London?")],
            [("assistant", "get_weather get_time")],
        ),
    ],
)
def test_what_was_logged_is_in_the_run(name: str, inputs: Any, outputs: Any) -> None:
    run = next(run for run in runs_of(named(name)) if run.run_type == "llm")
    assert inputs is None or words(run.inputs) == inputs
    assert words(run.outputs) == outputs


def test_a_tool_result_that_was_logged_twice_is_said_once() -> None:
    *_, last = [
        run
        for run in runs_of(named("official_botocore_bedrock__tool_round"))
        if run.run_type == "llm"
    ]
    assert words(last.inputs) == [
        ("user", "Weather?"),
        ("assistant", "get_weather"),
        ("tool", "21C"),
    ]


def test_a_record_of_a_whole_call_fills_more_than_messages() -> None:
    chain = runs_of(named("official_genai_langchain_event_only__chain"))
    run = next(run for run in chain if run.run_type == "llm")
    assert run.inputs["variables"] == {"topic": "geo", "q": QUESTION}
    tools = runs_of(named("official_genai_openai_event_only__parallel_tools"))[0]
    assert [tool["function"]["name"] for tool in tools.invocation_params["tools"]] == [
        "get_weather",
        "get_time",
    ]


def test_content_that_was_not_to_be_captured_is_not_made_up() -> None:
    for run in runs_of(named("official_openai_v2_default__chat")):
        assert run.inputs == {}


@pytest.mark.parametrize("path", LOGGED, ids=name_of)
def test_every_captured_record_finds_its_span_and_leaves_nothing_behind(path: Path) -> None:
    for run in runs_of(path):
        assert [event["name"] for event in run.events if event["name"].startswith("gen_ai.")] == []
        assert not run.notes


@pytest.mark.parametrize("path", LOGGED, ids=name_of)
def test_what_was_logged_is_hidden_as_well(path: Path) -> None:
    hidden = [hide(run, Hiding(inputs=True, outputs=True)) for run in runs_of(path, canary=True)]
    sent = b" ".join(part.body for run in hidden for part in posted(run))
    assert CANARY.encode() not in sent


def test_the_marker_would_be_found() -> None:
    runs = runs_of(named("official_openai_v2_legacy_content__multi_turn"), canary=True)
    assert CANARY.encode() in b" ".join(part.body for run in runs for part in posted(run))
