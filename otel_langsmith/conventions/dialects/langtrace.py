"""Langtrace: ``gen_ai.*`` of 2024, with the messages as JSON in a span event.

OpenTelemetry's conventions of v1.26 had messages so, and other instrumentations follow them.
Langtrace's answer has tool calls in place of the text.
"""

from collections.abc import Iterable
from typing import Any, Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.dialects.traceloop import vector_db_documents
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import UNREADABLE, one_of
from otel_langsmith.conventions.rows import (
    EMBEDDING_RUNS,
    LATE,
    LLM_RUNS,
    Convention,
    When,
    attr,
    event,
    events,
)
from otel_langsmith.conventions.tools import tool_definitions


def request_tools(value: Any) -> Any:
    """The tool definitions, which may be JSON within a list."""
    found = from_json(value)
    if not isinstance(found, (list, tuple)):
        return found
    return tool_definitions(_flat(map(from_json, found)))


def embedding_texts(value: Any) -> Any:
    """The texts that were embedded, in a list of their own or not."""
    found = from_json(value)
    if not isinstance(found, (list, tuple)):
        return UNREADABLE
    return _flat(found) or UNREADABLE


def _flat(items: Iterable[Any]) -> list[Any]:
    """The items of all lists among these, and the others."""
    return [one for item in items for one in (item if isinstance(item, list) else (item,))]


_FOREIGN: Final = When(runs=("llm",), unless=("langsmith.span.kind",))
_SDK: Final = ("langtrace_python_sdk.",)
_OWN: Final = When(scope=_SDK)
_OWN_LATE: Final = When(scope=_SDK, turn="late")
_SEARCHES: Final = dict.fromkeys(("query", "search", "retrieve", "recommend"), "retriever")

LANGTRACE: Final = Convention(
    name="langtrace",
    spec=(
        "https://github.com/Scale3-Labs/langtrace-trace-attributes 7.2, as written by "
        "langtrace-python-sdk 3.8; https://github.com/open-telemetry/semantic-conventions v1.26"
    ),
    rows=(
        attr("run_type", "db.operation", via=one_of(_SEARCHES), keep=True, when=_OWN),
        attr("metadata.thread_id", "session_id", when=_OWN),
        attr("metadata.user_id", "user_id", when=_OWN),
        attr("metadata.response_id", "gen_ai.response_id"),
        attr("metadata.system_fingerprint", "gen_ai.system_fingerprint"),
        attr("params.tools", "gen_ai.request.tools", via=request_tools),
        attr("params.tool_choice", "gen_ai.request.tool_choice"),
        attr("usage.input_token_details.cache_read", "gen_ai.usage.cached_tokens"),
        attr(
            "inputs.input",
            "gen_ai.request.embedding_inputs",
            via=embedding_texts,
            when=EMBEDDING_RUNS,
        ),
        # LangSmith's own SDK writes whole runs under these names.
        attr("inputs.messages", "gen_ai.prompt", via=payloads.request, when=_FOREIGN),
        attr("outputs.messages", "gen_ai.completion", via=payloads.response, when=_FOREIGN),
        event("inputs.messages", "gen_ai.content.prompt", "gen_ai.prompt", when=LLM_RUNS),
        event("outputs.messages", "gen_ai.content.completion", "gen_ai.completion", when=LLM_RUNS),
        events("outputs.documents", "db.chroma.query.result", via=vector_db_documents),
        attr(
            "inputs",
            "langchain.inputs",
            "llamaindex.inputs",
            "dspy.signature.args",
            "openai_agents.inputs",
            "graphlit.inputs",
            via=payloads.call_arguments,
            when=LATE,
        ),
        attr("inputs", "db.query", when=_OWN_LATE),
        attr(
            "outputs",
            "langchain.outputs",
            "llamaindex.outputs",
            "dspy.signature.result",
            "openai_agents.outputs",
            "graphlit.outputs",
            when=LATE,
        ),
        attr("outputs", "db.response", when=_OWN_LATE),
    ),
)
