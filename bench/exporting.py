"""`export` of finished spans: CPU and bytes on the wire, by workload, depth and size of a trace."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import workloads
from bench.contenders import (
    FLOOR,
    LANGSMITH_CREATE,
    LANGSMITH_CREATE_ZSTD,
    OPENINGS,
    OTLP,
    OTLP_GZIP,
    OURS,
    OURS_ZSTD,
)
from bench.exporters import Contender, LostSpansError, prepared
from bench.measure import MICROSECONDS, Result, compare
from bench.workloads import LARGE, LLM, WEB, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.measure import Effort
    from bench.sink import Sink

CPU: Final = "µs CPU/span"
BYTES: Final = "bytes/span"

DEPTHS: Final = (1, 16, 64, 256, 1_000)
SIZES: Final = (20, 200, 2_000, 20_000)

_FEW: Final = (
    *(OURS, OURS_ZSTD, OTLP, OTLP_GZIP, LANGSMITH_CREATE, LANGSMITH_CREATE_ZSTD),
    FLOOR,
)


def exporting(sink: Sink, effort: Effort) -> Iterable[Result]:
    """LLM and web spans by everybody, large contents by a few."""
    everybody = tuple(OPENINGS)
    plan = ((LLM, everybody), (WEB, everybody if effort.thorough else _FEW), (LARGE, _FEW))
    for workload, names in plan:
        spans = max(1, workload.spans // effort.divisor)
        yield from _measured(sink, workload, names, spans, effort.rounds)


def depths(sink: Sink, effort: Effort) -> Iterable[Result]:
    """One chain of spans after another; a dotted order names every ancestor."""
    names = (OURS, OURS_ZSTD, OTLP, OTLP_GZIP, FLOOR)
    for depth in DEPTHS if effort.thorough else DEPTHS[2::2]:
        workload = workloads.chain(depth)
        yield from _measured(sink, workload, names, max(depth, effort.spans), effort.rounds)


def sizes(sink: Sink, effort: Effort) -> Iterable[Result]:
    """Traces of few and of very many spans, taken in turn.

    An exporter cannot know whose child a span is before its ancestors have ended, so it holds the
    whole of a large trace.
    """
    chosen = [size for size in SIZES if size <= effort.most_in_trace]
    spans = max(chosen)
    for name in (OURS, OTLP):
        with OPENINGS[name](sink.url) as contender:
            preparations = {
                f"{size:,} a trace": partial(prepared, contender, workloads.broad(size), spans)
                for size in chosen
            }
            series = compare(preparations, rounds=effort.rounds, per=MICROSECONDS / spans)
        yield Result(f"sizes {name}", f"export: spans in a trace, {name}", CPU, series)


def _measured(
    sink: Sink, workload: Workload, names: Sequence[str], spans: int, rounds: int
) -> Iterable[Result]:
    with ExitStack() as stack:
        opened = {name: stack.enter_context(OPENINGS[name](sink.url)) for name in names}
        count = sum(map(len, workload.traces(spans)))
        arrived = {name: _bytes(sink, name, opened[name], workload, spans) for name in names}
        contenders = {
            name: partial(prepared, contender, workload, spans)
            for name, contender in opened.items()
        }
        series = compare(contenders, rounds=rounds, per=MICROSECONDS / count)
    yield Result(workload.key, f"export: {workload.title}", CPU, series)
    sizes = {name: [total / count] for name, total in arrived.items() if name != FLOOR}
    yield Result(f"{workload.key} bytes", f"on the wire: {workload.title}", BYTES, sizes)


def _bytes(sink: Sink, name: str, contender: Contender, workload: Workload, spans: int) -> int:
    """What arrives at the sink, as proof that something does."""
    before = sink.tally()
    prepared(contender, workload, spans)()
    arrived = sink.tally() - before
    if not arrived.requests and name != FLOOR:
        raise LostSpansError(f"{name} sent nothing")
    return arrived.bytes
