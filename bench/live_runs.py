"""What live runs cost: requests and events for each run, by how long its span is open.

    python bench/live_runs.py [--quick]

A program starts spans of one duration, evenly over time, under `LangSmithSpanProcessor` with its
defaults, against a receiver in another process; all in real time, so it takes some minutes. An
event is what LangSmith's hourly quota counts: a post or a patch, so a run that was shown is two.
"""

import argparse
import heapq
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor
from otel_langsmith.receiver import Receiver

if TYPE_CHECKING:
    from opentelemetry.trace import Span

DURATIONS_S = (0.01, 0.5, 5.0, 60.0)
PER_SECOND = 20
SECONDS = 20.0


def receive(pipe: Connection) -> None:
    """The other process: says where it listens, later what it got."""
    with Receiver(requests_per_minute=1_000_000) as receiver:
        pipe.send(receiver.url)
        pipe.recv()
        runs = receiver.store.runs()
        sent = [line for line in receiver.store.requests() if line.path.startswith("/runs")]
        operations = receiver.store._database.execute("SELECT COUNT(*) FROM payload")  # noqa: SLF001
        ended = sum(run.end_time is not None for run in runs)
        pipe.send((len(runs), ended, len(sent), operations.fetchone()[0]))


def program(url: str, duration_s: float, seconds: float, *, live: bool) -> None:
    """Spans of one duration, `PER_SECOND` of them started each second."""
    processor = LangSmithSpanProcessor(endpoint=url, api_key="bench", live=live)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer, nowhere = provider.get_tracer("bench"), Context()
    due: list[tuple[float, int, Span]] = []
    started, began = 0, time.monotonic()
    total = int(PER_SECOND * seconds)
    while started < total or due:
        now = time.monotonic() - began
        if started < total and now >= started / PER_SECOND:
            span = tracer.start_span("span", context=nowhere, attributes={"text": "x" * 200})
            heapq.heappush(due, (now + duration_s, started, span))
            started += 1
        elif due and now >= due[0][0]:
            heapq.heappop(due)[2].end()
        else:
            time.sleep(0.001)
    processor.shutdown()
    assert processor.ledger().delivered == total, processor.ledger()


def measured(duration_s: float, seconds: float, *, live: bool) -> tuple[int, int, int, int]:
    """Runs, those that have an end, requests and events."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,))
    process.start()
    try:
        program(ours.recv(), duration_s, seconds, live=live)
        ours.send("enough")
        counts: tuple[int, int, int, int] = ours.recv()
        return counts
    finally:
        process.join(20)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short spans only, for two seconds")
    quick = parser.parse_args().quick
    print("| span | live | runs | requests a run | events a run |")
    print("| --- | --- | --- | --- | --- |")
    for duration_s in DURATIONS_S[:2] if quick else DURATIONS_S:
        for live in (True, False):
            runs, ended, requests, events = measured(duration_s, 2 if quick else SECONDS, live=live)
            assert runs == ended, (runs, ended)
            row = (f"{duration_s:g} s", "on" if live else "off", f"{runs}")
            cells = (*row, f"{requests / runs:.3f}", f"{events / runs:.2f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
