"""OpenLIT: ``gen_ai.*``, with content of its own beside it.

The span of a model call has the names of the tools that were called, joined by commas; the messages
have the calls themselves. Until 1.34 a prompt was one text in an event, a line for each message.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import payloads
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import messages
from otel_langsmith.conventions.readers import UNREADABLE, as_text
from otel_langsmith.conventions.reprs import from_repr
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    Convention,
    When,
    attr,
    event,
    together,
)
from otel_langsmith.conventions.tools import arguments


def prompt_lines(value: Any) -> Any:
    """The messages of a prompt in one text, each a line that begins with its role."""
    text = as_text(value)
    if text is UNREADABLE or not _SPOKEN.match(text):
        return payloads.request_or_text(value)
    _, *found = _SPOKEN.split(text)
    said = zip(found[::2], found[1::2], strict=True)
    return messages([{"role": role, "content": words.rstrip("\n")} for role, words in said], "user")


def tool_calls(value: Any) -> Any:
    """The answer with these tool calls, a Python repr."""
    found = from_repr(value)
    if not isinstance(found, list) or not found:
        return UNREADABLE
    return messages([{"role": "assistant", "content": None, "tool_calls": found}], "assistant")


def function_arguments(found: Mapping[str, Any]) -> Any:
    """The arguments of a decorated function, from Python's reprs of them."""
    args = found.get("function.args")
    if isinstance(args, str) and args.startswith("("):
        args = f"[{args[1:-1]}]"
    return payloads.call_arguments(
        {"args": from_repr(args), "kwargs": from_repr(found.get("function.kwargs"))}
    )


def function_result(value: Any) -> Any:
    """Its result, which OpenLIT writes as output messages, though it is none."""
    return payloads.content(from_repr(value))


_SPOKEN: Final = re.compile(r"^(system|developer|user|assistant|tool): ", re.MULTILINE)
_OLD: Final = When(runs=("llm",), scope=("openlit.",))
_DECORATED: Final = When(scope=("openlit",), turn="early")
_LLM: Final = When(runs=("llm",), turn="late")
_TOOL: Final = When(runs=("tool",), turn="late")

OPENLIT: Final = Convention(
    name="openlit",
    spec="openlit/semcov of https://github.com/openlit/openlit, 1.45, November 2026",
    rows=(
        event(
            "inputs.messages", "gen_ai.content.prompt", "gen_ai.prompt", via=prompt_lines, when=_OLD
        ),
        attr("outputs.messages", "gen_ai.response.tool_calls", via=tool_calls, when=_OLD),
        event("outputs.messages", "gen_ai.content.completion", "gen_ai.completion", when=_OLD),
        together(
            "inputs", "function.args", "function.kwargs", via=function_arguments, when=_DECORATED
        ),
        attr("outputs", "gen_ai.output.messages", via=function_result, when=_DECORATED),
        attr("params.stream", "gen_ai.request.is_stream"),
        attr("metadata.service_tier", "gen_ai.response.service_tier"),
        attr("metadata.system_fingerprint", "gen_ai.response.system_fingerprint"),
        attr("usage.total_tokens", "gen_ai.client.token.usage"),
        attr("inputs", "gen_ai.tool.args", "gen_ai.tool.input", via=arguments, when=_TOOL),
        attr("outputs", "gen_ai.tool.output", via=from_json, when=_TOOL),
        attr(
            "inputs",
            "gen_ai.content.prompt",
            "gen_ai.workflow.input",
            "gen_ai.framework.pipeline.input_data",
            when=LATE,
        ),
        attr(
            "outputs",
            "gen_ai.content.completion",
            "gen_ai.workflow.output",
            "gen_ai.framework.pipeline.output_data",
            "gen_ai.agent.final_result",
            when=LATE,
        ),
        attr("outputs.reasoning", "gen_ai.content.reasoning", when=EARLY),
        # The messages have these, too.
        attr("outputs", "gen_ai.response.tool_calls", "gen_ai.tool.args", when=_LLM),
    ),
)
