"""Fields → inputs, outputs, usage and model metadata, in the shapes that LangSmith has for them.

The same for every dialect.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from otel_langsmith.conventions.fields import PLAIN
from otel_langsmith.conventions.models import maker
from otel_langsmith.conventions.table import Reading
from otel_langsmith.run import JsonObject, RunType


def content(parts: Mapping[str, Any], side: str, run_type: RunType = "chain") -> JsonObject:
    """The fields of one side as the object that LangSmith wants of inputs and outputs.

    A value without a name of its own is ``input`` or ``output``, in a retriever's inputs ``query``.
    """
    told = parts.get("messages")
    if len(parts) == 1:  # as nearly always
        if isinstance(told, list):
            return parts
        if type(whole := parts.get("")) is dict:
            return whole
    return parts if PLAIN.issuperset(parts) else _composed(parts, side, run_type)


def _composed(parts: Mapping[str, Any], side: str, run_type: RunType) -> JsonObject:
    told = parts.get("messages")
    spare = "query" if run_type == "retriever" and side == "inputs" else side[:-1]
    composed: dict[str, Any] = {}
    if "" in parts:
        whole = parts[""]
        composed.update(whole if isinstance(whole, Mapping) else {spare: whole})
    for field, value in sorted(parts.items(), key=_is_member):
        name, _, rest = field.partition(".")
        if name == "output" and _ends_in(value, told):
            continue
        if name == "messages" and not isinstance(value, list):
            composed[f"{spare}_messages" if spare in composed else spare] = value
        elif rest:
            composed[name] = {**_members(name, composed.get(name)), rest: value}
        elif name and name not in _WITHIN:
            composed[name] = value
    if system := parts.get("system"):
        composed["messages"] = _led_by(system, composed.get("messages", []))
    if thought := parts.get("reasoning"):
        composed["messages"] = _thought(thought, composed.get("messages", []))
    return composed


def _is_member(field: tuple[str, Any]) -> bool:
    """Whether it is a member of another field, and so comes after it."""
    return "." in field[0]


def _members(name: str, whole: Any) -> Mapping[str, Any]:
    """The members so far; the field itself may be the span's own value, and is not changed."""
    if whole is None:
        return {}
    return whole if isinstance(whole, Mapping) else {name: whole}


def _ends_in(text: Any, messages: Any) -> bool:
    """Whether an output only repeats the text of the last message."""
    if not isinstance(text, str) or not isinstance(messages, list) or not messages:
        return False
    return text == "".join(
        block["text"] for block in messages[-1]["content"] if block["type"] == "text"
    )


_WITHIN: Final = frozenset(("system", "reasoning"))
"""Fields that become part of the messages."""


def _thought(text: str, messages: Any) -> Any:
    """The messages, the first led by this reasoning unless it has its own."""
    found = {"type": "reasoning", "text": text}
    if not isinstance(messages, list) or not messages:
        return [{"role": "assistant", "content": [found]}]
    first, content = messages[0], messages[0]["content"]
    if any(block["type"] == "reasoning" for block in content):
        return messages
    return [{**first, "content": [found, *content]}, *messages[1:]]


def _led_by(system: JsonObject, messages: Any) -> Any:
    """The messages, led by this system message unless they have their own."""
    if not isinstance(messages, list) or (messages and messages[0]["role"] == "system"):
        return messages
    return [system, *messages]


def usage(reading: Reading, run_type: RunType) -> dict[str, Any]:
    """LangSmith's usage object: totals include their details; a missing total is computed.

    More cached tokens than input tokens means that the source counts them apart, as Anthropic's API
    does (genai.md §5.3); so does a total that is the sum of both, as Bedrock's.
    """
    totals, details, written = reading.usage, reading.input_details, reading.output_details
    if details:
        _count_cache(totals, details)
    if run_type == "embedding" and "input_tokens" in totals:
        totals.setdefault("output_tokens", 0)
    if len(totals) > 1:
        _complete(totals, reading)
    if details and (counted := _counted(details)):
        totals["input_token_details"] = counted
    if written and (counted := _counted(written)):
        totals["output_token_details"] = counted
    return totals


def _counted(details: dict[str, Any]) -> dict[str, Any]:
    """The details that are not zero; nearly always all of them."""
    if all(details.values()):
        return details
    return {key: count for key, count in details.items() if count}


def _count_cache(totals: dict[str, Any], details: dict[str, Any]) -> None:
    cached = details.get("cache_read", 0) + details.get("cache_creation", 0)
    read = totals.get("input_tokens")
    if cached and read is not None:
        both = read + cached + totals.get("output_tokens", inf)
        if cached > read or totals.get("total_tokens") == both:
            totals["input_tokens"] = read + cached
            totals.pop("total_tokens", None)
    if "cache_creation" in details:
        _split_cache(details)


def _split_cache(details: dict[str, Any]) -> None:
    """Count tokens written to the cache once: by how long they stay, or else in ``cache_creation``.

    LangChain's integration does the same, and LangSmith's prices follow it.
    """
    apart = sum(details.get(f"ephemeral_{span}_input_tokens", 0) for span in ("5m", "1h"))
    if apart:
        details["cache_creation"] = max(0, details["cache_creation"] - apart)


def _complete(totals: dict[str, Any], reading: Reading) -> None:
    """Compute the missing total; where all three disagree, the model's own total is right.

    OpenInference adds the cached tokens to Bedrock's, which includes them (genai.md §5.3), and
    Google's ADK the reasoning to LiteLLM's. A total beyond the sum of both changes neither, unless
    the difference is reasoning.
    """
    read, written = totals.get("input_tokens"), totals.get("output_tokens")
    total = totals.get("total_tokens")
    if read is not None and written is not None:
        if total is None:
            totals["total_tokens"] = read + written
        elif written <= total < read + written:
            over = read + written - total
            totals["output_tokens" if _was_added(over, reading) else "input_tokens"] -= over
        elif total > read + written and _was_thought(total - read - written, reading):
            totals["output_tokens"] = total - read
    elif written is None and total is not None and read is not None and total >= read:
        totals["output_tokens"] = total - read
    elif read is None and total is not None and written is not None and total >= written:
        totals["input_tokens"] = total - written


def _was_added(count: int, reading: Reading) -> bool:
    """Whether so many tokens are reasoning that the output counts twice."""
    thought = reading.output_details.get("reasoning")
    cached = reading.input_details.get("cache_read")
    return count == thought != cached and 2 * count <= reading.usage["output_tokens"]


def _was_thought(count: int, reading: Reading) -> bool:
    """Whether so many tokens are reasoning, which is priced as output.

    Gemini's API counts reasoning in the total only, and Traceloop does not write it; xAI's does the
    same, and writes it beside.
    """
    told = reading.output_details.get("reasoning")
    return count == told or (told is None and reading.fields.get("provider") in _GEMINI)


_GEMINI: Final = ("google_genai", "google_vertexai")


def tell_of_model(
    told: dict[str, Any], fields: Mapping[str, Any], params: dict[str, Any], run_type: RunType
) -> None:
    """Add LangSmith's metadata of the model: by provider, name and type it knows the price.

    For model runs, and for those with any of `OF_MODELS`. Metadata that is there already stays.
    """
    requested, answered = fields.get("model.request"), fields.get("model.response")
    if "model.request" in fields:
        params.setdefault("model", requested)
    named = requested or answered
    if provider := fields.get("provider") or (named and maker(named)):
        told.setdefault("ls_provider", provider)
    if named:
        told.setdefault("ls_model_name", named)
        if answered and answered != named:
            told.setdefault("ls_response_model", answered)
    if run_type == "llm":
        told.setdefault("ls_model_type", fields.get("model.type", "chat"))
        _tell_of_call(told, params)
    if "agent.name" in fields:
        told.setdefault("ls_agent_name", fields["agent.name"])
    if "workflow.name" in fields:
        told.setdefault("ls_workflow_name", fields["workflow.name"])


def _tell_of_call(told: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Add the parameters that LangSmith compares; a loop over a table takes half as much again."""
    if "temperature" in params:
        told.setdefault("ls_temperature", params["temperature"])
    if "max_tokens" in params:
        told.setdefault("ls_max_tokens", params["max_tokens"])
    if "stop" in params:
        told.setdefault("ls_stop", params["stop"])
