"""Processes that share a spool directory, export through our processor and are killed.

    python delivery_processes.py <endpoint> <spool directory> <rounds> <seed>

Two at a time, gunicorn's workers as it were; run as a program, for it forks and has one thread.
Prints as JSON which runs were begun, and which were handed over: their spans ended, and the worker
came by once.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable

import requests  # noqa: F401 - loaded before the forks, for each child would take its time
from opentelemetry.sdk.trace import TracerProvider
from support.spool_processes import heard_until, spawn, told, wait_for

import otel_langsmith.encoder
import otel_langsmith.pipeline  # noqa: F401 - as well
from otel_langsmith import LangSmithSpanProcessor

Tell = Callable[[str, int], None]


def busy(endpoint: str, spool_dir: str, rng: random.Random) -> Callable[[Tell], None]:
    """Ends spans under one that stays open, until killed."""
    killer = os.getpid()

    def work(tell: Tell) -> None:
        processor = LangSmithSpanProcessor(
            endpoint=endpoint,
            api_key="any",
            spool_dir=spool_dir,
            schedule_delay_millis=20,
            max_batch_runs=7,
        )
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("busy")
        with tracer.start_as_current_span("service") as service:
            tell("service", service.get_span_context().span_id)
            while os.getppid() == killer:
                made = []
                for _ in range(rng.randrange(1, 10)):
                    with tracer.start_as_current_span("work", attributes={"n": len(made)}) as span:
                        made.append(span.get_span_context().span_id)
                        tell("begun", made[-1])
                        time.sleep(rng.choice((0, 0, 0, 0.01)))
                while processor.ledger().queued:
                    time.sleep(0.001)
                for span_id in made:
                    tell("handed", span_id)

    return work


def main(endpoint: str, spool_dir: str, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    steps: dict[str, list[int]] = {}
    for round_ in range(rounds):
        living = [spawn(busy(endpoint, spool_dir, random.Random(rng.random()))) for _ in range(2)]
        for pid, reading in living:
            heard = heard_until("service" if round_ % 5 else "handed", reading)
            time.sleep(rng.uniform(0, 0.3))
            os.kill(pid, signal.SIGKILL)
            wait_for(pid)
            for step, span_ids in told(reading, heard).items():
                steps[step] = [*steps.get(step, ()), *span_ids]
    sys.stdout.write(json.dumps(steps))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
