"""The fields of a run that a table may fill, and how each is read unless a row says otherwise.

Dotted names nest: ``params.seed`` becomes ``seed`` of the invocation parameters, ``inputs.query``
becomes ``query`` of the inputs. A bare ``inputs`` is the whole of them. Beside the fields here, a
table may make up names below those that are `OPEN`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.messages import instructions
from otel_langsmith.conventions.models import error_type, finish_reasons, provider
from otel_langsmith.conventions.payloads import content, request_or_text, response_or_text
from otel_langsmith.conventions.readers import (
    as_bool,
    as_cost,
    as_count,
    as_float,
    as_instant,
    as_is,
    as_object,
    as_seconds,
    as_tags,
    as_text,
    as_texts,
    as_uuid,
    one_of,
)
from otel_langsmith.conventions.retrieval import documents, embedded_texts
from otel_langsmith.conventions.tools import arguments, tool_definitions
from otel_langsmith.run import RUN_TYPES

SCALARS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": as_text,
    "name.method": as_text,  # a span that is called by this alone is called by the next one too
    "name.target": as_text,
    "name.from": as_text,  # which of the next four a run of this kind is called by
    "tool.name": as_text,
    "agent.name": as_text,
    "workflow.name": as_text,
    "function.name": as_text,
    "run_type": one_of({word: word for word in RUN_TYPES}),
    "model.request": as_text,
    "model.response": as_text,
    "model.type": as_text,  # `chat` or `llm`
    "provider": provider,
    "tags": as_tags,
    "attachments": as_is,
    "reference_example_id": as_uuid,
    "first_token_s": as_seconds,  # since the start of the span
    "first_token_ns": as_instant,  # the same as a point in time
    "error.type": error_type,
    "error.code": as_is,
    "error.message": as_text,
    "error.from_events": as_bool,
    "error.stated": as_bool,  # failed, whatever the status
    "lineage.run_id": as_is,
    "lineage.trace_id": as_is,
    "lineage.parent_id": as_is,
    "lineage.dotted_order": as_is,
    "lineage.project": as_is,
    "lineage.project_id": as_is,
    "usage.input_tokens": as_count,
    "usage.output_tokens": as_count,
    "usage.total_tokens": as_count,
    "usage.input_cost": as_cost,
    "usage.output_cost": as_cost,
    "usage.total_cost": as_cost,
    "usage.input_token_details.cache_read": as_count,
    "usage.input_token_details.cache_creation": as_count,
    "usage.input_token_details.ephemeral_5m_input_tokens": as_count,
    "usage.input_token_details.ephemeral_1h_input_tokens": as_count,
    "usage.input_token_details.audio": as_count,
    "usage.input_token_details.image": as_count,
    "usage.input_token_details.text": as_count,
    "usage.input_token_details.video": as_count,
    "usage.output_token_details.reasoning": as_count,
    "usage.output_token_details.audio": as_count,
    "usage.output_token_details.image": as_count,
    "usage.output_token_details.text": as_count,
    "params": as_is,
    "params.dimensions": as_count,
    "params.encoding_formats": as_texts,
    "params.frequency_penalty": as_float,
    "params.max_tokens": as_count,
    "params.n": as_count,
    "params.output_type": as_text,
    "params.presence_penalty": as_float,
    "params.previous_response_id": as_text,
    "params.reasoning_effort": as_text,
    "params.response_format": from_json,
    "params.seed": as_count,
    "params.service_tier": as_text,
    "params.stop": as_texts,
    "params.stream": as_bool,
    "params.temperature": as_float,
    "params.thinking.budget_tokens": as_count,
    "params.thinking.type": as_text,
    "params.tool_choice": from_json,
    "params.tools": tool_definitions,
    "params.top_k": as_count,
    "params.top_p": as_float,
    "metadata": as_is,
    "metadata.finish_reasons": finish_reasons,
    "metadata.langsmith.attachments": as_is,
    "metadata.ls_integration": as_text,
    "metadata.ls_model_type": as_text,
    "metadata.ls_span_kind": as_text,
    "metadata.response_id": as_text,
    "metadata.service_tier": as_text,
    "metadata.system_fingerprint": as_text,
    "metadata.thread_id": as_text,
    "metadata.tool_call_id": as_text,
    "metadata.tool_schema": as_object,
    "metadata.user_id": as_text,
}

CONTENTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "inputs": content,
    "inputs.collection": as_text,
    "inputs.database": as_text,
    "inputs.destination": as_text,
    "inputs.documents": documents,
    "inputs.input": embedded_texts,
    "inputs.messages": request_or_text,
    "inputs.method": as_text,
    "inputs.operation": as_text,
    "inputs.parameters": as_is,
    "inputs.path": as_text,
    "inputs.query": as_text,
    "inputs.route": as_text,
    "inputs.service": as_text,
    "inputs.statement": as_text,
    "inputs.system": instructions,
    "inputs.url": as_text,
    "inputs.variables": arguments,
    "outputs": content,
    "outputs.count": as_count,
    "outputs.dimensions": as_count,
    "outputs.documents": documents,
    "outputs.messages": response_or_text,
    "outputs.output": from_json,
    "outputs.reasoning": as_text,
    "outputs.records": from_json,
    "outputs.rows": as_count,
    "outputs.status_code": as_is,
}

READERS: Final[Mapping[str, Callable[[Any], Any]]] = {**SCALARS, **CONTENTS}

OPEN: Final = (
    *("inputs.", "outputs.", "metadata.", "params."),
    *("usage.input_token_details.", "usage.output_token_details."),
)
"""Beginnings of names that are not a closed vocabulary; what is below them is read as it is."""


def is_field(name: str) -> bool:
    """Whether a table may fill a field of this name."""
    return name in READERS or (name.startswith(OPEN) and not name.endswith("."))


def is_content(name: str) -> bool:
    """Whether hiding inputs or outputs must reach a field; what feeds it never is metadata."""
    return name in _CONTENT or name.startswith(("inputs.", "outputs."))


_CONTENT: Final = frozenset((*CONTENTS, "params.tools", "attachments"))

MINOR: Final[frozenset[str]] = frozenset(("system", "variables", "reasoning"))
"""Content that goes with other content: a dialect with no more than this does not own the inputs.
Like `PLAIN`, by names within the side."""

_COMPOSED: Final = frozenset(("", "messages", "system", "reasoning"))

PLAIN: Final[frozenset[str]] = frozenset(field.partition(".")[2] for field in CONTENTS).difference(
    _COMPOSED
)
"""Content that stands in inputs and outputs as it is, under its own name."""

UNIONS: Final[frozenset[str]] = frozenset(("tags",))
"""Fields that gather what every dialect says instead of taking the first."""

MORE: Final[frozenset[str]] = frozenset(
    (
        "attachments",
        "error.from_events",
        "error.stated",
        "first_token_ns",
        "first_token_s",
        "reference_example_id",
        "tags",
    )
)
"""Scalars that few spans have, and that make more of a run than its name and its metadata."""

NAMING: Final[frozenset[str]] = frozenset(("name", "name.from", "name.method", "tool.name"))
"""Without these a run is called as its span; the other fields that name one go with them."""

OF_MODELS: Final[frozenset[str]] = frozenset(
    ("model.request", "model.response", "provider", "agent.name", "workflow.name")
)
"""What `compose.tell_of_model` looks for in runs that are not of models."""
