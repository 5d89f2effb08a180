"""``mlflow.*``: MLflow Tracing, which writes every value as JSON, texts and numbers too.

It also copies the arguments of a model call to attributes under their own names.
"""

from typing import Any, Final

from otel_langsmith.conventions import kinds, payloads, retrieval, tokens
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.models import parameters, provider
from otel_langsmith.conventions.readers import (
    UNREADABLE,
    as_bool,
    as_cost,
    as_count,
    as_float,
    as_object,
    as_text,
    as_texts,
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
    When,
    attr,
    prefix,
    spread,
)
from otel_langsmith.credentials import without_secret_members

KINDS: Final = {
    "llm": kinds.LLM,
    "chat_model": kinds.LLM,
    "embedding": kinds.EMBEDDING,
    "retriever": kinds.RETRIEVER,
    "reranker": kinds.RERANKER,
    "tool": kinds.TOOL,
    "parser": kinds.PARSER,
    "chain": kinds.CHAIN,
    "workflow": kinds.CHAIN,
    "task": kinds.CHAIN,
    "agent": kinds.AGENT,
    "evaluator": kinds.EVALUATOR,
    "guardrail": kinds.GUARDRAIL,
    "memory": kinds.MEMORY,
}


def request_parameters(value: Any) -> Any:
    """The invocation parameters of a request to a model, if it is one."""
    found = as_object(value)
    is_request = found is not UNREADABLE and "model" in found and any(map(found.get, _ASKED))
    return parameters(found) if is_request else UNREADABLE


def without_credentials(value: Any) -> Any:
    """The value of a JSON text, without credentials, which headers may hold."""
    return without_secret_members(decoded(value))


def response_usage(value: Any) -> Any:
    """The usage in a response of a model's API, if it is one."""
    found = as_object(value)
    counted = found.get("usage") if found is not UNREADABLE and "model" in found else None
    return tokens.counts(counted) if isinstance(counted, dict) else UNREADABLE


_ASKED: Final = ("messages", "input", "prompt", "contents")
_IS: Final = ("mlflow.spanType",)
_GIVEN: Final = When(given=_IS)
_INPUTS: Final = "mlflow.spanInputs"
_OUTPUTS: Final = "mlflow.spanOutputs"

MLFLOW: Final = Convention(
    name="mlflow",
    spec="mlflow-tracing 3.17.2, mlflow/tracing/constant.py and mlflow/entities/span.py",
    tokens=("mlflow.chunk.item.",),
    rows=(
        spread("mlflow.spanType", via=in_json(one_of(KINDS)), keep=True, when=EARLY),
        attr("model.request", "model", via=in_json(as_text), when=_GIVEN),
        spread("invocation_params", via=parameters, when=_GIVEN),
        # Where the arguments are attributes too, these are read instead.
        spread(
            _INPUTS,
            via=request_parameters,
            keep=True,
            when=When(unless=("model", "invocation_params")),
        ),
        attr("model.response", "mlflow.llm.model", via=in_json(as_text)),
        attr("provider", "mlflow.llm.provider", via=in_json(provider)),
        attr("params.temperature", "temperature", via=in_json(as_float), when=_GIVEN),
        attr("params.top_p", "top_p", via=in_json(as_float), when=_GIVEN),
        attr("params.top_k", "top_k", via=in_json(as_count), when=_GIVEN),
        attr("params.max_tokens", "max_tokens", via=in_json(as_count), when=_GIVEN),
        attr("params.n", "n", via=in_json(as_count), when=_GIVEN),
        attr("params.seed", "seed", via=in_json(as_count), when=_GIVEN),
        attr("params.stop", "stop", via=in_json(as_texts), when=_GIVEN),
        attr("params.stream", "stream", via=in_json(as_bool), when=_GIVEN),
        attr("params.tools", "mlflow.chat.tools"),
        attr("params.response_format", "response_format", via=decoded, when=_GIVEN),
        spread("mlflow.chat.tokenUsage", via=tokens.usage("mlflow.chat.tokenUsage")),
        # Of embeddings it counts none, but the response does.
        spread(
            _OUTPUTS,
            via=response_usage,
            keep=True,
            when=When(given=_IS, unless=("mlflow.chat.tokenUsage",)),
        ),
        spread(
            "mlflow.llm.cost",
            via=picked(
                {
                    "usage.input_cost": ("input_cost", as_cost),
                    "usage.output_cost": ("output_cost", as_cost),
                    "usage.total_cost": ("total_cost", as_cost),
                }
            ),
        ),
        attr("metadata.tool_call_id", "tool_call_id", via=in_json(as_text), when=_GIVEN),
        attr("metadata.thread_id", "mlflow.trace.session", via=in_json(as_text)),
        attr("metadata.user_id", "mlflow.trace.user", via=in_json(as_text)),
        attr("inputs.messages", _INPUTS, via=in_json(payloads.request_or_text), when=LLM_RUNS),
        attr("inputs.input", _INPUTS, via=in_json(retrieval.embedded_texts), when=EMBEDDING_RUNS),
        attr("inputs", _INPUTS, via=in_json(payloads.content), when=LATE),
        attr("outputs.messages", _OUTPUTS, via=in_json(payloads.response_or_text), when=LLM_RUNS),
        attr("outputs", _OUTPUTS, via=in_json(retrieval.embedded), when=EMBEDDING_RUNS),
        attr(
            "outputs.documents",
            _OUTPUTS,
            via=in_json(retrieval.documents_or_texts),
            when=RETRIEVER_RUNS,
        ),
        attr("outputs", _OUTPUTS, via=in_json(payloads.content), when=LATE),
        # Whatever else is on its spans is JSON, too.
        prefix("metadata", "", via=without_credentials, when=When(given=_IS, turn="late")),
    ),
)
