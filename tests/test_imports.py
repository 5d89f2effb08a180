"""What an application pays for naming us: who loads what, and when. Modules tell, not clocks."""

import json
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from support.processes import environ, run

from otel_langsmith.receiver import Receiver

pytestmark = pytest.mark.programs

NAMES = "LangSmithPropagator, LangSmithSpanExporter, LangSmithSpanProcessor, configure"

SEND = {
    *("requests", "requests_toolbelt", "urllib3", "zstandard"),
    *("otel_langsmith.conventions", "otel_langsmith.encoder"),
    *("otel_langsmith.redact", "otel_langsmith.translate"),
}
"""What the thread that delivers loads."""

NEVER = {"langsmith", "opentelemetry.sdk._logs", "otel_langsmith.receiver", "rich", "starlette"}

DECIDE = {
    *("opentelemetry.propagate", "otel_langsmith.headers", "otel_langsmith.lineage"),
    *("otel_langsmith.pipeline", "otel_langsmith.run", "otel_langsmith.settings"),
    *("otel_langsmith.tracking", "orjson"),
}
"""What constructors load: what the application's threads need, and who accounts for each span."""

BEFORE = "import json, sys, opentelemetry.sdk.trace.export"


NOWHERE = "http://127.0.0.1:9"


def loaded(statements: str, url: str = NOWHERE) -> set[str]:
    """The modules that are there after the statements."""
    hurry = {"LANGSMITH_TIMEOUT": "1"} if url == NOWHERE else {}
    program = f"{BEFORE}\n{dedent(statements)}\nprint(json.dumps([*sys.modules]))"
    done = run([sys.executable, "-c", program], environ(url, LANGSMITH_TRACING="true", **hurry))
    assert done.returncode == 0, done.stderr
    return {*json.loads(done.stdout)}


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "otel_langsmith"}


def test_the_package_alone_loads_nothing() -> None:
    alone = {"otel_langsmith", "otel_langsmith.deferral", "otel_langsmith.version"}
    assert ours(loaded("import otel_langsmith")) == alone


def test_names_load_no_more_than_the_classes_they_stand_for() -> None:
    there = loaded(f"from otel_langsmith import {NAMES}")
    assert {"otel_langsmith.processor", "otel_langsmith.propagator"} <= there
    assert not there & (SEND | DECIDE | NEVER)


def test_the_hook_loads_nothing_where_langsmith_is_not_chosen() -> None:
    there = loaded("from otel_langsmith.hooks import pre_instrument\npre_instrument()")
    assert not there & (SEND | DECIDE | NEVER | {"otel_langsmith.exporter", "otel_langsmith.setup"})


SPANS = """
    from opentelemetry.propagate import extract, inject
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from otel_langsmith import {names}
    later = dict(schedule_delay_millis=3_600_000)
    provider = configure(live={live}, **later)
    provider.add_span_processor(BatchSpanProcessor(LangSmithSpanExporter(), **later))
    with provider.get_tracer("app").start_as_current_span("span", extract({{}})):
        inject(headers := {{}})
"""


@pytest.mark.parametrize("live", [True, False])
def test_the_applications_threads_load_nothing_for_a_span(live: bool) -> None:
    """Nor do constructors load anything for the thread that delivers."""
    spans = SPANS.format(names=NAMES, live=live)
    there = loaded(f"{dedent(spans)}print(file=sys.stderr)\nassert headers['langsmith-trace']")
    assert there >= DECIDE
    # the spans go when the process ends, after this list was made
    assert not there & (SEND | NEVER)


def test_whoever_delivers_loads_what_that_takes(receiver: Receiver) -> None:
    """Python asks each finder for what it imports, in the thread that wants it."""
    program = f"""
    import threading
    by = {{}}
    class Witness:
        def find_spec(self, name, path, target=None):
            by[name] = threading.current_thread().name
    sys.meta_path.insert(0, Witness())
    {SPANS.format(names=NAMES, live=True).strip()}
    assert provider.force_flush()
    found = {{by.get(name) for name in {[*SEND - {"zstandard"}]!r}}}
    assert found == {{"LangSmithSpanProcessor"}}, found
    """
    assert loaded(program, receiver.url) >= SEND - {"zstandard"}


def test_a_process_that_has_nothing_to_deliver_loads_nothing_for_it() -> None:
    program = """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor
    processor, exporter = LangSmithSpanProcessor(), LangSmithSpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(processor)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert provider.force_flush()
    assert processor.ledger() == exporter.ledger()
    provider.shutdown()
    late = TracerProvider()
    late.add_span_processor(processor)
    late.get_tracer("app").start_span("late").end()
    assert processor.ledger().received == 1
    assert processor.ledger().dropped == {"shut_down": 1}
    """
    assert not loaded(program) & (SEND | NEVER)
    refused = "late.add_span_processor(SimpleSpanProcessor(exporter))"
    last = "late.get_tracer('app').start_span('last').end()"
    told = "assert exporter.ledger().dropped == {'shut_down': 1}"
    loaded(dedent(program) + f"{refused}\n{last}\n{told}")


WIRINGS = {
    "processor": "LangSmithSpanProcessor(schedule_delay_millis=3_600_000)",
    "batch": "BatchSpanProcessor(LangSmithSpanExporter())",
    "simple": "SimpleSpanProcessor(LangSmithSpanExporter())",
    "spool": "LangSmithSpanProcessor(spool_dir=tempfile.mkdtemp())",
}
PROGRAM = """
    import os, signal, tempfile, threading
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from otel_langsmith import *
    provider = TracerProvider()
    provider.add_span_processor({wiring})
    trace.set_tracer_provider(provider)
    tracer = provider.get_tracer("app")
    {body}
"""
SPAN = "tracer.start_span('span').end()"
IN_A_THREAD = f"threading.Thread(target=lambda: {SPAN}).start()"
FROZEN = f"flush_on_return(lambda: {SPAN})(); os._exit(0)"
ENDS = [
    *((wiring, SPAN) for wiring in WIRINGS),
    *(("processor", IN_A_THREAD), ("processor", FROZEN), ("batch", FROZEN)),
]


@pytest.mark.parametrize(("wiring", "body"), ENDS)
def test_nothing_is_too_late_to_load_what_the_first_delivery_takes(
    receiver: Receiver, wiring: str, body: str
) -> None:
    program = dedent(PROGRAM.format(wiring=WIRINGS[wiring], body=body))
    done = run([sys.executable, "-c", program], environ(receiver.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert [span.name for span in receiver.store.runs()] == ["span"]


LAST = """
    class Last:
        def __del__(self):
            tracer.start_span("span").end()
            print("ended")
    sys.modules["of the application"] = Last()
"""


@pytest.mark.parametrize("wiring", ["processor", "simple"])
def test_a_first_span_that_ends_as_python_does_is_lost_and_does_no_harm(wiring: str) -> None:
    """Nothing can be loaded any more, and before Python 3.12 who starts a thread waits for ever."""
    program = dedent(PROGRAM.format(wiring=WIRINGS[wiring], body="import sys")) + dedent(LAST)
    program = program.replace("TracerProvider()", "TracerProvider(shutdown_on_exit=False)")
    done = run([sys.executable, "-c", program], environ("http://127.0.0.1:9"))
    assert (done.returncode, done.stdout) == (0, "ended\n")
    assert "ignored" not in done.stderr


FORK = """
    import os, signal, sys, threading
    from otel_langsmith.deferral import deferred, is_loaded
    slow = deferred("slow")
    assert not is_loaded(slow)
    thread = threading.Thread(target=lambda: slow.READY)
    thread.start()
    while "slow" not in sys.modules:
        pass
    if (child := os.fork()) == 0:
        signal.alarm(20)  # there is no other way out of a lock that nobody holds any more
        os._exit(slow.READY)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == slow.READY == 7
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork to speak of")
def test_a_process_that_forks_in_the_midst_of_an_import_finds_it_done(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.3)\nREADY = 7\n")
    path = os.pathsep.join((os.fspath(tmp_path), os.environ.get("PYTHONPATH", "")))
    done = run(
        [sys.executable, "-W", "ignore", "-c", dedent(FORK)], {**os.environ, "PYTHONPATH": path}
    )
    assert (done.returncode, done.stderr) == (0, "")
