"""Programs of other people's making, each a process of its own, that know nothing of us."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

from otel_langsmith.receiver import Receiver, StoredRun

PROPAGATORS = "tracecontext,baggage,langsmith"

UNHURRIED = """
import otel_langsmith.exits
otel_langsmith.exits.LAST_S = 60
"""
"""For programs whose last flush is to succeed however busy the machine is."""


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skips a test where one of the modules is not installed."""
    missing = [module for module in modules if not _is_installed(module)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False


zero_code = pytest.mark.skipif(
    not _is_installed("opentelemetry.distro")
    or not entry_points(group="opentelemetry_pre_instrument", name="langsmith"),
    reason="needs opentelemetry-distro, and this package installed with its entry points",
)


def environ(url: str, *libraries: str, **more: str) -> dict[str, str]:
    """What the operator says; metrics and logs go nowhere.

    Of all that is installed only ``libraries`` are instrumented: loading each takes its time.
    """
    there = {found.name for found in entry_points(group="opentelemetry_instrumentor")}
    return {
        **os.environ,
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(there.difference(libraries)),
        "LANGSMITH_ENDPOINT": url,
        "LANGSMITH_API_KEY": "local",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def instrumented(*command: str) -> list[str]:
    """The command under ``opentelemetry-instrument``, with nothing but the issue's two options."""
    tool = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    return [tool, "--traces_exporter", "langsmith", "--propagators", PROPAGATORS, *command]


def tool(name: str, *arguments: str) -> list[str]:
    """A console script beside the Python in use."""
    return [str(Path(sys.executable).with_name(name)), *arguments]


def run(
    command: list[str], environment: dict[str, str], cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=200, check=False
    )


@contextmanager
def running(
    command: list[str], environment: dict[str, str], cwd: Path
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def await_listening(process: "subprocess.Popen[str]", port: int) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the service did not listen in time")


def trees(receiver: Receiver) -> list[list[str]]:
    """The runs as trees: names in dotted order, indented by depth.

    Each arrived once, for the receiver refuses a second time, and hangs where it says.
    """
    runs = receiver.store.runs()
    refused = [line for line in receiver.store.requests() if line.status >= 400]
    assert refused == []
    assert len({run.id for run in runs}) == len(runs)
    by_id = {run.id: run for run in runs}
    for below in runs:
        if below.parent_run_id is not None:
            parent = by_id[below.parent_run_id]
            assert below.dotted_order.rpartition(".")[0] == parent.dotted_order
    found: dict[str, list[StoredRun]] = {}
    for one in sorted(runs, key=lambda run: run.dotted_order):
        found.setdefault(one.trace_id, []).append(one)
    return [
        [". " * one.dotted_order.count(".") + one.name for one in tree] for tree in found.values()
    ]
