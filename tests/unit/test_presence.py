"""`presence`: post or patch, decided late, and right whatever was said that we did not hear."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock
from support.properties import examples

from otel_langsmith.delivery.ledger import Book
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.delivery.transport import Request
from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import root
from otel_langsmith.presence import Presence, State
from otel_langsmith.run import Run
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import parts_of, place_of
from otel_langsmith.wire.reply import Reply

TABLE = [
    (State.ABSENT, "post", None, None),
    (State.UNSURE, "post", State.PROVEN, None),
    (State.OPENED, "patch", None, State.DENIED),
    (State.DENIED, "post", State.PROVEN, None),
    (State.PROVEN, "patch", None, State.LAGGING),
    (State.LAGGING, "patch", None, None),
]


@pytest.mark.parametrize(("state", "operation", "conflict", "missing"), TABLE)
def test_the_table(
    state: State, operation: str, conflict: State | None, missing: State | None
) -> None:
    assert Presence(state).operation == operation
    for status, becomes in (
        (409, conflict),
        (404, missing),
        (202, None),
        (422, None),
        (None, None),
    ):
        presence = Presence(state)
        assert presence.turned_by(status) is (becomes is not None)
        assert presence.state is (becomes or state)


def test_the_table_has_every_state_and_its_docstring_too() -> None:
    assert {row[0] for row in TABLE} == {*State}
    lines = [line.split() for line in (Presence.__doc__ or "").splitlines()]
    said = {line[0]: line[1] for line in lines if line and line[0] in State.__members__}
    assert said == {state.name: operation for state, operation, *_ in TABLE}


def test_no_server_can_make_us_go_round_in_circles() -> None:
    for state in State:
        presence, turns = Presence(state), 0
        while presence.turned_by(409) or presence.turned_by(404):
            turns += 1
        assert turns < 4


class Model:
    """LangSmith's rules for operations, behind a network that loses requests and replies."""

    MAIN = re.compile(
        rb'name="(post|patch)\.([0-9a-f-]{36})"\r\n.*?\r\n\r\n(\{.*?\})\r\n', re.DOTALL
    )

    def __init__(self, clock: ManualClock, mishaps: list[str]) -> None:
        self.clock = clock
        self.mishaps = mishaps
        self.kept: dict[tuple[str, str], bool] = {}  # run and operation → whether it tells the end

    def send(self, request: Request, _: float) -> Reply:
        self.clock.elapsed_s += 0.01
        mishap = self.mishaps.pop(0) if self.mishaps else "none"
        if mishap == "lost":
            return Reply(None, error="ConnectionError")
        if mishap == "busy":
            return Reply(503)
        if mishap == "refused":
            return Reply(422)
        reply = self.answer(self.operations(request))
        return Reply(None, error="ReadTimeout") if mishap == "unheard" else reply

    def operations(self, request: Request) -> list[tuple[str, str, bool]]:
        if request.method == "PATCH":
            return [("patch", request.url.rpartition("/")[2], True)]
        if request.url.endswith("/runs"):
            run = orjson.loads(request.body)
            return [("post", run["id"], "end_time" in run)]
        found = self.MAIN.findall(request.body)
        return [(op.decode(), run.decode(), b"end_time" in main) for op, run, main in found]

    def answer(self, operations: list[tuple[str, str, bool]]) -> Reply:
        if any((run, operation) in self.kept for operation, run, _ in operations):
            return Reply(409)
        for operation, run, tells_end in operations:
            self.kept[run, operation] = tells_end
        return Reply(202)

    def close(self) -> None:
        pass

    def hang_up(self) -> None:
        """Nothing is under way."""

    def is_whole(self, run: str) -> bool:
        """Whether the run exists, and is known to the end."""
        post, patch = self.kept.get((run, "post")), self.kept.get((run, "patch"))
        return post is not None and bool(post or patch)


class Forgetful(Model):
    """One that does not find a run to patch until its second try."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.denied: set[str] = set()

    def answer(self, operations: list[tuple[str, str, bool]]) -> Reply:
        for operation, run, _ in operations:
            if operation == "patch" and run not in self.denied:
                self.denied.add(run)
                return Reply(404)
        return super().answer(operations)


def encoded(number: int, presence: Presence | None, *, ended: bool, alone: bool) -> EncodedRun:
    lineage = root(run_id_of(number), 0)
    run = Run(
        id=lineage.run_id,
        trace_id=lineage.trace_id,
        parent_run_id=None,
        dotted_order=lineage.dotted_order,
        name="run",
        run_type="chain",
        start_time_ns=0,
        end_time_ns=1 if ended else None,
    )
    moment = "end" if ended else "opening"
    return EncodedRun(
        run.id,
        parts_of(run, placed=not alone),
        presence,
        moment,
        alone=alone,
        place=place_of(run) if alone else {},
    )


mishaps = st.lists(st.sampled_from(["none", "lost", "busy", "unheard"]), max_size=12)
steps = st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=1, max_size=14)


@given(mishaps, steps, st.booleans(), st.integers(1, 4))
@examples(300)
def test_whatever_is_not_heard_every_run_ends_up_whole(
    mishaps: list[str], steps: list[tuple[bool, int]], alone: bool, max_batch_runs: int
) -> None:
    """Runs are opened once or not at all, then end; requests and replies are lost on the way."""
    delivered_whole(Model, mishaps, steps, alone=alone, max_batch_runs=max_batch_runs)


@given(mishaps, steps)
def test_a_patch_that_finds_no_run_becomes_a_post(
    mishaps: list[str], steps: list[tuple[bool, int]]
) -> None:
    delivered_whole(Forgetful, mishaps, steps, alone=True, max_batch_runs=1)


@given(st.lists(st.sampled_from(["none", "refused", "unheard"]), max_size=3))
def test_an_opening_that_was_refused_costs_the_end_nothing(mishaps: list[str]) -> None:
    bench = Bench(Model, mishaps, 4)
    presence = [Presence() for _ in range(4)]
    bench.open([encoded(n, p, ended=False, alone=False) for n, p in enumerate(presence)])
    bench.model.mishaps.clear()
    bench.end([encoded(n, p, ended=True, alone=False) for n, p in enumerate(presence)])
    assert all(bench.model.is_whole(run_id_of(n)) for n in range(4))
    assert bench.book.read().delivered == 4


def delivered_whole(
    model: type[Model],
    mishaps: list[str],
    steps: list[tuple[bool, int]],
    *,
    alone: bool,
    max_batch_runs: int,
) -> None:
    bench = Bench(model, mishaps, max_batch_runs, alone=alone)
    opened: dict[int, Presence] = {}
    ended: set[int] = set()
    for is_end, upto in steps:
        chosen = [n for n in range(1, upto + 1) if n not in ended]
        if is_end:
            ended.update(chosen[:2])
            ends = [encoded(n, opened.get(n), ended=True, alone=alone) for n in chosen[:2]]
            bench.end(ends)
        else:
            for n in chosen:
                opened.setdefault(n, Presence())
            bench.open([encoded(n, opened[n], ended=False, alone=alone) for n in chosen])
    bench.model.mishaps.clear()
    for _ in range(3):
        bench.end([])
    ledger = bench.book.read()
    assert (ledger.delivered, ledger.queued, ledger.lost) == (len(ended), 0, 0)
    assert all(bench.model.is_whole(run_id_of(n)) for n in ended)


class Bench:
    """A sender before a model of LangSmith."""

    def __init__(
        self, model: type[Model], mishaps: list[str], max_batch_runs: int, *, alone: bool = False
    ) -> None:
        self.clock = ManualClock()
        self.book = Book()
        self.model = model(self.clock, [*mishaps])
        arguments = {
            "api_key": "k",
            "timeout": 0.5,
            "max_batch_runs": max_batch_runs,
            "mode": "basic" if alone else "multipart",
        }
        self.sender = Sender(resolve(arguments, {})[0], self.model, self.clock, self.book)

    def open(self, runs: list[EncodedRun]) -> None:
        fresh = [
            run
            for run in runs
            if run.presence and run.presence.state in (State.ABSENT, State.UNSURE)
        ]
        self.sender.announce(fresh, self.clock.now_s() + 0.5, SET)

    def end(self, runs: list[EncodedRun]) -> None:
        self.book.receive(len(runs))
        with self.book.consign(len(runs)) as consignment:
            self.sender.deliver(runs, consignment, self.clock.now_s() + 20, SET)


class _Set:
    """An interrupt that was there from the start."""

    def is_set(self) -> bool:
        return True


SET: Any = _Set()
