"""What it costs to translate a span, beside what ``orjson.dumps`` of the same run costs.

python bench/translation.py [--seconds 1]

Goals, at the median on an idle core: 40 µs for a model's span with 4 KB of messages, 8 µs for a
plain one. Every call gets a span whose texts are its own, so that nothing is cached between them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from otel_langsmith import lineage
from otel_langsmith.identity import run_id_of
from otel_langsmith.run import Run
from otel_langsmith.translate import translate

START = 1_795_246_915_312_327_139
RESOURCE = Resource(
    {
        "service.name": "bench",
        "service.version": "1.2.3",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
    }
)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
WORDS = "What is the weather in Paris, and what should I wear there tomorrow? "


def gen_ai(number: int) -> dict[str, Any]:
    """A chat with a tool call and its answer, 4 KB of messages in all."""
    text = f"{number} " + WORDS * 8
    call = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "P"}}
    told = [
        {"role": "user", "parts": [{"type": "text", "content": text}]},
        {"role": "assistant", "parts": [{"type": "text", "content": text}, call]},
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": text}],
        },
        {"role": "user", "parts": [{"type": "text", "content": text}]},
    ]
    answered = [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": text * 2}],
            "finish_reason": "stop",
        }
    ]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{number}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.reasoning.output_tokens": 11,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]',
        "gen_ai.input.messages": json.dumps(told),
        "gen_ai.output.messages": json.dumps(answered),
        "gen_ai.tool.definitions": json.dumps([TOOL]),
    }


def openinference(number: int) -> dict[str, Any]:
    """The same, flattened, beside the raw request and response."""
    text = f"{number} " + WORDS * 7
    told = [{"role": role, "content": text} for role in ("system", "user", "assistant", "user")]
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    attributes: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o-mini-2024-07-18",
        "llm.invocation_parameters": '{"model":"gpt-4o-mini","temperature":0.2}',
        "llm.token_count.prompt": 120,
        "llm.token_count.completion": 30,
        "llm.token_count.total": 150,
        "llm.token_count.prompt_details.cache_read": 64,
        "input.mime_type": "application/json",
        "input.value": json.dumps({"messages": told, "model": "gpt-4o-mini"}),
        "output.mime_type": "application/json",
        "output.value": json.dumps({"id": f"chatcmpl-{number}", "choices": [choice]}),
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": text,
    }
    for index, message in enumerate(told):
        attributes[f"llm.input_messages.{index}.message.role"] = message["role"]
        attributes[f"llm.input_messages.{index}.message.content"] = message["content"]
    return attributes


def flattened(number: int) -> dict[str, Any]:
    """The same without the raw request and response."""
    whole = openinference(number)
    return {key: value for key, value in whole.items() if not key.endswith((".value", "_type"))}


def http(number: int) -> dict[str, Any]:
    """A request as an HTTP server tells of it."""
    return {
        "http.request.method": "GET",
        "url.path": f"/things/{number}",
        "url.scheme": "https",
        "http.route": "/things/{id}",
        "server.address": "example.com",
        "http.response.status_code": 200,
    }


def bare(number: int) -> dict[str, Any]:
    """A span of somebody's own."""
    return {"thing.number": number, "thing.kind": "small"}


def span(name: str, attributes: dict[str, Any], span_id: int, kind: SpanKind) -> ReadableSpan:
    """A finished span, as the SDK hands it over."""
    return ReadableSpan(
        name=name,
        context=SpanContext(0xAB, span_id, is_remote=False, trace_flags=TraceFlags(1)),
        resource=RESOURCE,
        attributes=BoundedAttributes(attributes=attributes),
        instrumentation_scope=SCOPE,
        kind=kind,
        status=Status(StatusCode.UNSET),
        start_time=START,
        end_time=START + 10_000_000,
    )


SCOPE = InstrumentationScope("bench", "1.0")


def times(call: Callable[[Any], object], things: list[Any], seconds: float) -> Iterator[float]:
    """Microseconds of each call, over all of the things, for so long."""
    clock = time.perf_counter_ns
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for thing in things:
            begun = clock()
            call(thing)
            yield (clock() - begun) / 1000


def as_json(run: Run) -> bytes:
    """The parts of a run that translation makes, as JSON."""
    return orjson.dumps(
        (run.inputs, run.outputs, run.metadata, run.invocation_params, run.events, run.name)
    )


def main() -> None:
    """Print a line for each kind of span."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    seconds = parser.parse_args().seconds
    line = lineage.root(run_id_of(0xCD), START)
    print(f"{'span':28} {'translate':>10} {'dumps':>8} {'ratio':>6} {'goal':>6}   µs, median")
    for title, make, goal, kind in (
        ("chat, gen_ai, 4 KB", gen_ai, 40, SpanKind.CLIENT),
        ("chat, openinference, 4 KB", openinference, 40, SpanKind.INTERNAL),
        ("the same, flattened alone", flattened, 40, SpanKind.INTERNAL),
        ("http server", http, 8, SpanKind.SERVER),
        ("plain", bare, 8, SpanKind.INTERNAL),
    ):
        spans = [span("span", make(number), 0xCD, kind) for number in range(200)]
        runs = [translate(one, line) for one in spans]
        cost = statistics.median(times(lambda one: translate(one, line), spans, seconds))
        dumps = statistics.median(times(as_json, runs, seconds))
        print(f"{title:28} {cost:10.1f} {dumps:8.1f} {cost / dumps:6.1f} {goal:6}")


if __name__ == "__main__":
    main()
