"""Extract and inject: carrier → context, and context → carrier, by LangSmith's headers and W3C's.

What the headers mean is in `headers` and `baggage`. Like `propagator` this is imported while
``opentelemetry.propagate`` is half imported itself, so it may not import that.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags, get_current_span

from otel_langsmith import w3c
from otel_langsmith.baggage import (
    OTEL_TRACE_ID,
    LangSmithBaggage,
    merge_baggage,
    otel_trace_id,
    parse_baggage,
    with_otel_trace_id,
)
from otel_langsmith.carrier import held, name_of, read
from otel_langsmith.headers import MAX_SEGMENTS, pack_state, parse_trace, unpack_state
from otel_langsmith.identity import SEGMENT_LENGTH, STAMP_LENGTH, span_id_of, trace_id_of
from otel_langsmith.lineage import (
    CALLER_RUN_ID,
    CALLER_TRACE_ID,
    Lineage,
    Riding,
    claimed,
    of_span,
)
from otel_langsmith.run import EMPTY
from otel_langsmith.tracking import find, hang, in_context, is_followed, put_in_context
from otel_langsmith.w3c import BAGGAGE, STATE_KEY, TRACESTATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.propagators.textmap import CarrierT, Getter, Setter
    from opentelemetry.trace import Span

    from otel_langsmith.run import Json, JsonObject
    from otel_langsmith.settings import Settings

TRACE: Final = "langsmith-trace"
FIELDS: Final = (TRACE, BAGGAGE, w3c.TRACEPARENT, w3c.TRACESTATE)

SENT_METADATA: Final = {
    "langsmith.metadata.thread_id": "thread_id",
    "langsmith.metadata.session_id": "session_id",
    "langsmith.metadata.conversation_id": "conversation_id",
    "gen_ai.conversation.id": "thread_id",
    "session.id": "thread_id",
}
"""Metadata that leaves with a request, and the current span's attributes that say it.

The official SDKs send all of a run's metadata to whoever is called (peers.md §5b.5).
"""

_SENT: Final = frozenset(SENT_METADATA.values())

_LONGEST_ORDER: Final = MAX_SEGMENTS * (SEGMENT_LENGTH + 1) - 1
_OF_THE_CALLERS_RUN: Final = ("ls_", "usage_metadata", "aggregated_usage", OTEL_TRACE_ID)

_packed: Final = lru_cache(maxsize=512)(pack_state)
_log: Final = logging.getLogger("otel_langsmith")


class Propagation:
    """Extracts lineages from carriers, as far as the settings trust them, and injects them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._ignored: dict[str, int] = {}
        self._warned = False

    def ignored(self) -> Mapping[str, int]:
        """How often something in a header was not taken, by reason."""
        with self._lock:
            return MappingProxyType(dict(self._ignored))

    def extract(
        self, carrier: CarrierT, context: Context | None, getter: Getter[CarrierT]
    ) -> Context:
        """The context, with all that is valid in the carrier; never raises."""
        context = Context() if context is None else context
        try:
            remote = w3c.remote(context)
            headers, readable = read(carrier, getter, FIELDS if remote is None else FIELDS[:2])
            if not readable:
                self._ignore("carrier_unreadable")
            if remote is None:
                context = w3c.read_into(context, headers)
            return self._with_lineage(context, headers)
        except Exception:  # noqa: BLE001 - whatever a carrier is, the application shall not suffer
            self._ignore("carrier_unreadable")
            return context

    def inject(self, carrier: CarrierT, context: Context | None, setter: Setter[CarrierT]) -> None:
        """Write the current run and span into the carrier, each header once; never raises."""
        try:
            there = held(carrier, FIELDS)
            headers = self._outgoing(context, there.get(BAGGAGE, ("", ""))[1])
            if there and isinstance(carrier, list):  # set appends there, and get finds the first
                carrier[:] = [pair for pair in carrier if name_of(pair[0]) not in headers]
                there = {}
            for name, value in headers.items():
                setter.set(carrier, there[name][0] if name in there else name, value)
        except Exception:  # noqa: BLE001 - as above
            self._ignore("carrier_unwritable")

    def _ignore(self, reason: str) -> None:
        with self._lock:
            self._ignored[reason] = self._ignored.get(reason, 0) + 1
        _log.debug("something in a carrier was ignored: %s", reason)

    def _with_lineage(self, context: Context, headers: Mapping[str, Sequence[str]]) -> Context:
        """The context whose next span hangs under the caller's run, as far as it is trusted."""
        if self._settings.inbound == "ignore":
            return context
        remote = w3c.remote(context)
        order, project = self._caller(headers[TRACE], remote)
        said, reachable = self._read_baggage(headers[BAGGAGE])
        said = replace(said, project=said.project or project) if project else said
        if not (order or said.project or said.tags or said.metadata):
            return context
        if order and reachable and self._settings.inbound == "continue":
            lineage = self._callers_lineage(said, order)
            if remote is None and (remote := _synthesised(lineage, said.metadata)):
                context = w3c.under(remote, context)
        else:
            lineage = self._callers_lineage(said, "", order)
        if remote is not None and find(remote) != lineage:
            remote = w3c.twin(remote)
            hang(remote, lineage)
            context = w3c.under(remote, context)
        return put_in_context(lineage, context)

    def _caller(
        self, traces: Sequence[str], remote: SpanContext | None
    ) -> tuple[str | None, str | None]:
        """The dotted order of the caller's run, and the project if ``tracestate`` had to tell."""
        if traces:
            order = parse_trace(traces[0]) if len(set(traces)) == 1 else None
            if order is not None:
                return order, None
            self._ignore("trace_unusable")
        packed = remote.trace_state.get(STATE_KEY) if remote is not None else None
        unpacked = unpack_state(packed) if packed else None
        if packed and unpacked is None:
            self._ignore("state_unusable")
        return unpacked or (None, None)

    def _read_baggage(self, values: Sequence[str]) -> tuple[LangSmithBaggage, bool]:
        """What LangSmith's members of ``baggage`` say, and whether our runs can go where it says.

        They cannot go to an agent's address, nor where a project is named as well; as children of
        runs that went there they would be missing their parents.
        """
        if not any("langsmith-" in value for value in values):
            return LangSmithBaggage(), True
        said, faults = parse_baggage(values)
        for fault in faults:
            self._ignore(fault)
        if said.address:
            self._ignore("address_unsupported")
        return said, not said.address and "two_destinations" not in faults

    def _callers_lineage(
        self, said: LangSmithBaggage, order: str, linked: str | None = None
    ) -> Lineage:
        """The lineage of a caller's run, or without ``order`` what rides along with a new trace."""
        settings = self._settings
        metadata = dict(_portable(said.metadata)) if settings.accept_metadata else {}
        if linked:
            ids = _run_ids(linked)
            metadata.update({CALLER_TRACE_ID: ids[0], CALLER_RUN_ID: ids[-1]})
        ids = _run_ids(order)
        return Lineage(
            trace_id=ids[0],
            run_id=ids[-1],
            parent_run_id=ids[-2] if len(ids) > 1 else None,
            dotted_order=order,
            riding=Riding(
                project=said.project if settings.accept_project else None,
                tags=said.tags if settings.accept_tags else (),
                metadata=metadata or EMPTY,
            ),
        )

    def _outgoing(self, context: Context | None, present: str) -> dict[str, str]:
        """The headers of a request, ``present`` being the baggage that it has already."""
        span = get_current_span(context)
        current = span.get_span_context()
        lineage = self._nearest_lineage(span, context)
        headers = w3c.written(context)
        if lineage is not None:
            order = lineage.dotted_order[:_LONGEST_ORDER]
            ours = self._outgoing_baggage(lineage, span)
            headers[TRACE] = order
            headers[BAGGAGE] = merge_baggage(present or w3c.baggage(context), ours)
            if current.is_valid:
                headers[TRACESTATE] = w3c.state(current, _packed(order, ours.project))
        elif not present:
            headers[BAGGAGE] = merge_baggage(w3c.baggage(context), LangSmithBaggage())
        return {name: value for name, value in headers.items() if value}

    def _nearest_lineage(self, span: Span, context: Context | None) -> Lineage | None:
        """The lineage of the run that a called service hangs under, if it can be told."""
        current = span.get_span_context()
        lineage = find(current)
        if lineage is None and not is_followed(current):
            lineage = self._untracked_lineage(span, context)
        return lineage if lineage is not None and lineage.can_be_named else None

    def _untracked_lineage(self, span: Span, context: Context | None) -> Lineage | None:
        """The lineage of a span that no `Tracker` saw start: exact if it has no local parent."""
        caller = in_context(context)
        if not isinstance(span, ReadableSpan):
            return caller
        parent = span.parent
        above = find(parent)
        if parent is not None and parent.is_remote and above is None and caller is not None:
            hang(parent, caller)  # a W3C propagator put it there without; the exporter looks there
            above = caller
        current = span.get_span_context()
        if not current.trace_flags.sampled:
            return above or caller
        if parent is not None and not parent.is_remote and above is None:
            self._warn_of_missing_processor()
            return caller
        if self._settings.remote_parent == "parent":
            above = claimed(span, above)
        return of_span(current.span_id, span.start_time or 0, above, span.attributes or EMPTY)

    def _warn_of_missing_processor(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "a span's place in its LangSmith trace is not known when a request leaves, so the "
                "called service cannot hang under it: add LangSmithSpanProcessor() to the "
                "TracerProvider, in place of a batch processor with LangSmithSpanExporter()"
            )

    def _outgoing_baggage(self, lineage: Lineage, span: Span) -> LangSmithBaggage:
        """What LangSmith's members of the outgoing ``baggage`` say."""
        riding = lineage.riding
        metadata: dict[str, Json] = {
            key: value for key, value in riding.metadata.items() if key in _SENT
        }
        attributes = (span.attributes or EMPTY) if isinstance(span, ReadableSpan) else EMPTY
        for name, key in reversed(SENT_METADATA.items()):
            if name in attributes:
                metadata[key] = attributes[name]
        current = span.get_span_context()
        if current.is_valid:
            metadata = with_otel_trace_id(metadata, current.trace_id)
        known = riding.project or riding.project_id
        return LangSmithBaggage(
            riding.project if known else self._settings.project, riding.tags, metadata
        )


def _synthesised(lineage: Lineage, metadata: JsonObject) -> SpanContext | None:
    """A remote span context for a caller that sent no ``traceparent``.

    Sampled, or parent-based samplers would drop every span below it.
    """
    trace_id = otel_trace_id(metadata) or trace_id_of(lineage.trace_id)
    span_id = span_id_of(lineage.run_id)
    if not (trace_id and span_id):
        return None
    return SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _run_ids(order: str) -> list[str]:
    return [segment[STAMP_LENGTH:] for segment in order.split(".")]


def _portable(metadata: JsonObject) -> Iterator[tuple[str, Json]]:
    """The metadata without what describes the caller's own run: its tokens would count twice."""
    for key, value in metadata.items():
        if not key.startswith(_OF_THE_CALLERS_RUN):
            yield key, value
