"""Which spans become runs: the presets of `span_filter`, as data.

Pure, and total for the presets; a callable of the user's may raise, hence `forgiving`.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

Preset: TypeAlias = Literal["all", "genai", "genai+root"]
SpanFilter: TypeAlias = Preset | Callable[[ReadableSpan], bool]

Wanted: TypeAlias = Callable[[ReadableSpan, bool], bool]
"""Whether a span becomes a run; the flag says that no run would be above it."""

PRESETS: Final = ("all", "genai", "genai+root")

MARKS: Final = (
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.tool.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "llm.request.type",
    "mcp.method.name",
    "langsmith.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
    "braintrust.span_attributes",
    "ai.operationId",
    "haystack.component.name",
)
"""Attributes that only a model, agent, tool, retrieval, MCP or chain span has.

Not ``gen_ai.agent.name``, ``session.id`` or ``traceloop.entity.path``: helpers copy those onto
every span below an agent, HTTP calls included (genai.md §2).
"""

VALUES: Final = {
    key: frozenset(
        ("chroma", "chromadb", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate")
    )
    for key in ("db.system", "db.system.name")
}
"""Attributes of which some values mark a retrieval: the databases that hold nothing but vectors."""

SCOPES: Final = (
    "openinference.instrumentation",
    "opentelemetry.util.genai",
    *(
        f"opentelemetry.instrumentation.{library}"
        for library in (
            *("agno", "alephalpha", "anthropic", "bedrock", "chromadb", "cohere", "crewai"),
            *("genai", "google_genai", "google_generativeai", "groq", "haystack", "lancedb"),
            *("langchain", "llamaindex", "marqo", "mcp", "milvus", "mistralai", "ollama"),
            *("openai", "openai_agents", "openai_v2", "pinecone", "qdrant", "replicate"),
            *("sagemaker", "together", "transformers", "vertexai", "watsonx", "weaviate"),
        )
    ),
    *("com.anthropic.sdk", "gcp.vertex.agent", "mcp-python-sdk", "pydantic-ai", "strands"),
)
"""Instrumentations that trace nothing else, whether or not a span carries its mark yet.

A name stands for itself and for what follows it after a dot.
"""


def selector(span_filter: SpanFilter) -> Wanted | None:
    """What a `span_filter` asks of each span; None if it wants them all."""
    if span_filter == "all":
        return None
    if span_filter == "genai":
        return lambda span, _: is_genai(span)
    if span_filter == "genai+root":
        return lambda span, is_root: is_root or is_genai(span)
    return lambda span, _: bool(span_filter(span))


def nothing(_span: ReadableSpan, _is_root: bool) -> bool:
    """The filter of a process that can send nothing: its headers name its caller's run instead."""
    return False


def forgiving(wanted: Wanted | None, complain: Callable[[Exception], None]) -> Wanted | None:
    """The same filter, which keeps a span on which it raises.

    (A filter is no means of hiding content.) ``complain`` is called with the first exception.
    """
    failed: list[bool] = []

    def asked(span: ReadableSpan, is_root: bool) -> bool:
        try:
            return wanted is None or wanted(span, is_root)
        except Exception as error:  # noqa: BLE001 - the user's own code, on the application's thread
            if not failed:
                failed.append(True)
                complain(error)
            return True

    return wanted and asked


def is_genai(span: ReadableSpan) -> bool:
    """Whether a span is a step of a generative-AI application, by its attributes or its scope."""
    attributes = span.attributes or {}
    if any(mark in attributes for mark in MARKS):
        return True
    if any(attributes.get(key) in values for key, values in VALUES.items() if key in attributes):
        return True
    scope = span.instrumentation_scope
    return scope is not None and f"{scope.name}.".startswith(_SCOPE_PREFIXES)


_SCOPE_PREFIXES: Final = tuple(f"{scope}." for scope in SCOPES)
