"""Refused runs as files: legible, bounded, and the same bytes again."""

from __future__ import annotations

import errno
import json
import stat
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spools import RudeFolder, record, run_id

from otel_langsmith.delivery.dead_letters import (
    MAX_WORDS,
    DeadLetter,
    DeadLetters,
    read_letter,
    written,
)
from otel_langsmith.delivery.disk import Folder
from otel_langsmith.delivery.records import Record
from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.parts import MAIN, OUTPUTS, Attached, Parts

if TYPE_CHECKING:
    from pathlib import Path

NOON_NS = 1_795_262_400_000_000_000

json_bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
).map(dumps)
bodies = st.one_of(
    json_bodies,
    st.binary(max_size=80),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from([b"NaN", b'{"a":1}\n', b"1e400", b"18446744073709551616", b'{"a":1,"a":2}']),
)


def letter(sent: Record, said: str = "schema error", when_ns: int = NOON_NS) -> DeadLetter:
    return DeadLetter(sent, when_ns, 422, said, "host-0123")


@given(st.lists(bodies, min_size=1, max_size=4), st.sampled_from(("post", "patch")))
def test_the_very_bytes_that_were_refused_are_read_again(found: list[bytes], verb: str) -> None:
    fields = {f".{index}" if index else MAIN: body for index, body in enumerate(found)}
    attached = {Attached(str(index), "a/b"): body for index, body in enumerate(found)}
    parts: Parts = {**fields, **attached}
    sent = Record(run_id(1), "post" if verb == "post" else "patch", parts)
    read = read_letter(written(letter(sent)))
    assert (read.record, read.status, read.said) == (sent, 422, "schema error")


def test_a_letter_is_for_people(tmp_path: Path) -> None:
    kept = DeadLetters(partial(Folder, tmp_path / "refused"), 10**6)
    assert kept.keep(letter(record(1), said="no such run type" + "!" * 5000))
    (path,) = (tmp_path / "refused").iterdir()
    assert path.name == f"20261121T120000000000Z-{run_id(1)}-post.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = json.loads(path.read_text())
    assert (told["refused_at"], told["status"]) == ("2026-11-21T12:00:00.000000Z", 422)
    assert told["said"].startswith("no such run type!")
    assert len(told["said"]) == MAX_WORDS
    assert told["parts"][0]["json"]["name"] == "run 1"
    assert "\n  " in path.read_text()


def test_a_letter_is_the_same_in_every_version() -> None:
    parts: Parts = {MAIN: b'{"id":1}', OUTPUTS: b"{ }", Attached("a", "x/y"): b"\xff"}
    told = json.loads(written(letter(Record(run_id(1), "patch", parts))))
    assert told["parts"] == [
        {"name": f"patch.{run_id(1)}", "content_type": "application/json", "json": {"id": 1}},
        {"name": f"patch.{run_id(1)}.outputs", "content_type": "application/json", "text": "{ }"},
        {"name": f"attachment.{run_id(1)}.a", "content_type": "x/y", "base64": "/w=="},
    ]


def test_what_is_kept_stays_and_the_rest_is_the_callers_to_count(tmp_path: Path) -> None:
    kept = DeadLetters(partial(Folder, tmp_path / "refused"), 4000)
    results = [kept.keep(letter(record(number, size=1500))) for number in range(4)]
    assert results == [True, False, False, False]
    assert kept.keep(letter(record(9)))
    assert len(list((tmp_path / "refused").iterdir())) == 2


def test_a_bad_disk_keeps_nothing_and_raises_nothing(tmp_path: Path) -> None:
    disk = RudeFolder(tmp_path)
    kept = DeadLetters(lambda: disk, 10**6)
    disk.fails = {"append": errno.ENOSPC}
    assert not kept.keep(letter(record(1)))
    assert list(tmp_path.iterdir()) == []
    disk.fails = {}
    assert kept.keep(letter(record(1)))


def test_a_run_id_is_no_path(tmp_path: Path) -> None:
    sent = Record("../../x/" + "y" * 300, "post", record(1).parts)
    assert DeadLetters(lambda: Folder(tmp_path / "in"), 10**6).keep(letter(sent))
    assert len(list((tmp_path / "in").iterdir())) == 1


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "unexpected|empty|input"),
        (b"[]", "not the JSON document"),
        (b"{}", "'parts' is missing"),
        (b'{"parts": [], "verb": "post", "run_id": "x"}', "must not be empty"),
        (b'{"parts": [{"name": "a"}], "verb": "post"}', "needs one of json, text, base64"),
        (b'{"parts": [{"name": "a", "json": 1}], "verb": "post"}', "'content_type' is missing"),
        (
            b'{"parts": [{"name": "a", "content_type": "b", "base64": "*"}], "verb": "post"}',
            "base64|base 64",
        ),
        (
            (
                b'{"parts": [{"name": "patch.x.inputs", "content_type": "b", "json": 1}], '
                b'"verb": "post", "run_id": "x"}'
            ),
            r"patch\.x\.inputs is no part of post\.x",
        ),
        (
            (
                b'{"parts": [{"name": "post.y", "content_type": "b", "json": 1}], '
                b'"verb": "post", "run_id": "x"}'
            ),
            r"post\.y is no part of post\.x",
        ),
        (
            (
                b'{"parts": [{"name": "post.x.inputs", "content_type": "b", "json": 1}], '
                b'"verb": "post", "run_id": "x"}'
            ),
            r"post\.x, the main part, is missing",
        ),
    ],
)
def test_a_letter_mended_wrongly_says_what_is_wrong(document: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"(?i){problem}"):
        read_letter(document)
