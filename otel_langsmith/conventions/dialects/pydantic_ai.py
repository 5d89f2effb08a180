"""Pydantic AI: its own attributes beside ``gen_ai.*``, in all versions of its instrumentation.

Version 1 has events, in one attribute as JSON; later ones have messages. The span of an agent's run
has the whole conversation, which is split here into inputs and outputs.
"""

from typing import Any, Final

from otel_langsmith.conventions import message_events
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import instructions, messages
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    Thin,
    as_object,
    constant,
)
from otel_langsmith.conventions.results import Message
from otel_langsmith.conventions.rows import Convention, When, attr, spread
from otel_langsmith.conventions.tools import arguments, tool_definitions


def run_inputs(value: Any) -> Any:
    """The messages of an agent's run before it answers."""
    made = _conversation(value)
    return made[: _input_count(made)] or UNREADABLE


def run_outputs(value: Any) -> Any:
    """The messages that the run added: answers, tool calls and their results."""
    made = _conversation(value)
    answers = made[_input_count(made) :]
    if not answers:
        return UNREADABLE
    return answers if any(message["content"] for message in answers) else Thin(answers)


def _conversation(value: Any) -> list[Message]:
    found = from_json(value)
    return messages(found, "user") if isinstance(found, (list, tuple)) else []


def _input_count(made: list[Message]) -> int:
    """How many messages there are up to the last of the user, or before the first answer."""
    users = [number for number, message in enumerate(made, 1) if message["role"] == "user"]
    answers = (number for number, message in enumerate(made) if message["role"] == "assistant")
    return users[-1] if users else next(answers, len(made))


def request_parameters(value: Any) -> Any:
    """The invocation parameters that are set, and the tools of every kind."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    fields: dict[str, Any] = {
        f"params.{name}": part
        for name, part in found.items()
        if part not in (None, [], {}) and name not in _ELSEWHERE
    }
    lists = (found.get(name) for name in _TOOLS)
    tools = [tool for listed in lists if isinstance(listed, (list, tuple)) for tool in listed]
    if tools:
        fields["params.tools"] = tool_definitions([_called(tool) for tool in tools])
    return fields


_TOOLS: Final = ("function_tools", "native_tools", "builtin_tools", "output_tools")
_ELSEWHERE: Final = frozenset((*_TOOLS, "instruction_parts"))
_DEFINED: Final = ("name", "description", "parameters_json_schema")


def _called(tool: Any) -> Any:
    """A definition without Pydantic AI's own settings, which the model does not get."""
    if not isinstance(tool, dict) or "parameters_json_schema" not in tool:
        return tool
    return {name: tool[name] for name in _DEFINED if tool.get(name)}


def instruction_parts(value: Any) -> Any:
    """The system prompt, where no messages have it: a request that failed has none."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    parts = found.get("instruction_parts")
    said = parts if isinstance(parts, (list, tuple)) else ()
    texts = [part.get("content") for part in said if isinstance(part, dict)]
    return instructions([{"type": "text", "text": text} for text in texts if text])


_OWN: Final = When(scope=("pydantic-ai", "pydantic_ai", "logfire.pydantic_ai"))

PYDANTIC_AI: Final = Convention(
    name="pydantic_ai",
    spec=(
        "https://github.com/pydantic/pydantic-ai pydantic_ai/models/instrumented.py "
        "of 1.107 and 2.62 (instrumentation versions 1 to 6)"
    ),
    rows=(
        # Before there were operation names, an agent's span had only this.
        spread(
            "agent_name",
            via=constant({"name.from": "agent.name"}),
            keep=True,
            when=When(scope=_OWN.scope, unless=("gen_ai.operation.name",)),
        ),
        attr("agent.name", "agent_name", when=_OWN),
        spread("model_request_parameters", via=request_parameters, content=True),
        attr("usage.input_tokens", "gen_ai.aggregated_usage.input_tokens"),
        attr("usage.output_tokens", "gen_ai.aggregated_usage.output_tokens"),
        attr(
            "usage.input_token_details.cache_read",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "gen_ai.usage.details.cached_content_tokens",
            "gen_ai.aggregated_usage.cache_read.input_tokens",
            "gen_ai.aggregated_usage.details.cache_read_tokens",
            "gen_ai.aggregated_usage.details.cache_read_input_tokens",
            "gen_ai.aggregated_usage.details.cached_content_tokens",
        ),
        attr(
            "usage.input_token_details.cache_creation",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
            "gen_ai.aggregated_usage.cache_creation.input_tokens",
            "gen_ai.aggregated_usage.cache_write.input_tokens",
            "gen_ai.aggregated_usage.details.cache_write_tokens",
            "gen_ai.aggregated_usage.details.cache_creation_input_tokens",
        ),
        attr(
            "usage.input_token_details.audio",
            "gen_ai.usage.details.input_audio_tokens",
            "gen_ai.usage.details.audio_prompt_tokens",
            "gen_ai.aggregated_usage.details.input_audio_tokens",
            "gen_ai.aggregated_usage.details.audio_prompt_tokens",
        ),
        attr(
            "usage.input_token_details.image",
            "gen_ai.usage.details.image_prompt_tokens",
            "gen_ai.aggregated_usage.details.image_prompt_tokens",
        ),
        attr(
            "usage.input_token_details.text",
            "gen_ai.usage.details.text_prompt_tokens",
            "gen_ai.aggregated_usage.details.text_prompt_tokens",
        ),
        attr(
            "usage.output_token_details.reasoning",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.details.thoughts_tokens",
            "gen_ai.aggregated_usage.reasoning.output_tokens",
            "gen_ai.aggregated_usage.details.reasoning_tokens",
            "gen_ai.aggregated_usage.details.thoughts_tokens",
        ),
        attr(
            "usage.output_token_details.audio",
            "gen_ai.usage.details.output_audio_tokens",
            "gen_ai.usage.details.audio_tokens",
            "gen_ai.usage.details.audio_candidates_tokens",
            "gen_ai.aggregated_usage.details.output_audio_tokens",
            "gen_ai.aggregated_usage.details.audio_tokens",
            "gen_ai.aggregated_usage.details.audio_candidates_tokens",
        ),
        attr(
            "usage.output_token_details.text",
            "gen_ai.usage.details.text_candidates_tokens",
            "gen_ai.aggregated_usage.details.text_candidates_tokens",
        ),
        attr("inputs.system", "model_request_parameters", via=instruction_parts),
        attr("inputs.messages", "events", via=message_events.json_inputs, when=_OWN),
        attr(
            "inputs.messages",
            "pydantic_ai.all_messages",
            "all_messages_events",
            via=run_inputs,
        ),
        attr("inputs", "tool_arguments", via=arguments),
        attr("outputs.messages", "events", via=message_events.json_outputs, when=_OWN),
        attr(
            "outputs.messages",
            "pydantic_ai.all_messages",
            "all_messages_events",
            via=run_outputs,
        ),
        attr("outputs.output", "final_result", when=_OWN),
        attr("outputs", "tool_response", via=from_json),
    ),
)
