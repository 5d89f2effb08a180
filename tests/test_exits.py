"""How processes end, by whatever means: what ended before is delivered, and nothing takes long."""

import os
import signal
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
from support.processes import UNHURRIED, environ, needs, run
from support.rude_server import rude_server
from support.spools import spool_in

from otel_langsmith.delivery.destination import Destination, open_folder
from otel_langsmith.exits import LAST_S
from otel_langsmith.receiver import Receiver

pytestmark = pytest.mark.programs

SET_UP = """
import os, signal, threading, time
import otel_langsmith
provider = otel_langsmith.configure(schedule_delay_millis=3_600_000)
tracer = provider.get_tracer("program")
tracer.start_span("last").end()
"""
LOADED = "import requests, otel_langsmith.encoder, otel_langsmith.pipeline\n"
"""What the first delivery loads, which takes its time."""
LONGER = "otel_langsmith.exits.LAST_S = 6"
"""A busy machine needs more than three seconds for the imports of a first delivery."""

TERM = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)"


def program(receiver: Receiver, body: str) -> tuple[int, str, list[str]]:
    """Exit status, output and the names of the runs."""
    done = run([sys.executable, "-c", UNHURRIED + SET_UP + dedent(body)], environ(receiver.url))
    return done.returncode, done.stdout + done.stderr, [run.name for run in receiver.store.runs()]


ENDS = {
    "told to stop": (TERM, -signal.SIGTERM, ""),
    "told twice": (f"signal.raise_signal(signal.SIGTERM); {TERM}", -signal.SIGTERM, ""),
    "told while a thread works": (
        f"threading.Thread(target=time.sleep, args=(20,)).start(); {TERM}",
        -signal.SIGTERM,
        "",
    ),
    "with a handler of its own": (
        f"signal.signal(signal.SIGTERM, lambda *_: exit('mine')); {TERM}",
        1,
        "mine\n",
    ),
    "in a child": (
        """
        if (child := os.fork()) == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        """,
        0,
        "",
    ),
}


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM to speak of")
@pytest.mark.parametrize(("body", "code", "said"), ENDS.values(), ids=ENDS)
def test_a_process_that_is_told_to_stop_delivers_first(
    receiver: Receiver, body: str, code: int, said: str
) -> None:
    assert program(receiver, body) == (code, said, ["last"])


@needs("celery")
def test_a_worker_of_celery_that_was_set_up_at_its_start_delivers_at_its_end(
    receiver: Receiver,
) -> None:
    """As with ``worker_process_init``: in the very process that leaves, and none before it."""
    leave = "celery.signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)"
    before = "import celery.signals, os\n"
    script = f"{before}{UNHURRIED}{SET_UP}{leave}\nos._exit(0)"
    done = run([sys.executable, "-c", script], environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert [run.name for run in receiver.store.runs()] == ["last"]


def test_a_handler_that_was_there_stays(receiver: Receiver) -> None:
    before = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    after = "assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN"
    done = run([sys.executable, "-c", before + SET_UP + after], environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")


def test_outside_the_main_thread_no_handler_is_set_and_none_is_missed(receiver: Receiver) -> None:
    body = f"""
    import threading
    thread = threading.Thread(target=lambda: exec({SET_UP!r}, {{}}))
    thread.start()
    thread.join()
    """
    done = run([sys.executable, "-c", dedent(body)], environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.store.runs()) == 1


def test_sigterm_is_put_off_no_longer_than_it_may() -> None:
    with rude_server([], hangs_up=False) as black_hole:
        variables = environ(black_hole.url, LANGSMITH_TIMEOUT="600")
        began = time.monotonic()
        done = run([sys.executable, "-c", SET_UP + TERM], variables)
        assert done.returncode == -signal.SIGTERM
        assert time.monotonic() - began < LAST_S + 20


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM to speak of")
def test_what_a_silent_server_was_told_before_sigterm_is_on_disk(tmp_path: Path) -> None:
    spooling = {"OTEL_EXPORTER_LANGSMITH_SPOOL_DIR": str(tmp_path)}
    with rude_server([], hangs_up=False) as silent:
        more = "provider.force_flush(1_000); tracer.start_span('newer').end()"
        script = f"{LOADED}{SET_UP}\n{LONGER}\n{more}\n{TERM}"
        done = run([sys.executable, "-c", script], environ(silent.url, **spooling))
        folder = open_folder(tmp_path, Destination(silent.url, None, "default"))
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")
    spool = spool_in(folder)
    spool.adopt()
    waiting = spool.take(10, 1_000_000)
    spool.close()
    assert len(waiting) == 2


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM to speak of")
def test_a_shutdown_that_sigterm_overtakes_leaves_all_on_disk_too(tmp_path: Path) -> None:
    """As when the process is at its end, which may take 30 s, and the supervisor gets impatient."""
    spooling = {"OTEL_EXPORTER_LANGSMITH_SPOOL_DIR": str(tmp_path)}
    with rude_server([], hangs_up=False) as silent:
        end = "provider.shutdown(); time.sleep(20)"
        overtaken = "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()"
        done = run(
            [sys.executable, "-c", f"{SET_UP}\n{LONGER}\n{overtaken}\n{end}"],
            environ(silent.url, LANGSMITH_TIMEOUT="60", **spooling),
        )
        folder = open_folder(tmp_path, Destination(silent.url, None, "default"))
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")
    spool = spool_in(folder)
    spool.adopt()
    waiting = spool.take(10, 1_000_000)
    spool.close()
    assert len(waiting) == 1


WIRINGS = (
    "LangSmithSpanProcessor(timeout=TIMEOUT, max_batch_runs=BATCH)",
    "LangSmithSpanProcessor(timeout=TIMEOUT, max_batch_runs=BATCH, spool_dir=SPOOL)",
    "BatchSpanProcessor(LangSmithSpanExporter(timeout=TIMEOUT), **SMALL)",
    "BatchSpanProcessor(LangSmithSpanExporter(timeout=TIMEOUT, spool_dir=SPOOL), **SMALL)",
)


DRAINS = """
import os, sys, time
import requests, otel_langsmith.encoder, otel_langsmith.pipeline  # once for all children
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor
from otel_langsmith.delivery import patience

# a second between two batches, which a busy machine may take, would pass for a schedule
patience.BREATH_S = 30
BATCH = 20
SMALL = {"max_export_batch_size": BATCH}
TIMEOUT, SPOOL, *wirings = float(sys.argv[1]), *sys.argv[2:]

def say(pid):
    os.write(1, f"{pid} {time.time()}\\n".encode())  # at once, for all write to one pipe

ends = [(wiring, last) for wiring in wirings for last in ("", "provider.shutdown()")]
for wiring, last in ends:
    if os.fork() == 0:
        provider = TracerProvider()
        provider.add_span_processor(eval(wiring))
        tracer = provider.get_tracer("program")
        for _ in range(4 * BATCH):
            tracer.start_span("span").end()
        say(os.getpid())
        exec(last)
        sys.exit()
for _ in ends:
    pid, status = os.wait()
    assert status == 0
    say(pid)
"""
"""A process for each wiring and end. All say when they begin to end, and their parent when they
have ended."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_drain_into_a_black_hole_takes_the_timeout_once(tmp_path: Path) -> None:
    """Four batches wait in OpenTelemetry's queue, each would take the timeout anew."""
    timeout_s = 6.0
    command = [sys.executable, "-c", DRAINS, str(timeout_s), os.fspath(tmp_path), *WIRINGS]
    with rude_server([], hangs_up=False) as black_hole:
        done = run(command, environ(black_hole.url))
    assert done.returncode == 0, done.stderr
    times: dict[str, list[float]] = {}
    for pid, at in map(str.split, done.stdout.splitlines()):
        times.setdefault(pid, []).append(float(at))
    took = [ended - began for began, ended in times.values()]
    assert len(took) == 2 * len(WIRINGS)
    assert max(took) < 3.5 * timeout_s  # a third more here; four times as long would be the bug
