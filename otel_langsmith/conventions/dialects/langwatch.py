"""``langwatch.*``: LangWatch's SDKs, for functions that are decorated with them.

Content has its type: ``{"type": "chat_messages", "value": […]}``. The documents of a retriever are
in an attribute of their own.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval, tokens
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.models import parameters
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_cost,
    as_object,
    as_tags,
    one_of,
    picked,
)
from otel_langsmith.conventions.rows import EARLY, LATE, LLM_RUNS, Convention, Reader, attr, spread

TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    **kinds.OPENINFERENCE,
    "rag": kinds.RETRIEVER,
    "evaluation": kinds.EVALUATOR,
    **dict.fromkeys(("span", "workflow", "component", "module", "task"), kinds.CHAIN),
}


def untyped(value: Any) -> Any:
    """The value without its type; of a list of these, the values."""
    found = from_json(value)
    if isinstance(found, (list, tuple)):
        return [untyped(item) for item in found]
    typed = isinstance(found, dict) and found.keys() == {"type", "value"}
    return found["value"] if typed else found


def in_typed_value(via: Reader) -> Reader:
    """``via``, given the value after `untyped`."""
    return lambda value: via(untyped(value))


def contexts(value: Any) -> Any:
    """The documents that were retrieved; one may be in chunks."""
    found = from_json(value)
    items = found if isinstance(found, (list, tuple)) else ()
    return retrieval.documents(
        [{**item, "content": untyped(item.get("content"))} for item in items if _is_object(item)]
    )


def _is_object(item: Any) -> bool:
    return isinstance(item, dict)


def metrics(value: Any) -> Any:
    """Token counts and the price; the rest as metadata."""
    found = as_object(value)
    if found is UNREADABLE:
        return found
    rest = {name: part for name, part in found.items() if name != "cost"}
    return {**_usage(rest), **_cost(found)}


_usage: Final = tokens.usage("langwatch.metrics")
_cost: Final = picked({"usage.total_cost": ("cost", as_cost)})

LANGWATCH: Final = Convention(
    name="langwatch",
    spec="langwatch 1.4.0, langwatch/telemetry and langwatch/attributes.py",
    rows=(
        spread("langwatch.span.type", via=one_of(TYPES), keep=True, when=EARLY),
        spread("langwatch.params", via=parameters),
        spread("langwatch.metrics", via=metrics),
        attr("metadata.thread_id", "langwatch.thread.id"),
        attr("metadata.user_id", "langwatch.user.id"),
        attr("tags", "langwatch.labels", "langwatch.tags", via=in_typed_value(as_tags)),
        attr(
            "inputs.messages",
            "langwatch.input",
            via=in_typed_value(payloads.request_or_text),
            when=LLM_RUNS,
        ),
        attr("inputs", "langwatch.input", via=in_typed_value(payloads.content), when=LATE),
        attr("outputs.documents", "langwatch.rag_contexts", "langwatch.contexts", via=contexts),
        attr(
            "outputs.messages",
            "langwatch.output",
            via=in_typed_value(payloads.response_or_text),
            when=LLM_RUNS,
        ),
        attr("outputs", "langwatch.output", via=in_typed_value(payloads.content), when=LATE),
    ),
)
