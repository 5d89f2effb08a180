"""Where a run comes from: what OpenTelemetry knows of its span beside attributes and events."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, format_span_id, format_trace_id

from otel_langsmith.identity import span_id_text
from otel_langsmith.lineage import Lineage
from otel_langsmith.run import JsonObject

Metadata: TypeAlias = dict[str, Any]

_FRAGMENTS: Final = 64

_INTERNAL: Final = SpanKind.INTERNAL
"""Before Python 3.12, a member of an Enum is found by Python code: 2,000 instructions a look."""


def about(span: ReadableSpan, lineage: Lineage) -> Metadata:
    """What OpenTelemetry knows of the span, by the names its spec has for other formats.

    Spec: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
    """
    context, scope, kind, links = span.context, span.instrumentation_scope, span.kind, span.links
    about: Metadata = {} if scope is None else _scope(scope).copy()
    if context is not None:
        about["OTEL_TRACE_ID"] = _trace_id_text(context.trace_id)
        about["OTEL_SPAN_ID"] = span_id_text(context.span_id)
        if context.trace_state:
            about["otel.trace_state"] = context.trace_state.to_header()
    if span.parent is not None and (lineage.parent_run_id is None or lineage.claimed):
        about["otel.parent_span_id"] = format_span_id(span.parent.span_id)
    if kind is not _INTERNAL:
        about["otel.span.kind"] = kind.name
    if links:
        about["otel.links"] = [_link(link) for link in links]
    if span.dropped_attributes or span.dropped_events or span.dropped_links:
        about.update(_dropped(span))
    return about


def _dropped(span: ReadableSpan) -> Metadata:
    counts = {
        "otel.dropped_attributes_count": span.dropped_attributes,
        "otel.dropped_events_count": span.dropped_events,
        "otel.dropped_links_count": span.dropped_links,
    }
    return {name: count for name, count in counts.items() if count}


def _link(link: Link) -> JsonObject:
    return {
        "trace_id": format_trace_id(link.context.trace_id),
        "span_id": format_span_id(link.context.span_id),
        "attributes": dict(link.attributes or {}),
    }


class _Fragments:
    """Metadata made once for each resource or scope: spans share theirs by the thousand.

    Keyed by identity, and holding the very object, so that its id cannot be another's meanwhile.
    """

    def __init__(self, make: Callable[[Any], Metadata]) -> None:
        self._make = make
        self._made: dict[int, tuple[object, Metadata]] = {}

    def __call__(self, thing: object) -> Metadata:
        held = self._made.get(id(thing))
        if held is None:
            if len(self._made) >= _FRAGMENTS:
                self._made.clear()
            held = self._made[id(thing)] = (thing, self._make(thing))
        return held[1]


def _of_scope(scope: InstrumentationScope) -> Metadata:
    about: Metadata = {"otel.scope.name": scope.name, "otel.scope.version": scope.version}
    if scope.attributes:
        about["otel.scope.attributes"] = dict(scope.attributes)
    return {key: value for key, value in about.items() if value}


_trace_id_text: Final = lru_cache(maxsize=256)(format_trace_id)
resource_of: Final = _Fragments(lambda resource: dict(resource.attributes))
_scope: Final = _Fragments(_of_scope)
