"""`run_id`: from a span to its run in LangSmith."""

from uuid import UUID

from opentelemetry.trace import Span, SpanContext

from otel_langsmith.identity import run_id_of
from otel_langsmith.tracking import find


def run_id(span: Span | SpanContext) -> UUID:
    """The id of a span's run in LangSmith, for feedback, links and look-ups.

        client.create_feedback(run_id(span), key="helpful", score=1)

    It is known as soon as the span has started. A span that ``span_filter`` leaves out has the id
    of the nearest run above it.

    Raises:
        ValueError: The span is invalid, as `opentelemetry.trace.get_current_span` returns where
            there is none.
    """
    context = span if isinstance(span, SpanContext) else span.get_span_context()
    if not context.is_valid:
        raise ValueError("there is no run for an invalid span; is a span current here?")
    lineage = find(context)
    return UUID(lineage.run_id if lineage else run_id_of(context.span_id))
