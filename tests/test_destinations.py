"""Several LangSmiths: each gets every run at once, whatever becomes of the others."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import Tracer
from support.ports import reserved_port
from support.processes import environ, instrumented, needs, run, tool, zero_code
from support.rude_server import deaf_address, rude_server
from support.spans import span

from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor
from otel_langsmith.delivery import routes
from otel_langsmith.identity import run_id_of
from otel_langsmith.receiver import Receiver, StoredRun

Faces = LangSmithSpanExporter | LangSmithSpanProcessor
PATIENCE_S = 60.0
"""What a dead destination may take; nobody else waits for that."""

FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def at(*urls: str, **said: str) -> list[dict[str, str]]:
    return [{"api_url": url, "api_key": "key", **said} for url in urls]


@pytest.fixture
def other() -> Iterator[Receiver]:
    with reserved_port() as port, Receiver(port=port, requests_per_minute=1_000_000) as running:
        yield running


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes the request and never answers."""
    with rude_server([], hangs_up=False) as server:
        yield server.url


@contextmanager
def forbidding() -> Iterator[str]:
    with rude_server([FORBIDDEN]) as server:
        yield server.url


DEAD = {"a black hole": black_hole, "deaf": deaf_address, "the key is refused": forbidding}


@contextmanager
def tracing(face: Faces) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    if isinstance(face, LangSmithSpanExporter):
        provider.add_span_processor(BatchSpanProcessor(face, schedule_delay_millis=20))
    else:
        provider.add_span_processor(face)
    try:
        yield provider.get_tracer("tests")
    finally:
        face.shutdown(200)
        provider.shutdown()


def eventually(true: Callable[[], object]) -> bool:
    """Whether it becomes true, long before anyone loses patience."""
    until_s = time.monotonic() + PATIENCE_S / 2
    while not true() and time.monotonic() < until_s:
        time.sleep(0.01)
    return bool(true())


def runs(receiver: Receiver) -> list[StoredRun]:
    return receiver.store.runs()


@pytest.mark.parametrize("face", [LangSmithSpanExporter, LangSmithSpanProcessor])
@pytest.mark.parametrize("dead", DEAD.values(), ids=DEAD)
@pytest.mark.parametrize("first", [True, False], ids=["the dead first", "the dead last"])
def test_a_dead_destination_delays_no_other(
    receiver: Receiver, face: type[Faces], dead: Callable[[], Any], first: bool
) -> None:
    with dead() as url:
        urls = [url, receiver.url] if first else [receiver.url, url]
        sender = face(endpoints=at(*urls), timeout=PATIENCE_S, schedule_delay_millis=20)
        with tracing(sender) as tracer:
            for number in range(3):  # not only the first time
                tracer.start_span(f"run {number}").end()
                assert eventually(lambda upto=number: len(runs(receiver)) == upto + 1)
            assert eventually(lambda: sender.ledgers()[receiver.url].delivered == 3)
            there, here = sender.ledgers()[url], sender.ledgers()[receiver.url]
            assert (there.received, there.delivered, there.waiting) == (3, 0, 3)
            assert (here.received, here.delivered, here.waiting) == (3, 3, 0)
            whole = sender.ledger()
            assert (whole.received, whole.delivered, whole.waiting) == (6, 3, 3)
            assert not sender.force_flush(50)
    assert sender.ledger().balances


def test_each_gets_every_run_once_and_a_flush_waits_for_all(
    receiver: Receiver, other: Receiver
) -> None:
    processor = LangSmithSpanProcessor(endpoints={receiver.url: "key", other.url: "another"})
    with tracing(processor) as tracer:
        with tracer.start_as_current_span("root"):
            for number in range(250):
                tracer.start_span(f"leaf {number}").end()
        assert processor.force_flush(60_000)
        assert len(runs(receiver)) == len(runs(other)) == 251
        assert processor.ledger().received == processor.ledger().delivered == 502
    assert {run.id for run in runs(receiver)} == {run.id for run in runs(other)}


def test_an_export_returns_when_those_that_answer_have_it(
    receiver: Receiver, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a process that is frozen after a flush would take runs with it."""
    monkeypatch.setattr(routes, "GRACE_S", PATIENCE_S)
    exporter = LangSmithSpanExporter(endpoints=at(receiver.url, other.url))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("tests").start_span("run").end()
    assert (len(runs(receiver)), len(runs(other))) == (1, 1)
    provider.shutdown()
    assert exporter.ledger().delivered == 2


def test_a_shutdown_ends_in_time_and_accounts_for_all(receiver: Receiver) -> None:
    with black_hole() as url:
        processor = LangSmithSpanProcessor(
            endpoints=at(url, receiver.url), timeout=PATIENCE_S, live=False
        )
        processor.on_end(span(1))
        began_s = time.monotonic()
        processor.shutdown(2_000)
        assert time.monotonic() - began_s < PATIENCE_S / 2
    assert len(runs(receiver)) == 1
    assert eventually(lambda: processor.ledgers()[url].dropped == {"undelivered": 1})


def test_each_has_a_folder_on_disk_and_a_restart_sends_only_what_is_missing(
    receiver: Receiver, other: Receiver, tmp_path: Path
) -> None:
    other.stop()
    settings: dict[str, Any] = {
        "endpoints": at(receiver.url, other.url),
        "spool_dir": str(tmp_path),
        "schedule_delay_millis": 20,
    }
    processor = LangSmithSpanProcessor(**settings)
    with tracing(processor) as tracer:
        for number in range(10):
            tracer.start_span(f"run {number}").end()
        assert eventually(lambda: processor.ledgers()[other.url].spooled == 10)
        assert eventually(lambda: processor.ledgers()[receiver.url].delivered == 10)
    assert processor.ledger().spooled == 10
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2

    other.start()
    again = LangSmithSpanProcessor(**settings)
    with tracing(again) as tracer:
        tracer.start_span("another").end()
        assert again.force_flush(60_000)
        assert eventually(lambda: len(runs(other)) == 11)
        assert eventually(lambda: again.ledgers()[other.url].received == 11)
        assert again.ledgers()[receiver.url].received == 1
    assert len(runs(receiver)) == 11


def test_two_that_a_folder_cannot_tell_apart_share_none(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    two = [{"api_url": receiver.url, "api_key": key} for key in ("one", "two")]
    exporter = LangSmithSpanExporter(endpoints=two, spool_dir=str(tmp_path))
    assert exporter.ledgers().keys() == {receiver.url, f"{receiver.url} (2)"}
    assert "give each its workspace_id" in caplog.text
    exporter.shutdown()


def test_an_opening_that_one_has_is_patched_there_and_posted_elsewhere(
    receiver: Receiver, other: Receiver
) -> None:
    other.stop()
    processor = LangSmithSpanProcessor(
        endpoints=at(receiver.url, other.url), schedule_delay_millis=20
    )
    with tracing(processor) as tracer:
        open_span = tracer.start_span("agent")
        assert eventually(lambda: runs(receiver))
        assert runs(receiver)[0].status == "pending"
        other.start()
        open_span.end()
        assert processor.force_flush(60_000)
    for one in (receiver, other):
        assert [run.status for run in runs(one)] == ["success"]
    assert processor.ledger().balances


def test_what_was_shown_and_never_ended_is_closed_wherever_it_was_shown(
    receiver: Receiver, other: Receiver
) -> None:
    processor = LangSmithSpanProcessor(
        endpoints=at(receiver.url, other.url), schedule_delay_millis=20
    )
    with tracing(processor) as tracer:
        kept = tracer.start_span("agent")
        assert eventually(lambda: runs(receiver) and runs(other))
        processor.shutdown(30_000)
    assert [run.status for one in (receiver, other) for run in runs(one)] == ["error", "error"]
    assert [one.noted["unended"] for one in processor.ledgers().values()] == [1, 1]
    kept.end()


def test_a_project_of_its_own_has_the_whole_tree_under_other_ids(receiver: Receiver) -> None:
    pytest.importorskip("xxhash")
    endpoints = [*at(receiver.url), *at(receiver.url, project_name="copy")]
    processor = LangSmithSpanProcessor(endpoints=endpoints, project="shop", live=False)
    with tracing(processor) as tracer:
        with tracer.start_as_current_span("root", attributes={"gen_ai.prompt": "hello"}) as root:
            tracer.start_span("leaf").end()
        assert processor.force_flush(60_000)
    trees = {
        project: {run.name: run for run in receiver.store.runs() if run.project == project}
        for project in ("shop", "copy")
    }
    for runs_by_name in trees.values():
        top, leaf = runs_by_name["root"], runs_by_name["leaf"]
        assert leaf.parent_run_id == top.id == top.trace_id == leaf.trace_id
        assert leaf.dotted_order.startswith(f"{top.dotted_order}.")
        assert top.inputs
    context = root.get_span_context()
    assert trees["shop"]["root"].id == run_id_of(context.span_id)
    assert trees["copy"]["root"].id != run_id_of(context.span_id)
    assert trees["copy"]["root"].inputs == trees["shop"]["root"].inputs
    assert processor.ledger().delivered == 4


def test_a_destination_without_a_key_of_use_drops_only_its_own(receiver: Receiver) -> None:
    """A key refused is no reason to keep anything from the others, nor are limits of theirs."""
    with Receiver(api_keys=["right"]) as strict:
        endpoints = [*at(receiver.url), {"api_url": strict.url, "api_key": "wrong"}]
        processor = LangSmithSpanProcessor(
            endpoints=endpoints, live=False, schedule_delay_millis=20
        )
        with tracing(processor) as tracer:
            tracer.start_span("run").end()
            assert eventually(lambda: runs(receiver))
            processor.shutdown(30_000)
        ledgers = processor.ledgers()
    assert ledgers[receiver.url].delivered == 1
    assert ledgers[strict.url].dropped == {"http_403": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.programs
def test_a_forked_child_has_lanes_of_its_own(receiver: Receiver, other: Receiver) -> None:
    processor = LangSmithSpanProcessor(endpoints=at(receiver.url, other.url), live=False)

    def work() -> None:
        tracer.start_span("child").end()
        os._exit(0 if processor.force_flush(60_000) else 1)

    with tracing(processor) as tracer:
        tracer.start_span("parent").end()
        assert processor.force_flush(60_000)
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join(90)
        assert child.exitcode == 0
    for one in (receiver, other):
        assert sorted(str(run.name) for run in runs(one)) == ["child", "parent"]


def test_runs_that_come_faster_than_they_are_taken_wait_within_the_bound(
    receiver: Receiver,
) -> None:
    with black_hole() as url:
        exporter = LangSmithSpanExporter(
            endpoints=at(url, receiver.url), timeout=PATIENCE_S, max_backlog_bytes=0
        )
        big = {"gen_ai.prompt": "x" * 500_000}
        for number in range(1, 31):
            exporter.export([span(number, attributes=big)])
        assert eventually(lambda: exporter.ledgers()[receiver.url].delivered == 30)
        there = exporter.ledgers()[url]
        assert there.dropped["backlog_full"] + there.queued == 30
        assert there.queued < 12
        with suppress(TimeoutError):
            exporter.shutdown(100)


def test_the_environment_says_them_as_langsmiths_sdk_reads_them(
    receiver: Receiver, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {receiver.url: "key", other.url: "key"}
    monkeypatch.setenv("LANGSMITH_RUNS_ENDPOINTS", json.dumps(said))
    processor = LangSmithSpanProcessor(live=False)
    with tracing(processor) as tracer:
        tracer.start_span("run").end()
        assert processor.force_flush(60_000)
    assert (len(runs(receiver)), len(runs(other))) == (1, 1)


# what knows nothing of us


SCRIPT = """
from opentelemetry import trace
tracer = trace.get_tracer("app")
with tracer.start_as_current_span("outer"):
    with tracer.start_as_current_span("inner"):
        pass
"""


def programs(said: object, **more: str) -> dict[str, str]:
    """An operator's environment that names several destinations."""
    text = said if isinstance(said, str) else json.dumps(said)
    return environ("", LANGSMITH_RUNS_ENDPOINTS=text, **more)


@pytest.mark.programs
@zero_code
def test_without_code_a_dead_one_costs_a_program_no_run_and_its_end_little(
    receiver: Receiver,
) -> None:
    with black_hole() as url:
        began_s = time.monotonic()
        variables = programs(at(url, receiver.url), OTEL_EXPORTER_LANGSMITH_TIMEOUT="4")
        done = run(instrumented(sys.executable, "-c", SCRIPT), variables)
        assert time.monotonic() - began_s < PATIENCE_S / 2
    assert done.returncode == 0
    assert sorted(str(one.name) for one in runs(receiver)) == ["inner", "outer"]


@pytest.mark.programs
@zero_code
def test_without_code_an_unusable_variable_is_warned_about(receiver: Receiver) -> None:
    said = json.dumps(at(receiver.url, api_key="s3cret-of-ours")).rstrip("]")
    done = run(instrumented(sys.executable, "-c", SCRIPT), programs(said))
    assert done.returncode == 0
    assert "LANGSMITH_RUNS_ENDPOINTS is not shown" in done.stderr
    assert "s3cret" not in done.stderr
    assert runs(receiver) == []


@pytest.mark.programs
@needs("opentelemetry.configuration", "yaml", "jsonschema")
def test_a_file_can_name_them(receiver: Receiver, other: Receiver, tmp_path: Path) -> None:
    (tmp_path / "otel.yaml").write_text(
        FILE.replace("ONE", receiver.url).replace("OTHER", other.url)
    )
    variables = environ("", OTEL_CONFIG_FILE="otel.yaml")
    program = tool("opentelemetry-instrument", sys.executable, "-c", SCRIPT)
    done = run(program, variables, tmp_path)
    assert done.returncode == 0
    assert [len(runs(one)) for one in (receiver, other)] == [2, 2], done.stderr


BATCHED = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_langsmith import LangSmithSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(LangSmithSpanExporter()))
provider.get_tracer("app").start_span("last").end()
"""


@pytest.mark.programs
def test_a_program_that_ends_at_once_leaves_its_last_run_at_each(
    receiver: Receiver, other: Receiver
) -> None:
    """Its first export comes when the interpreter ends, and starts no thread any more."""
    done = run([sys.executable, "-c", BATCHED], programs(at(receiver.url, other.url)))
    assert (done.returncode, done.stderr) == (0, "")
    assert [len(runs(one)) for one in (receiver, other)] == [1, 1]


FILE = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        exporter:
          langsmith:
            endpoints:
              - {api_url: "ONE", api_key: key}
              - {api_url: "OTHER", api_key: key}
"""


WITH_THE_SDK = """
from langsmith import Client, traceable, tracing_context
from opentelemetry import trace
from opentelemetry.propagate import inject
import otel_langsmith

provider = otel_langsmith.configure(live=False)
client = Client()

@traceable(client=client)
def called():
    return 1

with provider.get_tracer("app").start_as_current_span("ours"):
    headers = {}
    inject(headers)
    with tracing_context(parent=headers, enabled=True):
        called()
provider.force_flush()
client.flush()
"""


@pytest.mark.programs
@needs("langsmith", "xxhash")
def test_langsmiths_sdk_finds_its_parents_wherever_the_same_variable_sends_both(
    receiver: Receiver, other: Receiver
) -> None:
    said = [*at(receiver.url), *at(other.url), *at(receiver.url, project_name="copy")]
    variables = programs(said, LANGSMITH_PROJECT="shop", LANGSMITH_TRACING="true")
    done = run([sys.executable, "-c", WITH_THE_SDK], variables)
    assert done.returncode == 0, done.stderr
    for one, project in ((receiver, "shop"), (other, "shop"), (receiver, "copy")):
        found = {str(run.name): run for run in runs(one) if run.project == project}
        assert found.keys() == {"ours", "called"}, done.stderr
        assert found["called"].parent_run_id == found["ours"].id
        assert found["called"].dotted_order.startswith(f"{found['ours'].dotted_order}.")
