"""A language model of the tests' own: OpenAI's chat, responses and embeddings, as far as used here.

Asked with tools it calls each of them once, and once it has their results it answers, through the
tool ``final_answer`` if it was given one. Every answer costs the same tokens, so that any other
number on a run is somebody's own arithmetic. The model ``gpt-broke`` always refuses for want of
money.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from flask import Flask, Response, jsonify, request
from instrumented.script import (
    ANSWER,
    ARGUMENTS,
    CACHED,
    INPUT,
    OUTPUT,
    QUOTA,
    REASONING,
    THOUGHT,
)

Json: TypeAlias = Any

VECTOR: Final = [0.6, 0.8, 0.0]

app = Flask("fake-model")


@app.post("/v1/chat/completions")
def chat() -> Response | tuple[Response, int]:
    asked = request.get_json()
    if asked["model"] == "gpt-broke":
        return jsonify(error={"message": QUOTA, "code": "insufficient_quota"}), 429
    completion = _completion(asked)
    if asked.get("stream"):
        return Response(_chunks(completion, asked), mimetype="text/event-stream")
    return jsonify(completion)


@app.post("/v1/responses")
def responses() -> Response:
    asked = request.get_json()
    items = asked["input"] if isinstance(asked["input"], list) else []
    answered = any(item.get("type") == "function_call_output" for item in items)
    thought = {"type": "summary_text", "text": THOUGHT}
    number = _number(asked)
    return jsonify(
        id=f"resp_{number}",
        object="response",
        created_at=1_795_000_000,
        model=f"{asked['model']}-2025-08-07",
        status="completed",
        output=[
            {"type": "reasoning", "id": f"rs_{number}", "summary": [thought]},
            *_items(asked.get("tools", []), answered),
        ],
        usage={
            "input_tokens": INPUT,
            "input_tokens_details": {"cached_tokens": CACHED},
            "output_tokens": OUTPUT,
            "output_tokens_details": {"reasoning_tokens": REASONING},
            "total_tokens": INPUT + OUTPUT,
        },
        instructions=asked.get("instructions"),
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=asked.get("tools", []),
        service_tier="default",
    )


@app.post("/v1/embeddings")
def embeddings() -> Response:
    asked = request.get_json()
    texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    vectors = [
        {"object": "embedding", "index": index, "embedding": VECTOR} for index in range(len(texts))
    ]
    usage = {"prompt_tokens": INPUT, "total_tokens": INPUT}
    return jsonify(object="list", model=asked["model"], data=vectors, usage=usage)


def _completion(asked: Json) -> Json:
    answered = any(message["role"] == "assistant" for message in asked["messages"])
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": given}}
        for name, given in _calls([tool["function"] for tool in asked.get("tools", [])], answered)
    ]
    message = {"role": "assistant", "content": None if calls else ANSWER}
    return {
        "id": f"chatcmpl-{_number(asked)}",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": f"{asked['model']}-2025-08-07",
        "system_fingerprint": "fp_tests",
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "message": {**message, "tool_calls": calls} if calls else message,
                "finish_reason": "tool_calls" if calls else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": INPUT,
            "completion_tokens": OUTPUT,
            "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": REASONING, "audio_tokens": 0},
        },
    }


def _items(tools: Json, answered: bool) -> list[Json]:
    """What a response holds after its reasoning."""
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{name}",
            "call_id": f"call_{name}",
            "name": name,
            "arguments": given,
            "status": "completed",
        }
        for name, given in _calls(tools, answered)
    ]
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return calls or [{**said, "content": [text]}]


def _calls(functions: Json, answered: bool) -> Iterator[tuple[str, str]]:
    """The tools to call now, with their arguments as JSON."""
    for function in functions:
        if (function["name"] == "final_answer") == answered:
            properties = function["parameters"]["properties"]
            yield function["name"], json.dumps({name: ARGUMENTS[name] for name in properties})


def _number(asked: Json) -> str:
    """As unique as the request, and the same in every run of the tests."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _chunks(completion: Json, asked: Json) -> Iterator[str]:
    """The completion word by word, then its usage if that was asked for, as OpenAI streams it."""
    shared = {**completion, "object": "chat.completion.chunk"}
    usage = shared.pop("usage")
    [choice] = shared.pop("choices")
    for delta in _deltas(choice["message"]):
        yield _event({**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield _event({**shared, "choices": [last]})
    if asked.get("stream_options", {}).get("include_usage"):
        yield _event({**shared, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _deltas(message: Json) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    for word in re.findall(r"\S+\s*", message["content"] or ""):
        yield {"content": word}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{"index": index, **call}]}


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"
