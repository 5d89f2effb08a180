"""``langsmith.*``: what LangSmith's own SDKs write in OTel mode, and what its docs ask for.

Its content has LangSmith's form already (inputs and outputs of a run, as JSON) and stays as it is.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_count,
    as_counts,
    as_float,
    as_object,
    as_text,
    constant,
    one_of,
)
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    Convention,
    When,
    attr,
    event,
    prefix,
    spread,
)
from otel_langsmith.run import RUN_TYPES, Attachment

_KINDS: Final = {word: word for word in RUN_TYPES}
_COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens")
_COSTS: Final = ("input_cost", "output_cost", "total_cost")
_COST_DETAILS: Final = ("input_cost_details", "output_cost_details")


def _usage(value: Any) -> Any:
    """LangSmith's usage object, key by key; what its validator would refuse stays metadata."""
    found = as_object(value)
    if found is UNREADABLE:
        return UNREADABLE
    fields = {
        **{f"usage.{name}": as_count(found.get(name)) for name in _COUNTS},
        **{f"usage.{name}": as_float(found.get(name)) for name in _COSTS},
        **{f"usage.{name}": as_object(found.get(name)) for name in _COST_DETAILS},
    }
    for name, details in _DETAILS.items():
        fields.update(details(found.get(name, {})))
    strange = {name: part for name, part in found.items() if name not in _USAGE}
    if strange:
        fields["metadata.langsmith.usage_metadata"] = strange
    return {name: part for name, part in fields.items() if part is not UNREADABLE}


def _details(name: str) -> Callable[[Any], dict[str, int]]:
    """A reader for the details of one side's tokens."""

    def read(value: Any) -> dict[str, int]:
        return {f"usage.{name}.{kind}": count for kind, count in as_counts(value).items()}

    return read


_DETAILS: Final = {name: _details(name) for name in ("input_token_details", "output_token_details")}
_USAGE: Final = frozenset((*_COUNTS, *_COSTS, *_COST_DETAILS, *_DETAILS))


def _content(value: Any) -> Any:
    """A run's inputs or outputs; a bare list of messages is named for what it is."""
    found = from_json(value)
    if isinstance(found, (list, tuple)) and found and all(_is_message(item) for item in found):
        return {"messages": found}
    return found


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and "role" in item


def attachments(value: Any) -> dict[Any, Any]:
    """LangSmith's ``[{name, content, mime_type}]`` as attachments; what is not one, kept as it is.

    Content is base64. A name never leads to a file, and loses its dots, by which LangSmith
    separates the parts of a multipart name.
    """
    found = from_json(value)
    items: Sequence[Any] = found if isinstance(found, (list, tuple)) else (found,)
    made, left = [], []
    for item in items:
        attachment = _attachment(item)
        if attachment is None:
            left.append(item)
        else:
            made.append(attachment)
    fields: dict[str, Any] = {"attachments": tuple(made)} if made else {}
    if left:
        fields["metadata.langsmith.attachments"] = left if made else value
    return fields


def _attachment(item: Any) -> Attachment | None:
    if not isinstance(item, dict):
        return None
    name, content = item.get("name"), item.get("content")
    if not isinstance(name, str) or not name or not isinstance(content, (str, bytes)):
        return None
    try:
        data = base64.b64decode(content, validate=True) if isinstance(content, str) else content
    except (binascii.Error, ValueError):
        return None
    mime_type = item.get("mime_type")
    return Attachment(
        name.replace(".", "_"),
        mime_type if isinstance(mime_type, str) and mime_type else "application/octet-stream",
        data,
    )


LANGSMITH: Final = Convention(
    name="langsmith",
    spec=(
        "https://docs.langchain.com/langsmith/trace-with-opentelemetry as of November 2026, "
        "and langsmith 0.14.17, langsmith/_internal/otel/_otel_exporter.py"
    ),
    rows=(
        # The SDK's exporter sets OK beside the exception event of a failed run (genai.md §0.4).
        attr(
            "error.from_events",
            "langsmith.span.kind",
            via=constant(value=True),
            keep=True,
            when=When(scope=("langsmith",)),
        ),
        attr("name", "langsmith.trace.name"),
        attr("run_type", "langsmith.span.kind", via=one_of(_KINDS), when=EARLY),
        attr("tags", "langsmith.span.tags"),
        attr("reference_example_id", "langsmith.reference_example_id"),
        spread("langsmith.attachments", via=attachments, content=True),
        # Read by `lineage.of_span`; dropped here as far as the run says the same.
        attr("lineage.run_id", "langsmith.span.id"),
        attr("lineage.trace_id", "langsmith.trace.id"),
        attr("lineage.parent_id", "langsmith.span.parent_id"),
        attr("lineage.dotted_order", "langsmith.span.dotted_order"),
        attr("lineage.project", "langsmith.trace.session_name"),
        attr("lineage.project_id", "langsmith.trace.session_id"),
        attr("provider", "langsmith.metadata.ls_provider", via=as_text),
        attr("model.request", "langsmith.metadata.ls_model_name"),
        attr("metadata.ls_model_type", "langsmith.metadata.ls_model_type"),
        spread("langsmith.usage_metadata", via=_usage),
        spread("langsmith.metadata.usage_metadata", via=_usage),
        attr("usage.total_tokens", "gen_ai.usage.total_tokens"),
        spread("gen_ai.usage.input_token_details", via=_DETAILS["input_token_details"]),
        spread("gen_ai.usage.output_token_details", via=_DETAILS["output_token_details"]),
        attr("params.stream", "langsmith.request.streaming"),
        attr("params.tools", "tools"),
        attr("metadata.service_tier", "gen_ai.response.service_tier"),
        attr("metadata.system_fingerprint", "gen_ai.response.system_fingerprint"),
        prefix("metadata", "langsmith.metadata.", via=from_json),
        attr("inputs", "gen_ai.prompt", via=_content, when=LATE),
        attr("outputs", "gen_ai.completion", via=_content, when=LATE),
        event("inputs", "gen_ai.content.prompt", "gen_ai.prompt", via=_content, when=LATE),
        event("outputs", "gen_ai.content.completion", "gen_ai.completion", via=_content, when=LATE),
    ),
)
