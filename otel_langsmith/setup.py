"""`configure`: the global tracer provider and propagator, made or added to, never replaced."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider, set_tracer_provider

from otel_langsmith.deferral import deferred
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.exits import shut_down_at_sigterm
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.propagator import LangSmithPropagator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import requests
    from opentelemetry import _logs, propagate
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators import composite
    from opentelemetry.propagators.textmap import TextMapPropagator
    from typing_extensions import Unpack

    from otel_langsmith import log_processor, propagation, settings
    from otel_langsmith.conventions import Convention
    from otel_langsmith.endpoints import Endpoints
    from otel_langsmith.redact import Redact
    from otel_langsmith.selection import SpanFilter
    from otel_langsmith.settings import Compression, Face, Inbound, Mode, RemoteParent
else:
    _logs = deferred("opentelemetry._logs")
    composite = deferred("opentelemetry.propagators.composite")
    log_processor = deferred("otel_langsmith.log_processor")
    # its import makes the propagators that the environment names, ours among them
    propagate = deferred("opentelemetry.propagate")
    propagation = deferred("otel_langsmith.propagation")
    settings = deferred("otel_langsmith.settings")

_log: Final = logging.getLogger("otel_langsmith")


class Keywords(TypedDict, total=False):
    """What `configure` takes: the rows of `SETTINGS`; a test holds them equal."""

    endpoint: str | None
    endpoints: Endpoints | None
    api_key: str | None
    workspace_id: str | None
    project: str | None
    mode: Mode | None
    compression: Compression | None
    timeout: float | None
    headers: Mapping[str, str] | str | None
    session: requests.Session | None
    hide_inputs: bool | None
    hide_outputs: bool | None
    hide_metadata: bool | None
    redact: Redact | None
    conventions: Sequence[Convention] | None
    max_batch_runs: int | None
    max_batch_bytes: int | None
    max_backlog_bytes: int | None
    max_trace_runs: int | None
    max_requests_per_minute: int | None
    max_events_per_hour: int | None
    max_bytes_per_hour: int | None
    meter_provider: MeterProvider | bool | None
    max_held_spans: int | None
    max_held_bytes: int | None
    max_held_seconds: float | None
    remote_parent: RemoteParent | None
    spool_dir: str | None
    spool_max_bytes: int | None
    spool_max_age_seconds: float | None
    spool_fsync: bool | None
    span_filter: SpanFilter | None
    live: bool | None
    schedule_delay_millis: float | None
    max_queue_size: int | None
    inbound: Inbound | None
    accept_project: bool | None
    accept_metadata: bool | None
    accept_tags: bool | None


def configure(**settings: Unpack[Keywords]) -> TracerProvider:
    """The global tracer provider, whose spans go to LangSmith from now on.

        otel_langsmith.configure(project="shop")

    Adds to what is there and replaces nothing:

    * the global tracer provider, made if there is none, gets a `LangSmithSpanProcessor`;
    * the global propagator gets a `LangSmithPropagator` as its last, unless it has one or
      ``OTEL_PROPAGATORS=none`` forbids it;
    * a global logger provider, if there is one, gets a `LangSmithLogRecordProcessor`;
    * a SIGTERM that nobody handles shuts the processor down first, for 3 s at most.

    A second call changes nothing, nor does one under ``opentelemetry-instrument`` that has
    ``langsmith`` among its exporters; settings that differ are then named in a warning. May be
    called before a fork or in the child.

    Args:
        settings: The keywords of `LangSmithSpanProcessor` and `LangSmithPropagator`; the others are
            read from the environment.

    Raises:
        ConfigurationError: An argument cannot be used, or the global provider is not one that takes
            span processors.
    """
    with _lock:
        theirs = propagate.get_global_textmap()
        ours = None if _is_settled(theirs) else LangSmithPropagator(**_of("propagator", settings))
        if not _given:
            processor = LangSmithSpanProcessor(**_of("processor", settings))
            join(_provider(), processor, settings)
        elif ignored := [name for name, value in settings.items() if value != _given[0].get(name)]:
            _log.warning("LangSmith is set up already, so this is ignored: %s", ", ".join(ignored))
        if ours is not None:
            propagate.set_global_textmap(composite.CompositePropagator([theirs, ours]))
        return _provider()


def join(
    provider: TracerProvider, processor: LangSmithSpanProcessor, settings: Mapping[str, object]
) -> None:
    """Add the processor to the provider, and all that `configure` adds beside a propagator."""
    provider.add_span_processor(processor)
    shut_down_at_sigterm(processor)
    _given.append(settings)
    if hasattr(_logs.get_logger_provider(), "add_log_record_processor"):  # who has none loads none
        log_processor.join_logs()


_given: Final[list[Mapping[str, object]]] = []
"""The settings with which LangSmith was set up in this process; the first count."""

_lock: Final = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child must not find it held by a thread that is gone
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def _of(face: Face, given: Mapping[str, object]) -> dict[str, Any]:
    """The keywords of one face; those nobody knows are the processor's to refuse."""
    taken = {row.keyword for row in settings.SETTINGS if face in row.faces}
    known = {row.keyword for row in settings.SETTINGS}
    return {
        name: value
        for name, value in given.items()
        if name in taken or (name not in known and face == "processor")
    }


def global_provider() -> TracerProvider | None:
    """The global provider, if it takes span processors."""
    provider = get_tracer_provider()
    return cast("TracerProvider", provider) if hasattr(provider, "add_span_processor") else None


def _provider() -> TracerProvider:
    """The global provider, made if there is none.

    Raises:
        ConfigurationError: It takes no span processors, as some vendors' do not.
    """
    if isinstance(get_tracer_provider(), ProxyTracerProvider):
        set_tracer_provider(TracerProvider())
    provider = global_provider()  # another thread's, if it was faster
    if provider is None:
        kind = type(get_tracer_provider())
        raise ConfigurationError(
            f"the global tracer provider is {kind.__module__}.{kind.__qualname__}, which takes no "
            "span processors: call configure() before it is set, or set OpenTelemetry's own"
        )
    return provider


def _is_settled(propagator: TextMapPropagator) -> bool:
    """Whether it writes LangSmith's header already, or was told to write none at all."""
    fields: object = propagator.fields  # a set by its type, yet None in some third-party ones
    return isinstance(fields, Collection) and (propagation.TRACE in fields or not fields)
