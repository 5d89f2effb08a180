"""A deterministic simulation: a sender, a virtual clock, and a network that does its worst.

The network is a script of what happens to each request, among it replies that never arrive although
the request did. When the script is over it is healed for good.
"""

import re
import threading
from dataclasses import dataclass, field
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock
from support.properties import examples

from otel_langsmith.delivery.ledger import Book
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.delivery.transport import Request
from otel_langsmith.identity import run_id_of
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import MAIN
from otel_langsmith.wire.reply import Reply

POSTED: Final = re.compile(r'name="post\.([0-9a-f-]{36})"')
BATCHED: Final = re.compile(r'"id":"([0-9a-f-]{36})"')

LOST: Final = "the request never arrives"
UNHEARD: Final = "it does, and the reply never arrives"
TIMEOUT_S: Final = 10.0
LONGEST_HOLD_S: Final = 600.0


@dataclass
class Network:
    """LangSmith as it would be, behind a line that is not.

    ``poison`` are runs it refuses; a conflict comes for any run it has, and takes the others along.
    """

    clock: ManualClock
    script: list[tuple[str | int, float]]
    poison: frozenset[str]
    has: set[str] = field(default_factory=set)
    requests: int = 0

    def send(self, request: Request, timeout_s: float) -> Reply:
        assert 0 < timeout_s <= TIMEOUT_S + 1e-6
        fate, took_s = self.script.pop(0) if self.script else (202, 0.01)
        self.clock.elapsed_s += min(took_s, timeout_s)
        if request.url.endswith("/info"):
            return Reply(404)
        self.requests += 1
        if fate == LOST or took_s > timeout_s:
            return Reply(None, error="ReadTimeout")
        if isinstance(fate, int) and fate != 202:
            return Reply(fate, {"retry-after": "3"} if fate == 503 else {})
        reply = self._ingest(request)
        return Reply(None, error="ConnectionError") if fate == UNHEARD else reply

    def _ingest(self, request: Request) -> Reply:
        pattern = BATCHED if request.url.endswith("/batch") else POSTED
        ids = {*pattern.findall(request.body.decode())}
        if ids & self.poison:
            return Reply(422)
        if ids & self.has:
            return Reply(409)
        self.has |= ids
        return Reply(202)

    def close(self) -> None:
        """Nothing is open."""

    def hang_up(self) -> None:
        """Nothing is under way."""


fates = st.sampled_from([202, LOST, UNHEARD, 429, 403, 404, 408, 500, 503, 301, 499])
scripts = st.lists(st.tuples(fates, st.sampled_from([0.0, 0.1, 4.0, 30.0])), max_size=25)
rounds = st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0.0, 1.0, 61.0])), max_size=12)


def encoded(number: int) -> EncodedRun:
    run_id = run_id_of(number)
    return EncodedRun(run_id, {MAIN: b'{"id":"%b"}' % run_id.encode()})


@given(scripts, rounds, st.sets(st.integers(1, 40), max_size=2))
@examples(150)
def test_whatever_the_network_does_all_arrives_once_it_heals(
    script: list[tuple[str | int, float]], rounds: list[tuple[int, float]], bad: set[int]
) -> None:
    clock, book = ManualClock(), Book()
    poison = frozenset(map(run_id_of, bad))
    network = Network(clock, script, poison)
    arguments = {"api_key": "k", "max_batch_runs": 5, "compression": "none"}
    sender = Sender(resolve(arguments, {})[0], network, clock, book)
    offered = 0

    def deliver(count: int) -> bool:
        nonlocal offered
        runs = [encoded(offered + n) for n in range(1, count + 1)]
        offered += count
        began_s = clock.now_s()
        book.receive(count)
        with book.consign(count) as consignment:
            clear = sender.deliver(runs, consignment, began_s + TIMEOUT_S, threading.Event())
        assert clock.now_s() - began_s <= TIMEOUT_S + 1e-6
        ledger = book.read()
        assert ledger.balances
        assert clear == (ledger.queued == 0)
        assert ledger.delivered <= len(network.has)
        return clear

    for count, pause_s in rounds:
        deliver(count)
        clock.elapsed_s += pause_s
    for _ in range(60):  # what is left of the script, and the waits that it brought
        clock.elapsed_s += LONGEST_HOLD_S
        if deliver(0) and not network.script:
            break
    ledger = book.read()
    refused = {run_id_of(n) for n in range(1, offered + 1)} & poison
    assert ledger.queued == 0
    assert (ledger.delivered, ledger.lost) == (offered - len(refused), len(refused))
    assert network.has == {run_id_of(n) for n in range(1, offered + 1)} - poison
    assert network.requests <= 40 + offered * 8
