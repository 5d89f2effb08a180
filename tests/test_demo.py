"""The demo: its model and its service on their own, then the whole of it as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("flask")
pytest.importorskip("openai")
pytest.importorskip("rich")
pytest.importorskip("starlette")
pytest.importorskip("opentelemetry.instrumentation.flask")
pytest.importorskip("opentelemetry.instrumentation.genai.openai")
pytest.importorskip("opentelemetry.instrumentation.requests")

import openai
import requests

from otel_langsmith.commands.database import default_database
from otel_langsmith.demo import agent, fake_model, program, service
from otel_langsmith.demo.serving import serving

pytestmark = pytest.mark.programs

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = [sys.executable, "-m", "otel_langsmith.cli", "demo"]

# What the developer of the day has set must not change what the demo shows.
ENVIRON = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("LANGCHAIN_", "LANGSMITH_", "OTEL_"))
}

MESSAGES: list[Any] = [{"role": "user", "content": "Where is order 77?"}]
TOOK = r"[\d.]+ m?s"
USAGE_AND_ALL: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    with (
        serving(fake_model.app) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_the_model_asks_for_every_tool_then_answers(model: Any) -> None:
    tools: Any = agent.TOOL_DEFINITIONS
    first = model.chat.completions.create(model="m", messages=MESSAGES, tools=tools)
    calls = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in calls] == list(agent.TOOLS)
    assert {call.function.arguments for call in calls} == {'{"order_id": "77"}'}
    results = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in calls]
    asked = [*MESSAGES, first.choices[0].message.model_dump(exclude_none=True), *results]
    second = model.chat.completions.create(model="m", messages=asked, tools=tools)
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content == fake_model.ANSWER


def test_the_model_counts_tokens_as_openai_does(model: Any) -> None:
    """Totals are sums, and contain what was cached and what was thought."""
    longer = [*MESSAGES * 40, {"role": "assistant", "content": "There."}, *MESSAGES]
    first, later = (
        model.chat.completions.create(model="m", messages=asked).usage
        for asked in (MESSAGES, longer)
    )
    for usage in (first, later):
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens
    assert first.prompt_tokens_details.cached_tokens == 0
    assert 0 < later.prompt_tokens_details.cached_tokens < later.prompt_tokens


def test_the_same_question_gets_the_same_answer(model: Any) -> None:
    once, again = (model.chat.completions.create(model="m", messages=MESSAGES) for _ in range(2))
    assert once.model_dump() == again.model_dump()


def test_a_stream_adds_up_to_the_answer(model: Any) -> None:
    whole = model.chat.completions.create(model="m", messages=MESSAGES)
    chunks = list(model.chat.completions.create(model="m", messages=MESSAGES, **USAGE_AND_ALL))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage


def test_texts_that_share_words_lie_close(model: Any) -> None:
    made = model.embeddings.create(model="e", input=["two", program.QUESTION])
    assert made.usage.total_tokens > 0
    ranked = [name for _, name in service.rank(made.data[1].embedding)]
    assert set(ranked[:2]) == {"returns", "refunds"}


def test_the_answer_rests_on_what_was_found() -> None:
    assert set(re.findall(r"\[([\w-]+)\]", fake_model.ANSWER)) <= set(service.DOCUMENTS)


@pytest.fixture(scope="module")
def output() -> str:
    """What ``otel-langsmith demo`` prints where every proxy is dead."""
    environ = {**ENVIRON, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        DEMO, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        r"Trace 1 of 1  10 runs, [\d,]{3,} tokens",
        r"chain +(\S+ )?shop-assistant +TOOK",
        r"├── +embedding +\S.*text-embedding-3-small +TOOK +\d+ tokens",
        r"├── +retriever +\S.*shop-documents +TOOK",
        r"│   └── +chain +POST 127\.0\.0\.1 +TOOK",
        r"├── +llm +chat gpt-5-mini +TOOK +\d+→\d+ tokens \(64 reasoning\)",
        r"├── +tool +(\S+ )?find_order +TOOK",
        r"├── +tool +(\S+ )?refund_status +TOOK",
        r"│   ✗ TimeoutError.*payment provider did not answer",
        r"└── +llm +chat gpt-5-mini +TOOK +\d+→\d+ tokens \(192 cached, 128 reasoning\)",
        r"│       └── +chain +POST /search +TOOK",
        r"│           └── +chain +rank documents +TOOK",
        r"Ledger: 10 spans received = 10 delivered",
    ],
)
def test_the_demo_shows_a_run_for_every_span(output: str, line: str) -> None:
    assert re.search(f"^ *{line.replace('TOOK', TOOK)}", output, re.MULTILINE), output


def test_the_demo_leaves_nothing_behind(output: str) -> None:
    """Its runs are in memory: the file that serve and show share is for the user's own."""
    assert "otel-langsmith demo --keep" in output
    assert str(default_database()) not in output


def test_the_demo_keeps_its_page_open_until_interrupted() -> None:
    with subprocess.Popen(
        [*DEMO, "--keep"], env=ENVIRON, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            seen = "".join(_until(running, "Ctrl-C"))
            pages = re.findall(r"^(?:All traces: )?(http://127\.0\.0\.1:\S+)", seen, re.MULTILINE)
            assert len(pages) == 2
            for page in pages:
                assert requests.get(page, timeout=30).status_code == 200
        finally:
            running.send_signal(2)
        assert running.wait(timeout=60) == 0


def _until(running: subprocess.Popen[str], text: str) -> Iterator[str]:
    for line in running.stdout or ():
        yield line
        if text in line:
            return


def test_a_demo_without_runs_fails_and_says_why() -> None:
    environ = {**ENVIRON, "OTEL_SDK_DISABLED": "true"}
    done = subprocess.run(
        DEMO, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 1
    assert "no span reached the exporter" in done.stderr
    assert "OTEL_SDK_DISABLED" in done.stderr
