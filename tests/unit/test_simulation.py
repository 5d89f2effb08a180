"""A deterministic simulation of whole processes: spans, a worker, a network, a disk, and a clock.

No thread runs: the application's steps are taken between the worker's, and in the middle of its
requests, in the order that hypothesis draws and can shrink. The server is the receiver's own store,
which refuses what LangSmith refuses. Whatever happens, in the end each run is there as it ended.
"""

from __future__ import annotations

import errno
import tempfile
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import set_span_in_context
from support.delivery import ManualClock
from support.spools import RudeFolder

from otel_langsmith import LangSmithSpanProcessor, run_id
from otel_langsmith.delivery.outcome import END_REFUSED
from otel_langsmith.pipeline import Pipeline
from otel_langsmith.receiver import ingest
from otel_langsmith.receiver.multipart import parse
from otel_langsmith.receiver.refusal import RefusedError
from otel_langsmith.receiver.store import Store
from otel_langsmith.settings import resolve
from otel_langsmith.wire.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.sdk.trace import ReadableSpan, Span

    from otel_langsmith.delivery.transport import Request

LOST: Final = "the request never arrives"
UNHEARD: Final = "it does, and the reply never arrives"
TIMEOUT_S: Final = 10.0
LONGEST_HOLD_S: Final = 601.0
OFTEN_S: Final = 0.01
POISON: Final = "which no server takes"


class SharedFolder(RudeFolder):
    """The disk of all processes: what fails, fails in each of their folders."""

    now_fails: Mapping[str, int] = {}

    def _call(self, name: str) -> None:
        self.fails = SharedFolder.now_fails
        super()._call(name)


@dataclass
class Network:
    """LangSmith behind a line that is not to be relied upon; ``meanwhile`` goes on in between."""

    clock: ManualClock
    store: Store = field(default_factory=Store)
    script: deque[tuple[str | int, float]] = field(default_factory=deque)
    meanwhile: deque[tuple[str, int]] = field(default_factory=deque)
    process: Process | None = None
    requests: int = 0

    def send(self, request: Request, timeout_s: float) -> Reply:
        assert timeout_s > 0
        if request.url.endswith("/info"):
            return Reply(404)
        self.requests += 1
        if self.meanwhile and self.process:
            self.process.act(*self.meanwhile.popleft())
        fate, took_s = self.script.popleft() if self.script else (202, 0.01)
        self.clock.elapsed_s += min(took_s, timeout_s)
        if fate == LOST or took_s > timeout_s:
            return Reply(None, error="ReadTimeout")
        if isinstance(fate, int) and fate != 202:
            return Reply(fate)
        reply = self._taken(request)
        return Reply(None, error="ConnectionError") if fate == UNHEARD else reply

    def _taken(self, request: Request) -> Reply:
        try:
            self.store.receive(_delivery(request))
        except RefusedError as refusal:
            return Reply(refusal.status, text=refusal.text)
        return Reply(202)

    def close(self) -> None:
        """Nothing is open."""

    def hang_up(self) -> None:
        """Nothing is under way."""


def _delivery(request: Request) -> ingest.Delivery:
    if POISON.encode() in request.body:
        raise RefusedError(422, "nonsense")
    if request.url.endswith("/runs/multipart"):
        return ingest.from_parts(parse(request.body, request.headers["Content-Type"]))
    if request.url.endswith("/runs/batch"):
        return ingest.from_batch(request.body)
    if request.method == "PATCH":
        return ingest.from_single(request.body, "patch", request.url.rpartition("/")[2])
    return ingest.from_single(request.body, "post")


class Stepped(LangSmithSpanProcessor):
    """The processor without its thread: its worker's life is led by hand."""

    unseen = 0

    def __init__(self, pipeline: Pipeline) -> None:
        self._open(pipeline)

    def _at_work(self) -> bool:
        return True

    def step(self) -> None:
        """What the worker does when it wakes."""
        self._cycle(TIMEOUT_S)
        self._show()


class Exporting(SpanProcessor):
    """A batch processor and its exporter, likewise."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._ended: list[ReadableSpan] = []
        self.ledger = pipeline.ledger

    @property
    def unseen(self) -> int:
        return len(self._ended)

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.append(span)

    def step(self) -> None:
        ended, self._ended = self._ended, []
        self._pipeline.export(ended)

    def shutdown(self) -> None:
        self.step()
        self._pipeline.close(TIMEOUT_S)


FACES: Final = {"processor": Stepped, "exporter": Exporting}


class Process:
    """An application and its processor."""

    def __init__(self, network: Network, face: str, given: Mapping[str, Any]) -> None:
        self.network = network
        arguments = {"endpoint": "http://langsmith.test", "api_key": "k", "compression": "none"}
        often = {"max_batch_runs": 5, "timeout": TIMEOUT_S, "schedule_delay_millis": OFTEN_S * 1000}
        chosen = resolve({**arguments, **often, **given}, {})[0]
        self.pipeline = Pipeline(chosen, lambda: network, network.clock)
        self.processor: Stepped | Exporting = FACES[face](self.pipeline)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self.tracer = provider.get_tracer("simulation")
        self.open: list[Span] = []
        self.ended: dict[str, ReadableSpan] = {}
        network.process = self

    def act(self, step: str, number: int) -> None:
        if step == "start":
            above = self.open[number % len(self.open)] if self.open and number else None
            context = set_span_in_context(above) if above else Context()
            self.open.append(self.tracer.start_span("span", context, attributes={"n": number}))
        elif self.open:
            span = self.open.pop(number % len(self.open))
            if step == "poison":
                span.set_attribute("end", POISON)
            span.end()
            self.ended[str(run_id(span))] = span

    def kill(self) -> int:
        """How many ended spans died with it; the kernel closes what was open."""
        ledger = self.processor.ledger()
        self.network.process = None
        if self.pipeline._lanes[0]._storage:
            self.pipeline._lanes[0]._storage.spool.close()
        return ledger.queued + ledger.held + self.processor.unseen


PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""All but the explanation, which takes minutes."""

MOMENTS: Final = (st.sampled_from(["start", "start", "end"]), st.integers(0, 5))
FATES: Final = st.sampled_from([202, LOST, UNHEARD, UNHEARD, 429, 403, 404, 408, 500, 503])
SCRIPTS: Final = st.lists(st.tuples(FATES, st.sampled_from([0.0, 0.1, 4.0, 30.0])), max_size=4)
STEPS: Final = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 61.0])),
    st.tuples(*MOMENTS),
    st.tuples(*MOMENTS),
    st.tuples(st.just("poison"), st.integers(0, 5)),
    st.tuples(st.just("work"), st.tuples(st.lists(st.tuples(*MOMENTS), max_size=2), SCRIPTS)),
    st.tuples(
        st.just("disk"), st.sampled_from([{}, {"append": errno.ENOSPC}, {"open": errno.EIO}])
    ),
    st.tuples(st.just("kill"), st.none()),
)


def lived(
    network: Network, steps: Iterable[tuple[str, Any]], face: str, given_: Mapping[str, Any]
) -> tuple[list[Process], int]:
    """The processes that did these steps, one after the other; how many spans died with them."""
    processes, gone = [Process(network, face, given_)], 0
    for step, value in steps:
        if step != "kill":
            lived_by(processes[-1], [(step, value)])
        elif "spool_dir" in given_:
            SharedFolder.now_fails = {}
            gone += processes[-1].kill()
            processes.append(Process(network, face, given_))
        ledger = processes[-1].processor.ledger()
        assert ledger.balances, ledger
        assert min(ledger.queued, ledger.spooled, ledger.delivered, ledger.dead_lettered) >= 0
    return processes, gone


def lived_by(process: Process, steps: Iterable[tuple[str, Any]]) -> None:
    """The process did these steps."""
    network = process.network
    for step, value in steps:
        if step == "work":
            meanwhile, script = value
            network.meanwhile, network.script = deque(meanwhile), deque(script)
            network.clock.elapsed_s += OFTEN_S
            process.processor.step()
            network.meanwhile.clear()
        elif step == "wait":
            network.clock.elapsed_s += value
        elif step == "disk":
            SharedFolder.now_fails = value
        else:
            process.act(step, value)


@pytest.mark.parametrize("mode", ["multipart", "basic"])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("keeps", [False, True], ids=["memory", "disk"])
@given(steps=st.lists(STEPS, min_size=15, max_size=60))
@settings(max_examples=15, phases=PHASES)
def test_whatever_happens_each_run_is_there_once_and_as_it_ended(
    steps: list[tuple[str, Any]], mode: str, face: str, *, keeps: bool
) -> None:
    SharedFolder.now_fails = {}
    network = Network(ManualClock())
    with (
        tempfile.TemporaryDirectory() as path,
        mock.patch("otel_langsmith.delivery.destination.Folder", SharedFolder),
    ):
        given_ = {"mode": mode, **({"spool_dir": path + "/spool"} if keeps else {})}
        processes, gone = lived(network, steps, face, given_)
        heal(network, processes[-1])
    noted = not any(step == "disk" and fails for step, fails in steps) or len(processes) == 1
    assert all(run.end_time for run in network.store.runs()) or not noted
    check(network.store, processes, gone)
    network.store.close()


@pytest.mark.parametrize("mode", ["multipart", "basic"])
@pytest.mark.parametrize("fate", [202, UNHEARD])
def test_a_run_that_is_shown_and_whose_end_is_refused_for_good_is_closed(
    mode: str, fate: str | int
) -> None:
    network = Network(ManualClock())
    process = Process(network, "processor", {"mode": mode})
    lived_by(
        process, [("start", 0), ("work", ([], [(fate, 0.0)])), ("poison", 0), ("work", ([], []))]
    )
    (run,) = network.store.runs()
    assert (run.error, bool(run.end_time)) == (END_REFUSED, True)
    assert process.processor.ledger().dropped == {"http_422": 1}
    heal(network, process)
    network.store.close()


@pytest.mark.parametrize("mode", ["multipart", "basic"])
def test_a_closing_is_told_again_to_a_server_that_denies_the_run_once(mode: str) -> None:
    network = Network(ManualClock())
    process = Process(network, "processor", {"mode": mode})
    refused_then_denied = ("work", ([], [(202, 0.0), (404, 0.0)]))
    lived_by(process, [("start", 0), ("work", ([], [])), ("poison", 0), refused_then_denied])
    heal(network, process)
    (run,) = network.store.runs()
    assert (run.error, bool(run.end_time)) == (END_REFUSED, True)
    network.store.close()


def test_a_parent_that_the_server_forgot_costs_no_child() -> None:
    """What is sent alone names only its parent if that is there, for the server knows the rest."""
    network = Network(ManualClock())
    process = Process(network, "processor", {"mode": "basic"})
    lived_by(process, [("start", 0), ("work", ([], []))])
    network.store.close()
    network.store = Store()
    lived_by(process, [("start", 1), ("end", 1), ("work", ([], []))])
    (child,) = network.store.runs()
    assert child.parent_run_id == str(run_id(process.open[0]))
    assert not process.processor.ledger().missing
    heal(network, process)
    network.store.close()


def heal(network: Network, process: Process) -> None:
    """All faults are over; the last process works on and ends, its open spans with it."""
    SharedFolder.now_fails = {}
    network.script.clear()
    for _ in range(4):
        network.clock.elapsed_s += LONGEST_HOLD_S
        process.processor.step()
    assert not process.processor.ledger().waiting, process.processor.ledger()
    process.processor.shutdown()


def check(store: Store, processes: list[Process], gone: int) -> None:
    runs = {run.id: run for run in store.runs()}
    ended = {key: span for process in processes for key, span in process.ended.items()}
    poison = {key for key, span in ended.items() if (span.attributes or {}).get("end") == POISON}
    missing = {
        key for key in ended.keys() - poison if key not in runs or runs[key].error is not None
    }
    assert len(missing) <= gone
    lost = [process.processor.ledger() for process in processes]
    assert sum(ledger.missing for ledger in lost) <= gone + len(poison), lost
    whole = {key: runs[key] for key in ended.keys() - poison - missing}
    for key, run in whole.items():
        span = ended[key]
        assert run.extra["metadata"]["n"] == (span.attributes or {})["n"]
        parent = span.parent and str(run_id(span.parent))
        assert run.parent_run_id == parent or (run.parent_run_id is None and parent not in ended)
    others = [runs[key] for key in runs.keys() - whole.keys()]
    assert all(run.error for run in others if run.end_time)
