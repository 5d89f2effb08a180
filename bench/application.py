"""What an application notices: its own threads' time, the whole pipeline's, and late requests."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Final

from bench.contenders import OPENINGS, RUN_TREE
from bench.exporters import prepared
from bench.measure import MICROSECONDS, Prepare, Result, Work, compare, cpu_s, rotated
from bench.pipelines import NOBODY, OTLP_PIPELINE, PIPELINES, Pipeline
from bench.workloads import LLM, WEB, Planned, Trace, Workload, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.trace import Tracer

    from bench.measure import Effort
    from bench.sink import Sink

CPU: Final = "µs CPU/span"
APPLICATION_CPU: Final = "µs CPU/span on the application's thread"
LATE: Final = "% of requests late"

THREADS: Final = (1, 4, 16)

_BLOCK: Final = 400
"""Spans that start and end while the worker sleeps: the processors wake theirs at 512."""

_REQUESTS_A_SECOND: Final = 400
_SPANS_A_REQUEST: Final = 5
_LATE_S: Final = 0.002


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
    for workload in (LLM, WEB):
        for threads in THREADS if effort.thorough else THREADS[::2]:
            with ExitStack() as stack:
                contenders: dict[str, Prepare] = {
                    name: partial(
                        _delivery,
                        stack.enter_context(opening(sink.url)),
                        workload,
                        effort.spans,
                        threads,
                    )
                    for name, opening in PIPELINES.items()
                }
                if threads == 1:
                    run_tree = stack.enter_context(OPENINGS[RUN_TREE](sink.url))
                    contenders[RUN_TREE] = partial(prepared, run_tree, workload, effort.spans)
                per = MICROSECONDS / effort.spans
                series = compare(contenders, rounds=effort.rounds, per=per)
            title = f"start, end, deliver: {workload.title}, {threads} thread(s)"
            yield Result(f"{workload.key} x{threads}", title, CPU, series)


def _delivery(pipeline: Pipeline, workload: Workload, spans: int, threads: int) -> Work:
    traces = workload.traces(spans)

    def work() -> None:
        if threads == 1:
            replay(pipeline.tracer, traces)
        else:
            _in_threads(
                [partial(replay, pipeline.tracer, traces[i::threads]) for i in range(threads)]
            )
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
