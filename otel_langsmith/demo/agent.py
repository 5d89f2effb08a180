"""A support agent that answers one question, traced with OpenTelemetry: read it, copy from it.

It finds the shop's documents through a search service, lets the model call two tools (one of which
fails on purpose), and answers. Everything about LangSmith is in `start_tracing`.
"""

import json
import os
from collections.abc import Callable
from typing import Any, Final

import requests
from openai import OpenAI
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithPropagator, LangSmithSpanProcessor

CHAT_MODEL: Final = "gpt-5-mini"
EMBEDDING_MODEL: Final = "text-embedding-3-small"

tracer = trace.get_tracer("shop.assistant")


# ── Tracing: once, before the first span ─────────────────────────────────────────────────────────


def start_tracing(endpoint: str, api_key: str) -> LangSmithSpanProcessor:
    """What turns every span into a run, and what carries a run's place over HTTP.

    With ``LANGSMITH_API_KEY`` in the environment, ``LangSmithSpanProcessor()`` is all one writes.
    """
    # Prompts and answers are personal data, so instrumentations leave them out unless told to.
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"

    processor = LangSmithSpanProcessor(
        endpoint=endpoint, api_key=api_key, project="otel-langsmith-demo"
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop-assistant"}))
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    # Last in the list, so that it can add to the headers that the others write.
    set_global_textmap(CompositePropagator([get_global_textmap(), LangSmithPropagator()]))

    OpenAIInstrumentor().instrument()  # a span for each call of the model
    RequestsInstrumentor().instrument()  # a span for each HTTP request, and traceparent in it
    FlaskInstrumentor().instrument()  # a span for each request served
    return processor


# ── The agent ────────────────────────────────────────────────────────────────────────────────────


def answer(question: str, model: OpenAI, search_url: str) -> str:
    """The agent's answer. The span around it becomes the root of the trace in LangSmith."""
    with tracer.start_as_current_span("invoke_agent shop-assistant") as span:
        span.set_attribute("gen_ai.operation.name", "invoke_agent")
        span.set_attribute("gen_ai.agent.name", "shop-assistant")
        span.set_attribute("gen_ai.conversation.id", "demo-conversation")
        span.set_attribute("gen_ai.input.messages", text_message("user", question))
        documents = search(question, model, search_url)
        reply = converse(question, documents, model)
        span.set_attribute("gen_ai.output.messages", text_message("assistant", reply))
        return reply


def search(question: str, model: OpenAI, search_url: str) -> list[dict[str, Any]]:
    """The shop's documents about the question. A ``retrieval`` span becomes a retriever run."""
    embedding = model.embeddings.create(model=EMBEDDING_MODEL, input=question)
    with tracer.start_as_current_span("retrieval shop-documents") as span:
        span.set_attribute("gen_ai.operation.name", "retrieval")
        span.set_attribute("gen_ai.data_source.id", "shop-documents")
        span.set_attribute("gen_ai.retrieval.query.text", question)
        wanted = {"vector": embedding.data[0].embedding, "top_k": 2}
        response = requests.post(search_url, json=wanted, timeout=30)
        response.raise_for_status()
        documents: list[dict[str, Any]] = response.json()["documents"]
        span.set_attribute("gen_ai.retrieval.documents", json.dumps(documents))
        return documents


def converse(question: str, documents: list[dict[str, Any]], model: OpenAI) -> str:
    """What the model says once it has the results of every tool it asked for."""
    sources = "\n".join(f"[{document['id']}] {document['content']}" for document in documents)
    messages: list[Any] = [
        {"role": "system", "content": f"Answer the customer from these sources.\n{sources}"},
        {"role": "user", "content": question},
    ]
    while True:
        completion = model.chat.completions.create(
            model=CHAT_MODEL, messages=messages, tools=TOOL_DEFINITIONS
        )
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))
        messages.extend(tool_message(call) for call in message.tool_calls)


def tool_message(call: Any) -> dict[str, str]:
    """A tool's result, or its error: the model has to be told of both."""
    try:
        content = run_tool(call.id, call.function.name, json.loads(call.function.arguments))
    except TimeoutError as error:
        content = f"error: {error}"
    return {"role": "tool", "tool_call_id": call.id, "content": content}


def run_tool(call_id: str, name: str, arguments: dict[str, str]) -> str:
    """A tool's result as text. An ``execute_tool`` span becomes a tool run.

    An exception that leaves the ``with`` block is recorded, and the span's status becomes ERROR:
    that is what makes the run a failed one.
    """
    with tracer.start_as_current_span(f"execute_tool {name}") as span:
        span.set_attribute("gen_ai.operation.name", "execute_tool")
        span.set_attribute("gen_ai.tool.name", name)
        span.set_attribute("gen_ai.tool.call.id", call_id)
        span.set_attribute("gen_ai.tool.call.arguments", json.dumps(arguments))
        result = json.dumps(TOOLS[name](**arguments))
        span.set_attribute("gen_ai.tool.call.result", result)
        return result


def text_message(role: str, text: str) -> str:
    """One message, in the shape and JSON that OpenTelemetry's ``gen_ai`` conventions ask for."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


# ── Its tools ────────────────────────────────────────────────────────────────────────────────────


def find_order(order_id: str) -> dict[str, Any]:
    """What was ordered, and when it came."""
    return {"order_id": order_id, "item": "desk lamp", "delivered_days_ago": 9}


def refund_status(order_id: str) -> dict[str, Any]:
    """Whether the refund of an order has been paid."""
    # Fails every time: the demo wants a failed run to show.
    raise TimeoutError(f"payment provider did not answer about order {order_id} within 2 s")


TOOLS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "find_order": find_order,
    "refund_status": refund_status,
}

TOOL_DEFINITIONS: Final[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": tool.__doc__,
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string"}},
                "required": ["order_id"],
            },
        },
    }
    for name, tool in TOOLS.items()
]
