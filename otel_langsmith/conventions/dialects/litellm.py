"""LiteLLM's own callback for OpenTelemetry, in the library and in the proxy.

It writes ``gen_ai.*``, flattens tool calls as Traceloop did, and has the raw request and response
in a span of their own, as Python's reprs: ``llm.openai.messages``.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_langsmith.conventions import payloads, tokens
from otel_langsmith.conventions.models import provider
from otel_langsmith.conventions.readers import BLANK, UNREADABLE, as_text
from otel_langsmith.conventions.reprs import from_repr
from otel_langsmith.conventions.rows import LATE, Convention, When, attr, named, prefix, spread

RESPONSE_MEMBERS: Final = frozenset(
    (
        *("id", "object", "type", "role", "created", "created_at", "completed_at", "status"),
        *("choices", "content", "output", "candidates", "data", "results", "error"),
        *("stop_reason", "stop_sequence", "incomplete_details", "usage", "usageMetadata"),
        *("service_tier", "system_fingerprint", "moderation", "modelVersion", "responseId"),
    )
)
"""Members of responses; whatever else stands beside them is of the request."""


def raw_request(found: Mapping[str, Any]) -> Any:
    """The request as the provider got it."""
    return _raw(found, of_answer=False)


def raw_response(found: Mapping[str, Any]) -> Any:
    """The response as the provider gave it."""
    return _raw(found, of_answer=True)


def _raw(found: Mapping[str, Any], *, of_answer: bool) -> Any:
    """The members of the request or of the response, without those that are blank."""
    half = {
        name: from_repr(part)
        for inner in _members(found).values()
        for name, part in _members(inner).items()
        if (name in RESPONSE_MEMBERS) is of_answer and nothing_if_blank(part) is not BLANK
    }
    return payloads.content(half) if half else UNREADABLE


def _members(inner: Any) -> Mapping[str, Any]:
    return inner if isinstance(inner, dict) else {}


def usage(value: Any) -> Any:
    """The provider's usage object: LiteLLM's own attributes have no details."""
    found = from_repr(value)
    return tokens.counts(found) if isinstance(found, dict) else UNREADABLE


def nothing_if_blank(value: Any) -> Any:
    """`BLANK` for an empty value: most of the proxy's thirty-five facts about a call are."""
    return BLANK if isinstance(value, str) and value in ("", "[]", "{}") else UNREADABLE


def provider_of_route(value: Any) -> Any:
    """The provider in ``openai/gpt-4o-mini``."""
    word, slash, _ = value.partition("/") if isinstance(value, str) else ("", "", "")
    return provider(as_text(word)) if slash else UNREADABLE


_HERE: Final = When(scope=("litellm",))
_RAW: Final = When(scope=("litellm",), unless=("gen_ai.operation.name",), turn="late")

LITELLM: Final = Convention(
    name="litellm",
    spec="litellm/integrations/opentelemetry.py of https://github.com/BerriAI/litellm, Nov 2026",
    rows=(
        attr("provider", "litellm.provider.model", via=provider_of_route, keep=True, when=LATE),
        spread("metadata.usage_object", via=usage, when=_HERE),
        prefix("metadata", "metadata.", via=nothing_if_blank, when=_HERE),
        named("inputs", "llm.", via=raw_request, when=_RAW),
        named("outputs", "llm.", via=raw_response, when=_RAW),
    ),
)
