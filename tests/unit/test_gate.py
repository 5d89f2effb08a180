"""`delivery.gate` and `delivery.quota`: who is asked to wait waits, and then asks once."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock

from otel_langsmith.delivery.gate import HOUR_S, LONGEST_S, Gate
from otel_langsmith.delivery.quota import Quota, Window
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import Batch, EncodedRun
from otel_langsmith.wire.parts import MAIN
from otel_langsmith.wire.reply import Accepted, Paused, Rejected, RetryLater, Verdict

LIMITED = RetryLater(limited=True)


def holds(gate: Gate, clock: ManualClock, verdict: Verdict, times: int) -> list[float]:
    """The waits before each of so many probes that all end the same way."""
    found = []
    for _ in range(times):
        assert gate.claim()
        gate.judged(verdict)
        found.append(gate.due_s())
        clock.elapsed_s += found[-1]
    return found


def test_a_used_up_quota_is_asked_about_rarely_and_when_the_hour_strikes() -> None:
    clock = ManualClock()
    gate = Gate(clock)
    assert holds(gate, clock, LIMITED, 4) == [60, 120, 240, 480]
    waits = holds(gate, clock, LIMITED, 40)
    assert all(0 < wait <= LONGEST_S + 1e-6 for wait in waits)
    moments = [900.0]
    for wait in waits:
        moments.append(moments[-1] + wait)
    strikes = [moment % HOUR_S for moment in moments if 1 <= moment % HOUR_S <= 5]
    assert len(strikes) >= int(sum(waits) // HOUR_S)


def test_what_the_server_asks_for_is_kept_within_reason() -> None:
    clock = ManualClock()
    assert holds(Gate(clock), clock, RetryLater(7, limited=True), 2) == [7, 7]
    assert holds(Gate(clock), clock, RetryLater(10**9), 1) == [HOUR_S]


@pytest.mark.parametrize("verdict", [Accepted(), RetryLater(), Rejected("http_422")])
def test_a_server_that_answers_again_needs_no_more_patience(verdict: Verdict) -> None:
    clock = ManualClock()
    gate = Gate(clock)
    holds(gate, clock, Paused("http_403"), 3)
    assert gate.reason == "http_403"
    gate.judged(verdict)
    assert (gate.due_s(), gate.reason) == (0, None)
    assert [gate.claim(), gate.claim()] == [True, True]


def test_one_probes_for_all() -> None:
    clock = ManualClock()
    gate = Gate(clock)
    assert [gate.claim() for _ in range(3)] == [True] * 3
    gate.judged(LIMITED)
    clock.elapsed_s += 60
    assert [gate.claim() for _ in range(3)] == [True, False, False]
    gate.judged(Accepted())
    assert [gate.claim() for _ in range(3)] == [True] * 3


def test_a_probe_nobody_heard_of_again_is_given_up() -> None:
    clock = ManualClock()
    gate = Gate(clock)
    gate.judged(LIMITED)
    clock.elapsed_s += 60
    assert gate.claim()
    clock.elapsed_s += gate.due_s()
    assert gate.claim()


def test_the_last_chance_is_taken_once() -> None:
    clock = ManualClock()
    gate = Gate(clock)
    gate.judged(Paused("http_403"))
    gate.give_up()
    assert [gate.claim(), gate.claim()] == [True, False]


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.just(0.0) | st.floats(0, 50), st.integers(1, 10)), max_size=60),
)
def test_no_minute_ever_sees_more_than_the_limit(
    limit: int, offers: list[tuple[float, int]]
) -> None:
    window = Window(limit, 60.0)
    now_s, spent = 0.0, list[tuple[float, int]]()
    for pause_s, amount in offers:
        now_s += pause_s
        while (due_s := window.due_s(now_s, amount)) > 0:
            assert due_s <= 61
            now_s += due_s
        window.spend(now_s, amount)
        spent.append((now_s, amount))
    for start_s, _ in spent:
        within = [amount for when_s, amount in spent if start_s <= when_s < start_s + 60]
        assert len(within) == 1 or sum(within) <= limit


def batch(runs: int) -> Batch:
    parts = {MAIN: b"x" * 512}
    return Batch([EncodedRun(str(n), parts) for n in range(runs)], 512 * runs)


@pytest.mark.parametrize(
    ("setting", "limit", "spend"),
    [
        ("max_requests_per_minute", 3, lambda quota: [quota.spend(0, batch(9)) for _ in range(3)]),
        ("max_events_per_hour", 30, lambda quota: quota.spend(0, batch(30))),
        ("max_bytes_per_hour", 2048, lambda quota: quota.spend(0, batch(4))),
    ],
)
def test_each_quota_counts_what_it_is_named_after(
    setting: str, limit: int, spend: Callable[[Quota], Any]
) -> None:
    quota = Quota(resolve({setting: limit}, {})[0])
    assert quota.due_s(0, batch(1)) == 0
    spend(quota)
    assert quota.due_s(0, batch(1)) == (61 if "minute" in setting else 3660)


def test_no_quota_is_the_default() -> None:
    quota = Quota(resolve({}, {})[0])
    quota.spend(0, batch(9))
    assert quota.due_s(0, batch(9)) == 0
