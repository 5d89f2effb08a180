"""``braintrust.*``: the attributes that Braintrust's OTLP endpoint reads, most of them JSON."""

from typing import Any, Final

from otel_langsmith.conventions import payloads, retrieval, tokens
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.models import parameters, provider
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_cost,
    as_object,
    as_seconds,
    as_text,
    one_of,
    picked,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    LLM_RUNS,
    RETRIEVER_RUNS,
    Convention,
    attr,
    prefix,
    spread,
)

_KINDS: Final = {
    "llm": "llm",
    "tool": "tool",
    **dict.fromkeys(
        (
            *("automation", "classifier", "decision", "eval", "facet", "function", "preprocessor"),
            *("question", "review", "score", "task"),
        ),
        "chain",
    ),
}
_PARAMETERS: Final = frozenset(
    (
        *("model", "tools", "tool_choice", "response_format", "seed", "stop", "stream", "n"),
        *("temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens"),
        *("frequency_penalty", "presence_penalty", "reasoning_effort", "service_tier"),
    )
)


def metadata(value: Any) -> Any:
    """Metadata, among which Braintrust expects the model and what it was called with."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    given = {name: part for name, part in found.items() if name in _PARAMETERS}
    fields = {
        f"metadata.{name}": part
        for name, part in found.items()
        if part is not None and name not in _PARAMETERS
    }
    maker = provider(found.get("provider"))
    if maker is not UNREADABLE:
        fields["provider"] = maker
        del fields["metadata.provider"]
    return {**fields, **parameters(given)}


def metrics(value: Any) -> Any:
    """Tokens, a price, and the time to the first token in seconds; the rest as it is."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    rest = {name: part for name, part in found.items() if name not in _TIMED}
    return {**_usage(rest), **_times(found)}


_TIMED: Final = ("estimated_cost", "time_to_first_token")
_usage: Final = tokens.usage("braintrust.metrics")
_times: Final = picked(
    {
        "first_token_s": ("time_to_first_token", as_seconds),
        "usage.total_cost": ("estimated_cost", as_cost),
    }
)
_type: Final = picked(
    {
        "run_type": ("type", one_of(_KINDS)),
        "metadata.ls_span_kind": ("type", one_of({"eval": "evaluator", "score": "evaluator"})),
    }
)
_INPUT: Final = ("braintrust.input_json", "braintrust.input")
_OUTPUT: Final = ("braintrust.output_json", "braintrust.output")

BRAINTRUST: Final = Convention(
    name="braintrust",
    spec="https://www.braintrust.dev/docs/integrations/sdk-integrations/opentelemetry",
    rows=(
        spread("braintrust.span_attributes", via=_type, keep=True, when=EARLY),
        spread("braintrust.span_attributes", via=picked({"name": ("name", as_text)}), keep=True),
        spread("braintrust.metadata", via=metadata),
        prefix("metadata", "braintrust.metadata.", via=from_json),
        spread("braintrust.metrics", via=metrics),
        attr("tags", "braintrust.tags"),
        attr("params.tools", *_INPUT, via=payloads.tools, keep=True),
        attr("inputs.messages", *_INPUT, when=LLM_RUNS),
        attr("inputs", *_INPUT, when=LATE),
        attr("outputs.messages", *_OUTPUT, when=LLM_RUNS),
        attr(
            "outputs.documents",
            *_OUTPUT,
            via=retrieval.documents_or_texts,
            when=RETRIEVER_RUNS,
        ),
        attr("outputs", *_OUTPUT, when=LATE),
    ),
)
