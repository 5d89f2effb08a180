"""`LangSmithSpanExporter`, for OpenTelemetry's batch and simple span processors."""

from __future__ import annotations

import inspect
import logging
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_langsmith.deferral import deferred
from otel_langsmith.processor import LangSmithSpanProcessor, processor_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    import requests
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith import pipeline, settings, tracking
    from otel_langsmith.conventions import Convention
    from otel_langsmith.delivery.ledger import Ledger
    from otel_langsmith.endpoints import Endpoints
    from otel_langsmith.redact import Redact
    from otel_langsmith.selection import SpanFilter
    from otel_langsmith.settings import Compression, Mode, RemoteParent
else:
    pipeline = deferred("otel_langsmith.pipeline")
    settings = deferred("otel_langsmith.settings")
    tracking = deferred("otel_langsmith.tracking")

_log: Final = logging.getLogger("otel_langsmith")


class LangSmithSpanExporter(SpanExporter):
    """Sends finished spans to LangSmith as runs.

        provider.add_span_processor(BatchSpanProcessor(LangSmithSpanExporter()))

    A span is held until its local ancestors have ended, because a run's place in its tree depends
    on their start times; a span with a remote parent is sent at once. What cannot be sent within
    ``timeout`` waits for the next ``export``, on disk if there is a ``spool_dir``; what is lost is
    counted in `ledger` by reason. Safe for concurrent calls from many threads, and across ``fork``.
    `LangSmithSpanProcessor` holds nothing and sends sooner: prefer it where you can add one.

    Every keyword is optional: argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` →
    ``LANGCHAIN_*`` → default.

    Args:
        endpoint: Where LangSmith is; a path prefix is kept. Default: the US cloud.
        endpoints: Several LangSmiths instead, none of which waits for another: ``{url: key}``, or a
            list of ``{api_url, api_key}``, each with an optional ``project_name`` (overrides every
            other), ``workspace_id`` and ``primary`` (true: keeps the ids of runs).
        api_key: LangSmith API key. Without one, runs are dropped and counted.
        workspace_id: UUID of the workspace, for keys that span several.
        project: The LangSmith project; created when unknown. Default: ``default``.
        mode: ``multipart`` (default), or ``basic``: one plain ``POST /runs`` for each run,
            uncompressed and without attachments, parents before children.
        compression: ``none``, ``gzip``, ``zstd`` (extra ``zstd``), or ``auto`` (default): the best
            that LangSmith offers and is installed.
        timeout: Seconds one ``export`` may take in all, retries included. Default: 10.
        headers: Extra request headers.
        session: Your own ``requests.Session``, for proxies, certificates or authentication.
        hide_inputs: Withhold inputs, and whatever may repeat them. Default: false.
        hide_outputs: Withhold outputs, and whatever may repeat them. Default: false.
        hide_metadata: Withhold metadata other than ids, models and tokens. Default: false.
        redact: Rewrites the content of each run, last of all: a callable on a dict of it, such as
            ``otel_langsmith.redact.secrets``. If it fails, the content is withheld.
        conventions: Your own attribute conventions, ``otel_langsmith.conventions.Convention``; they
            go before the built-in ones.
        max_batch_runs: Most runs in one request. Default: 100.
        max_batch_bytes: Most bytes in one request, before compression. Default: 20 MiB.
        max_backlog_bytes: Most memory for runs that wait to be sent, compressed. Default: 48 MiB.
        max_trace_runs: Most runs of one trace; LangSmith takes no more. Default: 25,000.
        max_requests_per_minute: Most requests in a minute; the others wait. Default: no limit.
        max_events_per_hour: Most posts and patches of runs in an hour. Default: no limit.
        max_bytes_per_hour: Most bytes of runs in an hour, before compression. Default: no limit.
        meter_provider: Gets OpenTelemetry's ``otel.sdk.exporter.*`` metrics; True: the global one.
        max_held_spans: Most spans that are held until their ancestors end. Default: 50,000.
        max_held_bytes: Most memory that they take. Default: 96 MiB.
        max_held_seconds: Longest that a span is held; then it becomes the root of a trace of its
            own. Default: one hour.
        remote_parent: What becomes of a span whose remote parent is known by its span id only, for
            no header named its LangSmith run: it begins a trace (``root``, default), or its run
            names as parent the run that LangSmith makes of that span if it receives it by OTLP
            (``parent``). Such traces are sent as in ``mode="basic"``; if LangSmith knows no such
            run, the trace begins here after all.
        spool_dir: Directory for runs that cannot be delivered now, and for those that LangSmith
            refuses; they outlive the process. Default: none, runs wait in memory.
        spool_max_bytes: Most bytes in it; beyond, the oldest runs are dropped. Default: 512 MiB.
        spool_max_age_seconds: Longest that a run waits in it. Default: 7 days.
        spool_fsync: Sync each write, so that runs in it outlive a power cut. Default: false.
        span_filter: No effect on an exporter: this and the following are for the processor that
            ``opentelemetry-instrument`` puts in its place, so that ``OTEL_CONFIG_FILE`` can set
            them. See `LangSmithSpanProcessor`.
        live: See ``span_filter``.
        schedule_delay_millis: See ``span_filter``.
        max_queue_size: See ``span_filter``.

    Raises:
        ConfigurationError: An argument cannot be used. (An unusable environment variable is logged
            and replaced by a safe value.)
    """

    def __init__(  # noqa: PLR0913 - the settings are the signature
        self,
        *,
        endpoint: str | None = None,
        endpoints: Endpoints | None = None,
        api_key: str | None = None,
        workspace_id: str | None = None,
        project: str | None = None,
        mode: Mode | None = None,
        compression: Compression | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | str | None = None,
        session: requests.Session | None = None,
        hide_inputs: bool | None = None,
        hide_outputs: bool | None = None,
        hide_metadata: bool | None = None,
        redact: Redact | None = None,
        conventions: Sequence[Convention] | None = None,
        max_batch_runs: int | None = None,
        max_batch_bytes: int | None = None,
        max_backlog_bytes: int | None = None,
        max_trace_runs: int | None = None,
        max_requests_per_minute: int | None = None,
        max_events_per_hour: int | None = None,
        max_bytes_per_hour: int | None = None,
        meter_provider: MeterProvider | bool | None = None,
        max_held_spans: int | None = None,
        max_held_bytes: int | None = None,
        max_held_seconds: float | None = None,
        remote_parent: RemoteParent | None = None,
        spool_dir: str | None = None,
        spool_max_bytes: int | None = None,
        spool_max_age_seconds: float | None = None,
        spool_fsync: bool | None = None,
        span_filter: SpanFilter | None = None,
        live: bool | None = None,
        schedule_delay_millis: float | None = None,
        max_queue_size: int | None = None,
    ) -> None:
        arguments = dict(locals())  # each keyword is a row of `SETTINGS`; a test holds them equal
        self._pipeline = pipeline.open_pipeline(arguments)
        self._successor: LangSmithSpanProcessor | None = None
        ours = [row.keyword for row in settings.SETTINGS if row.faces == ("processor",)]
        self._unheeded = [name for name in ours if arguments[name] is not None]
        if _is_opentelemetry(inspect.currentframe()):
            _configured.add(self)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """SUCCESS if each span is delivered, or held until its ancestors have ended.

        FAILURE if a span is lost, or waits because LangSmith did not take it in time; the others of
        the batch are delivered all the same. Never call it again with the same spans: what can be
        sent later is kept and sent with the next ``export`` or flush. A span that is exported twice
        is sent once and counts as delivered by the first call. Never raises; returns within
        ``timeout`` seconds.

        Spec: https://opentelemetry.io/docs/specs/otel/trace/sdk/#exportbatch
        """
        if self._successor is not None:
            followed = tracking.is_followed
            spans = [span for span in spans if span.context is None or not followed(span.context)]
            if not spans:
                return SpanExportResult.SUCCESS
        elif self._unheeded:
            names = ", ".join(self._unheeded)
            _log.warning("%s has no effect here: use LangSmithSpanProcessor instead", names)
            self._unheeded = []
        delivered = self._pipeline.export(spans)
        return SpanExportResult.SUCCESS if delivered else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: float | None = 30_000) -> bool:
        """Whether everything received so far is delivered, after at most ``timeout_millis``.

        False while spans are held for ancestors that have not ended, and if a span was lost since
        the last flush. None is 30 s.
        """
        if self._successor is not None:
            return self._successor.force_flush(timeout_millis)
        return self._pipeline.flush((30_000 if timeout_millis is None else timeout_millis) / 1000)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Send what is held and what waits, then refuse what comes later.

        A held span whose parent never ended becomes the root of a trace of its own. Returns within
        ``timeout_millis``, and at most ``timeout`` seconds after LangSmith last took anything. A
        second call does nothing.
        """
        if self._successor is None:  # else the pipeline is the successor's to close
            self._pipeline.close(timeout_millis / 1000)

    def ledger(self) -> Ledger:
        """What became of every span received so far; see `Ledger`.

        With several destinations it is the sum, in which each span counts once for each.
        """
        return (self._successor or self._pipeline).ledger()

    def ledgers(self) -> Mapping[str, Ledger]:
        """The ledger of each destination, by its address."""
        return (self._successor or self._pipeline).ledgers()

    def _succeed(self) -> LangSmithSpanProcessor:
        """The processor that does this exporter's work from now on, with all that it has.

        The batch processor still brings the spans here; they count as sent if they were seen to
        start, which all are but those of another provider than the processor's.
        """
        self._successor = processor_over(self._pipeline)
        return self._successor


_configured: Final[weakref.WeakSet[LangSmithSpanExporter]] = weakref.WeakSet()
"""What OpenTelemetry built as the environment or a file asked, and nobody has taken over yet."""


def successors() -> Iterator[LangSmithSpanProcessor]:
    """A processor in place of each exporter that OpenTelemetry built itself; of each only once."""
    while _configured:
        yield _configured.pop()._succeed()  # noqa: SLF001 - its own module


def _is_opentelemetry(constructor: FrameType | None) -> bool:
    """Whether OpenTelemetry's own code calls this constructor.

    Nothing else tells an exporter that was chosen by name from one that somebody wires by hand and
    wants left alone: arguments and moment can be the same.
    """
    caller = constructor and constructor.f_back
    name = caller.f_globals.get("__name__", "") if caller else ""
    return isinstance(name, str) and name.startswith("opentelemetry.")
