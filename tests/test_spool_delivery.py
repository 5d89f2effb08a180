"""Delivery with a spool directory: kills, outages, poison, processes that share it.

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
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from support.rude_server import rude_server
from support.spans import span
from support.spools import record, spool_in

from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor
from otel_langsmith.delivery import patience
from otel_langsmith.delivery.destination import Destination, open_folder
from otel_langsmith.identity import run_id_of
from otel_langsmith.live import UNENDED_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Tracer

    from otel_langsmith import Ledger
    from otel_langsmith.receiver import Receiver

pytestmark = pytest.mark.programs

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


def eventually(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def files(spool_dir: Path) -> list[Path]:
    """What is in the spool besides the description of its folders."""
    return [
        path for path in spool_dir.rglob("*") if path.is_file() and path.name != "destination.json"
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


@pytest.mark.parametrize(
    "rounds", [25, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_after_any_kill_and_outage_every_run_is_there_once(
    tmp_path: Path, receiver: Receiver, rounds: int
) -> None:
    """R1 and R2: what was handed over arrives, once and as it was; what was left open is closed.

    Each round is two kills.
    """
    seed = random.randrange(2**32)
    arguments = [sys.executable, KILLER, receiver.url, tmp_path, rounds, seed]
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    with on_and_off(receiver, random.Random(seed)):
        done = subprocess.run(
            [*map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            timeout=200 + 3 * rounds,
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
    assert steps["handed"], seed
    assert steps["handed"] <= {*runs} <= steps["begun"] | steps["service"], seed
    assert all(run.end_time for run in runs.values()), seed
    services = {run_id: runs.pop(run_id) for run_id in steps["service"] & {*runs}}
    assert {run.error for run in services.values()} <= {UNENDED_ERROR}, seed
    assert {run.parent_run_id for run in runs.values()} <= steps["service"], seed
    undisturbed = [run for run_id, run in runs.items() if run_id in steps["handed"]]
    assert {(run.name, run.error) for run in undisturbed} == {("work", None)}, seed
    assert all("n" in run.extra["metadata"] for run in undisturbed), seed


def test_four_seconds_without_a_server_lose_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """Where LangSmith's SDK and OTLP exporters lose runs, with OpenTelemetry's own processor."""
    exporter = LangSmithSpanExporter(
        endpoint=receiver.url, api_key="key", spool_dir=str(tmp_path), timeout=2
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=50))
    tracer = provider.get_tracer("tests")
    receiver.stop()
    for _ in range(40):
        make(tracer, 5)
        time.sleep(0.1)
    assert counts(exporter.ledger()).keys() <= {"received", "queued", "spooled"}
    receiver.start()
    provider.force_flush()
    eventually(exporter.force_flush)  # which OpenTelemetry's processor does not ask for
    assert counts(exporter.ledger()) == {"received": 200, "delivered": 200}
    provider.shutdown()
    assert len(receiver.store.runs()) == 200
    assert files(tmp_path) == []


def test_a_flush_right_after_an_outage_sends_all_that_waits_on_disk(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the time that it was given, and not in what deliveries in vain have left."""
    monkeypatch.setattr(patience, "LAST_S", 0.0)
    exporter = LangSmithSpanExporter(
        endpoint=receiver.url, api_key="key", spool_dir=str(tmp_path), max_batch_runs=10
    )
    receiver.stop()
    for first in range(1, 100, 50):
        exporter.export([span(number) for number in range(first, first + 50)])
    assert exporter.ledger().spooled == 100
    receiver.start()
    assert exporter.force_flush(60_000)
    assert counts(exporter.ledger()) == {"received": 100, "delivered": 100}
    exporter.shutdown()


def test_what_a_shutdown_cannot_deliver_the_next_process_does(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.stop()
    with tracing(receiver.url, tmp_path, timeout=0.5) as (processor, tracer):
        make(tracer, 20)
        left_open = tracer.start_span("left open", context=Context())
    assert counts(processor.ledger()) == {"received": 20, "spooled": 20}
    assert files(tmp_path)
    receiver.start()
    with tracing(receiver.url, tmp_path) as (processor, tracer):
        make(tracer, 1)
        eventually(lambda: processor.ledger().delivered == 21)
    assert counts(processor.ledger()) == {"received": 21, "delivered": 21}
    assert files(tmp_path) == []
    assert len(receiver.store.runs()) == 21
    assert left_open.is_recording()


@pytest.mark.parametrize("face", ["processor", "exporter", "two destinations"])
def test_who_shuts_down_before_a_silent_server_has_answered_leaves_all_on_disk(
    tmp_path: Path, receiver: Receiver, face: str
) -> None:
    """The request on its way has the ``timeout`` setting, 10 s, and the shutdown a fraction."""
    with rude_server([], hangs_up=False) as silent:
        settings: dict[str, Any] = {"endpoint": silent.url, "api_key": "k"}
        if face == "two destinations":
            both = [{"api_url": url, "api_key": "k"} for url in (silent.url, receiver.url)]
            settings = {"endpoints": both}
        settings |= {"spool_dir": str(tmp_path), "max_batch_runs": 10}
        if face == "exporter":
            exporter = LangSmithSpanExporter(**settings)
            waiting = threading.Thread(
                target=exporter.export, args=([span(n) for n in range(1, 31)],)
            )
            waiting.start()
            eventually(lambda: silent.requests > 0)
            exporter.shutdown(1_500)
            waiting.join(30)
            (ledger,) = exporter.ledgers().values()
        else:
            processor = LangSmithSpanProcessor(**settings, schedule_delay_millis=20)
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(processor)
            make(provider.get_tracer("tests"), 30)
            eventually(lambda: silent.requests > 0)
            make(provider.get_tracer("tests"), 30)
            processor.shutdown(3_000)
            ledger = processor.ledgers()[silent.url]
    assert counts(ledger) == {"received": ledger.received, "spooled": ledger.received}
    assert ledger.received >= 30
    assert files(tmp_path)


def test_what_another_process_left_is_sent_before_any_span_starts(
    tmp_path: Path, receiver: Receiver
) -> None:
    left = spool_in(open_folder(tmp_path, Destination(receiver.url, None, "default")))
    left.add([record(number) for number in range(1, 20)])
    left.close()
    with tracing(receiver.url, tmp_path) as (processor, _):
        eventually(lambda: processor.ledger().delivered == 19)
    assert files(tmp_path) == []


def test_plain_rest_waits_on_disk_too(tmp_path: Path, receiver: Receiver) -> None:
    """Parents before children, in the next process as in this one."""
    receiver.stop()
    with (
        tracing(receiver.url, tmp_path, mode="basic", timeout=0.3) as (processor, tracer),
        tracer.start_as_current_span("parent"),
    ):
        tracer.start_span("child").end()
        eventually(lambda: processor.ledger().spooled == 1)
    receiver.start()
    with tracing(receiver.url, tmp_path, mode="basic") as (processor, tracer):
        make(tracer, 1)
        eventually(lambda: processor.ledger().delivered == 3)
        assert counts(processor.ledger()) == {"received": 3, "delivered": 3}
    runs = {run.name: run for run in receiver.store.runs()}
    assert runs["child"].parent_run_id == runs["parent"].id
    assert all(run.end_time and run.error is None for run in runs.values())
    assert files(tmp_path) == []


def test_poison_from_disk_is_set_apart_and_can_be_mended(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("click")
    testing = pytest.importorskip("click.testing")
    commands = pytest.importorskip("otel_langsmith.commands")
    left = spool_in(open_folder(tmp_path, Destination(receiver.url, None, "default")))
    left.add([record(number) for number in range(1, 20)])
    left.add([record(42, run_type="nonsense")])
    left.close()
    with tracing(receiver.url, tmp_path) as (processor, tracer):
        make(tracer, 1)
        eventually(lambda: processor.ledger().dead_lettered == 1)
    assert counts(processor.ledger()) == {"received": 21, "delivered": 20, "dead_lettered": 1}

    monkeypatch.setenv("LANGSMITH_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("LANGSMITH_ENDPOINT", receiver.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")

    def cli(*arguments: str) -> str:
        done = testing.CliRunner().invoke(commands.command_line, ["spool", *arguments])
        return str(done.stdout)

    assert "refused" in cli("ls")
    assert "HTTP 422" in cli("show", "--json")
    (path,) = tmp_path.glob("*/refused/*.json")
    path.write_text(path.read_text().replace("nonsense", "chain"))
    assert cli("replay", "--refused") == "1 delivered, 0 refused, 0 left\n"
    assert len(receiver.store.runs()) == 21


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_spools_for_itself(tmp_path: Path, receiver: Receiver) -> None:
    receiver.stop()
    body = """
        import os, sys, time
        from opentelemetry.sdk.trace import TracerProvider
        from otel_langsmith import LangSmithSpanProcessor
        processor = LangSmithSpanProcessor(schedule_delay_millis=20, timeout=0.2)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("program")
        tracer.start_span("before").end()
        while not processor.ledger().spooled:
            time.sleep(0.01)
        child = os.fork()
        tracer.start_span("child" if child == 0 else "parent").end()
        processor.shutdown()
        ledger = processor.ledger()
        assert ledger.balances and ledger.spooled == (1 if child == 0 else 2), ledger
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LANGSMITH_ENDPOINT": receiver.url,
        "LANGSMITH_API_KEY": "key",
        "OTEL_EXPORTER_LANGSMITH_SPOOL_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", dedent(body)],
        capture_output=True,
        text=True,
        env=environ,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    receiver.start()
    with tracing(receiver.url, tmp_path) as (processor, tracer):
        make(tracer, 1)
        eventually(lambda: processor.ledger().delivered == 4)
    assert sorted(run.name for run in receiver.store.runs()) == [
        "before",
        "child",
        "parent",
        "span",
    ]


def test_a_directory_that_others_can_write_to_is_warned_about_and_done_without(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o777)
    with tracing(receiver.url, tmp_path) as (processor, tracer):
        make(tracer, 1)
        assert processor.force_flush()
    assert [line for line in caplog.messages if "chmod go-w" in line]
    assert processor.ledger().delivered == 1
    assert files(tmp_path) == []
