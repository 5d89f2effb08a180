"""`identity`: ids and stamps are exact text, and nothing but valid text is taken."""

from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith.integrations.otel import langsmith_run_id_from_otel_span_id

from otel_langsmith.identity import (
    LAST_NS,
    _basic,
    is_stamp,
    iso_time,
    parse_dotted_order,
    run_id_of,
    span_id_of,
    stamp,
    uuid_text,
    writable_ns,
)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
RUN = "019b7cbc-f1ae-7000-8000-000000000001"
TIME = "20260102T030405678901Z"

times = st.integers(0, LAST_NS)
span_ids = st.integers(1, 2**64 - 1)


def test_of_many_seconds_all_are_spelt_and_few_remembered() -> None:
    for day in range(3 * 1024):
        moment = datetime.fromtimestamp(day * 86_400, tz=timezone.utc)
        assert stamp(day * 86_400 * 10**9) == f"{moment:%Y%m%dT%H%M%S}000000Z"
    assert len(_basic) <= 1024


@given(span_ids)
def test_a_run_id_is_the_span_id_right_aligned_and_gives_it_back(span_id: int) -> None:
    run_id = run_id_of(span_id)
    assert UUID(run_id).int == span_id
    assert span_id_of(run_id) == span_id


@given(span_ids)
def test_langsmith_finds_the_run_of_a_span_by_its_own_helper(span_id: int) -> None:
    assert str(langsmith_run_id_from_otel_span_id(span_id)) == run_id_of(span_id)


@given(times)
def test_both_spellings_of_a_moment_cut_below_the_microsecond(time_ns: int) -> None:
    moment = EPOCH + timedelta(microseconds=time_ns // 1000)
    assert stamp(time_ns) == f"{moment.year:04d}{moment:%m%dT%H%M%S%fZ}"
    assert iso_time(time_ns) == moment.isoformat(timespec="microseconds")[:-6] + "Z"


@pytest.mark.parametrize(
    ("time_ns", "expected"),
    [
        (0, "19700101T000000000000Z"),
        (1_999, "19700101T000000000001Z"),
        (1_767_323_045_678_901_999, "20260102T030405678901Z"),
        (1_767_323_045_999_999_999, "20260102T030405999999Z"),
        (LAST_NS, "99991231T235959999999Z"),
    ],
)
def test_a_stamp_is_never_rounded_up(time_ns: int, expected: str) -> None:
    assert stamp(time_ns) == expected


@given(times, times)
def test_stamps_sort_as_their_times(one: int, other: int) -> None:
    assert (stamp(one) <= stamp(other)) == (one // 1000 <= other // 1000)


@pytest.mark.parametrize(
    ("time_ns", "nearest"),
    [(-1, 0), (5, 5), (1e18, 10**18), (10**30, LAST_NS), (float("nan"), 0), (float("inf"), 0)],
)
def test_a_time_nobody_can_write_becomes_the_nearest(time_ns: int, nearest: int) -> None:
    assert writable_ns(time_ns) == nearest


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (RUN, RUN),
        (RUN.upper(), RUN),
        (RUN.replace("-", ""), RUN),
        (UUID(RUN), RUN),
        (f" {RUN} ", RUN),
        ("", None),
        ("hello", None),
        (RUN[:-1], None),
        (RUN + "0", None),
        (RUN[:-1] + "g", None),
        (RUN.replace("-", "", 1) + "-", None),
        ("{" + RUN + "}", None),
        (None, None),
        (7, None),
    ],
)
def test_a_uuid_is_taken_in_its_usual_spellings_only(value: object, expected: str | None) -> None:
    assert uuid_text(value) == expected


@given(st.lists(st.tuples(times, st.uuids()), min_size=1, max_size=40))
def test_a_dotted_order_parses_into_what_made_it(segments: list[tuple[int, UUID]]) -> None:
    made = sorted((stamp(time), str(run_id)) for time, run_id in segments)
    assert parse_dotted_order(".".join(time + run_id for time, run_id in made)) == tuple(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "hello",
        TIME,
        RUN,
        f"{TIME}{RUN}.",
        f".{TIME}{RUN}",
        f"{TIME}{RUN}{TIME}{RUN}",
        f"{TIME}{RUN},{TIME}{RUN}",
        f"{TIME}{RUN}.20260102T030405678900Z{RUN}",  # earlier than its parent
        f"20260102T030405678Z{RUN}",  # three digits
        f"20260102T030405678901234Z{RUN}",  # nine
        f"20261302T030405678901Z{RUN}",  # month 13
        f"20260230T030405678901Z{RUN}",  # 30 February
        f"20260102T240405678901Z{RUN}",  # hour 24
        f"20260102T030460678901Z{RUN}",  # second 60
        f"20260102 030405678901Z{RUN}",
        f"2026010\N{FULLWIDTH DIGIT TWO}T030405678901Z{RUN}",  # a digit that is not ASCII
        f"{TIME}{RUN[:-1]}g",
        f"{TIME}{RUN.replace('-', '')}    ",  # as long as a dashed id, but none
    ],
)
def test_a_dotted_order_that_langsmith_would_refuse_is_none(text: str) -> None:
    assert parse_dotted_order(text) is None


@given(st.text(max_size=200))
def test_any_text_at_all_is_answered(text: str) -> None:
    parsed = parse_dotted_order(text)
    assert parsed is None or ".".join(time + run for time, run in parsed) == text.lower()
    assert is_stamp(text) in (True, False)
