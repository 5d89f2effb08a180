"""What would hurt: cut, endless, cyclic and huge attributes. The run goes out with what is there.

The bounds on time are a hundred times what it takes: only what grows with the square of its input
comes near them.
"""

import json
import tracemalloc
from collections.abc import Mapping
from time import thread_time
from typing import Any

import pytest
from support.captures import load, named
from support.posts import posted
from unit.test_properties import run_of

from otel_langsmith.redact import REDACTION_FAILED, Guard, Hiding, secrets
from otel_langsmith.run import Run
from otel_langsmith.translate import UNTRANSLATED

MANY = 100_000
LARGE = 10 * 2**20
PATIENCE_S = 40

CUT = {
    "oi_openai__parallel_tools": "input.value",
    "oi_openai__responses_tools": "output.value",
    "oi_anthropic__tool_round": "input.value",
    "official_genai_openai_span_only__responses_tools": "gen_ai.input.messages",
    "traceloop_langchain__agent": "traceloop.entity.output",
    "litellm_otel__tool_round": "llm.openai.choices",
    "vercel_ai__tools": "ai.prompt.messages",
}


def dumped(run: Run) -> str:
    return b" ".join(part.body for part in posted(run)).decode()


@pytest.mark.large
@pytest.mark.parametrize("name", CUT)
def test_what_was_cut_anywhere_is_still_there(name: str) -> None:
    span = next(one for one in load(named(name)) if CUT[name] in (one.attributes or {}))
    whole = {**(span.attributes or {})}
    text = str(whole[CUT[name]])
    scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
    for end in range(1, len(text), max(1, len(text) // 700)):
        run = run_of(scope, {**whole, CUT[name]: text[:end]}, [])
        assert UNTRANSLATED not in run.notes
        hidden = dumped(Guard(Hiding(inputs=True, outputs=True))(run))
        assert len(hidden) < len(dumped(run))
    alone = {CUT[name]: text[: len(text) // 2], "openinference.span.kind": "LLM"}
    assert "Paris" not in text[: len(text) // 2] or "Paris" in dumped(run_of(scope, alone, []))


def chat(*messages: Any) -> dict[str, Any]:
    return {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(messages)}


def calls(count: int) -> list[dict[str, Any]]:
    return [{"type": "tool_use", "id": str(one), "name": "f", "input": {}} for one in range(count)]


def results(count: int) -> list[dict[str, Any]]:
    return [{"type": "tool_call_response", "id": str(one), "response": "x"} for one in range(count)]


def response(*items: Any) -> dict[str, Any]:
    return {"openinference.span.kind": "LLM", "output.value": json.dumps({"output": items})}


TEXT = {"type": "text", "content": "hi"}
HOSTILE: Mapping[str, dict[str, Any]] = {
    "parts": chat({"role": "user", "parts": [TEXT] * MANY}),
    "messages": chat(*[{"role": "user", "parts": [TEXT]}] * MANY),
    "calls in two places": chat(
        {"role": "assistant", "content": calls(MANY // 4), "tool_calls": calls(MANY // 4)}
    ),
    "texts like calls": chat(
        {
            "role": "assistant",
            "content": [{"type": "text", "text": '{"type":"tool_use","id":"z"}'}] * (MANY // 4)
            + calls(MANY // 4),
        }
    ),
    "results in reverse": chat(
        {"role": "assistant", "content": calls(MANY // 4)},
        *[{"role": "tool", "parts": [one]} for one in reversed(results(MANY // 4))],
    ),
    "items of a response": response(
        *[{"type": "reasoning", "summary": [{"text": "x"}]}] * (MANY // 4)
    ),
    "calls of a response": response(*[{"type": "function_call", "call_id": "1"}] * (MANY // 4)),
    "text": {"gen_ai.input.messages": "x " * (LARGE // 2)},
    "cut JSON": {"gen_ai.input.messages": '[{"role":"user","parts":[{"content":"' + "x" * LARGE},
    "open brackets": {"gen_ai.input.messages": "[" * LARGE},
    "long integers": {"gen_ai.input.messages": f"[{','.join(['1' * 20] * MANY)}]"},
    "one long integer": {"gen_ai.input.messages": f"[{'1' * MANY}]"},
    "repr": {"llm.openai.messages": "[" + "{'a': 1}, " * MANY + "]"},
    "numbers of messages": {
        f"gen_ai.prompt.{10**9 - one}.content": "x" for one in range(MANY // 4)
    },
    "dots": {"llm.input_messages.0." + "a." * MANY: "x"},
    "parameters of a URL": {"url.full": "http://h/?" + "a=b&" * MANY + "token"},
    "users of a URL": {"url.full": "//" * MANY + "a:" * MANY + "token=@"},
    "fragments of a URL": {"url.full": "http://h/token=" + "?#" * MANY},
    "passwords": {"db.statement": "password '" * MANY},
    "blanks after a password": {"db.statement": "identified by " * MANY + "password" + " " * MANY},
    "headers": {f"http.request.header.x{one}": ("a",) for one in range(MANY // 10)},
    "tags": {"langsmith.span.tags": "a," * MANY},
    "logged events": {"events": json.dumps([{"event.name": "gen_ai.user.message"}] * (MANY // 4))},
}
SCOPES = {"repr": "litellm", "logged events": "logfire"}


@pytest.mark.large
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_size_and_not_with_its_square(name: str) -> None:
    began_s = thread_time()
    run = run_of(SCOPES.get(name, "x"), HOSTILE[name], [])
    dumped(run)
    Guard(Hiding(inputs=True, outputs=True))(run)
    assert thread_time() - began_s < PATIENCE_S
    assert UNTRANSLATED not in run.notes


@pytest.mark.parametrize("name", ["text", "cut JSON", "open brackets"])
def test_large_attributes_are_not_copied_around(name: str) -> None:
    tracemalloc.start()
    try:
        run_of("x", HOSTILE[name], [])
        assert tracemalloc.get_traced_memory()[1] < 16 * LARGE  # orjson takes twelve
    finally:
        tracemalloc.stop()


def test_what_contains_itself_is_told_as_far_as_it_goes() -> None:
    part: dict[str, Any] = {"role": "user", "content": "hello"}
    part["parts"] = [part]
    listed: list[Any] = []
    listed.append(listed)
    run = run_of("x", {"gen_ai.input.messages": [part], "mine": listed, "other": {"a": part}}, [])
    assert "other" in dumped(run)
    for guard in (Guard(Hiding(inputs=True, outputs=True)), Guard(redact=secrets)):
        hidden = guard(run)
        assert "hello" not in dumped(hidden) or REDACTION_FAILED not in hidden.notes
