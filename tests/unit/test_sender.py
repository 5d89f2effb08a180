"""`delivery.sender`: one retry layer, one deadline, every run settled."""

import logging
import math
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock, ScriptedTransport
from support.posts import run
from support.properties import examples

from otel_langsmith.delivery.ledger import Book, Ledger
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.identity import run_id_of
from otel_langsmith.run import Run
from otel_langsmith.settings import resolve
from otel_langsmith.version import __version__
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import parts_of
from otel_langsmith.wire.reply import Reply

OK = Reply(202)
BUSY = Reply(503)
KEY = "lsv2_sesame"
POSTED = re.compile(r'name="post\.([0-9a-f-]{36})"')


class Bench:
    """A sender with everything around it scripted."""

    def __init__(
        self,
        replies: Sequence[Reply | BaseException],
        *,
        cost_s: float = 0,
        interrupt_after: int | None = None,
        **settings: Any,
    ) -> None:
        self.clock = ManualClock(interrupt_after)
        self.transport = ScriptedTransport(replies, self.clock, cost_s)
        self.book = Book()
        arguments = {"endpoint": "http://langsmith.test/api/v1", "api_key": KEY, **settings}
        self.settings = resolve(arguments, {})[0]
        self.sender = Sender(self.settings, self.transport, self.clock, self.book)

    def deliver(self, runs: Sequence[Run], within_s: float = 10.0) -> Ledger:
        encoded = [EncodedRun(run.id, parts_of(run)) for run in runs]
        self.book.receive(len(runs))
        deadline_s = self.clock.now_s() + within_s
        with self.book.consign(len(runs)) as consignment:
            clear = self.sender.deliver(encoded, consignment, deadline_s, threading.Event())
        ledger = self.book.read()
        assert clear == (ledger.queued == 0)
        return ledger

    def sent(self) -> list[str]:
        """The ids of the runs in each request, in order."""
        return [
            " ".join(str(int(found[-12:], 16)) for found in POSTED.findall(request.body.decode()))
            for request in self.transport.requests
        ]


def test_a_request_says_who_sends_what_to_whom() -> None:
    workspace = run_id_of(7)
    bench = Bench([OK], workspace_id=workspace, headers={"X-Team": "a"})
    assert bench.deliver([run(1)]).delivered == 1
    (request,) = bench.transport.requests
    assert (request.method, request.url) == ("POST", "http://langsmith.test/api/v1/runs/multipart")
    assert request.headers["x-api-key"] == KEY
    assert request.headers["x-tenant-id"] == workspace
    assert request.headers["X-Team"] == "a"
    assert request.headers["User-Agent"] == f"otel-langsmith/{__version__}"
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert "Content-Encoding" not in request.headers


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_a_compressed_body_says_so(how: str) -> None:
    bench = Bench([OK], compression=how)
    bench.deliver([run(1)])
    assert bench.transport.requests[0].headers["Content-Encoding"] == how


def test_no_two_requests_share_a_boundary() -> None:
    bench = Bench([OK], max_batch_runs=1)
    bench.deliver([run(n) for n in range(1, 9)])
    assert len({request.headers["Content-Type"] for request in bench.transport.requests}) == 8


def test_more_runs_than_fit_go_in_several_requests() -> None:
    bench = Bench([OK])
    assert bench.deliver([run(n) for n in range(1, 251)]).delivered == 250
    assert len(bench.transport.requests) == 3


def test_a_busy_server_is_asked_again_with_the_same_body() -> None:
    bench = Bench([BUSY, Reply(None, error="ConnectionError"), Reply(408), OK])
    assert bench.deliver([run(1)]).delivered == 1
    assert len({request.body for request in bench.transport.requests}) == 1
    assert len(bench.transport.requests) == 4


def test_waits_grow_at_most_twofold_and_are_jittered() -> None:
    bench = Bench([BUSY], timeout=600)
    bench.deliver([run(1)], within_s=600)
    ceilings = [min(0.5 * 2**n, 30) for n in range(len(bench.clock.waits))]
    assert all(0 <= w <= c for w, c in zip(bench.clock.waits, ceilings, strict=True))
    assert len(set(bench.clock.waits)) == len(bench.clock.waits)


def test_retry_after_is_waited_for() -> None:
    bench = Bench([Reply(429, {"retry-after": "7"}), OK])
    assert bench.deliver([run(1)]).delivered == 1
    assert bench.clock.waits == [7.0]


@given(st.floats(0.001, 60), st.floats(0, 9))
def test_the_deadline_holds_whatever_the_server_does(within_s: float, cost_s: float) -> None:
    bench = Bench([BUSY], cost_s=cost_s)
    assert bench.deliver([run(1), run(2)], within_s).queued == 2
    assert bench.clock.elapsed_s <= min(within_s, 10) + cost_s
    assert all(0 < timeout <= within_s for timeout in bench.transport.timeouts)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    bench = Bench([Reply(503, {"retry-after": "60"})])
    assert bench.deliver([run(1)]).queued == 1
    assert bench.clock.waits == []


def test_nothing_is_tried_for_longer_than_the_timeout_in_vain() -> None:
    bench = Bench([BUSY], timeout=3)
    assert bench.deliver([run(1)], within_s=500).queued == 1
    assert bench.clock.elapsed_s <= 3


def test_a_slow_server_gets_all_of_a_delivery_without_a_deadline() -> None:
    bench = Bench([OK], cost_s=6, max_batch_runs=1)
    assert bench.deliver([run(n) for n in range(1, 6)], math.inf).delivered == 5
    assert bench.clock.elapsed_s == 30
    assert all(timeout <= 10 for timeout in bench.transport.timeouts)


def test_from_a_server_that_fails_later_a_delivery_without_a_deadline_desists_in_time() -> None:
    bench = Bench([OK, OK, BUSY], cost_s=6, max_batch_runs=1)
    ledger = bench.deliver([run(n) for n in range(1, 6)], math.inf)
    assert (ledger.delivered, ledger.queued) == (2, 3)
    assert bench.clock.elapsed_s <= 2 * 6 + 10 + 6


@pytest.mark.parametrize(("end_s", "sent"), [(0, []), (7, ["1", "2"])])
def test_after_the_end_nothing_is_sent_nor_read(end_s: float, sent: list[str]) -> None:
    bench = Bench([OK], cost_s=6, max_batch_runs=1)
    bench.sender.end_by(end_s)
    read: list[int] = []

    def runs() -> Iterator[EncodedRun]:
        for n in range(1, 101):
            read.append(n)
            yield EncodedRun(run(n).id, parts_of(run(n)))

    bench.book.receive(100)
    with bench.book.consign(100) as consignment:
        assert not bench.sender.deliver(runs(), consignment, math.inf, threading.Event())
    bench.sender.abandon()
    assert bench.sent() == sent
    told = {"undelivered": 100 - len(sent)}
    assert bench.book.read() == Ledger(received=100, delivered=len(sent), dropped=told)
    assert len(read) < 10


def test_the_end_never_moves_back() -> None:
    bench = Bench([OK])
    bench.sender.end_by(0)
    bench.sender.end_by(100)
    assert bench.deliver([run(1)], math.inf).lost == 0
    assert bench.sent() == []


def test_what_was_not_delivered_in_time_goes_first_next_time() -> None:
    bench = Bench([OK], cost_s=6, max_batch_runs=1)
    ledger = bench.deliver([run(n) for n in range(1, 6)])
    assert (ledger.delivered, ledger.queued) == (2, 3)
    assert bench.sent() == ["1", "2"]
    bench.deliver([run(6)], within_s=100)
    assert bench.sent() == ["1", "2", "3", "4", "5", "6"]
    assert bench.book.read().delivered == 6


def test_an_outage_of_any_length_loses_nothing_that_fits_the_backlog() -> None:
    bench = Bench([*[BUSY] * 40, OK], max_batch_runs=2)
    for n in range(0, 60, 3):
        bench.deliver([run(n + 1), run(n + 2), run(n + 3)])
    assert bench.book.read() == Ledger(received=60, delivered=60)


def test_a_full_backlog_drops_the_oldest_and_counts_them() -> None:
    bench = Bench([BUSY], max_batch_runs=1, max_backlog_bytes=2_000)
    for n in range(1, 11):
        bench.deliver([run(n)])
    ledger = bench.book.read()
    assert ledger.queued + ledger.dropped["backlog_full"] == 10
    assert 0 < ledger.queued < 10
    bench.transport.script([OK])
    bench.deliver([])
    kept = [str(n) for n in range(11 - ledger.queued, 11)]
    assert bench.sent()[-ledger.queued :] == kept


def test_what_is_abandoned_is_counted() -> None:
    bench = Bench([BUSY])
    bench.deliver([run(1), run(2)])
    bench.sender.abandon()
    assert bench.book.read() == Ledger(received=2, dropped={"undelivered": 2})


def test_an_interrupt_ends_the_wait() -> None:
    bench = Bench([BUSY], interrupt_after=2)
    assert bench.deliver([run(1)]).queued == 1
    assert len(bench.transport.requests) == 2


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_what_is_wrong_with_the_settings_costs_no_run(status: int) -> None:
    """They wait for the key or the address to be put right, and are asked for rarely."""
    bench = Bench([Reply(status)])
    for number in range(1, 30):
        assert bench.deliver([run(number)]).queued == number
        bench.clock.elapsed_s += 30
    assert len(bench.sent()) <= (2 if status == 404 else 1) * 5
    bench.transport.script([OK])
    bench.clock.elapsed_s += 600
    assert bench.deliver([run(30)]) == Ledger(received=30, delivered=30)


def test_what_nobody_put_right_is_counted_by_its_cause() -> None:
    bench = Bench([Reply(403)])
    bench.deliver([run(1), run(2)])
    bench.sender.insist()
    bench.deliver([run(3)])
    bench.sender.abandon()
    assert bench.book.read().dropped == {"http_403": 3}
    assert len(bench.sent()) == 2


@given(st.sets(st.integers(1, 100), max_size=3))
@examples(25)
def test_poisoned_runs_cost_no_other_and_few_requests(poisoned: set[int]) -> None:
    bench = Bench([OK])

    def refuse_the_poisoned() -> None:
        ids = set(map(int, bench.sent()[-1].split()))
        bench.transport.script([Reply(422) if ids & poisoned else OK])

    bench.transport.on_send = refuse_the_poisoned
    ledger = bench.deliver([run(n) for n in range(1, 101)])
    assert ledger.delivered == 100 - len(poisoned)
    assert ledger.lost == len(poisoned)
    assert len(bench.transport.requests) <= 1 + 14 * len(poisoned)


@given(st.sets(st.integers(1, 100), min_size=1, max_size=5), st.booleans())
@examples(25)
def test_an_error_that_names_the_run_is_believed_until_it_lies(
    poisoned: set[int], lies: bool
) -> None:
    bench = Bench([OK])

    def refuse_the_poisoned() -> None:
        ids = {*map(int, bench.sent()[-1].split())}
        named = min(ids - poisoned if lies else ids & poisoned, default=0)
        text = f"error parsing run for post.{run_id_of(named)}: no"
        bench.transport.script([Reply(422, text=text) if ids & poisoned else OK])

    bench.transport.on_send = refuse_the_poisoned
    assert bench.deliver([run(n) for n in range(1, 101)]).delivered == 100 - len(poisoned)
    most = 1 + (2 + 14 * len(poisoned) if lies else 2 * len(poisoned))
    assert len(bench.transport.requests) <= most


@given(st.integers(1, 100), st.booleans())
@examples(25)
def test_a_run_too_large_is_found_and_cut(large: int, hopeless: bool) -> None:
    """2·log2 n + 3 requests at the most, be it cut or refused for good."""
    bench = Bench([OK])

    def refuse_the_large() -> None:
        too_large = len(bench.transport.requests[-1].body) > 150_000 or hopeless
        there = str(large) in bench.sent()[-1].split()
        bench.transport.script([Reply(413) if there and too_large else OK])

    bench.transport.on_send = refuse_the_large
    runs = [run(n, inputs={"a": "x" * 200_000} if n == large else {}) for n in range(1, 101)]
    ledger = bench.deliver(runs)
    if hopeless:
        assert ledger == Ledger(received=100, delivered=99, dropped={"http_413": 1})
    else:
        assert ledger == Ledger(received=100, delivered=100, noted={"truncated": 1})
    assert len(bench.transport.requests) <= 2 * 7 + 3


def test_a_key_refused_for_a_body_too_large_is_no_wrong_key() -> None:
    bench = Bench([Reply(403), OK], max_batch_bytes=2**30)
    ledger = bench.deliver([run(1, inputs={"a": "x" * 33_000_000})])
    assert ledger == Ledger(received=1, delivered=1, noted={"truncated": 1})


def test_a_server_without_multipart_gets_all_the_same() -> None:
    bench = Bench([Reply(404), OK])
    assert bench.deliver([run(1), run(2)]).delivered == 2
    bench.deliver([run(3)])
    paths = [request.url.rpartition("/")[2] for request in bench.transport.requests]
    assert paths == ["multipart", "batch", "batch"]


def test_a_used_up_quota_is_asked_about_once_a_minute() -> None:
    bench = Bench([Reply(429)], max_batch_runs=1)
    for number in range(1, 46):
        bench.deliver([run(number)])
        bench.clock.elapsed_s += 1
    assert len(bench.transport.requests) == 1
    bench.transport.script([OK])
    bench.clock.elapsed_s += 15
    assert bench.deliver([run(46)]).delivered == 46


def test_who_shuts_down_asks_once_more() -> None:
    bench = Bench([Reply(429)], max_batch_runs=1)
    bench.deliver([run(1), run(2)])
    bench.sender.insist()
    bench.transport.script([OK])
    assert bench.deliver([run(3)]).delivered == 3


def test_the_users_own_quota_holds_runs_back_and_loses_none() -> None:
    bench = Bench([OK], max_batch_runs=1, max_requests_per_minute=2)
    assert bench.deliver([run(n) for n in range(1, 6)]).queued == 3
    bench.clock.elapsed_s += 61
    assert bench.deliver([]).queued == 1
    bench.clock.elapsed_s += 61
    assert bench.deliver([]) == Ledger(received=5, delivered=5)


def test_the_server_is_asked_for_its_limits_once_it_works() -> None:
    bench = Bench([OK], compression="auto")
    bench.transport.info = Reply(
        200,
        text='{"batch_ingest_config":{"size_limit":2},"instance_flags":{"gzip_body_enabled":true}}',
    )
    bench.deliver([run(n) for n in range(1, 6)])
    assert (bench.sent(), bench.transport.asked) == (["1 2 3 4 5"], 0)
    bench.deliver([run(n) for n in range(6, 11)])
    assert [len(request.body) > 0 for request in bench.transport.requests] == [True] * 4
    assert bench.transport.requests[-1].headers["Content-Encoding"] == "gzip"
    assert bench.transport.asked == 1


def test_a_wait_sends_nothing_and_so_nothing_can_have_arrived() -> None:
    """After a hold, a conflict over several runs is still about only one of them."""
    bench = Bench([Reply(429), Reply(409), OK, OK])
    bench.deliver([run(9)])
    bench.deliver([run(1), run(2)])
    bench.clock.elapsed_s += 60
    assert bench.deliver([]).delivered == 3
    assert bench.sent() == ["9", "9", "1 2"]


def test_a_conflict_over_one_run_means_it_is_there_already() -> None:
    bench = Bench([Reply(409)])
    assert bench.deliver([run(1)]).delivered == 1
    assert len(bench.transport.requests) == 1


def test_a_conflict_over_what_was_sent_before_means_it_arrived_then() -> None:
    bench = Bench([Reply(None, error="ReadTimeout"), Reply(409)])
    assert bench.deliver([run(1), run(2)]).delivered == 2
    assert bench.sent() == ["1 2", "1 2"]


def test_a_conflict_over_one_of_several_new_runs_costs_none_of_the_others() -> None:
    """A fork, or two exporters, sent run 3 before; it must not take the others with it."""
    bench = Bench([Reply(409), OK, Reply(409), Reply(409), OK])
    assert bench.deliver([run(n) for n in (1, 2, 3, 4)]).delivered == 4
    assert bench.sent() == ["1 2 3 4", "1 2", "3 4", "3", "4"]


def test_an_outage_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench([BUSY, BUSY, BUSY, OK])
    bench.deliver([run(1)])
    bench.deliver([run(2)])
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "delivery to LangSmith is failing",
        f"delivery to LangSmith recovered after {bench.clock.elapsed_s:.0f} s, 1 runs sent",
    ]


def test_a_refusal_names_the_setting_and_neither_key_nor_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = f'{{"error":"Forbidden {KEY} team-secret: what the user asked"}}'
    bench = Bench([Reply(403, text=said)], headers={"x-team": "team-secret"})
    bench.deliver([run(1)])
    bench.deliver([run(2)])
    (record,) = caplog.records
    assert "HTTP 403 (are LANGSMITH_API_KEY" in record.getMessage()
    assert "asked" not in caplog.text


def test_for_debugging_the_server_is_quoted_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"Forbidden {KEY} team-secret: no such workspace"
    Bench([Reply(403, text=said)], headers={"x-team": "team-secret"}).deliver([run(1)])
    assert "no such workspace" in caplog.text
    assert KEY not in caplog.text
    assert "team-secret" not in caplog.text


def test_bad_runs_between_good_ones_are_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench([Reply(422), OK, Reply(422), OK])
    for number in range(1, 5):
        bench.deliver([run(number)])
    assert len(caplog.records) == 1


def test_a_slow_server_is_left_to_the_backlog_once_many_others_wait() -> None:
    """They would be lost, and these are not; no request is cut short for it."""
    bench = Bench([OK], cost_s=2, max_batch_runs=1)
    pressed = [False, False, True]
    sender = bench.sender = Sender(
        bench.settings, bench.transport, bench.clock, bench.book, None, lambda: pressed.pop(0)
    )
    first = bench.deliver([run(n) for n in range(1, 9)], within_s=600)
    assert (first.delivered, first.queued) == (4, 4)
    assert sender.moved_on
    assert set(bench.transport.timeouts) == {10.0}
    pressed += [False] * 99
    assert bench.deliver([run(9)], within_s=600).delivered == 9
    assert bench.sent() == [*map(str, range(1, 10))]


def test_runs_that_take_long_to_encode_are_sent_all_the_same() -> None:
    """A slow ``redact`` is no fault of LangSmith's."""
    bench = Bench([OK], max_batch_runs=1)

    def encoded() -> Iterator[EncodedRun]:
        for n in (1, 2, 3):
            bench.clock.elapsed_s += 20
            yield EncodedRun(run(n).id, parts_of(run(n)))

    bench.book.receive(3)
    with bench.book.consign(3) as consignment:
        assert bench.sender.deliver(encoded(), consignment, math.inf, threading.Event())
    assert bench.book.read().delivered == 3


def test_what_no_ledger_waits_for_is_tried_no_longer_than_the_timeout() -> None:
    bench = Bench([BUSY], cost_s=1, timeout=5)
    closing = EncodedRun(run(1).id, parts_of(run(1)), moment="closing")
    bench.sender.announce([closing], 60, threading.Event())
    assert bench.clock.elapsed_s <= 6
    assert max(bench.transport.timeouts) <= 5


def test_a_request_in_another_form_is_not_sent_after_the_end() -> None:
    bench = Bench([Reply(404), OK])
    bench.transport.on_send = lambda: bench.sender.end_by(0)
    assert bench.deliver([run(1)]).queued == 1
    assert len(bench.transport.requests) == 1


def test_a_broken_off_delivery_keeps_what_it_had_in_hand_and_counts_the_rest() -> None:
    bench = Bench([OK, KeyboardInterrupt(), OK], max_batch_runs=1)
    with pytest.raises(KeyboardInterrupt):
        bench.deliver([run(n) for n in range(1, 5)])
    assert bench.book.read() == Ledger(
        received=4, delivered=1, queued=1, dropped={"interrupted": 2}
    )
    bench.deliver([])
    assert bench.book.read().delivered == 2
