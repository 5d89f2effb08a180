"""The pure parts over arbitrary input: total, strict, and blind to how bytes were cut."""

import gzip
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from requests_of import BOUNDARY, body_of, part
from support.properties import examples

from otel_langsmith.receiver import dotted_order, ingest, instants
from otel_langsmith.receiver.inflate import inflate
from otel_langsmith.receiver.multipart import parse
from otel_langsmith.receiver.refusal import RefusedError
from otel_langsmith.receiver.rules import (
    canonical_uuid,
    lineage_refusal,
    normal,
    schema_problems,
)
from otel_langsmith.receiver.strict_json import decode

KIND = f"multipart/form-data; boundary={BOUNDARY}"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
fields = st.sampled_from(
    [
        "id",
        "trace_id",
        "parent_run_id",
        "dotted_order",
        "name",
        "run_type",
        "start_time",
        "end_time",
        "inputs",
        "outputs",
        "extra",
        "error",
        "events",
        "tags",
        "session_id",
    ]
)
stamps = st.datetimes(datetime(1900, 1, 1), datetime(9999, 1, 1))  # noqa: DTZ001 - written as UTC


def status_of(judge: Callable[..., object], *arguments: object) -> int | None:
    """The status of the refusal, or None if there was none; anything else fails the test."""
    try:
        judge(*arguments)
    except RefusedError as refused:
        return refused.status
    return None


@examples(60)
@given(st.dictionaries(fields, values))
def test_any_run_is_judged_and_never_crashes_the_judge(run: dict[str, Any]) -> None:
    for kind in ("post", "patch"):
        if not schema_problems(run, kind):
            lineage_refusal(normal(run), kind, required=True)


@given(st.lists(st.tuples(stamps, st.uuids()), min_size=1, max_size=6))
def test_an_ordered_line_of_ancestors_is_accepted_and_a_disordered_one_is_not(
    line: list[tuple[datetime, uuid.UUID]],
) -> None:
    def order(of: list[tuple[datetime, uuid.UUID]]) -> str:
        return ".".join(f"{t.year:04}{t:%m%dT%H%M%S%f}Z{run_id}" for t, run_id in of)

    rising = sorted(line, key=lambda ancestor: ancestor[0])
    assert [s.run_id for s in dotted_order.parse(order(rising))] == [str(i) for _, i in rising]
    if [t for t, _ in rising] != [t for t, _ in line]:
        with pytest.raises(ValueError, match="earlier than parent"):
            dotted_order.parse(order(line))


@given(st.text(), stamps, st.uuids())
def test_no_other_text_is_a_dotted_order(text: str, stamp: datetime, run_id: uuid.UUID) -> None:
    good = f"{stamp.year:04}{stamp:%m%dT%H%M%S%f}Z{run_id}"
    assert len(dotted_order.parse(good)) == 1
    if text:
        for spoiled in (text + good, f"{good}.{text}", good[:15] + text + good[15:]):
            with pytest.raises(ValueError, match="dotted_order"):
                dotted_order.parse(spoiled)


@given(stamps, st.none() | stamps, st.uuids())
def test_a_derived_order_keeps_the_rules(
    start: datetime, parent: datetime | None, run_id: uuid.UUID
) -> None:
    above = None
    if parent is not None:
        above = dotted_order.extend(None, parent.replace(tzinfo=timezone.utc), str(uuid.uuid4()))
    order = dotted_order.extend(above, start.replace(tzinfo=timezone.utc), str(run_id))
    assert dotted_order.parse(order)[-1].run_id == str(run_id)


@examples(60)
@given(values)
def test_what_json_can_hold_is_decoded_unchanged(value: Any) -> None:
    assert decode(json.dumps(value).encode(), "here") == value
    assert decode(json.dumps(value, ensure_ascii=False).encode(), "here") == value


@given(st.binary())
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    assert status_of(decode, body, "here") in {None, 422}


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_value_is_a_time_or_a_value_error(value: Any) -> None:
    try:
        instant = instants.read(value)
    except ValueError:
        return
    assert instants.from_microseconds(instants.microseconds(instant)) == instant


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_isoformat_is_read_back(instant: datetime) -> None:
    assert instants.read(instant.isoformat()) == instant


@given(st.uuids(), st.booleans())
def test_a_uuid_is_made_canonical(value: uuid.UUID, dashed: bool) -> None:
    text = str(value) if dashed else value.hex
    assert canonical_uuid(text) == canonical_uuid(text.upper()) == str(value)


contents = st.binary(max_size=200) | st.sampled_from(
    [b"\r\n", b"--" + BOUNDARY.encode(), b"\r\n-", b"\r\n--boundary-of-the-test", b"\r"]
)


@given(st.lists(st.tuples(st.uuids(), contents), max_size=8))
def test_every_part_comes_out_as_it_went_in(files: list[tuple[uuid.UUID, bytes]]) -> None:
    named = [(f"attachment.{run_id}.f{n}", data) for n, (run_id, data) in enumerate(files)]
    body = body_of(part(name, data, kind="image/png") for name, data in named)
    assert [(found.name, found.data) for found in parse(body, KIND)] == named


@given(st.binary(), st.integers(0, 400))
def test_any_body_is_parsed_or_refused(noise: bytes, position: int) -> None:
    whole = body_of([part(f"post.{uuid.UUID(int=7)}", {"name": "x"})])
    for body in (noise, whole[:position] + noise + whole[position:], whole[:position]):
        assert status_of(lambda sent: ingest.from_parts(parse(sent, KIND)), body) in {
            None,
            400,
            422,
        }


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "zstd", ""]), st.integers(0, 6000))
def test_a_body_is_inflated_up_to_the_limit(data: bytes, coding: str, limit: int) -> None:
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "": bytes}[coding]
    assert inflate(pack(data), coding, len(data)) == data
    assert status_of(inflate, pack(data), coding, limit) == (413 if len(data) > limit else None)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd"]))
def test_any_bytes_are_inflated_or_refused(data: bytes, coding: str) -> None:
    assert status_of(inflate, data, coding, 1000) in {None, 400, 413}
