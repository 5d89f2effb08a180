"""Measurements that want a process of their own; see `bench.footprint`.

``python -m bench.child URL open PIPELINE MOST`` or ``URL peak CONTENDER SPANS``.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import workloads
from bench.contenders import OPENINGS
from bench.footprint import OPEN_SPANS
from bench.measure import MICROSECONDS
from bench.pipelines import PIPELINES
from bench.workloads import LARGE, WEB, finished, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span, Tracer

_BLOCKS: Final = 15
_BLOCK: Final = 200
_STATUS: Final = Path("/proc/self/status")
_FORGET_PEAK: Final = "5"


def open_spans(url: str, name: str, most: str) -> Mapping[int, tuple[float, float]]:
    """Microseconds to start and end a span, and KB per open span, by the number of open ones."""
    found: dict[int, tuple[float, float]] = {}
    held: list[Span] = []
    with PIPELINES[name](url, asleep=True) as pipeline:
        _block_s(pipeline.tracer, pipeline.flush)
        gc.collect()
        before = _kilobytes("VmRSS")
        for count in OPEN_SPANS:
            if count > int(most):
                break
            missing = count - len(held)
            held += [pipeline.tracer.start_span("open", workloads.NO_SPAN) for _ in range(missing)]
            grown = _kilobytes("VmRSS") - before
            times = [_block_s(pipeline.tracer, pipeline.flush) for _ in range(_BLOCKS)]
            found[count] = statistics.median(times) / _BLOCK * MICROSECONDS, grown / count
    return found


def _block_s(tracer: Tracer, flush: Callable[[], None]) -> float:
    traces = WEB.traces(_BLOCK)
    began = time.thread_time()
    replay(tracer, traces)
    taken = time.thread_time() - began
    flush()
    return taken


def peak(url: str, name: str, spans: str) -> Mapping[str, float]:
    """By how many MB the peak of resident memory grows in one export."""
    with OPENINGS[name](url) as contender:
        contender(finished(WEB.traces(20)))()
        work = contender(finished(LARGE.traces(int(spans))))
        gc.collect()
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
        before = _kilobytes("VmRSS")
        work()
        return {"megabytes": (_kilobytes("VmHWM") - before) / 1024}


def _kilobytes(field: str) -> int:
    """A line of this process's status, in KB. Linux only."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(f"{_STATUS} has no {field}")


def main() -> None:
    """Print what was measured, as JSON."""
    url, what, *arguments = sys.argv[1:]
    print(json.dumps({"open": open_spans, "peak": peak}[what](url, *arguments)))


if __name__ == "__main__":
    main()
