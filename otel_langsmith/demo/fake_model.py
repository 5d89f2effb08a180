"""A language model that needs no account: enough of OpenAI's HTTP API for the demo.

Asked with tools, it wants each of them once; given their results, it answers. The same request
always gets the same answer and the same token counts.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from flask import Flask, Response, jsonify, request

Json: TypeAlias = Any

ANSWER: Final = (
    "Yes. Your desk lamp was delivered 9 days ago, so you have 21 days left to send it back in its "
    "original packaging [returns]. I could not look up your refund because the payment provider "
    "did not answer; refunds are paid within five working days after the parcel reaches us "
    "[refunds]."
)

DIMENSIONS: Final = 64

# Made at import, before anything is instrumented: a model is elsewhere and shows no spans.
app = Flask("fake-model")


@app.post("/v1/chat/completions")
def chat() -> Response:
    """A chat completion: at once, or as server-sent events when ``stream`` is asked for."""
    asked = request.get_json()
    completion = complete(asked)
    # A millisecond a token: ten times as fast as a real model, slow enough to be seen in a tree.
    time.sleep(completion["usage"]["completion_tokens"] / 1000)
    if asked.get("stream"):
        return Response(_events(completion, asked), mimetype="text/event-stream")
    return jsonify(completion)


@app.post("/v1/embeddings")
def embeddings() -> Response:
    """One vector for each input text."""
    asked = request.get_json()
    texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
    tokens = sum(map(_tokens, texts))
    vectors = [
        {"object": "embedding", "index": index, "embedding": embed(text)}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return jsonify(object="list", model=asked["model"], data=vectors, usage=usage)


def embed(text: str) -> list[float]:
    """A unit vector in which texts that share words lie close: each word adds to one dimension."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w{4,}", text.lower()):
        digest = hashlib.sha256(word[:6].encode()).digest()
        vector[digest[0] % DIMENSIONS] += 1.0
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def complete(asked: Json) -> Json:
    """The ``chat.completion`` object for a request body."""
    messages, tools = asked["messages"], asked.get("tools", [])
    answered = any(message["role"] == "tool" for message in messages)
    message = _answer() if answered or not tools else _tool_calls(messages, tools)
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": f"{asked['model']}-2025-08-07",
        "system_fingerprint": "fp_demo",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
        ],
        "usage": _usage(messages, tools, message),
    }


def _answer() -> Json:
    return {"role": "assistant", "content": ANSWER}


def _tool_calls(messages: Json, tools: Json) -> Json:
    """A message that asks for every tool once, about the first number in the question."""
    order = re.search(r"\d+", messages[-1]["content"])
    arguments = json.dumps({"order_id": order.group() if order else "1042"})
    calls = [
        {
            "id": f"call_{number}_{tool['function']['name']}",
            "type": "function",
            "function": {"name": tool["function"]["name"], "arguments": arguments},
        }
        for number, tool in enumerate(tools, start=1)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _usage(messages: Json, tools: Json, message: Json) -> Json:
    """Token counts as OpenAI reports them.

    The prompt's include what was cached, the completion's what was thought.
    """
    prompt = _tokens(messages) + _tokens(tools)
    reasoning = 64 if message.get("tool_calls") else 128
    completion = _tokens(message) + reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": _cached(messages, tools), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


def _cached(messages: Json, tools: Json) -> int:
    """What the request before this one already held, in steps of 64.

    OpenAI caches from 1,024 tokens on, in steps of 128; no demo is that long.
    """
    turns = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    before = _tokens(messages[: turns[-1]]) + _tokens(tools) if turns else 0
    return before // 64 * 64


def _tokens(value: Json) -> int:
    """About as many tokens as a tokenizer would count in English: one for four characters."""
    text = value if isinstance(value, str) else json.dumps(value)
    return math.ceil(len(text) / 4)


def _events(completion: Json, asked: Json) -> Iterator[str]:
    """The completion word by word, then its usage if that was asked for, as OpenAI streams it."""
    shared = {**completion, "object": "chat.completion.chunk"}
    usage = shared.pop("usage")
    [choice] = shared.pop("choices")
    for delta in _deltas(choice["message"]):
        yield _event({**shared, "choices": [_chunk(delta, None)]})
    yield _event({**shared, "choices": [_chunk({}, choice["finish_reason"])]})
    if asked.get("stream_options", {}).get("include_usage"):
        yield _event({**shared, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _deltas(message: Json) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    for word in re.findall(r"\S+\s*", message.get("content") or ""):
        yield {"content": word}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{"index": index, **call}]}


def _chunk(delta: Json, finish_reason: str | None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"
