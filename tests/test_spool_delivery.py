"""Delivery with a spool directory, as people suffer without one: kills, outages, poison, full disks.

Real processes, real files, a real server that goes away and comes back.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor
from otel_langsmith.identity import run_id_of
from otel_langsmith.live import UNENDED_ERROR
from otel_langsmith.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Tracer

    from otel_langsmith import Ledger

ROOT = Path(__file__).parent.parent
KILLER = ROOT / "tests" / "support" / "delivery_processes.py"


@contextmanager
def tracing(
    url: str, spool_dir: Path, **settings: Any
) -> Iterator[tuple[LangSmithSpanProcessor, Tracer]]:
    settings = {"schedule_delay_millis": 20, **settings}
    processor = LangSmithSpanProcessor(
        endpoint=url, api_key="key", spool_dir=str(spool_dir), **settings
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    try:
        yield processor, provider.get_tracer("tests")
    finally:
        processor.shutdown()


def make(tracer: Tracer, count: int, **attributes: str) -> None:
    for _ in range(count):
        tracer.start_span("span", context=Context(), attributes=attributes).end()


def eventually(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def files(spool_dir: Path) -> list[Path]:
    """What is in the spool besides the description of its folders."""
    return [
        path
        for path in spool_dir.rglob("*")
        if path.is_file() and path.name != "destination.json"
    ]


def left_by_others(spool_dir: Path) -> list[Path]:
    """What other processes left and nobody has sent yet."""
    own = f"{os.getpid()}-"
    names = ((path, path.name.split("-", 2)[-1]) for path in files(spool_dir))
    return [path for path, writer in names if not (path.name.startswith(own) or own in writer)]


def counts(ledger: Ledger) -> dict[str, int]:
    told = ("received", "delivered", "queued", "spooled", "dead_lettered")
    return {name: count for name in told if (count := getattr(ledger, name))} | dict(ledger.dropped)


@contextmanager
def on_and_off(receiver: Receiver, rng: random.Random) -> Iterator[None]:
    """The server goes away and comes back all the time."""
    done = threading.Event()

    def toggle() -> None:
        while not done.wait(rng.uniform(0.1, 0.5)):
            receiver.stop()
            done.wait(rng.uniform(0.05, 0.4))
            receiver.start()

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("rounds", [5, pytest.param(250, marks=pytest.mark.slow)])
def test_after_any_kill_and_outage_every_run_is_there_once(
    tmp_path: Path, receiver: Receiver, rounds: int
) -> None:
    """R1 and R2: what was handed over arrives, once and as it was; what was left open is closed."""
    seed = random.randrange(2**32)
    arguments = [sys.executable, KILLER, receiver.url, tmp_path, rounds, seed]
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    with on_and_off(receiver, random.Random(seed)):
        done = subprocess.run(
            [*map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            timeout=60 + 3 * rounds,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    steps = {step: {*map(run_id_of, ids)} for step, ids in json.loads(done.stdout).items()}
    with tracing(receiver.url, tmp_path) as (processor, tracer):
        make(tracer, 1, last="yes")
        eventually(lambda: not left_by_others(tmp_path))
        assert processor.force_flush()
        assert not processor.ledger().lost
    assert files(tmp_path) == []
    runs = {run.id: run for run in receiver.store.runs() if run.name != "span"}
    print({k: len(v) for k, v in steps.items()}, len(runs)); assert steps["handed"], seed
    assert steps["handed"] <= {*runs} <= steps["begun"] | steps["service"], seed
    assert all(run.end_time for run in runs.values()), seed
    assert {run.error for run_id, run in runs.items() if run_id in steps["handed"]} == {None}, seed
    assert {run.error for run_id, run in runs.items() if run_id in steps["service"]} <= {
        UNENDED_ERROR
    }, seed
