"""The console script: in a process of its own, where that is what counts, else by its commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests

from otel_langsmith.version import __version__

pytestmark = pytest.mark.programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

TRACE_ID = "00000000-0000-0000-8bad-f00d00000001"
OTHER_TRACE_ID = "01997a2c-0000-7000-8000-000000000002"


def otel_langsmith(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_langsmith.cli", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def show(*arguments: str, **environ: str) -> Result:
    """``otel-langsmith show`` without the half second in which a process starts."""
    pytest.importorskip("click")
    from click.testing import CliRunner  # noqa: PLC0415 - with the extra only

    from otel_langsmith.commands import command_line  # noqa: PLC0415

    return CliRunner(env=environ).invoke(command_line, ["show", *arguments])


class Serving(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    said: str


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Serving]:
    """``otel-langsmith serve`` on a free port, interrupted at the end if it still runs."""
    command = [sys.executable, "-m", "otel_langsmith.cli", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            said = "".join(iter(process.stdout.readline, "Ctrl-C ends.\n"))
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            yield Serving(process, found.group(), said)
        finally:
            process.send_signal(signal.SIGINT)


def post(url: str, trace_id: str = TRACE_ID, **fields: Any) -> requests.Response:
    run = {
        "id": trace_id,
        "trace_id": trace_id,
        "dotted_order": f"20261121T120000000000Z{trace_id}",
        "name": "chat m",
        "run_type": "llm",
        "start_time": "2026-11-21T12:00:00.000000Z",
        "end_time": "2026-11-21T12:00:01.500000Z",
        "inputs": {"messages": [{"role": "user", "content": "Why?"}]},
        "outputs": {"messages": [{"role": "assistant", "content": "Be\x1b[31mcause."}]},
        "extra": {"metadata": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4}}},
        "session_name": "shop",
        **fields,
    }
    return requests.post(f"{url}/runs", json=run, headers={"x-api-key": "local"}, timeout=30)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file into which ``serve`` has received two traces."""
    pytest.importorskip("click")
    path = tmp_path_factory.mktemp("state") / "made" / "runs.db"
    with serving("--database", str(path)) as receiver:
        post(receiver.url).raise_for_status()
        post(receiver.url, OTHER_TRACE_ID, name="failed", error="Boom", run_type="tool")
        receiver.process.send_signal(signal.SIGINT)
        assert receiver.process.wait(timeout=60) == 0
        assert receiver.process.stdout
        assert receiver.process.stdout.read().strip() == "Ended."
    return path


def test_serve_says_what_to_set(tmp_path: Path) -> None:
    pytest.importorskip("click")
    path = tmp_path / "runs.db"
    with serving("--database", str(path)) as receiver:
        assert str(path) in receiver.said
        assert f"export LANGSMITH_ENDPOINT={receiver.url}\n" in receiver.said
        assert "export LANGSMITH_API_KEY=local\n" in receiver.said
        assert "export LANGSMITH_PROJECT=default\n" in receiver.said
        receiver.process.terminate()
        assert receiver.process.wait(timeout=60) == 0


def test_serve_can_insist_on_a_key_and_never_prints_it(tmp_path: Path) -> None:
    pytest.importorskip("click")
    secret = "lsv2_pt_secret"
    with serving("--database", str(tmp_path / "runs.db"), "--api-key", secret) as receiver:
        assert post(receiver.url).status_code in {401, 403}
        assert secret not in receiver.said


def test_serve_on_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("click")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = otel_langsmith("serve", "--port", port, "--database", str(tmp_path / "runs.db"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot listen at 127.0.0.1:{port}:")
    assert done.stderr.count("\n") == 1


def test_show_lists_the_latest_traces(database: Path) -> None:
    done = otel_langsmith("show", "--database", str(database))
    assert done.returncode == 0, done.stderr
    header, *rows = (re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines())
    assert header == ["trace", "started", "took", "runs", "tokens", "project", "name"]
    assert {row[0] for row in rows} == {"8bad-f00d00000001", OTHER_TRACE_ID}
    [model] = [row for row in rows if row[0] == "8bad-f00d00000001"]
    assert model[2:] == ["1.50 s", "1", "7", "shop", "chat m"]


@pytest.mark.parametrize("prefix", [TRACE_ID, "8bad-f00d00000001", "8bad", "8BADF0"])
def test_show_draws_the_trace_whose_id_begins_so(database: Path, prefix: str) -> None:
    done = show(prefix, "--database", str(database))
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.split() == ["llm", "chat", "m", "1.50", "s", "3→4", "tokens"]
    assert second.strip() == "Why? → Be\N{REPLACEMENT CHARACTER}[31mcause."


def test_show_draws_an_error(database: Path) -> None:
    done = show(OTHER_TRACE_ID[:8], "--database", str(database))
    assert "✗ Boom" in done.stdout


def test_show_prints_json_for_programs(database: Path) -> None:
    """One trace is the list of its runs, no trace is the list of summaries; both pure ASCII."""
    one = show(TRACE_ID, "--json", "--database", str(database))
    [run] = json.loads(one.stdout)
    assert run["id"] == TRACE_ID
    assert run["end_time"] == "2026-11-21T12:00:01.500000+00:00"
    assert run["outputs"]["messages"][0]["content"] == "Be\x1b[31mcause."
    assert "\x1b" not in one.stdout
    many = show("--json", "--database", str(database))
    assert {trace["trace_id"] for trace in json.loads(many.stdout)} == {TRACE_ID, OTHER_TRACE_ID}


def test_show_survives_times_at_the_end_of_the_calendar(tmp_path: Path) -> None:
    pytest.importorskip("click")
    path = str(tmp_path / "runs.db")
    order = f"00010101T000000000000Z{TRACE_ID}"
    with serving("--database", path) as receiver:
        answer = post(receiver.url, start_time="0001-01-01T00:00:00Z", dotted_order=order)
        assert answer.ok, answer.text
    done = otel_langsmith("show", "--database", path, TZ="America/New_York")
    assert done.returncode == 0, done.stderr
    assert "chat m" in done.stdout


def test_show_knows_no_such_trace(database: Path) -> None:
    done = show("feed", "--database", str(database))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: no trace id begins with 'feed'\n"


def test_show_without_a_file_says_where_it_looked(tmp_path: Path) -> None:
    """And makes no file by looking. The default lies in the user's state directory."""
    done = show(XDG_STATE_HOME=str(tmp_path), HOME=str(tmp_path))
    assert done.exit_code == 1
    assert str(tmp_path) in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_show_refuses_a_file_that_is_not_its_own(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than a header of one hundred bytes " * 9)
    done = show("--database", str(path))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_the_version_is_the_package_version() -> None:
    pytest.importorskip("click")
    assert otel_langsmith("--version").stdout == f"otel-langsmith, version {__version__}\n"


LACKING = """
import contextlib, io, json, sys
from otel_langsmith.cli import main

def lacking(package, *arguments):
    sys.modules[package] = None
    sys.argv = ["x", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                main()
            except SystemExit as left:
                text = isinstance(left.code, str)
                said = err.getvalue() + (left.code + "\\n" if text else "")
                return 1 if text else left.code, out.getvalue(), said
            finally:
                del sys.modules[package]

asked = json.load(sys.stdin)
print(json.dumps({package: lacking(package, *arguments) for package, arguments in asked}))
"""
"""What the console script does without a package: one after the other is hidden."""

LOCAL = ["click", "rich", "starlette", "uvicorn"]
DEMO = ["flask", "openai", "opentelemetry.instrumentation.requests"]


@pytest.fixture(scope="module")
def ends() -> dict[str, tuple[int, str, str]]:
    """Exit code and what is said on either stream, by the package that is missing."""
    pytest.importorskip("click")
    asked = [*((name, ["--version"]) for name in LOCAL), *((name, ["demo"]) for name in DEMO)]
    done = subprocess.run(
        [sys.executable, "-c", LACKING],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("package", LOCAL)
def test_without_the_extra_the_script_says_what_to_install(
    ends: dict[str, tuple[int, str, str]], package: str
) -> None:
    code, printed, said = ends[package]
    assert (code, printed) == (1, "")
    assert re.fullmatch(
        rf"otel-langsmith needs {package}\S*, which is not installed: "
        r'pip install "otel-langsmith\[local\]"\n',
        said,
    )


@pytest.mark.parametrize("package", DEMO)
def test_without_its_extra_the_demo_says_what_to_install(
    ends: dict[str, tuple[int, str, str]], package: str
) -> None:
    pytest.importorskip("opentelemetry.instrumentation.flask")
    code, printed, said = ends[package]
    assert (code, printed) == (1, "")
    assert re.fullmatch(
        rf"Error: the demo needs {package}\S*, which is not installed: "
        r'pip install "otel-langsmith\[demo\]"\n',
        said,
    )


def test_a_bug_of_ours_is_not_mistaken_for_a_missing_package() -> None:
    program = (
        "import sys; sys.modules['otel_langsmith.commands'] = None; "
        "from otel_langsmith.cli import main; main()"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert "Traceback" in done.stderr
    assert "pip install" not in done.stderr
