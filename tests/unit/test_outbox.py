"""`delivery.outbox` behind a sender, with a scripted server and a disk that fails when it wants."""

from __future__ import annotations

import errno
import logging
import re
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock
from support.properties import examples
from support.spools import RudeFolder, record, run_id, spool_in, will

from otel_langsmith.delivery.dead_letters import read_letter
from otel_langsmith.delivery.gate import MINUTE_S
from otel_langsmith.delivery.ledger import Book, Ledger
from otel_langsmith.delivery.outbox import Outbox, Storage, open_storage
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.delivery.spool import Bounds, Spool
from otel_langsmith.presence import Presence
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import EncodedRun, Moment
from otel_langsmith.wire.reply import Accepted, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_langsmith.delivery.records import Record
    from otel_langsmith.delivery.transport import Request

OPERATION = re.compile(rb'name="(post|patch)\.([0-9a-f-]{36})"')
OK, BUSY, LOST, DENIED, LIMITED = "ok", "busy", "lost", "denied", "limited"
REFUSALS = {BUSY: 503, DENIED: 401, LIMITED: 429}


class Server:
    """Takes each post and each patch of a run once, and refuses the whole request otherwise."""

    def __init__(self) -> None:
        self.behaviour: list[str] = []
        self.poison: set[str] = set()
        self.most_bytes = 2**30
        self.taken: Counter[tuple[str, str]] = Counter()
        self.requests = 0

    def send(self, request: Request, timeout_s: float) -> Reply:
        self.requests += 1
        assert timeout_s > 0
        behaves = self.behaviour.pop(0) if self.behaviour else OK
        if behaves in REFUSALS:
            return Reply(REFUSALS[behaves])
        if len(request.body) > self.most_bytes:
            return Reply(413)
        told = [(verb.decode(), found.decode()) for verb, found in OPERATION.findall(request.body)]
        if self.poison & {found for _, found in told}:
            return Reply(422, text="nonsense")
        if any(self.taken[one] for one in told):
            return Reply(409)
        self.taken.update(told)
        return Reply(None, error="ReadTimeout") if behaves == LOST else Reply(202)

    def close(self) -> None:
        pass

    def hang_up(self) -> None:
        """Nothing is under way."""

    @property
    def runs(self) -> set[str]:
        return {found for _, found in self.taken}


class Bench:
    """A process with a sender; `restarted` is the next one, after a kill."""

    def __init__(self, path: Path, server: Server, **settings: Any) -> None:
        self.path, self.server, self.given = path, server, settings
        self.clock = ManualClock()
        self.book = Book()
        self.disk = RudeFolder(path)
        self.spool = Spool(self.disk, Bounds(), self.book.spool_lost)
        arguments = {"endpoint": "http://langsmith.test", "api_key": "k", **settings}
        self.settings = resolve(arguments, {})[0]
        self.outbox = Outbox(self.book, self.clock, Storage(self.disk, self.spool), 2**20)
        self.sender = Sender(self.settings, server, self.clock, self.book, self.outbox)

    def deliver(self, runs: Iterable[EncodedRun] = (), within_s: float = 10.0) -> bool:
        runs = [*runs]
        ends = sum(run.moment == "end" for run in runs)
        self.book.receive(ends)
        with self.book.consign(ends) as consignment:
            return self.sender.deliver(
                runs, consignment, self.clock.now_s() + within_s, threading.Event()
            )

    def drain(self, within_s: float = 1000.0) -> bool:
        return self.sender.drain(self.clock.now_s() + within_s, threading.Event())

    def restarted(self) -> Bench:
        """The kernel closes what a killed process had open, and frees its locks."""
        self.outbox.close()
        return Bench(self.path, self.server, **self.given)

    @property
    def ledger(self) -> Ledger:
        ledger = self.book.read()
        assert ledger.balances, ledger
        assert min(ledger.queued, ledger.spooled, ledger.held, ledger.delivered) >= 0, ledger
        return ledger


def run(number: int, moment: Moment = "end", presence: Presence | None = None) -> EncodedRun:
    return EncodedRun(run_id(number), record(number).parts, presence, moment)


def waiting(path: Path) -> list[Record]:
    spool = spool_in(path)
    spool.adopt()
    found = [entry.record for entry in spool.take(1000, 2**30)]
    spool.close()
    return found


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def bench(tmp_path: Path, server: Server) -> Bench:
    return Bench(tmp_path / "spool", server)


def test_what_fails_once_is_on_disk_before_anyone_waits(bench: Bench, server: Server) -> None:
    server.behaviour = [BUSY]
    assert bench.deliver([run(1), run(2)]) is False
    assert (server.requests, bench.clock.waits) == (1, [])
    assert (bench.ledger.spooled, bench.ledger.queued) == (2, 0)


def test_while_nothing_is_taken_new_runs_go_to_disk_untried(bench: Bench, server: Server) -> None:
    server.behaviour = [BUSY]
    bench.deliver([run(1)])
    bench.outbox.failed(after_s=5)
    bench.deliver([run(2)])
    assert (server.requests, bench.ledger.spooled) == (1, 2)
    bench.clock.elapsed_s += 6
    assert bench.deliver([run(3)]) is True
    assert (bench.ledger.delivered, server.requests) == (3, 2)


def test_a_flush_waits_for_better_times(bench: Bench, server: Server) -> None:
    server.behaviour = [BUSY] * 4
    bench.deliver([run(1)])
    assert bench.drain() is True
    assert bench.ledger.delivered == 1
    assert max(bench.clock.waits) <= 10


def test_a_flush_gives_up_in_time(bench: Bench, server: Server) -> None:
    server.behaviour = [BUSY] * 1000
    bench.deliver([run(1)])
    assert bench.drain() is False
    assert bench.clock.elapsed_s <= bench.settings.timeout
    assert bench.ledger.spooled == 1


def test_a_refused_key_is_no_fault_of_the_runs(bench: Bench, server: Server) -> None:
    server.behaviour = [DENIED]
    assert bench.deliver([run(1)]) is False
    assert bench.ledger.spooled == 1
    assert bench.drain() is False  # a key that was put right is noticed within minutes
    bench.clock.elapsed_s += MINUTE_S
    assert bench.drain() is True
    assert bench.ledger.delivered == 1


def test_a_used_up_quota_is_asked_about_once_a_minute(bench: Bench, server: Server) -> None:
    server.behaviour = [LIMITED]
    for number in range(5):
        bench.deliver([run(number)])
    assert (server.requests, bench.ledger.spooled) == (1, 5)
    bench.clock.elapsed_s += MINUTE_S
    assert bench.drain() is True
    assert bench.ledger.delivered == 5


def test_the_last_chance_is_taken_with_a_disk_too(bench: Bench, server: Server) -> None:
    server.behaviour = [LIMITED]
    bench.deliver([run(1)])
    bench.sender.insist()
    assert bench.drain() is True


def test_a_run_that_is_too_large_even_when_cut_is_kept_whole(bench: Bench, server: Server) -> None:
    server.most_bytes = 100
    large = EncodedRun(run_id(1), record(1, size=100_000).parts)
    bench.deliver([large])
    assert (bench.ledger.dead_lettered, server.requests) == (1, 2)
    (file,) = (bench.path / "refused").iterdir()
    assert read_letter(file.read_bytes()).record.parts == large.parts


def test_poison_is_kept_apart_and_costs_no_other(bench: Bench, server: Server) -> None:
    server.poison = {run_id(3)}
    server.behaviour = [BUSY]
    bench.deliver([run(number) for number in range(8)])
    bench.drain()
    ledger = bench.ledger
    assert (ledger.delivered, ledger.dead_lettered, ledger.missing) == (7, 1, 1)
    (file,) = (bench.path / "refused").iterdir()
    letter = read_letter(file.read_bytes())
    assert (letter.record.run_id, letter.status, letter.said) == (run_id(3), 422, "nonsense")


@pytest.mark.parametrize("kept", [True, False])
def test_a_split_request_fits_however_small_the_backlog_is(
    tmp_path: Path, server: Server, *, kept: bool
) -> None:
    """Halves were in hand a moment ago: they must neither be lost nor go round for ever."""
    bench = Bench(tmp_path / "spool", server, max_backlog_bytes=0)
    server.poison = {run_id(3)}
    server.behaviour = [BUSY] * kept
    bench.deliver([run(number) for number in range(8)])
    bench.drain()
    assert (bench.ledger.delivered, bench.ledger.dead_lettered) == (7, 1)


def test_without_room_for_the_letter_the_poison_is_counted_as_lost(
    bench: Bench, server: Server
) -> None:
    bench.outbox = Outbox(bench.book, bench.clock, Storage(bench.disk, bench.spool), 10)
    bench.sender = Sender(bench.settings, server, bench.clock, bench.book, bench.outbox)
    server.poison = {run_id(1)}
    bench.deliver([run(1)])
    assert bench.ledger.dropped == {"http_422": 1}


def test_a_run_left_open_is_closed_by_the_next_process(bench: Bench, server: Server) -> None:
    presence = Presence()
    opening = run(1, "opening", presence)
    far = bench.clock.now_s() + 10
    assert isinstance(bench.sender.announce([opening], far, threading.Event()), Accepted)
    heir = bench.restarted()
    heir.deliver()
    assert server.taken == {("post", run_id(1)): 1, ("patch", run_id(1)): 1}
    assert heir.ledger.received == 0
    assert waiting(bench.path) == []


@pytest.mark.parametrize("answers", [[], [BUSY], [LOST]])
def test_a_run_that_ended_is_not_closed_again(
    bench: Bench, server: Server, answers: list[str]
) -> None:
    presence = Presence()
    far = bench.clock.now_s() + 10
    bench.sender.announce([run(1, "opening", presence)], far, threading.Event())
    server.behaviour = answers
    bench.deliver([run(1, "end", presence)])
    heir = bench.restarted()
    heir.deliver()
    assert {verb for verb, _ in server.taken} == {"post", "patch"}
    assert server.requests <= 3
    assert bench.ledger.delivered + heir.ledger.delivered == 1


def test_an_opening_whose_reply_was_lost_makes_the_end_a_patch_in_the_next_process(
    bench: Bench, server: Server
) -> None:
    presence = Presence()
    far = bench.clock.now_s() + 10
    server.behaviour = [LOST, BUSY]
    bench.sender.announce([run(1, "opening", presence)], far, threading.Event())
    bench.deliver([run(1, "end", presence)])
    assert [one.doubtful for one in waiting(bench.path)] == []  # its process lives
    heir = bench.restarted()
    assert heir.deliver() is True
    assert {verb for verb, _ in server.taken} == {"post", "patch"}
    assert heir.ledger.delivered == 1


def test_spans_of_a_dead_process_are_in_the_ledger_once_their_fate_is_known(
    bench: Bench, server: Server
) -> None:
    server.behaviour = [BUSY, BUSY]
    bench.deliver([run(1)])
    heir = bench.restarted()
    heir.deliver()
    assert heir.ledger == Ledger()
    heir.drain()
    heir.clock.elapsed_s += 60
    heir.deliver()
    assert (heir.ledger.received, heir.ledger.delivered) == (1, 1)


def test_a_will_that_cannot_be_read_is_nobodys(bench: Bench, server: Server) -> None:
    left = spool_in(bench.path)
    broken = will(1)
    left.opened([broken, type(broken)(run_id(2), "patch", {}, spans=0)])
    left.close()
    bench.deliver()
    assert server.runs == {run_id(1)}
    assert waiting(bench.path) == []


def test_a_full_disk_leaves_memory_and_both_recover(
    bench: Bench, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    bench.disk.fails = {"append": errno.ENOSPC, "create": errno.ENOSPC}
    server.behaviour = [BUSY] * 2
    bench.deliver([run(1)])
    bench.clock.elapsed_s += 20
    assert (bench.ledger.queued, bench.ledger.spooled) == (1, 0)
    assert [line.levelno for line in caplog.records].count(logging.WARNING) == 2  # and the outage
    bench.disk.fails = {}
    bench.deliver([run(2)])
    assert (bench.ledger.queued, bench.ledger.spooled) == (0, 2)
    assert bench.drain() is True


@pytest.mark.parametrize("place", ["a file", "open to all"])
def test_a_directory_that_cannot_be_secured_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    path = tmp_path / "spool"
    if place == "a file":
        path.write_text("")
    else:
        path.mkdir()
        path.chmod(0o777)
    settings, _ = resolve({"spool_dir": str(path)}, {})
    assert open_storage(settings, lambda *_: None) is None
    (line,) = caplog.messages
    assert "spool_dir cannot be used" in line
    assert str(path) in line


STEP = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 7)),
    st.tuples(st.just("server"), st.lists(st.sampled_from([OK, BUSY, LOST, DENIED]), max_size=5)),
    st.tuples(st.just("disk"), st.sampled_from([{}, {"append": errno.ENOSPC}, {"open": 5}])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 70.0])),
    st.tuples(st.just("drain"), st.sampled_from([0.0, 3.0])),
    st.tuples(st.just("kill"), st.none()),
)


@given(
    steps=st.lists(STEP, max_size=15),
    poison=st.sets(st.integers(0, 40), max_size=3),
    limits=st.sampled_from([{}, {"max_batch_runs": 2}, {"max_backlog_bytes": 700}]),
)
@examples(60)
def test_whatever_happens_the_ledger_balances_and_every_run_is_there_once(
    steps: list[tuple[str, Any]], poison: set[int], limits: dict[str, int]
) -> None:
    """R2, R9, R12 and R16 in one: server and disk fail and recover, processes are killed."""
    server = Server()
    server.poison = {run_id(number) for number in poison}
    offered, lost, dead = 0, 0, 0
    with tempfile.TemporaryDirectory() as path:
        bench = Bench(Path(path) / "spool", server, **limits)
        for step, value in [*steps, ("server", []), ("disk", {}), ("wait", 70.0)]:
            if step == "deliver":
                bench.deliver([run(number) for number in range(offered, offered + value)])
                offered += value
            elif step == "server":
                server.behaviour = value
            elif step == "disk":
                bench.disk.fails = value
            elif step == "wait":
                bench.clock.elapsed_s += value
            elif step == "drain":
                bench.drain(value)
            else:
                gone = bench.ledger
                lost += gone.lost + gone.queued
                dead += gone.dead_lettered
                bench = bench.restarted()
            assert bench.ledger.balances
        for _ in range(3):
            bench.deliver()
            bench.drain()
            bench.clock.elapsed_s += 70
        ledger = bench.ledger
        assert not ledger.waiting
        missing = {run_id(number) for number in range(offered)} - server.runs
        assert len(missing) <= lost + dead + ledger.missing
        assert server.poison & missing == server.poison & {run_id(n) for n in range(offered)}
        assert {*server.taken.values()} <= {1}
