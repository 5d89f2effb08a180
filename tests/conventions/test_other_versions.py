"""Versions of which we have no captures: what becomes of spans written by hand from genai.md.

That fact sheet tells what these versions write; nobody has compared it with their spans here.
"""

import json
from typing import Any, NamedTuple

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import root
from otel_langsmith.run import Run
from otel_langsmith.translate import translate


class Case(NamedTuple):
    scope: str
    attributes: dict[str, Any]
    run_type: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    name: str = "span"
    usage: dict[str, Any] | None = None


def text(role: str, *words: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": word} for word in words]}


def call(**args: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": "c1", "name": "weather", "args": args}


DETAILS = "gen_ai.client.inference.operation.details"
CALLED = {"type": "tool_call", "name": "weather", "id": "c1", "arguments": {"city": "Rome"}}
ANSWERED = {"type": "tool_call_response", "id": "c1", "response": [{"text": "21C"}]}

CASES = {
    "ADK 1.x, a model's call": Case(
        scope="gcp.vertex.agent",
        attributes={
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gcp.vertex.agent.llm_request": json.dumps(
                {
                    "model": "gemini-2.5-flash",
                    "config": {"system_instruction": "Be terse", "temperature": 0.5},
                    "contents": [{"role": "user", "parts": [{"text": "Capital?"}]}],
                }
            ),
            "gcp.vertex.agent.llm_response": json.dumps(
                {
                    "content": {"role": "model", "parts": [{"text": "Paris."}]},
                    "usage_metadata": {
                        "prompt_token_count": 120,
                        "candidates_token_count": 19,
                        "thoughts_token_count": 11,
                        "cached_content_token_count": 64,
                        "total_token_count": 150,
                    },
                }
            ),
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 19,
        },
        run_type="llm",
        inputs={"messages": [text("system", "Be terse"), text("user", "Capital?")]},
        outputs={"messages": [text("assistant", "Paris.")]},
        usage={
            "input_tokens": 120,
            "output_tokens": 30,
            "total_tokens": 150,
            "input_token_details": {"cache_read": 64},
            "output_token_details": {"reasoning": 11},
        },
    ),
    "ADK 1.x, a tool": Case(
        scope="gcp.vertex.agent",
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "<not specified>",
            "gcp.vertex.agent.llm_request": "{}",
            "gcp.vertex.agent.llm_response": "{}",
            "gcp.vertex.agent.tool_call_args": '{"city": "Rome"}',
            "gcp.vertex.agent.tool_response": '{"result": "21C"}',
        },
        run_type="tool",
        name="weather",
        inputs={"city": "Rome"},
        outputs={"result": "21C"},
    ),
    "Strands in the latest words, a tool": Case(
        scope="strands.telemetry.tracer",
        attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
        events=(
            (DETAILS, {"gen_ai.input.messages": json.dumps([{"role": "tool", "parts": [CALLED]}])}),
            (
                DETAILS,
                {"gen_ai.output.messages": json.dumps([{"role": "tool", "parts": [ANSWERED]}])},
            ),
        ),
        run_type="tool",
        name="weather",
        inputs={"city": "Rome"},
        outputs={"output": "21C"},
    ),
    "Strands, before there were system events": Case(
        scope="strands.telemetry.tracer",
        attributes={"gen_ai.operation.name": "invoke_agent", "system_prompt": "Be terse"},
        events=(
            ("gen_ai.user.message", {"content": '[{"text": "Capital?"}]'}),
            ("gen_ai.choice", {"message": "Paris."}),
        ),
        run_type="chain",
        inputs={"messages": [text("system", "Be terse"), text("user", "Capital?")]},
        outputs={"messages": [text("assistant", "Paris.")]},
    ),
    "AI SDK 4, a model's call": Case(
        scope="ai",
        attributes={
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-sonnet-4",
            "ai.prompt.messages": json.dumps(
                [
                    {"role": "user", "content": [{"type": "text", "text": "Rome?"}]},
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "type": "tool-call",
                                "toolCallId": "c1",
                                "toolName": "weather",
                                "args": {"city": "Rome"},
                            }
                        ],
                    },
                    {
                        "role": "tool",
                        "content": [
                            {
                                "type": "tool-result",
                                "toolCallId": "c1",
                                "toolName": "weather",
                                "output": {"type": "error-text", "value": "no such city"},
                            }
                        ],
                    },
                ]
            ),
            "ai.response.text": "Again.",
            "ai.response.toolCalls": json.dumps(
                [
                    {
                        "toolCallType": "function",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "args": '{"city":"Roma"}',
                    }
                ]
            ),
            "ai.usage.promptTokens": 7,
            "ai.usage.completionTokens": 3,
        },
        run_type="llm",
        inputs={
            "messages": [
                text("user", "Rome?"),
                {"role": "assistant", "content": [call(city="Rome")]},
                {
                    **text("tool", "no such city"),
                    "tool_call_id": "c1",
                    "name": "weather",
                    "status": "error",
                },
            ]
        },
        outputs={
            "messages": [
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "Again."}, call(city="Roma")],
                }
            ]
        },
        usage={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    ),
    "AI SDK, embeddings": Case(
        scope="ai",
        attributes={
            "ai.operationId": "ai.embedMany.doEmbed",
            "ai.model.id": "text-embedding-3-small",
            "ai.values": ('"one"', '"two"'),
            "ai.embeddings": ("[0.1,0.2,0.3]", "[0.4,0.5,0.6]"),
            "ai.usage.tokens": 5,
        },
        run_type="embedding",
        inputs={"input": ["one", "two"]},
        outputs={"count": 2, "dimensions": 3},
        usage={"input_tokens": 5, "output_tokens": 0, "total_tokens": 5},
    ),
    "Logfire, an older stream": Case(
        scope="logfire.openai",
        attributes={
            "logfire.msg_template": "streaming response from {request_data[model]!r}",
            "logfire.msg": "streaming response from 'gpt-4o'",
            "gen_ai.operation.name": "chat",
            "request_data": json.dumps(
                {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital?"}]}
            ),
            "response_data": json.dumps({"combined_chunk_content": "Paris.", "chunk_count": 2}),
        },
        run_type="llm",
        name="streaming response from 'gpt-4o'",
        inputs={"messages": [text("user", "Capital?")]},
        outputs={"messages": [text("assistant", "Paris.")]},
    ),
    "Logfire, a tool of OpenAI's agents": Case(
        scope="logfire.openai_agents",
        attributes={
            "logfire.msg_template": "Function: {name}",
            "logfire.msg": "Function: weather",
            "name": "weather",
            "input": '{"city": "Rome"}',
            "output": "21C",
        },
        run_type="tool",
        name="Function: weather",
        inputs={"city": "Rome"},
        outputs={"output": "21C"},
    ),
    "vLLM, which serves a model": Case(
        scope="vllm.llm_engine",
        attributes={
            "gen_ai.response.model": "Qwen/Qwen3-8B",
            "gen_ai.request.id": "chatcmpl-1",
            "gen_ai.request.n": 1,
            "gen_ai.usage.prompt_tokens": 7,
            "gen_ai.usage.completion_tokens": 3,
            "gen_ai.latency.time_to_first_token": 0.2,
        },
        run_type="llm",
        inputs={},
        outputs={},
        usage={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    ),
    "LiveKit, before it marked what is private": Case(
        scope="livekit-agents",
        attributes={
            "lk.instructions": "Be terse",
            "lk.chat_ctx": json.dumps(
                {"items": [{"type": "message", "role": "user", "content": ["Capital?"]}]}
            ),
            "lk.response.text": "Paris.",
        },
        run_type="chain",
        inputs={"messages": [text("system", "Be terse"), text("user", "Capital?")]},
        outputs={"messages": [text("assistant", "Paris.")]},
    ),
    "AG2, who asks a human": Case(
        scope="opentelemetry.instrumentation.ag2",
        attributes={
            "ag2.span.type": "human_input",
            "gen_ai.operation.name": "await_human_input",
            "ag2.human_input.prompt": "Which city?",
            "ag2.human_input.response": "Rome",
        },
        run_type="chain",
        inputs={"input": "Which city?"},
        outputs={"output": "Rome"},
    ),
    "Langtrace, of a vector database": Case(
        scope="langtrace_python_sdk.instrumentation.chroma.instrumentation",
        attributes={
            "langtrace.service.type": "vectordb",
            "db.system": "chromadb",
            "db.operation": "query",
            "db.query": json.dumps({"query_texts": ["Rome?"], "n_results": 1}),
        },
        events=(
            ("db.chroma.query.result", {"id": "d1", "distance": 0.5, "document": "Rome is warm."}),
        ),
        run_type="retriever",
        inputs={"query_texts": ["Rome?"], "n_results": 1},
        outputs={
            "documents": [
                {
                    "page_content": "Rome is warm.",
                    "type": "Document",
                    "metadata": {"id": "d1", "distance": 0.5},
                }
            ]
        },
    ),
    "Prompt flow, a prompt that was filled in": Case(
        scope="promptflow",
        attributes={
            "span_type": "Function",
            "prompt.template": "Capital of {{country}}?",
            "prompt.variables": '{"country": "France"}',
            "output": '"Capital of France?"',
        },
        run_type="chain",
        inputs={"country": "France"},
        outputs={"output": "Capital of France?"},
    ),
    "NeMo Guardrails, a rail that says no": Case(
        scope="nemo_guardrails",
        attributes={
            "rail.type": "input",
            "guardrails.rail.input": '{"text": "Hi"}',
            "guardrails.rail.reason": "rude",
        },
        run_type="chain",
        inputs={"text": "Hi"},
        outputs={"output": "rude"},
    ),
    "OpenLIT, a function that gave a dict, which OpenTelemetry's SDK takes as of 1.43": Case(
        "openlit",
        {
            "gen_ai.output.messages": {"answer": "21"},
            "function.args": "('How warm is Paris?',)",
            "function.kwargs": "{}",
        },
        "chain",
        {"args": ["How warm is Paris?"], "kwargs": {}},
        {"answer": "21"},
    ),
    "an embedding with words of NeMo and traceAI": Case(
        scope="app",
        attributes={
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "e",
            "gen_ai.request.parameters": "{}",
            "gen_ai.response.model": "e-2",
            "llm.cache.hit": False,
        },
        run_type="embedding",
        inputs={},
        outputs={},
    ),
    "Pydantic AI, a request that failed": Case(
        scope="pydantic-ai",
        attributes={
            "gen_ai.operation.name": "chat",
            "model_request_parameters": json.dumps(
                {"function_tools": [], "instruction_parts": [{"content": "Be terse"}]}
            ),
        },
        run_type="llm",
        inputs={"messages": [text("system", "Be terse")]},
        outputs={},
    ),
}


def run_of(case: Case) -> Run:
    span = ReadableSpan(
        name="span",
        context=SpanContext(1, 2, is_remote=False),
        attributes=case.attributes,
        events=[Event(name, held, 1) for name, held in case.events],
        start_time=1,
        end_time=2,
        instrumentation_scope=InstrumentationScope(case.scope),
    )
    return translate(span, root(run_id_of(2), 1))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_they_write_becomes(case: Case) -> None:
    run = run_of(case)
    assert (run.name, run.run_type) == (case.name, case.run_type)
    assert (run.inputs, run.outputs or {}) == (case.inputs, case.outputs)
    assert run.metadata.get("usage_metadata") == case.usage
    assert not run.notes


def test_what_is_content_is_nowhere_else() -> None:
    """Hiding reaches what is in inputs and outputs, and not what is metadata."""
    run = run_of(CASES["Prompt flow, a prompt that was filled in"])
    assert not run.metadata.keys() & {"prompt.template", "prompt.variables"}


def test_the_model_that_answered_is_the_one_that_says_so() -> None:
    run = run_of(CASES["an embedding with words of NeMo and traceAI"])
    assert run.metadata["ls_response_model"] == "e-2"
