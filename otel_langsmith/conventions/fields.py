"""The closed vocabulary of fields that a table may fill; a misspelt one is a type error.

Dotted names nest: ``params.seed`` becomes ``seed`` of the invocation parameters, ``inputs.query``
becomes ``query`` of the inputs. A bare ``inputs`` is the whole of them.
"""

from typing import Final, Literal, TypeAlias, get_args

Scalar: TypeAlias = Literal[
    "name",
    "name.method",  # a span that is called by this alone is called by the next one too
    "name.target",
    "name.from",  # which of the next four a run of this kind is called by
    "tool.name",
    "agent.name",
    "workflow.name",
    "function.name",
    "run_type",
    "model.request",
    "model.response",
    "model.type",
    "provider",
    "tags",
    "attachments",
    "reference_example_id",
    "first_token_s",
    "first_token_ns",  # the same as a point in time
    "error.type",
    "error.code",
    "error.message",
    "error.from_events",
    "error.stated",  # failed, whatever the status
    "lineage.run_id",
    "lineage.trace_id",
    "lineage.parent_id",
    "lineage.dotted_order",
    "lineage.project",
    "lineage.project_id",
    "usage.input_tokens",
    "usage.output_tokens",
    "usage.total_tokens",
    "usage.input_cost",
    "usage.output_cost",
    "usage.total_cost",
    "usage.input_token_details.cache_read",
    "usage.input_token_details.cache_creation",
    "usage.input_token_details.ephemeral_5m_input_tokens",
    "usage.input_token_details.ephemeral_1h_input_tokens",
    "usage.input_token_details.audio",
    "usage.input_token_details.image",
    "usage.input_token_details.text",
    "usage.input_token_details.video",
    "usage.output_token_details.reasoning",
    "usage.output_token_details.audio",
    "usage.output_token_details.image",
    "usage.output_token_details.text",
    "params",
    "params.dimensions",
    "params.encoding_formats",
    "params.frequency_penalty",
    "params.max_tokens",
    "params.n",
    "params.output_type",
    "params.presence_penalty",
    "params.previous_response_id",
    "params.reasoning_effort",
    "params.response_format",
    "params.seed",
    "params.service_tier",
    "params.stop",
    "params.stream",
    "params.temperature",
    "params.thinking.budget_tokens",
    "params.thinking.type",
    "params.tool_choice",
    "params.tools",
    "params.top_k",
    "params.top_p",
    "metadata",
    "metadata.finish_reasons",
    "metadata.langsmith.attachments",
    "metadata.ls_integration",
    "metadata.ls_model_type",
    "metadata.ls_span_kind",
    "metadata.response_id",
    "metadata.service_tier",
    "metadata.system_fingerprint",
    "metadata.thread_id",
    "metadata.tool_call_id",
    "metadata.tool_schema",
    "metadata.user_id",
]

Content: TypeAlias = Literal[
    "inputs",
    "inputs.collection",
    "inputs.database",
    "inputs.destination",
    "inputs.documents",
    "inputs.input",
    "inputs.messages",
    "inputs.method",
    "inputs.operation",
    "inputs.parameters",
    "inputs.path",
    "inputs.query",
    "inputs.route",
    "inputs.service",
    "inputs.statement",
    "inputs.system",
    "inputs.url",
    "inputs.variables",
    "outputs",
    "outputs.count",
    "outputs.dimensions",
    "outputs.documents",
    "outputs.messages",
    "outputs.output",
    "outputs.reasoning",
    "outputs.records",
    "outputs.rows",
    "outputs.status_code",
]

Field: TypeAlias = Scalar | Content

CONTENT: Final[frozenset[str]] = frozenset((*get_args(Content), "params.tools", "attachments"))
"""Fields that hiding inputs or outputs must reach. What feeds them never falls into metadata."""

MINOR: Final[frozenset[str]] = frozenset(("system", "variables", "reasoning"))
"""Content that goes with other content: who has no more than this does not own the inputs. Like
`PLAIN`, by names within the side."""

_COMPOSED: Final = frozenset(("", "messages", "system", "reasoning"))

PLAIN: Final[frozenset[str]] = frozenset(
    field.partition(".")[2] for field in get_args(Content)
).difference(_COMPOSED)
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
