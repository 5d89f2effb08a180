"""Frames: whatever happens to a file costs only the frames that it touches."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spools import ids, record, run_id

from otel_langsmith.delivery.records import (
    Frame,
    Kind,
    Record,
    content,
    ending,
    frame,
    pack,
    pack_offsets,
    scan,
    unpack,
    unpack_offsets,
)
from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.parts import EXTRA, INPUTS, MAIN, Attached, Parts

MARKER = os.urandom(8)
FRAMES = [
    frame(Kind.RUN, pack(record(number, size=40 * number)), MARKER, number, spans=1)
    for number in range(1, 9)
]
DATA = b"".join(FRAMES)
STARTS = [sum(map(len, FRAMES[:index])) for index in range(len(FRAMES) + 1)]


def numbers(frames: list[Frame]) -> list[int]:
    return ids(map(unpack, frames))


def touched(first: int, last: int) -> set[int]:
    """The runs that own one of these bytes."""
    return {
        number for number in range(1, 9) if STARTS[number - 1] <= last and first < STARTS[number]
    }


names = st.text(st.characters(codec="ascii", exclude_characters='"'), max_size=20)
bodies = st.binary(max_size=600)
fields = st.sampled_from((MAIN, INPUTS, EXTRA, ".serialized"))
parts = st.dictionaries(fields | st.builds(Attached, names, names), bodies, max_size=5)
records = st.builds(
    Record,
    st.integers(0, 99).map(run_id),
    st.sampled_from(("post", "patch", "feedback")),
    parts,
    st.integers(0, 1),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@given(st.lists(records, max_size=5), st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_is_read(given_records: list[Record], time_ns: int) -> None:
    data = b"".join(
        frame(Kind.RUN, pack(each), MARKER, time_ns, spans=each.spans) for each in given_records
    )
    frames, damaged = scan(data, MARKER)
    assert [unpack(each) for each in frames] == given_records
    assert damaged == 0
    assert all(each.time_ns == time_ns for each in frames)


def test_a_payload_is_the_same_in_every_version() -> None:
    """What one process wrote, the next one sends, whichever version of us that is."""
    held = {MAIN: b"{}", INPUTS: b"[1]", Attached("note", "text/plain"): b"hi"}
    mine = Record(run_id(1), "patch", held)
    heads = [
        [f"patch.{run_id(1)}", "application/json", 2],
        [f"patch.{run_id(1)}.inputs", "application/json", 3],
        [f"attachment.{run_id(1)}.note", "text/plain", 2],
    ]
    names = json.dumps([run_id(1), "patch", heads, False, False, {}], separators=(",", ":"))
    payload = len(names).to_bytes(4, "little") + names.encode() + b"{}[1]hi"
    assert pack(mine) == payload
    (found,), _ = scan(frame(Kind.RUN, payload, MARKER, 0, spans=1), MARKER)
    assert unpack(found) == mine


@given(st.integers(0, len(DATA)))
def test_a_file_cut_anywhere_loses_only_the_frame_that_was_cut(length: int) -> None:
    frames, damaged = scan(DATA[:length], MARKER)
    whole = sum(end <= length for end in STARTS[1:])
    assert numbers(frames) == list(range(1, whole + 1))
    assert damaged == (length not in STARTS)


@given(st.integers(0, len(DATA) * 8 - 1))
def test_a_flipped_bit_costs_its_frame_and_no_other(bit: int) -> None:
    data = bytearray(DATA)
    data[bit // 8] ^= 1 << bit % 8
    frames, damaged = scan(bytes(data), MARKER)
    lost = touched(bit // 8, bit // 8)
    assert numbers(frames) == [number for number in range(1, 9) if number not in lost]
    assert damaged == 1


@given(st.integers(0, len(DATA) - 1), st.integers(1, 3000), st.booleans())
def test_bytes_overwritten_cost_their_frames(first: int, length: int, zeros: bool) -> None:
    last = min(first + length, len(DATA)) - 1
    noise = bytes(last + 1 - first) if zeros else os.urandom(last + 1 - first)
    frames, _ = scan(DATA[:first] + noise + DATA[last + 1 :], MARKER)
    hit = touched(first, last)
    spared = [number for number in range(1, 9) if number not in hit]
    assert set(spared) <= set(numbers(frames))  # zeros over zeros are no damage
    assert all(
        unpack(each) == unpack(scan(DATA, MARKER)[0][numbers([each])[0] - 1]) for each in frames
    )


@given(
    st.integers(0, len(DATA)),
    st.binary(min_size=1, max_size=200) | st.just(MARKER) | st.just(DATA[:50]),
)
def test_bytes_inserted_cost_at_most_the_frame_they_fall_into(at: int, noise: bytes) -> None:
    frames, _ = scan(DATA[:at] + noise + DATA[at:], MARKER)
    hit = {number for number in range(1, 9) if STARTS[number - 1] < at < STARTS[number]}
    assert {*range(1, 9)} - hit <= set(numbers(frames)) <= {*range(1, 9)}


@given(st.permutations(FRAMES), st.lists(st.sampled_from(FRAMES), max_size=4))
def test_frames_in_any_order_and_twice_are_read_as_they_stand(
    order: list[bytes], again: list[bytes]
) -> None:
    frames, damaged = scan(b"".join([*order, *again]), MARKER)
    assert numbers(frames) == [FRAMES.index(each) + 1 for each in [*order, *again]]
    assert damaged == 0


@given(st.binary(max_size=4000))
def test_any_bytes_at_all_can_be_scanned(data: bytes) -> None:
    assert scan(data, MARKER)[0] == []


def test_an_empty_file_a_hole_and_another_writers_file_hold_nothing() -> None:
    assert scan(b"", MARKER) == ([], 0)
    assert scan(bytes(100_000), MARKER) == ([], 1)
    assert scan(DATA, os.urandom(8)) == ([], 1)


def test_content_that_looks_like_a_frame_is_none() -> None:
    """An attachment may hold one, and is searched for frames when its own is damaged."""
    planted = frame(Kind.RUN, pack(record(666)), os.urandom(8), 0, spans=1)
    held: Parts = {Attached("x", "a/b"): planted + os.urandom(99)}
    carrier = Record(run_id(1), "post", held)
    data = bytearray(frame(Kind.RUN, pack(carrier), MARKER, 0) + FRAMES[1])
    data[30] ^= 1
    assert numbers(scan(bytes(data), MARKER)[0]) == [2]


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"\xff\xff\xff\xff[]", b"\2\0\0\0[]", b"\4\0\0\0null"]
)
def test_a_payload_that_is_no_record_raises_one_kind_of_error(payload: bytes) -> None:
    (found,), _ = scan(frame(Kind.RUN, payload, MARKER, 0), MARKER)
    with pytest.raises(ValueError, match="offset 0"):
        unpack(found)


def test_a_bomb_is_not_inflated() -> None:
    (bomb,), _ = scan(frame(Kind.RUN, bytes(100_001), MARKER, 0), MARKER)
    assert len(bomb.payload) < 1000
    with pytest.raises(ValueError, match="larger than any run"):
        content(bomb, max_bytes=100_000)


@given(st.lists(st.integers(0, 2**63), max_size=100))
def test_offsets_are_read_as_written(offsets: list[int]) -> None:
    (found,), _ = scan(frame(Kind.SETTLED, pack_offsets(offsets), MARKER, 0), MARKER)
    assert list(unpack_offsets(found)) == offsets


def test_a_will_is_given_the_end_of_its_run() -> None:
    ended = ending(record(1, "patch", error="process ended"), 1_795_262_400_123_456_789)
    assert b'"end_time":"2026-11-21T12:00:00.123456Z"' in ended.parts[MAIN]
    assert b'"error":"process ended"' in ended.parts[MAIN]
    assert [*ended.parts] == [MAIN, INPUTS]


@pytest.mark.parametrize("body", [b"[]", b"{", b"", dumps("x")])
def test_what_has_no_main_part_can_be_given_no_end(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"object|JSON|expected|unexpected|empty"):
        ending(Record(run_id(1), "patch", {MAIN: body}), 0)
