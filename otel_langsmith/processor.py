"""The face towards OpenTelemetry that sees spans start: exact trees, nothing held, spans left out.

The application's thread does a few references and one short lock here, a worker the rest.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import ref

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import TraceFlags

from otel_langsmith.deferral import deferred
from otel_langsmith.delivery.clock import bounded
from otel_langsmith.delivery.ledger import SHUT_DOWN, UNDELIVERED, Ledger
from otel_langsmith.delivery.thread import LazyThread
from otel_langsmith.exits import flush_at_child_exit
from otel_langsmith.forks import begin_anew_in_children
from otel_langsmith.scales import Scales

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import requests
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from otel_langsmith import assembly, live, pipeline, selection, tracking
    from otel_langsmith.conventions import Convention
    from otel_langsmith.endpoints import Endpoints
    from otel_langsmith.redact import Redact
    from otel_langsmith.settings import Compression, Mode, RemoteParent
else:
    assembly = deferred("otel_langsmith.assembly")
    live = deferred("otel_langsmith.live")
    pipeline = deferred("otel_langsmith.pipeline")
    selection = deferred("otel_langsmith.selection")
    tracking = deferred("otel_langsmith.tracking")

QUEUE_FULL: Final = "queue_full"
"""Spans ended faster than they could be sent, and this one came when no more could wait."""

_log: Final = logging.getLogger("otel_langsmith")


class LangSmithSpanProcessor(SpanProcessor):
    """Sends spans to LangSmith as runs, each at its exact place in its tree.

        provider.add_span_processor(LangSmithSpanProcessor())

    It sees spans start, so a run needs not wait for its ancestors, and a span that is left out
    hands its children on to its own parent. Ended spans wait in a bounded queue for one worker
    thread; when the queue is full the new span is dropped. What is lost is counted in `ledger` by
    reason. Safe from any thread. A forked child has a queue and a worker of its own; spans that
    were open at the fork are the parent process's to send.

    A span that is still open when the worker comes by is posted as a pending run and patched when
    it ends; one that started and ended in between is one post. Showing runs is a courtesy: it is
    left out while ended spans wait, no flush waits for it and no ledger counts it, but for its
    failures among ``noted``. A run whose span has not ended at shutdown is closed as failed.

    A callable ``span_filter`` is asked when a span ends, or while it is still open if it is to be
    shown, one of its children has ended or a header names it: then it sees the name, kind, scope
    and the attributes of that moment. If it raises, the span is kept.

    Every keyword is optional: argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` →
    ``LANGCHAIN_*`` → default.

    Args:
        endpoint: Where LangSmith is; a path prefix is kept. Default: the US cloud.
        endpoints: Several LangSmiths instead; as `LangSmithSpanExporter` takes them.
        api_key: LangSmith API key. Without one, runs are dropped and counted.
        workspace_id: UUID of the workspace, for keys that span several.
        project: The LangSmith project; created when unknown. Default: ``default``.
        mode: ``multipart`` (default), or ``basic``, as in the exporter; a run whose child is sent
            before it ended is then shown as if ``live``.
        compression: ``none``, ``gzip``, ``zstd`` (extra ``zstd``), or ``auto`` (default): the best
            that LangSmith offers and is installed.
        timeout: Seconds one request may take in all, retries included. Default: 10.
        headers: Extra request headers.
        session: Your own ``requests.Session``, for proxies, certificates or authentication.
        hide_inputs: Withhold inputs, and all that may repeat them.
        hide_outputs: Withhold outputs, and all that may repeat them.
        hide_metadata: Withhold metadata other than ids, models and tokens.
        redact: Rewrites each run's content, last of all, e.g. ``otel_langsmith.redact.secrets``.
        conventions: Your own dialects, ``otel_langsmith.conventions.Convention``, before ours.
        max_batch_runs: Most runs in one request. Default: 100.
        max_batch_bytes: Most bytes in one request, before compression. Default: 20 MiB.
        max_backlog_bytes: Most memory of runs, compressed, that wait to be sent. Default: 48 MiB.
        max_trace_runs: Most runs of one trace; LangSmith takes no more. Default: 25,000.
        max_requests_per_minute: Most requests in a minute; the others wait. Default: no limit.
        max_events_per_hour: Most posts and patches of runs in an hour. Default: no limit.
        max_bytes_per_hour: Most bytes of runs in an hour, before compression. Default: no limit.
        meter_provider: Gets OpenTelemetry's ``otel.sdk.exporter.*`` metrics; True: the global one.
        max_held_spans: Most spans, of those that started before this processor was there, that wait
            for their ancestors. Default: 50,000.
        max_held_bytes: Most memory that they take. Default: 96 MiB.
        max_held_seconds: Longest wait; then it becomes the root of its own trace. Default: 1 hour.
        remote_parent: What becomes of a span with a remote parent of which no header tells the
            LangSmith run: ``root`` of its own trace (default), or ``parent``, as in the exporter.
        spool_dir: Where runs wait that LangSmith does not take now, and those it refuses are kept.
        spool_max_bytes: Most bytes of runs that wait there, oldest go first. Default: 512 MiB.
        spool_max_age_seconds: Longest that a run waits there. Default: 7 days.
        spool_fsync: Make what waits there outlive a power cut. Default: false.
        span_filter: Which spans become runs: ``all`` (default), ``genai`` (model, agent, tool,
            retrieval, MCP and chain spans), ``genai+root`` (and each trace's root), or a callable.
        live: Show runs while their spans are still open. Default: true.
        schedule_delay_millis: Longest wait of an ended span before it is sent, and of an open one
            before it is shown. Default: 1000.
        max_queue_size: Most ended spans that wait, on average of 2 KiB. Default: 16,384.

    Raises:
        ConfigurationError: An argument cannot be used; an unusable variable is warned about.
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
        span_filter: selection.SpanFilter | None = None,
        live: bool | None = None,
        schedule_delay_millis: float | None = None,
        max_queue_size: int | None = None,
    ) -> None:
        arguments = dict(locals())  # each keyword is a row of settings.py; a test holds them equal
        self._open(pipeline.open_pipeline(arguments))

    def _open(self, opened: pipeline.Pipeline) -> None:
        self._pipeline, self._clock = opened, opened.clock
        opened.listen(self._heed, lambda: self._scales.is_half_full(len(self._ended)))
        settings = opened.settings
        self._delay_s = settings.schedule_delay_millis / 1000
        self._most_spans = settings.max_queue_size
        chosen = selection.selector(settings.span_filter)
        wanted = selection.nothing if opened.undeliverable else chosen
        self._wanted = selection.forgiving(wanted, _complain)
        self._weight = assembly.memory_of
        claims = settings.remote_parent == "parent"
        self._tracker = tracking.Tracker(self._wanted, project=settings.project, claims=claims)
        self._begin()
        begin_anew_in_children(self._begin_in_child)
        if settings.spool_dir is not None:
            self._at_work()  # for what another process left there, before a span starts here

    def _begin_in_child(self) -> None:
        """The queue, the worker and the spans that started before are the parent's."""
        self._tracker = tracking.Tracker(self._wanted, self._tracker)
        self._begin()

    def _begin(self) -> None:
        """Everything that a forked child needs anew."""
        settings = self._pipeline.settings
        by_parent = settings.mode == "basic" or settings.remote_parent == "parent"
        self._started: deque[live.Weak] = deque()
        self._watched = self._most_spans if settings.live or by_parent else 0
        self._live = live.LiveRuns(self._tracker, self._most_spans)
        self._show_at_s = self._clock.now_s() + self._delay_s
        self._ended: deque[ReadableSpan] = deque()
        self._scales = Scales(self._most_spans)
        self._look_at = 0
        self._full = self._closed = self._finished = False
        self._deadline_s = math.inf
        self._taken = self._settled = self._missing_at_flush = 0
        self._changed, self._turn = threading.Condition(), threading.Lock()
        self._bell, self._closing = threading.Event(), threading.Event()
        self._worker = LazyThread("LangSmithSpanProcessor")

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember whose child the span is; never raises, never waits."""
        try:
            self._tracker.start(span, parent_context)
            started = self._started
            waiting = len(started)
            if waiting < self._watched:
                started.append(ref(span))
                if not waiting:
                    self._at_work()
        except Exception:  # noqa: BLE001 - then it waits for its ancestors, as in the exporter
            _log.debug("nothing can be hung on a span's context", exc_info=True)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span, if it was sampled; never raises, never waits.

        No lock: appending to a deque and asking its length are atomic, and a finalizer or a signal
        handler may end a span inside this very call. Threads may overshoot a bound by one each.
        """
        context = span.context
        if context is None or not context.trace_flags & TraceFlags.SAMPLED:
            self._tracker.forget(span)
            return
        ended = self._ended
        waiting = len(ended)
        if waiting < self._look_at or self._room(span, waiting):
            ended.append(span)

    def force_flush(self, timeout_millis: float | None = 30_000) -> bool:
        """Whether every span that ended before this call is delivered or was left out as asked.

        False after ``timeout_millis``, and if anything was lost since the last flush.
        """
        timeout_s = bounded((30_000 if timeout_millis is None else timeout_millis) / 1000)
        with self._changed:
            goal = self._taken + len(self._ended)
        self._bell.set()
        if self._settled < goal and not self._at_work():
            self._cycle(timeout_s)
        with self._changed:
            self._changed.wait_for(lambda: self._settled >= goal or self._finished, timeout_s)
        ledger = self.ledger()
        missing, self._missing_at_flush = ledger.missing - self._missing_at_flush, ledger.missing
        return self._settled >= goal and not missing and not ledger.held

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Deliver what can be within ``timeout_millis``, and refuse what comes later.

        The rest is kept on disk, which gets the last 2 s, or lost. A second call can shorten that.
        """
        deadline_s = self._clock.now_s() + bounded(timeout_millis / 1000)
        with self._changed:
            first, self._closed = not self._closed, True
            self._deadline_s = min(self._deadline_s, deadline_s)
            self._look_at = self._watched = 0
        self._closing.set()
        end = self._pipeline.end_by(deadline_s)
        self._bell.set()
        if first and not self._worker.runs:
            self._finish()
        elif not self._finished_by(end.last_s):
            self._pipeline.hang_up()
            self._finished_by(end.deadline_s)
        with self._changed:
            self._finished = True
            self._changed.notify_all()
        self._take(partial(self._pipeline.refuse, UNDELIVERED))
        self._pipeline.abandon()

    def ledger(self) -> Ledger:
        """What became of every span that ended, by number; of several destinations the sum."""
        with self._changed:
            return self._pipeline.ledger(self._waiting())

    def ledgers(self) -> Mapping[str, Ledger]:
        """The same for each destination, by its address."""
        with self._changed:
            return self._pipeline.ledgers(self._waiting())

    def _finished_by(self, deadline_s: float) -> bool:
        left_s = bounded(deadline_s - self._clock.now_s())
        with self._changed:
            return self._changed.wait_for(lambda: self._finished, left_s)

    def _waiting(self) -> int:
        """How many spans are in the queue."""
        if self._finished:  # what slipped in during the shutdown, nobody will come for
            self._take(partial(self._pipeline.refuse, SHUT_DOWN))
        return len(self._ended)

    def _room(self, span: ReadableSpan, waiting: int) -> bool:
        """Whether the queue can take the span; asked of the first, then of one in 64 or so."""
        look_at = 0 if self._closed else self._scales.weigh(self._weight(span), waiting)
        if not look_at:
            self._turn_away(span)
            return False
        self._look_at = look_at
        if waiting >= self._scales.wake_at:
            self._bell.set()
        self._at_work()
        return True

    def _turn_away(self, span: ReadableSpan) -> None:
        """Count a span as lost; its children that are still to come hang under its parent."""
        self._tracker.forget(span)
        self._pipeline.refuse(SHUT_DOWN if self._closed else QUEUE_FULL)
        if not (self._full or self._closed):
            self._full = True
            _log.warning("spans end faster than LangSmith takes them; newer ones are dropped")

    def _at_work(self) -> bool:
        """Whether the worker is there, after starting it if need be."""
        if self._worker.runs or self._closed:
            return True
        if not self._worker.start(self._work):  # the spans go at the next flush or shutdown
            return False
        flush_at_child_exit(self)
        return True

    def _work(self) -> None:
        """The worker's life: a delivery each delay, sooner when many wait or a flush asks."""
        self._pipeline.wake()
        while not self._closing.is_set():
            self._bell.wait(self._rest_s())
            self._bell.clear()
            if not self._cycle(math.inf) and self._pipeline.is_alone:
                self._closing.wait(self._pipeline.pause_s)
                self._bell.set()
            elif self._pipeline.settings.live:
                self._show()
        self._finish()

    def _rest_s(self) -> float:
        """How long the worker may sleep."""
        due_s = self._show_at_s - self._clock.now_s()
        return due_s if 0 < due_s < self._delay_s else self._delay_s

    def _show(self) -> None:
        """Show what is open, once each delay; many ended spans, or a flush, are no reason to."""
        now_s = self._clock.now_s()
        if now_s >= self._show_at_s and not self._closing.is_set():
            self._show_at_s = now_s + max(self._delay_s, self._pipeline.show(self._live))

    def _finish(self) -> None:
        """The last delivery; the queue takes no more."""
        self._cycle(max(0.0, self._deadline_s - self._clock.now_s()))
        self._pipeline.close(max(0.0, self._deadline_s - self._clock.now_s()), self._live)
        with self._changed:
            self._settled = self._taken
            self._finished = True
            self._changed.notify_all()

    def _cycle(self, timeout_s: float) -> bool:
        """Deliver what waits now; whether all that was ever taken is settled."""
        if not self._turn.acquire(timeout=bounded(timeout_s)):
            return False
        try:
            self._live.look(self._started)
            spans = self._take(self._pipeline.accept)
            self._pipeline.send(spans, self._live.place, timeout_s, self._live)
        finally:
            self._scales.done()
            self._turn.release()
        return self._heed()

    def _heed(self) -> bool:
        """Whether all that was ever taken is settled; a flush may wait for that."""
        with self._changed:
            if clear := not self._pipeline.ledger().waiting:
                self._settled = self._taken
                self._changed.notify_all()
        return clear

    def _take(self, book: Callable[[int], None]) -> list[ReadableSpan]:
        """What waits, counted in the book as it leaves the queue."""
        with self._changed:
            spans = live.taken(self._ended)
            book(len(spans))
            self._taken += len(spans)
            if len(spans) < self._most_spans // 2 and self._scales.light:
                self._full = False
            self._look_at = 0
            self._scales.take()
        return spans


def processor_over(opened: pipeline.Pipeline) -> LangSmithSpanProcessor:
    """A processor for a pipeline that is there already; it is the processor's from now on."""
    processor = LangSmithSpanProcessor.__new__(LangSmithSpanProcessor)
    processor._open(opened)  # noqa: SLF001 - its own module
    return processor


def _complain(error: Exception) -> None:
    _log.warning("span_filter failed and spans are kept: %s", type(error).__name__)
