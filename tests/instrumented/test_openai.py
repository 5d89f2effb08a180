"""One program that uses OpenAI's package, under three instrumentations: one set of runs.

What LangSmith shows must not depend on who traced a call, only on what they recorded of it. Each
exception in the tables below is something that an instrumentation does not write down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from instrumented.script import ANSWER, QUOTA, THOUGHT, USAGE
from support.programs import Traced, needs, span_of

needs(
    "flask",
    "openai",
    "openinference.instrumentation.openai",
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.openai",
    "uvicorn",
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_langsmith.receiver import StoredRun

DIALECTS = ("openinference", "official", "traceloop")


under = pytest.mark.parametrize("dialect", DIALECTS)
"""Once under each instrumentation."""


@pytest.fixture
def calls(dialect: str, traced: Callable[..., Traced]) -> list[StoredRun]:
    """The six calls of the program, in its order."""
    return calls_of(traced(f"openai_{dialect}"))


def calls_of(tree: Traced) -> list[StoredRun]:
    return [run for run in tree.runs if span_of(run) not in {"trip", "look up"}]


def test_content_that_is_logged_is_that_of_the_span(traced: Callable[..., Traced]) -> None:
    """OpenTelemetry's own instrumentation can write it to either."""
    logged = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "event_only"}
    ours, theirs = (
        [(run.name, run.inputs, run.outputs, run.extra["metadata"].keys()) for run in tree.runs]
        for tree in (traced("openai_official", **logged), traced("openai_official"))
    )
    assert ours == theirs


# ── What was said ────────────────────────────────────────────────────────────────────────────────


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(name: str, call_id: str | None = None, **args: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id or f"call_{name}", "name": name, "args": args}


def result(name: str, words: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{name}", "content": [text(words)]}


SYSTEM = {"role": "system", "content": [text("Use the tools.")]}
PICTURE = {"type": "image", "url": "http://127.0.0.1/eiffel.png"}
QUESTION = {"role": "user", "content": [text("How warm is it here?"), PICTURE]}
WEATHER = call("get_weather", city="Paris", unit="celsius")
CALLS = {"role": "assistant", "content": [WEATHER, call("get_time", city="Paris")]}
RESULTS = [result("get_weather", "21 degrees"), result("get_time", "12:00")]
HARDER = {"role": "user", "content": [text("How warm is it in Paris?")]}
REASONING = {"type": "reasoning", "text": THOUGHT}

# Traceloop takes an item's id for the call's, and forgets a thought once it is history.
CALL_OF = {"traceloop": {**WEATHER, "id": "fc_get_weather"}}
HISTORY_OF = {"traceloop": []}
# The official instrumentation leaves the summary of what was thought out of the answer.
THOUGHTS_OF = {"official": []}


def messages(content: Any) -> Any:
    """The messages without what one instrumentation knows of them and another does not."""
    return without(("extras", "name", "response_metadata"), (content or {}).get("messages", []))


def without(names: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, list):
        return [without(names, item) for item in value]
    if isinstance(value, dict) and "args" not in value:
        return {key: without(names, item) for key, item in value.items() if key not in names}
    return value


@under
def test_a_chat_says_what_the_model_was_told(calls: list[StoredRun]) -> None:
    assert messages(calls[0].inputs) == [SYSTEM, QUESTION]
    assert messages(calls[1].inputs) == [SYSTEM, QUESTION, CALLS, *RESULTS]


@under
def test_a_chat_says_what_the_model_answered(calls: list[StoredRun]) -> None:
    assert messages(calls[0].outputs) == [CALLS]
    assert messages(calls[1].outputs) == [{"role": "assistant", "content": [text(ANSWER)]}]


@under
def test_a_response_says_what_the_model_was_told(calls: list[StoredRun], dialect: str) -> None:
    """The call by the id that its result goes by, whatever the instrumentation says."""
    thought = HISTORY_OF.get(dialect, [REASONING])
    assert messages(calls[3].inputs) == [SYSTEM, HARDER]
    assert messages(calls[4].inputs) == [
        SYSTEM,
        HARDER,
        {"role": "assistant", "content": [*thought, WEATHER]},
        RESULTS[0],
    ]


@under
def test_a_response_says_what_the_model_answered(calls: list[StoredRun], dialect: str) -> None:
    called = CALL_OF.get(dialect, WEATHER)
    thought = THOUGHTS_OF.get(dialect, [REASONING])
    assert messages(calls[3].outputs) == [{"role": "assistant", "content": [*thought, called]}]
    assert messages(calls[4].outputs) == [
        {"role": "assistant", "content": [*thought, text(ANSWER)]}
    ]


@under
def test_an_embedding_shows_its_texts_and_no_vector(calls: list[StoredRun], dialect: str) -> None:
    """The official instrumentation records no texts, Traceloop nothing of the vectors."""
    run = calls[2]
    assert run.inputs == ({} if dialect == "official" else {"input": ["Paris", "Rome"]})
    if dialect == "openinference":
        assert run.outputs == {"count": 2, "dimensions": 3}
    stored = Traced([run]).text
    assert not [numbers for numbers in ("0.6, 0.8", "0.6,0.8") if numbers in stored]


@under
def test_what_was_said_is_nowhere_but_in_inputs_and_outputs(calls: list[StoredRun]) -> None:
    for run in calls:
        kept = str(run.metadata)
        assert not [words for words in ("How warm", ANSWER, "eiffel") if words in kept]


# ── What it was asked with, and what it cost ─────────────────────────────────────────────────────

# Traceloop does not count thoughts in a stream.
STREAMED_OF = {
    "traceloop": {name: n for name, n in USAGE.items() if name != "output_token_details"}
}


@under
def test_every_call_has_its_tokens_with_all_details(calls: list[StoredRun], dialect: str) -> None:
    for number in (0, 3, 4):
        assert calls[number].metadata.get("usage_metadata") == USAGE
    streamed = STREAMED_OF.get(dialect, USAGE)
    assert calls[1].metadata.get("usage_metadata") == streamed


@under
def test_an_embedding_costs_input_tokens_only(calls: list[StoredRun]) -> None:
    usage = {"input_tokens": 120, "output_tokens": 0, "total_tokens": 120}
    assert calls[2].metadata.get("usage_metadata") == usage


@under
def test_nothing_but_the_calls_has_a_cost(dialect: str, traced: Callable[..., Traced]) -> None:
    for run in traced(f"openai_{dialect}").of("trip", "look up"):
        assert run.usage is None


@under
def test_every_call_names_provider_and_model_as_the_price_table_does(
    calls: list[StoredRun],
) -> None:
    asked = ["gpt-4o-mini", "gpt-4o-mini", "text-embedding-3-small", *["gpt-5-mini"] * 2]
    for run, model in zip(calls, [*asked, "gpt-broke"], strict=True):
        assert run.metadata.get("ls_provider") == "openai"
        assert run.metadata.get("ls_model_name") == model
    for run in (calls[0], calls[1], calls[3], calls[4]):
        assert run.metadata.get("ls_model_type") == "chat"
        answered = f"{run.metadata['ls_model_name']}-2025-08-07"
        assert run.metadata.get("ls_response_model") == answered


@under
def test_a_call_shows_its_parameters(calls: list[StoredRun], dialect: str) -> None:
    params = calls[0].extra.get("invocation_params", {})
    wanted = {"model": "gpt-4o-mini", "temperature": 0.2, "max_tokens": 64, "stop": ["END"]}
    if dialect == "traceloop":
        del wanted["stop"]  # which it does not record
    assert {name: params.get(name) for name in wanted} == wanted
    stated = {f"ls_{name}": value for name, value in wanted.items() if name != "model"}
    assert {name: calls[0].metadata.get(name) for name in stated} == stated


@under
def test_a_call_shows_how_hard_the_model_had_to_think(calls: list[StoredRun], dialect: str) -> None:
    """The official instrumentation does not record it."""
    params = calls[3].extra.get("invocation_params", {})
    if dialect == "openinference":
        assert params.get("reasoning") == {"effort": "low"} or "reasoning_effort" in params
    elif dialect == "traceloop":
        assert params.get("reasoning_effort") == "low"


@under
def test_a_call_shows_the_tools_it_may_use(calls: list[StoredRun]) -> None:
    for number, names in ((0, ["get_weather", "get_time"]), (3, ["get_weather"])):
        tools = calls[number].extra.get("invocation_params", {}).get("tools", [])
        assert [tool["type"] for tool in tools] == ["function"] * len(names)
        assert [tool["function"]["name"] for tool in tools] == names
        assert tools[0]["function"]["description"] == "The weather of a city."
        assert set(tools[0]["function"]["parameters"]["properties"]) == {"city", "unit"}


@under
def test_a_chat_says_why_it_ended_in_one_word_of_ours(calls: list[StoredRun]) -> None:
    assert calls[0].metadata.get("finish_reasons") == ["tool_calls"]
    assert calls[1].metadata.get("finish_reasons") == ["stop"]


@under
def test_a_stream_has_one_first_token(calls: list[StoredRun]) -> None:
    names = [event["name"] for event in calls[1].events]
    assert names == ["new_token"]
    assert not calls[0].events


# ── What went wrong ──────────────────────────────────────────────────────────────────────────────


@under
def test_a_refused_call_has_failed_and_says_why(calls: list[StoredRun], dialect: str) -> None:
    failed = calls[5]
    assert [run.status for run in calls] == [*["success"] * 5, "error"]
    first, _, _ = (failed.error or "").partition("\n")
    assert first == f"openai.RateLimitError: Error code: 429 - {QUOTA}"
    assert ("Traceback" in (failed.error or "")) == (dialect != "official")
    assert not failed.outputs
    assert failed.usage is None


@under
def test_a_refused_call_still_shows_what_was_asked(calls: list[StoredRun]) -> None:
    asked = {"role": "user", "content": [text("Anyone there?")]}
    assert messages(calls[5].inputs) == [asked]


# ── What may be withheld ─────────────────────────────────────────────────────────────────────────


def test_content_that_was_not_captured_is_not_made_up(traced: Callable[..., Traced]) -> None:
    tree = traced("openai_official", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="")
    for run in calls_of(tree):
        assert (run.inputs or {}) == {}
        assert (run.outputs or {}) == {}
    assert calls_of(tree)[0].metadata["usage_metadata"] == USAGE


@under
def test_hidden_content_does_not_leave_the_process(
    dialect: str, traced: Callable[..., Traced]
) -> None:
    hidden = {"LANGSMITH_HIDE_INPUTS": "true", "LANGSMITH_HIDE_OUTPUTS": "true"}
    told = traced(f"openai_{dialect}", **hidden).text
    for words in ("Use the tools", "How warm", "eiffel", "get_time", "21 degrees", ANSWER, THOUGHT):
        assert words not in told


@pytest.fixture(autouse=True)
def _six_calls(request: pytest.FixtureRequest) -> None:
    """A program that made another number of calls would make the numbers above mean nothing."""
    if "calls" in request.fixturenames:
        assert len(request.getfixturevalue("calls")) == 6
