"""What an application notices: its own threads' time, the whole pipeline's, and late requests."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.contenders import API_KEY, MOST_SPANS, OPENINGS, RUN_TREE, LostSpansError
from bench.measure import MICROSECONDS, Result, Work, compare, cpu_s, rotated
from bench.workloads import LLM, WEB, Planned, Trace, Workload, finished, replay, tracer
from otel_langsmith import LangSmithSpanProcessor

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from bench.measure import Effort
    from bench.sink import Sink

NOBODY: Final = "no processor"
IDLE: Final = "SDK's batch processor, no-op exporter"
OTLP_PIPELINE: Final = "SDK's batch processor, OTLP/HTTP"
OURS_PIPELINE: Final = "LangSmithSpanProcessor"

CPU: Final = "µs CPU/span"
APPLICATION_CPU: Final = "µs CPU/span on the application's thread"
LATE: Final = "% of requests late"

THREADS: Final = (1, 4, 16)

_BLOCK: Final = 400
"""Spans that start and end while the worker sleeps: the processors wake theirs at 512."""

_NEVER_MS: Final = 3_600_000

_REQUESTS_A_SECOND: Final = 400
_SPANS_A_REQUEST: Final = 5
_LATE_S: Final = 0.002


class NoOpExporter(SpanExporter):
    """Takes everything and does nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        """SUCCESS."""
        return SpanExportResult.SUCCESS


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A tracer, and how to wait until all its spans are delivered."""

    tracer: Tracer
    flush: Work


@contextmanager
def nobody(url: str, *, asleep: bool = False) -> Iterator[Pipeline]:  # noqa: ARG001
    """The SDK alone."""
    yield Pipeline(tracer(), lambda: None)


@contextmanager
def batched(
    url: str, *, exporter: Callable[[str], SpanExporter], asleep: bool = False
) -> Iterator[Pipeline]:
    """The SDK's batch processor; ``asleep``, its worker wakes only for a flush."""
    processor = (
        BatchSpanProcessor(exporter(url), MOST_SPANS, _NEVER_MS, MOST_SPANS)
        if asleep
        else BatchSpanProcessor(exporter(url))
    )

    def flush() -> None:
        if not processor.force_flush():
            raise LostSpansError("the batch processor lost spans")

    yield Pipeline(tracer(processor), flush)
    processor.shutdown()


@contextmanager
def ours(url: str, *, asleep: bool = False) -> Iterator[Pipeline]:
    """Our processor; ``asleep``, its worker wakes only for a flush or 512 spans."""
    delay = _NEVER_MS if asleep else None
    processor = LangSmithSpanProcessor(endpoint=url, api_key=API_KEY, schedule_delay_millis=delay)

    def flush() -> None:
        if not processor.force_flush():
            raise LostSpansError(f"ours: {processor.ledger()}")

    yield Pipeline(tracer(processor), flush)
    processor.shutdown()


def _otlp_exporter(url: str) -> SpanExporter:
    return OTLPSpanExporter(f"{url}/v1/traces")


def _no_op_exporter(url: str) -> SpanExporter:  # noqa: ARG001
    return NoOpExporter()


PIPELINES: Final[Mapping[str, Callable[..., AbstractContextManager[Pipeline]]]] = {
    NOBODY: nobody,
    IDLE: partial(batched, exporter=_no_op_exporter),
    OTLP_PIPELINE: partial(batched, exporter=_otlp_exporter),
    OURS_PIPELINE: ours,
}


def starting_and_ending(sink: Sink, effort: Effort) -> Iterable[Result]:
    """`start_span` and `end`, with the worker asleep: what a processor costs its application."""
    empty = [Planned("nothing", None, {})] * _BLOCK
    for key, title, block in (
        ("start-end", "web spans of 12 attributes", partial(WEB.traces, _BLOCK)),
        ("start-end bare", "spans without attributes", lambda: [[span] for span in empty]),
    ):
        with ExitStack() as stack:
            contenders = {
                name: partial(_block, stack.enter_context(opening(sink.url, asleep=True)), block)
                for name, opening in PIPELINES.items()
                if name != OTLP_PIPELINE
            }
            series = compare(
                contenders,
                rounds=effort.rounds * 5,
                per=MICROSECONDS / _BLOCK,
                take=partial(cpu_s, clock=time.thread_time),
            )
        yield Result(key, f"start and end: {title}", APPLICATION_CPU, series)


def _block(pipeline: Pipeline, block: Callable[[], Sequence[Trace]]) -> Work:
    pipeline.flush()
    return partial(replay, pipeline.tracer, block())


def whole(sink: Sink, effort: Effort) -> Iterable[Result]:
    """Start, end and deliver, on 1, 4 and 16 threads: all the CPU that the process spends."""
    spans = min(effort.spans, MOST_SPANS * 9 // 10)
    for workload in (LLM, WEB):
        for threads in THREADS:
            with ExitStack() as stack:
                contenders = {
                    name: partial(
                        _delivery, stack.enter_context(opening(sink.url)), workload, spans, threads
                    )
                    for name, opening in PIPELINES.items()
                }
                if threads == 1:
                    run_tree = stack.enter_context(OPENINGS[RUN_TREE](sink.url))
                    contenders[RUN_TREE] = lambda workload=workload, run_tree=run_tree: run_tree(
                        finished(workload.traces(spans))
                    )
                series = compare(contenders, rounds=effort.rounds, per=MICROSECONDS / spans)
            title = f"start, end, deliver: {workload.title}, {threads} thread(s)"
            yield Result(f"{workload.key} x{threads}", title, CPU, series)


def _delivery(pipeline: Pipeline, workload: Workload, spans: int, threads: int) -> Work:
    traces = workload.traces(spans)

    def work() -> None:
        if threads == 1:
            replay(pipeline.tracer, traces)
        else:
            _in_threads([partial(replay, pipeline.tracer, traces[i::threads]) for i in range(threads)])
        pipeline.flush()

    return work


def _in_threads(works: Sequence[Work]) -> None:
    threads = [Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lateness(sink: Sink, effort: Effort) -> Iterable[Result]:
    """Requests of five LLM spans, 400 a second: how many end 2 ms after they were due.

    A thread that exports holds the interpreter's lock for up to the switch interval of 5 ms.
    """
    late: dict[str, list[float]] = {name: [] for name in PIPELINES if name != NOBODY}
    slowest: dict[str, list[float]] = {name: [] for name in late}
    for turn in range(max(2, effort.rounds // 3)):
        for name in rotated(list(late), turn):
            with PIPELINES[name](sink.url) as pipeline:
                delays = _delays(pipeline.tracer, effort.seconds)
            late[name].append(100 * sum(delay > _LATE_S for delay in delays) / len(delays))
            slowest[name].append(statistics.quantiles(delays, n=100)[-1] * MICROSECONDS)
    yield Result("late", "requests that end more than 2 ms late", LATE, late)
    yield Result("late p99", "99th percentile of lateness", "µs", slowest)


def _delays(tracer: Tracer, seconds: float) -> list[float]:
    """By how many seconds each request ended after it was due."""
    requests = int(seconds * _REQUESTS_A_SECOND)
    spans = iter([span for trace in LLM.traces(requests * _SPANS_A_REQUEST) for span in trace])
    delays = []
    begin = time.perf_counter() + 0.05
    for number in range(requests):
        due = begin + number / _REQUESTS_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        for _ in range(_SPANS_A_REQUEST):
            replay(tracer, [[next(spans)._replace(parent=None)]])
        delays.append(time.perf_counter() - due)
    return delays
