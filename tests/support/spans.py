"""Finished spans made by hand, with ids, times and attributes as a test wants them."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

TRACE = 0x0AF7651916CD43DD8448EB211C80319C
START = 1_795_246_915_312_327_139
SECOND = 1_000_000_000


def context(span_id: int, *, trace_id: int = TRACE, remote: bool = False) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=remote, trace_flags=TraceFlags(1))


def span(  # noqa: PLR0913 - a builder takes what a span has
    span_id: int,
    parent: int | SpanContext | None = None,
    *,
    name: str = "span",
    trace_id: int = TRACE,
    start: int = START,
    end: int | None = None,
    remote: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> ReadableSpan:
    """A span whose parent is given by id (then its context is a copy) or as a context."""
    if isinstance(parent, int):
        parent = context(parent, trace_id=trace_id, remote=remote)
    return ReadableSpan(
        name=name,
        context=context(span_id, trace_id=trace_id),
        parent=parent,
        resource=Resource({"service.name": "tests"}),
        attributes=attributes or {},
        instrumentation_scope=InstrumentationScope("tests", "1.0"),
        start_time=start,
        end_time=start + SECOND if end is None else end,
    )
