"""Logfire: its SDK's attributes of every span, and those of its integrations for model calls.

A span's name is a template, so that spans of one kind have one name; the message is what people
read. Lists and dicts are JSON. A streamed answer is in a span of its own, beside the request's.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, message_events, payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import UNREADABLE, as_object, as_text, as_texts, one_of
from otel_langsmith.conventions.rows import Convention, When, attr, spread
from otel_langsmith.conventions.tokens import usage
from otel_langsmith.conventions.tools import arguments

TEMPLATES: Final = {
    "function: {name}": kinds.TOOL,
    "chat completion with {gen_ai.request.model!r}": kinds.LLM,
    "responses api with {gen_ai.request.model!r}": kinds.LLM,
}
"""Spans of OpenAI's agents, whose kind older versions write nowhere else."""


def message(value: Any) -> Any:
    """The run's name: the template filled in, which may hold content."""
    text = as_text(value)
    return text if text is UNREADABLE else {"name": text}


def response_usage(value: Any) -> Any:
    """The usage in a response."""
    found = as_object(value)
    counted = UNREADABLE if found is UNREADABLE else as_object(found.get("usage"))
    return counted if counted is UNREADABLE else _USAGE(counted)


def request_inputs(value: Any) -> Any:
    """The texts to embed, or whatever else a request has that is no list of messages."""
    found = as_object(value)
    return UNREADABLE if found is UNREADABLE else found.get("input", found.get("prompt", found))


def error_message(value: Any) -> Any:
    """The error of a step of OpenAI's agents: its message, and its cause."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    data = found.get("data")
    cause = data.get("error") if isinstance(data, dict) else None
    return ": ".join(part for part in (found.get("message"), cause) if isinstance(part, str))


_USAGE: Final = usage("gen_ai.usage.raw")
_OWN: Final = When(scope=("logfire", "logfire."))
_LLM: Final = When(scope=_OWN.scope, runs=("llm",))
_LATE: Final = When(scope=_OWN.scope, turn="late")
_AGENTS: Final = ("logfire.openai_agents",)
_AGENT: Final = When(scope=_AGENTS)
_AGENT_LLM: Final = When(scope=_AGENTS, runs=("llm",))

LOGFIRE: Final = Convention(
    name="logfire",
    spec=(
        "https://github.com/pydantic/logfire logfire/_internal/constants.py "
        "and logfire/_internal/integrations/llm_providers of 5.2 (versions 1 and 2)"
    ),
    rows=(
        # Pydantic AI has messages without templates, and names that say more.
        spread(
            "logfire.msg", via=message, content=True, when=When(given=("logfire.msg_template",))
        ),
        spread("logfire.msg_template", via=one_of(TEMPLATES), keep=True, when=_LATE),
        attr("metadata.thread_id", "group_id", when=_AGENT),
        attr("error.message", "error", via=error_message, keep=True, when=_AGENT),
        spread("model_settings", via=parameters, when=_AGENT),
        spread("model_config", via=parameters, when=_AGENT),
        attr("params.tools", "response", via=payloads.tools, keep=True, when=_AGENT),
        attr("tags", "logfire.tags", via=as_texts),
        spread("request_data", via=parameters, content=True, when=_OWN),
        spread("response_data", via=response_usage, content=True, when=_OWN),
        spread("gen_ai.usage.raw", via=_USAGE),
        spread("usage", via=_USAGE, when=_OWN),
        # In the agents' chats the events have the answer, too.
        attr("inputs.messages", "input", via=payloads.request, when=_AGENT_LLM),
        attr("inputs.messages", "request_data", via=payloads.request, when=_LLM),
        attr("inputs.messages", "events", via=message_events.json_inputs, when=_OWN),
        attr("inputs.messages", "raw_input", via=payloads.request, when=_AGENT_LLM),
        attr("inputs", "request_data", via=request_inputs, when=_LATE),
        attr("inputs", "input", "inputs", via=arguments, when=_LATE),
        attr("outputs.messages", "response_data", via=payloads.response, when=_LLM),
        attr("outputs.messages", "events", via=message_events.json_outputs, when=_OWN),
        attr(
            "outputs.messages",
            "response",
            "output",
            via=payloads.response,
            when=_AGENT_LLM,
        ),
        attr("outputs", "response_data", via=from_json, when=_LATE),
        attr("outputs", "output", "return", via=from_json, when=_LATE),
    ),
)
