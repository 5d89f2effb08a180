"""A user's own code: what most people ask of OpenAI's package, and a span of their own around it.

Knows nothing of who traces the model calls.
"""

import contextlib
import json
from typing import Any

from openai import OpenAI, RateLimitError
from opentelemetry import trace

CHAT, REASONING, EMBEDDING = "gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city", "unit"],
    },
}
TIME: dict[str, Any] = {
    "name": "get_time",
    "description": "The time in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}

tracer = trace.get_tracer("trip")


def plan_a_trip() -> None:
    """Every call once: chat with tools, a stream, embeddings, responses, and one that fails."""
    model = OpenAI(max_retries=0)
    with tracer.start_as_current_span("trip"):
        chat(model)
        model.embeddings.create(model=EMBEDDING, input=["Paris", "Rome"])
        think(model)
        with contextlib.suppress(RateLimitError):
            model.chat.completions.create(
                model="gpt-broke", messages=[{"role": "user", "content": "Anyone there?"}]
            )


def chat(model: OpenAI) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Use the tools."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "How warm is it here?"},
                {"type": "image_url", "image_url": {"url": "http://127.0.0.1/eiffel.png"}},
            ],
        },
    ]
    tools: Any = [{"type": "function", "function": tool} for tool in (WEATHER, TIME)]
    completion = model.chat.completions.create(
        model=CHAT, messages=messages, tools=tools, temperature=0.2, max_tokens=64, stop=["END"]
    )
    message = completion.choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or ():
        with tracer.start_as_current_span("look up"):
            result = {"get_weather": "21 degrees", "get_time": "12:00"}[call.function.name]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    stream = model.chat.completions.create(
        model=CHAT,
        messages=messages,
        tools=tools,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        assert json.loads(chunk.model_dump_json())


def think(model: OpenAI) -> None:
    tools: Any = [{"type": "function", "strict": False, **WEATHER}]
    asked = {"role": "user", "content": "How warm is it in Paris?"}
    first = model.responses.create(
        model=REASONING,
        instructions="Use the tools.",
        input=[asked],
        tools=tools,
        reasoning={"effort": "low"},
    )
    result = {"type": "function_call_output", "call_id": "call_get_weather", "output": "21 degrees"}
    heard: Any = [asked, *(item.model_dump(exclude_none=True) for item in first.output), result]
    model.responses.create(model=REASONING, instructions="Use the tools.", input=heard, tools=tools)
