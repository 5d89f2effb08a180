"""A run's metadata about its origin: resource, scope, kind, ids, links, dropped counts."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    SpanContext,
    SpanKind,
    format_span_id,
    format_trace_id,
)

from otel_langsmith.identity import span_id_text
from otel_langsmith.lineage import Lineage
from otel_langsmith.run import JsonObject

Metadata: TypeAlias = dict[str, Any]

FRAMES: Final = 256
"""Frames remembered before all are forgotten: a service has a few scopes and one resource."""

_INTERNAL: Final = SpanKind.INTERNAL
"""Before Python 3.12, a member of an Enum is found by Python code: 2,000 instructions a look."""

_NO_STATE: Final = INVALID_SPAN_CONTEXT.trace_state
"""The one that most spans have; to ask a trace state whether it is empty takes Python code, too."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Metadata made once for all spans of a resource, a scope and a kind."""

    resource: Metadata
    scope: Metadata
    both: Metadata
    size: int
    """How many names both have; more than are in ``both`` if they have one in common."""

    scope_name: str
    sources: tuple[object, object, object]
    """The very objects, held so that their ids cannot be another's meanwhile."""


class Frames:
    """The `Frame` of each span: they share theirs by the thousand. Safe from any thread."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int, int], Frame] = {}

    def of(self, span: ReadableSpan) -> Frame:
        """By identity: none of the three is cheap to compare."""
        resource, scope, kind = span.resource, span.instrumentation_scope, span.kind
        key = (id(resource), id(scope), id(kind))
        return self._made.get(key) or self._make(key, resource, scope, kind)

    def _make(
        self,
        key: tuple[int, int, int],
        resource: Resource,
        scope: InstrumentationScope | None,
        kind: SpanKind,
    ) -> Frame:
        of_resource, of_scope = dict(resource.attributes), _of_scope(scope)
        if kind is not _INTERNAL:
            of_scope["otel.span.kind"] = kind.name
        if len(self._made) >= FRAMES:
            self._made.clear()
        both, size = {**of_resource, **of_scope}, len(of_resource) + len(of_scope)
        name = scope.name if scope else ""
        frame = Frame(of_resource, of_scope, both, size, name, (resource, scope, kind))
        return self._made.setdefault(key, frame)


def about(span: ReadableSpan, lineage: Lineage) -> Metadata:
    """What OpenTelemetry knows of this one span, by the names its spec has for other formats.

    Spec: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
    """
    context = span.context
    about: Metadata
    if context is None:
        about = {}
    else:
        about = {
            "OTEL_TRACE_ID": _trace_id_text(context.trace_id),
            "OTEL_SPAN_ID": span_id_text(context.span_id),
        }
        state = context.trace_state
        if state is not _NO_STATE and state:
            about["otel.trace_state"] = state.to_header()
    if lineage.parent_run_id is None or lineage.riding.claimed:
        about.update(_parent(span.parent))
    if links := span.links:
        about["otel.links"] = [_link(link) for link in links]
    if span.dropped_attributes or span.dropped_events or span.dropped_links:
        about.update(_dropped(span))
    return about


def _parent(parent: SpanContext | None) -> Metadata:
    return {} if parent is None else {"otel.parent_span_id": format_span_id(parent.span_id)}


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


def _of_scope(scope: InstrumentationScope | None) -> Metadata:
    if scope is None:
        return {}
    about: Metadata = {"otel.scope.name": scope.name, "otel.scope.version": scope.version}
    if scope.attributes:
        about["otel.scope.attributes"] = dict(scope.attributes)
    return {key: value for key, value in about.items() if value}


_trace_id_text: Final = lru_cache(maxsize=256)(format_trace_id)
frame_of: Final = Frames().of
