"""Reads and writes W3C's three headers by OpenTelemetry's own propagators.

Spec: https://www.w3.org/TR/trace-context/ and https://www.w3.org/TR/baggage/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_langsmith.baggage import MAX_BAGGAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
STATE_KEY: Final = "langsmith"
"""The name of our member of ``tracestate``."""

MAX_STATES: Final = 32

_trace_context: Final = TraceContextTextMapPropagator()
_baggage: Final = W3CBaggagePropagator()


def remote(context: Context) -> SpanContext | None:
    """The remote parent that a context has already, if any."""
    current = get_current_span(context).get_span_context()
    return current if current.is_remote and current.is_valid else None


def under(parent: SpanContext, context: Context) -> Context:
    """A context whose next span is the child of ``parent``."""
    return set_span_in_context(NonRecordingSpan(parent), context)


def twin(context: SpanContext) -> SpanContext:
    """Another object of the same remote ids: what hangs on this one is none of the other's."""
    return SpanContext(
        context.trace_id, context.span_id, True, context.trace_flags, context.trace_state
    )


def read_into(context: Context, headers: Mapping[str, Sequence[str]]) -> Context:
    """The context with what the headers say, but for LangSmith's members of ``baggage``.

    Those would be on every span of whoever copies baggage to attributes.
    """
    context = _trace_context.extract(
        {name: text for name, text in headers.items() if text}, context
    )
    baggage = ",".join(headers[BAGGAGE])
    if not baggage or len(baggage) > MAX_BAGGAGE_BYTES:  # OTel logs a longer one in full
        return context
    members = (member.strip() for member in baggage.split(","))  # OTel before 1.45 does not strip
    others = [m for m in members if m.isascii() and not m.startswith("langsmith-")]
    return _baggage.extract({BAGGAGE: ",".join(others)}, context)


def written(context: Context | None) -> dict[str, str]:
    """``traceparent`` and ``tracestate`` of the context's current span, if it has valid ids."""
    headers: dict[str, str] = {}
    if get_current_span(context).get_span_context().is_valid:
        _trace_context.inject(headers, context)
    return headers


def baggage(context: Context | None) -> str:
    """The context's own baggage. A space, which OTel Python spells ``+``, is ``%20`` for others."""
    headers: dict[str, str] = {}
    _baggage.inject(headers, context)
    return headers.get(BAGGAGE, "").replace("+", "%20")


def state(current: SpanContext, packed: str) -> str:
    """The ``tracestate`` with our member first, as who changes a member has to put it."""
    others = [f"{key}={value}" for key, value in current.trace_state.items() if key != STATE_KEY]
    return ",".join([f"{STATE_KEY}={packed}", *others[: MAX_STATES - 1]])
