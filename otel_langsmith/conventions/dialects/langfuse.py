"""``langfuse.*``: Langfuse's SDKs, which write inputs and outputs as JSON of the whole value."""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval, tokens
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.models import parameters, provider
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_cost,
    as_count,
    as_object,
    as_tags,
    as_text,
    in_json,
    one_of,
    picked,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    EMBEDDING_RUNS,
    LATE,
    LLM_RUNS,
    RETRIEVER_RUNS,
    Convention,
    attr,
    prefix,
    spread,
)

KINDS: Final = {
    "generation": kinds.LLM,
    "embedding": kinds.EMBEDDING,
    "retriever": kinds.RETRIEVER,
    "tool": kinds.TOOL,
    "chain": kinds.CHAIN,
    "agent": kinds.AGENT,
    "evaluator": kinds.EVALUATOR,
    "event": kinds.EVENT,
    "guardrail": kinds.GUARDRAIL,
}
"""Without ``span``, Langfuse's default, which says nothing."""

_DETAILS: Final = {
    "cache_read": "cache_read",
    "cached": "cache_read",
    "cache_creation": "cache_creation",
    "cache_write": "cache_creation",
    "ephemeral_5m": "ephemeral_5m_input_tokens",
    "ephemeral_1h": "ephemeral_1h_input_tokens",
    "reasoning": "reasoning",
    **{
        f"{start}{word}": word
        for start in ("", "modality_")
        for word in ("audio", "image", "text", "video")
    },
}
_SIDES: Final = {"input": "input_token_details", "output": "output_token_details"}


def usage(value: Any) -> Any:
    """Tokens: a provider's usage object as it came, or Langfuse's buckets.

    Each token is in one bucket only, and a bucket counts for the side that its name tells, so a
    side has the sum of its own.

    Spec: https://langfuse.com/docs/observability/features/token-and-cost-tracking
    """
    found = as_object(value)
    if found is UNREADABLE:
        return found
    if "input" not in found and "output" not in found:
        return _of_provider(found)
    fields: dict[str, Any] = {}
    aside: dict[str, Any] = {}
    for name, given in found.items():
        count = as_count(given)
        side = next((word for word in _SIDES if word in name), None)
        detail = _detail(name, side) if side else None
        if name == "total" and count is not UNREADABLE:
            fields["usage.total_tokens"] = count
        elif side and count is not UNREADABLE and "priority" not in name:
            for field in filter(None, (f"usage.{side}_tokens", detail)):
                fields[field] = fields.get(field, 0) + count
        if given and not detail and name not in ("total", *_SIDES):
            aside[name] = given
    return {**fields, f"metadata.{_USAGE}": aside} if aside else fields


def _detail(name: str, side: str) -> str | None:
    """``input_cache_read`` and ``cache_read_input_tokens`` → the field of the tokens they count."""
    word = name.removesuffix("_tokens").removesuffix(f"_{side}").removeprefix(f"{side}_")
    kind = _DETAILS.get(word)
    return f"usage.{_SIDES[side]}.{kind}" if kind else None


_USAGE: Final = "langfuse.observation.usage_details"
_of_provider: Final = tokens.usage(_USAGE)
_METADATA: Final = "langfuse.observation.metadata."
_INPUT: Final = "langfuse.observation.input"
_OUTPUT: Final = "langfuse.observation.output"
_FAILED: Final[Mapping[str, bool]] = {"error": True}

LANGFUSE: Final = Convention(
    name="langfuse",
    spec="langfuse 5.0.4, langfuse/_client/attributes.py",
    rows=(
        spread("langfuse.observation.type", via=one_of(KINDS), keep=True, when=EARLY),
        attr("error.stated", "langfuse.observation.level", via=one_of(_FAILED), keep=True),
        attr("error.message", "langfuse.observation.status_message", keep=True),
        attr("first_token_ns", "langfuse.observation.completion_start_time"),
        attr("provider", f"{_METADATA}ls_provider", via=in_json(provider)),
        attr("model.request", f"{_METADATA}ls_model_name", via=in_json(as_text)),
        attr("model.response", "langfuse.observation.model.name"),
        spread("langfuse.observation.model.parameters", via=parameters),
        spread(_USAGE, via=usage),
        spread(
            "langfuse.observation.cost_details",
            via=picked(
                {
                    "usage.input_cost": ("input", as_cost),
                    "usage.output_cost": ("output", as_cost),
                    "usage.total_cost": ("total", as_cost),
                }
            ),
        ),
        attr("tags", "langfuse.trace.tags", "langfuse.tags", via=in_json(as_tags)),
        attr("tags", f"{_METADATA}tags", via=in_json(as_tags)),
        attr("metadata.thread_id", "langfuse.session.id"),
        attr("metadata.user_id", "langfuse.user.id"),
        prefix("metadata", _METADATA, via=decoded),
        prefix("metadata", "langfuse.trace.metadata.", via=decoded),
        attr("params.tools", _INPUT, via=payloads.tools, keep=True),
        attr("inputs.messages", _INPUT, when=LLM_RUNS),
        attr("inputs.input", _INPUT, when=EMBEDDING_RUNS),
        attr("inputs", _INPUT, "langfuse.trace.input", when=LATE),
        attr("outputs.messages", _OUTPUT, when=LLM_RUNS),
        attr("outputs", _OUTPUT, via=retrieval.embedded, when=EMBEDDING_RUNS),
        attr(
            "outputs.documents",
            _OUTPUT,
            via=retrieval.documents_or_texts,
            when=RETRIEVER_RUNS,
        ),
        attr("outputs", _OUTPUT, "langfuse.trace.output", when=LATE),
    ),
)
