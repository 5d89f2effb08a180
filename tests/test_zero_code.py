"""``opentelemetry-instrument`` and nothing else: programs that know neither us nor OpenTelemetry.

What is asserted is what LangSmith has afterwards: each span once, at its place in its tree.
"""

import os
import re
import signal
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest
from support.processes import (
    UNHURRIED,
    await_listening,
    environ,
    instrumented,
    needs,
    run,
    running,
    tool,
    trees,
    zero_code,
)
from support.rude_server import deaf_address, rude_server

from otel_langsmith.receiver import Receiver

pytestmark = [pytest.mark.programs, zero_code]

SPANS = """
from opentelemetry import trace
tracer = trace.get_tracer("app")
with tracer.start_as_current_span("outer"):
    with tracer.start_as_current_span("inner"):
        pass
"""
TREE = ["outer", ". inner"]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as reply:
        text: str = reply.read().decode()
    return text


# what ends at once, and how


ENDS = {
    "at the last line": ("", (0,), ""),
    "by an exception": ("raise SystemError('boom')", (1,), "SystemError: boom"),
    "by sys.exit": ("import sys; sys.exit(3)", (3,), ""),
    # CPython forgets why it ends as soon as anything is exec'ed at exit, as by a late import
    "by Ctrl-C": ("signal.raise_signal(signal.SIGINT)", (-2, 1), "KeyboardInterrupt"),
    "by SIGTERM": ("signal.raise_signal(signal.SIGTERM)", (-15,), ""),
}


@pytest.mark.parametrize(("last", "codes", "said"), ENDS.values(), ids=ENDS)
def test_a_script_that_ends_at_once_loses_nothing(
    receiver: Receiver, tmp_path: Path, last: str, codes: tuple[int, ...], said: str
) -> None:
    # a shell's background processes, and so CI's, inherit that Ctrl-C is ignored
    listening = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (tmp_path / "script.py").write_text(f"{listening}{UNHURRIED}{SPANS}{last}")
    done = run(instrumented(sys.executable, "script.py"), environ(receiver.url), tmp_path)
    assert done.returncode in codes
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)
    assert trees(receiver) == [TREE]


def test_a_command_line_is_a_program_too(receiver: Receiver) -> None:
    done = run(instrumented(sys.executable, "-c", SPANS), environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert trees(receiver) == [TREE]


def test_two_variables_are_enough(receiver: Receiver) -> None:
    variables = {"OTEL_TRACES_EXPORTER": "langsmith", "OTEL_PROPAGATORS": "langsmith"}
    script = (
        SPANS + "from opentelemetry import propagate\nprint(*propagate.get_global_textmap().fields)"
    )
    done = run(
        tool("opentelemetry-instrument", sys.executable, "-c", script),
        environ(receiver.url, **variables),
    )
    assert "langsmith-trace" in done.stdout
    assert trees(receiver) == [TREE]


def test_what_the_readme_says_is_all_it_takes(receiver: Receiver, tmp_path: Path) -> None:
    """The distro has wishes of its own, for which nothing may be installed."""
    (tmp_path / "app.py").write_text(SPANS)
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (commands,) = (
        block for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) if "app.py" in block
    )
    variables = environ(receiver.url, PATH=scripts())
    del variables["OTEL_METRICS_EXPORTER"], variables["OTEL_LOGS_EXPORTER"]
    done = run(["sh", "-ec", commands], variables, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert trees(receiver) == [TREE]


def test_a_program_that_is_set_up_in_code_as_well_sends_each_span_once(receiver: Receiver) -> None:
    script = "import otel_langsmith\notel_langsmith.configure()\n" + SPANS
    done = run(instrumented(sys.executable, "-c", script), environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert trees(receiver) == [TREE]


def test_processes_of_multiprocessing_lose_nothing(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        UNHURRIED
        + dedent("""
        import multiprocessing
        from opentelemetry import trace

        def work(method):
            with trace.get_tracer("app").start_as_current_span(method):
                pass

        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                process = multiprocessing.get_context(method).Process(target=work, args=(method,))
                process.start()
                process.join()
                assert process.exitcode == 0
        """)
    )
    done = run(instrumented(sys.executable, "script.py"), environ(receiver.url), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert trees(receiver) == [["fork"], ["spawn"], ["forkserver"]]


# programs of the web


EXAMPLE = Path(__file__).parent.parent / "examples" / "zero_code"


@needs("flask", "opentelemetry.instrumentation.flask", "opentelemetry.instrumentation.requests")
def test_flask_and_requests_as_the_example_says(receiver: Receiver, port: int) -> None:
    command = instrumented("flask", "run", "--port", str(port))
    variables = environ(receiver.url, PATH=scripts(), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="")
    with running(command, variables, EXAMPLE) as server:
        await_listening(server, port)
        assert get(f"http://127.0.0.1:{port}/") == "in stock"
        server.terminate()
        server.wait(60)
    assert trees(receiver) == [["GET /", ". GET 127.0.0.1", ". . GET /stock"]]


def scripts() -> str:
    """``PATH`` with the console scripts of the Python in use."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


FASTAPI = """
import os
import fastapi, httpx
app = fastapi.FastAPI()

@app.get("/leaf")
async def leaf():
    return "leaf"

@app.get("/")
async def top():
    async with httpx.AsyncClient(timeout=60) as client:
        return (await client.get(os.environ["LEAF"])).json()
"""


@needs("fastapi", "opentelemetry.instrumentation.fastapi", "opentelemetry.instrumentation.httpx")
def test_fastapi_and_httpx_under_uvicorn_that_is_told_to_stop(
    receiver: Receiver, tmp_path: Path, port: int
) -> None:
    """Uvicorn ends by the very signal it got, hence without ``atexit``."""
    (tmp_path / "app.py").write_text(UNHURRIED + FASTAPI)
    command = instrumented("uvicorn", "app:app", "--port", str(port))
    variables = environ(
        receiver.url,
        "fastapi",
        "httpx",
        LEAF=f"http://127.0.0.1:{port}/leaf",
        PATH=scripts(),
        LANGSMITH_SCHEDULE_DELAY="60000",
    )
    with running(command, variables, tmp_path) as server:
        await_listening(server, port)
        assert get(f"http://127.0.0.1:{port}/") == '"leaf"'
        server.terminate()
        assert server.wait(60) == -signal.SIGTERM
    (found,) = trees(receiver)
    assert found[0] == "GET /"
    assert ". . GET /leaf" in found


@needs("gunicorn", "flask", "opentelemetry.instrumentation.flask")
@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["plain", "preload"])
def test_gunicorn_with_four_workers(
    receiver: Receiver, tmp_path: Path, port: int, options: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(
        "import flask, os, time\n"
        "app = flask.Flask('app')\n"
        "@app.get('/')\n"
        "def top():\n"
        "    time.sleep(0.05)\n"
        "    return str(os.getpid())\n"
    )
    command = instrumented(
        "gunicorn", "app:app", "--workers", "4", "--bind", f"127.0.0.1:{port}", *options
    )
    variables = environ(receiver.url, "flask", PATH=scripts(), LANGSMITH_SCHEDULE_DELAY="60000")
    sent = 0
    pids: set[str] = set()
    with running(command, variables, tmp_path) as server, ThreadPoolExecutor(8) as clients:
        await_listening(server, port)
        while len(pids) < 4:
            pids.update(clients.map(get, [f"http://127.0.0.1:{port}/"] * 8))
            sent += 8
        server.terminate()
        assert server.wait(60) == 0
    assert trees(receiver) == [["GET /"]] * sent


TASKS = """
import pathlib
from celery import Celery
from celery.signals import task_postrun

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
    "polling_interval": 0.05,
}
app.conf.worker_prefetch_multiplier = 1

@app.task
def leaf(number):
    pass

@app.task
def top(number):
    leaf.delay(number)

@task_postrun.connect
def is_done(task_id, **_):  # after the instrumentation, which came first: the span has ended
    pathlib.Path(f"done.{task_id}").touch()

if __name__ == "__main__":
    from opentelemetry import trace
    with trace.get_tracer("app").start_as_current_span("client"):
        for number in range(4):
            top.delay(number)
"""


@needs("celery", "opentelemetry.instrumentation.celery")
def test_a_prefork_worker_of_celery(receiver: Receiver, tmp_path: Path) -> None:
    """Its processes leave without ``atexit``; the trace context travels in the tasks' headers."""
    (tmp_path / "tasks.py").write_text(UNHURRIED + TASKS)
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    variables = environ(receiver.url, "celery", PATH=scripts(), LANGSMITH_SCHEDULE_DELAY="60000")
    worker = ("celery", "--app", "tasks", "worker", "--pool", "prefork", "--concurrency", "2")
    with running(instrumented(*worker), variables, tmp_path) as server:
        client = run(instrumented(sys.executable, "tasks.py"), variables, tmp_path)
        assert client.returncode == 0, client.stderr
        deadline = time.monotonic() + 100
        while len([*tmp_path.glob("done.*")]) < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.terminate()
        server.wait(60)
    calls = [
        ". apply_async/tasks.top",
        ". . run/tasks.top",
        ". . . apply_async/tasks.leaf",
        ". . . . run/tasks.leaf",
    ]
    (found,) = trees(receiver)
    assert sorted(found) == sorted(["client", *calls * 4])


# a file says it all


@needs("opentelemetry.configuration", "yaml", "jsonschema")
def test_a_file_configures_exporter_processor_and_propagator(
    receiver: Receiver, tmp_path: Path
) -> None:
    example = (EXAMPLE / "otel.yaml").read_text()
    (tmp_path / "otel.yaml").write_text(example.replace("filter: all", "filter: genai+root"))
    variables = environ(receiver.url, OTEL_CONFIG_FILE="otel.yaml")
    script = (
        SPANS + "from opentelemetry import propagate\nprint(*propagate.get_global_textmap().fields)"
    )
    done = run(tool("opentelemetry-instrument", sys.executable, "-c", script), variables, tmp_path)
    assert "auto_instrumentation_version" in done.stderr.replace("\n", "")  # and no more than that
    assert "langsmith-trace" in done.stdout
    assert trees(receiver) == [TREE[:1]]  # ``inner`` is neither genai nor root
    (only,) = receiver.store.runs()
    assert only.project == "shop"


# what goes wrong


WRONG = {
    "key missing": ({"LANGSMITH_API_KEY": ""}, "LANGSMITH_API_KEY"),
    "key wrong": ({"LANGSMITH_API_KEY": "wrong"}, "LANGSMITH_API_KEY"),
    "endpoint dead": ({"LANGSMITH_ENDPOINT": "deaf"}, "LANGSMITH_ENDPOINT"),
    "endpoint no URL": ({"LANGSMITH_ENDPOINT": "localhost:1"}, "LANGSMITH_ENDPOINT"),
}

LONGEST_EXIT_S = 25
"""Twice what it takes here; an attempt for each batch would take what a shutdown may, 30 s."""

LISTENERS = {
    "nobody logs": ("", ()),
    "OpenTelemetry logs": ("assert logging.getLogger().handlers", ("logging",)),
    "the application logs": ("logging.basicConfig()", ()),
}

LIVES = (
    SPANS
    + """
import time
began = time.monotonic()
for _ in range(1_000):
    with tracer.start_as_current_span("one more"):
        pass
assert time.monotonic() - began < 60
time.sleep(float(PAUSE))
print("lives until", time.time())
"""
)


def lives(environment: dict[str, str], listener: str = "", pause: float = 0) -> tuple[float, str]:
    """How many seconds a program's exit takes, and what it leaves on stderr."""
    script = f"import logging; {listener}\nPAUSE = {pause}\n{LIVES}"
    done = run(instrumented(sys.executable, "-c", script), environment)
    assert done.returncode == 0, done.stderr
    return time.time() - float(done.stdout.removeprefix("lives until")), done.stderr


@needs("opentelemetry.instrumentation.logging")
@pytest.mark.parametrize(
    ("what", "who"),
    [
        *((what, "OpenTelemetry logs") for what in WRONG),
        *(("key wrong", who) for who in LISTENERS if who != "OpenTelemetry logs"),
    ],
)
def test_whatever_is_wrong_the_application_lives_and_one_line_names_the_setting(
    what: str, who: str
) -> None:
    (wrong, setting), (listener, libraries) = WRONG[what], LISTENERS[who]
    with deaf_address() as deaf, Receiver(api_keys=["right"]) as picky:
        variables = environ(picky.url, *libraries, **wrong)
        if variables["LANGSMITH_ENDPOINT"] == "deaf":
            variables["LANGSMITH_ENDPOINT"] = deaf
        exit_s, stderr = lives(variables, listener)
    assert exit_s < LONGEST_EXIT_S
    (line,) = stderr.splitlines()
    assert setting in line


def test_an_endpoint_that_swallows_everything_does_not_hold_up_the_exit() -> None:
    """One attempt is under way when the program ends, and takes its time; then 2 s are left."""
    with rude_server([], hangs_up=False) as black_hole:
        exit_s, stderr = lives(environ(black_hole.url, LANGSMITH_TIMEOUT="3"), pause=1.2)
    assert exit_s < LONGEST_EXIT_S
    (line,) = stderr.splitlines()
    assert "LANGSMITH_ENDPOINT" in line
