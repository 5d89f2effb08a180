"""`wire`: what leaves is what LangSmith takes, byte for byte, and nothing is dropped."""

import enum
import gzip
import itertools
import json
import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from requests_toolbelt import MultipartDecoder, MultipartEncoder
from support.posts import posted

from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import Lineage, child, root
from otel_langsmith.presence import Presence, State
from otel_langsmith.run import Attachment, Run, Texts
from otel_langsmith.wire import basic
from otel_langsmith.wire.batch import Batch, EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.json import dumps, dumps_all, plain
from otel_langsmith.wire.multipart import encode
from otel_langsmith.wire.parts import (
    Attached,
    Parts,
    fault_of,
    named,
    parts_of,
    parts_of_closing,
    parts_of_each,
    place_of,
    size_of,
    unnamed,
)
from otel_langsmith.wire.reply import (
    Accepted,
    Paused,
    Rejected,
    Reply,
    RetryLater,
    Sent,
    Split,
    judge,
    retry_after_s,
)

NOW = datetime(2026, 11, 21, 7, 28, tzinfo=timezone.utc)
START = 1_795_246_915_312_327_139
TOP = root(run_id_of(1), START)
BELOW = child(TOP, run_id_of(2), START)

attribute_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.characters(categories=["Cs"])
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner)
    ),
    max_leaves=20,
)


def run_of(lineage: Lineage = TOP, **fields: Any) -> Run:
    given: dict[str, Any] = {
        "id": lineage.run_id,
        "trace_id": lineage.trace_id,
        "parent_run_id": lineage.parent_run_id,
        "dotted_order": lineage.dotted_order,
        "name": "a run",
        "run_type": "chain",
        "start_time_ns": START,
        "end_time_ns": START + 1_999,
    }
    return Run(**{**given, **fields})


class Colour(enum.Enum):
    RED = "red"


class Silent:
    def __str__(self) -> str:
        raise RuntimeError


def strictly(body: bytes) -> Any:
    """As a strict reader takes it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(body, parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (2**63, 2**63),
        (2**64 - 1, 2**64 - 1),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        pytest.param(1 << 20_000, hex(1 << 20_000), id="more digits than str() writes"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ([1.5, math.nan], [1.5, "NaN"]),
        ("a\0b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        ("\\u0000", "\\u0000"),
        ("null", "null"),
        (b"text", "text"),
        (b"\xff\xfe", "//4="),
        ({1: "a", "1": "b", None: "c"}, {"1": "a", "1_1": "b", "None": "c"}),
        ({"\0": {"\ud800": 1}}, {"\\x00": {"\\ud800": 1}}),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        (Colour.RED, "red"),
        ({"deep": [{"x": math.nan, "y": None}]}, {"deep": [{"x": "NaN", "y": None}]}),
        (("null", None, True, 1.5, math.inf), ["null", None, True, 1.5, "Infinity"]),
        ([None, {math.nan}, b"x"], [None, ["NaN"], "x"]),
    ],
)
def test_what_json_cannot_hold_is_kept_as_text(value: object, kept: object) -> None:
    assert strictly(dumps(value)) == kept


@pytest.mark.parametrize("row", [1, 2, 3, 63, 64, 65, 200])
@pytest.mark.parametrize("often", [1, 100])
def test_how_a_nul_is_spelled_is_no_nul(row: int, often: int) -> None:
    spelled = ("\\" * row + "u0000 null ") * often
    assert dumps({"text": spelled, "list": [None, "a :null"]}) == orjson.dumps(
        {"text": spelled, "list": [None, "a :null"]}
    )
    assert orjson.loads(dumps([spelled + "\0", float("nan")])) == [spelled + "\\x00", "NaN"]


@pytest.mark.parametrize("key", ["a", '"', "\\", '\\"', '"\\', '\\\\"', "null", '":null'])
@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_what_would_be_null_is_found_beside_any_text(key: str, lost: float) -> None:
    """A quote before the colon ends a key or is part of a text, by the backslashes before it."""
    for value in ({key: lost}, [key, lost], {"text": f'{{"{key}":null}}', key: {"a": lost}}):
        assert strictly(dumps(value)) == plain(value) != strictly(orjson.dumps(value))


@pytest.mark.parametrize(
    "text", ["null", ":null", '{"a":null}', '\\":null', "full null", "x:null,"]
)
def test_the_word_null_in_a_text_is_none_in_a_value(text: str) -> None:
    assert dumps({text: [text, 1.5]}) == orjson.dumps({text: [text, 1.5]})


@pytest.mark.parametrize(
    "lost",
    [
        "a\0b",
        {"\0": 1},
        math.nan,
        [None, (1, {"a": [math.inf]})],
        {"b": b"bytes", "c": {1.5}},
        dict.fromkeys("abc", "\ud800"),
        [{"a": number, "b": [number]} for number in (None, 1.5, math.nan)] * 99,
    ],
)
@pytest.mark.parametrize("length", [1, 20_000, 1_000_000])
def test_what_is_lost_is_found_beside_texts_of_any_length(lost: Any, length: int) -> None:
    text = ("\\u0000 :null " * length)[:length]
    for value in ({"a": [text, lost]}, (lost, text), {text: lost}):
        assert strictly(dumps(value)) == plain(value)


def test_long_texts_with_nothing_to_lose_are_left_as_they_are() -> None:
    value = {"a": ["\\u0000 null," * 9_999, {"b": (None, 1, True, [])}], "c": "é" * 9_999, "d": {}}
    assert dumps(value) == orjson.dumps(value)


def test_millions_of_numbers_are_not_copied_to_be_looked_at() -> None:
    def memory_of(dump: Callable[[object], bytes]) -> int:
        tracemalloc.start()
        try:
            dump(values)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    values = [[0] * 1_000_000] * 2
    assert memory_of(dumps) < 1.01 * memory_of(orjson.dumps)


@given(st.lists(attribute_values | st.just("\\u0000 null"), max_size=6))
def test_many_values_become_what_each_becomes(values: list[object]) -> None:
    assert [*dumps_all(values)] == [dumps(value) for value in values]


@pytest.mark.parametrize("lost", ["a\0b", math.nan, None, {"a": [math.inf]}, {"\0": 1}, b"bytes"])
@pytest.mark.parametrize("length", [1, 1_000, 9_000, 70_000])
def test_what_one_of_many_values_loses_is_found_wherever_it_is(lost: Any, length: int) -> None:
    """The first body follows nothing, and bodies that are long are not looked at together."""
    text = "null, \\u0000" * (length // 10)
    for values in ((lost, text), (text, lost), ({"a": lost}, [text, text], 1.5, [lost])):
        assert [strictly(body) for body in dumps_all(values)] == [plain(value) for value in values]


def test_texts_of_which_all_is_known_are_not_searched_and_what_is_beside_them_is() -> None:
    texts = {"messages": Texts([{"role": "user", "content": "null, \\u0000 " * 500}])}
    for beside in ({}, {"a": math.nan}, {"a": "\0"}, [math.nan] * 999, {"b": ["\0" * 999, None]}):
        bodies = dumps_all([texts, beside, texts])
        assert bodies == [orjson.dumps(texts), dumps(beside), orjson.dumps(texts)]


def test_what_cannot_even_be_described_is_named_by_its_type() -> None:
    assert strictly(dumps({"a": Silent()})) == {"a": "<Silent>"}


def test_keys_that_become_one_text_take_no_time_to_tell_apart() -> None:
    """All mixtures of a NUL and its own spelling: cubic work for a naive search."""
    mixtures = itertools.product(["\0", "\\x00"], repeat=13)
    body = dumps({"".join(key): None for key in mixtures})
    assert len(strictly(body)) == 2**13


def test_circles_and_deep_nesting_end_in_text() -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = {"d": deep}
    assert b"[[" in dumps(circle)
    strictly(dumps({"deep": deep, "circle": circle}))


@given(attribute_values)
def test_any_attribute_value_becomes_json_that_langsmith_takes(value: object) -> None:
    body = dumps({"value": value})
    assert "\0" not in json.dumps(strictly(body), ensure_ascii=False)
    orjson.loads(body)


json_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


json_values = json_texts | st.integers(-(2**63), 2**63) | st.booleans() | st.none()
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(json_values | numbers, st.lists))
def test_what_json_can_hold_is_unchanged(value: object) -> None:
    assert strictly(dumps(value)) == value


def test_the_parts_of_a_run() -> None:
    run = run_of(
        BELOW,
        inputs={"q": 1},
        outputs={"a": 2},
        error="it broke",
        tags=("t",),
        events=({"name": "new_token"},),
        metadata={"m": 1},
        invocation_params={"temperature": 0},
        project="p",
    )
    found = {part.name: strictly(part.body) for part in posted(run)}
    name = f"post.{run.id}"
    assert found[name] == {
        "id": run.id,
        "trace_id": TOP.run_id,
        "parent_run_id": TOP.run_id,
        "dotted_order": BELOW.dotted_order,
        "name": "a run",
        "run_type": "chain",
        "start_time": "2026-11-21T07:41:55.312327Z",
        "end_time": "2026-11-21T07:41:55.312329Z",
        "session_name": "p",
        "tags": ["t"],
    }
    assert found[f"{name}.inputs"] == {"q": 1}
    assert found[f"{name}.outputs"] == {"a": 2}
    assert found[f"{name}.error"] == "it broke"
    assert found[f"{name}.events"] == [{"name": "new_token"}]
    assert found[f"{name}.extra"]["metadata"] == {"m": 1}
    assert found[f"{name}.extra"]["invocation_params"] == {"temperature": 0}
    assert found[f"{name}.extra"]["runtime"]["sdk"] == "otel-langsmith"


@pytest.mark.parametrize("name", ["\0" * 99, "a" * 127 + "\ud83d", "n" * 999])
def test_a_name_is_cut_after_it_is_spelled_out(name: str) -> None:
    main = strictly(parts_of(run_of(name=name))[""])
    assert len(main["name"]) == 128


ODD = ({}, {"a": math.nan}, {"a": "\0" * 5_000}, {"a": b"x"}, {"messages": Texts([{"a": "b"}])})


@given(st.lists(st.tuples(*[st.sampled_from(ODD)] * 4, st.booleans(), st.booleans()), max_size=5))
def test_runs_have_the_same_parts_together_as_alone(odd: list[Any]) -> None:
    runs = [
        run_of(inputs=one, outputs=None if none else other, metadata=said, invocation_params=params)
        for one, other, said, params, none, _ in odd
    ]
    placed = [is_placed for *_, is_placed in odd]
    alone = [parts_of(run, is_placed) for run, is_placed in zip(runs, placed, strict=True)]
    assert parts_of_each(runs, placed) == alone
    assert [[*parts] for parts in parts_of_each(runs, placed)] == [[*parts] for parts in alone]
    for run, parts in zip(runs, alone, strict=True):
        assert strictly(parts[".inputs"]) == plain(run.inputs)
        assert strictly(parts[".extra"])["metadata"] == plain(run.metadata)


def test_a_run_that_recorded_little_is_told_in_few_parts() -> None:
    assert [*parts_of(run_of(end_time_ns=None))] == ["", ".inputs", ".extra"]


def test_a_project_id_goes_instead_of_a_project_name() -> None:
    main = strictly(parts_of(run_of(project="p", session_id=run_id_of(5)))[""])
    assert main["session_id"] == run_id_of(5)
    assert "session_name" not in main


@given(st.text(), st.text())
def test_no_attachment_can_break_out_of_its_header(name: str, mime_type: str) -> None:
    twice = [Attachment(name, mime_type, b"data")] * 2
    parts = posted(run_of(attachments=twice))[-2:]
    assert parts[0].name != parts[1].name
    for part in parts:
        assert part.name.count(".") == 2
        assert part.name.isascii()
        assert not set(part.name + part.content_type) & set('"\r\n\0;')


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"id": run_id_of(9)}, "id is not the last"),
        ({"run_type": "agent"}, "unknown run_type"),
        ({"dotted_order": BELOW.dotted_order[:-1]}, "a wrong length"),
        ({"dotted_order": ""}, "a wrong length"),
        ({"inputs": None}, "inputs are no object"),
        ({"dotted_order": f"{TOP.dotted_order}.x.{BELOW.dotted_order}"}, "a wrong length"),
        ({"inputs": []}, "inputs are no object"),
        ({"outputs": "text"}, "outputs are no object"),
    ],
)
def test_a_run_that_would_sink_its_request_is_found(changed: dict[str, Any], fault: str) -> None:
    assert fault in (fault_of(run_of(BELOW, **changed)) or "")


@pytest.mark.parametrize("span_id", [2**64, 2**70, -1, -(2**63), 16**74, 16**75 - 1])
def test_a_span_id_that_is_none_of_64_bits_makes_no_run_that_is_sent(span_id: int) -> None:
    run_id = run_id_of(span_id)
    for lineage in (root(run_id, START), child(TOP, run_id, START)):
        assert fault_of(run_of(lineage)) == "dotted_order has a wrong length"
        assert fault_of(run_of(child(lineage, run_id_of(7), START))) is not None


def test_a_name_that_is_no_text_can_never_be_sent() -> None:
    """So `fault_of` need not look: no parts can be made of such a run."""
    with pytest.raises(TypeError):
        parts_of(run_of(name=5))


def test_a_good_run_has_no_fault() -> None:
    held = MappingProxyType({"a": 1})
    for lineage in (TOP, BELOW):
        assert fault_of(run_of(lineage)) is None
        assert fault_of(run_of(lineage, inputs=held, outputs=held)) is None
        assert fault_of(run_of(lineage, outputs={})) is None


fields = st.sampled_from(("", ".inputs", ".outputs", ".extra"))
safe = st.text(alphabet="abcdef0123456789-/%", min_size=1, max_size=60)
bodies = st.tuples(
    st.sampled_from(("post", "patch")),
    st.integers(1, 99).map(run_id_of),
    st.dictionaries(fields | st.builds(Attached, safe, safe), st.binary(max_size=300), min_size=1),
)


@given(st.lists(bodies, min_size=1, max_size=5))
def test_a_body_reads_back_and_equals_the_encoders_own(runs: list[tuple[str, str, Parts]]) -> None:
    body = encode(runs, "0123456789abcdef")
    parts = [part for run in runs for part in named(*run)]
    whole = MultipartEncoder(
        fields=[
            (p.name, (None, p.body, p.content_type, {"Content-Length": str(len(p.body))}))
            for p in parts
        ],
        boundary="0123456789abcdef",
    )
    assert body.data == whole.to_string()
    assert body.content_type == whole.content_type
    read = MultipartDecoder(body.data, body.content_type).parts
    assert [part.content for part in read] == [part.body for part in parts]
    for event, run_id, told in runs:
        assert unnamed(named(event, run_id, told)) == told


@given(st.binary(max_size=3_000))
def test_a_compressed_body_unpacks_to_itself(data: bytes) -> None:
    assert compress(data, "none") == data
    assert gzip.decompress(compress(data, "gzip")) == data
    assert zstandard.ZstdDecompressor().decompressobj().decompress(compress(data, "zstd")) == data


def test_two_runs_of_one_id_never_share_a_request() -> None:
    runs = [EncodedRun(run_id, {}) for run_id in "abacb"]
    found = batches(runs, max_runs=9, max_bytes=9)
    assert ["".join(run.run_id for run in batch.runs) for batch in found] == ["ab", "acb"]


@given(st.lists(st.integers(0, 50)), st.integers(1, 6), st.integers(1, 60))
def test_batches_keep_their_limits_and_lose_nothing(
    sizes: list[int], max_runs: int, max_bytes: int
) -> None:
    runs = [EncodedRun(str(i), {"": b"x" * n}) for i, n in enumerate(sizes)]
    found = list(batches(runs, max_runs=max_runs, max_bytes=max_bytes))
    assert [run for batch in found for run in batch.runs] == runs
    for batch in found:
        assert 1 <= len(batch) <= max_runs
        assert batch.size == sum(size_of(run.parts) for run in batch.runs)
        assert len(batch) == 1 or batch.size <= max_bytes
        assert [run for half in batch.halves() for run in half.runs] == [*batch.runs]


KEY_OR_ADDRESS = (301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407, 415)
LATER = (None, 408, 425, 499, 500, 501, 502, 503, 504, 507, 599)
BROKEN = (
    "ConnectionResetError: [Errno 104]",
    "NewConnectionError: refused",
    "NameResolutionError: no such host",
    "ReadTimeout: timed out",
    "SSLError: certificate verify failed",
)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Accepted()) for status in (*range(200, 209), 226, 409)),
        *((status, RetryLater()) for status in LATER),
        (429, RetryLater(limited=True)),
        *((status, Paused(f"http_{status}")) for status in KEY_OR_ADDRESS),
        *((status, Rejected(f"http_{status}")) for status in (400, 406, 410, 418, 422, 451)),
        (413, Split()),
    ],
)
def test_every_status_has_its_verdict(status: int | None, verdict: object) -> None:
    assert judge(Reply(status), NOW) == verdict
    page = Reply(status, {"content-type": "text/html"}, "<html>nginx</html>")
    taken = isinstance(verdict, Accepted) and status != 409
    assert judge(page, NOW) == (Paused(f"web_page_{status}") if taken else verdict)
    many = judge(Reply(status), NOW, Sent(runs=2))
    assert many == (Split() if status in (400, 409, 413, 422) else verdict)


@pytest.mark.parametrize("error", BROKEN)
def test_whatever_broke_the_connection_may_heal(error: str) -> None:
    assert judge(Reply(None, error=error), NOW) == RetryLater()


@given(st.integers(100, 999), st.integers(1, 9), st.booleans(), st.booleans())
def test_there_is_a_verdict_on_any_reply(status: int, runs: int, tried: bool, of_run: bool) -> None:
    judge(Reply(status), NOW, Sent(runs, 10**9, tried=tried, of_run=of_run))


def test_a_conflict_over_several_runs_sent_before_says_that_they_came() -> None:
    """Of new ones it is not documented whether LangSmith kept the others."""
    assert judge(Reply(409), NOW, Sent(runs=2, tried=True)) == Accepted()


def test_a_large_body_is_refused_in_the_words_for_a_wrong_key() -> None:
    assert judge(Reply(403), NOW, Sent(size=33_000_000)) == Split()


def test_what_is_not_found_may_be_the_run() -> None:
    assert judge(Reply(404), NOW, Sent(of_run=True)) == Rejected("http_404")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Fri, 31 Dec 9999 23:59:59 -0800", 0),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", 0),
        ("", 0),
        ("7", 7),
        ("0.5", 0.5),
        ("-1", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("Sat, 21 Nov 2026 07:28:30 GMT", 30),
        ("Sat, 21 Nov 2026 07:27:30 GMT", 0),
        ("Sat, 99 Nov 2026 07:27:30 GMT", 0),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float) -> None:
    assert retry_after_s(text, NOW) == seconds
    assert judge(Reply(503, {"retry-after": text}), NOW) == RetryLater(seconds)


@given(st.text())
def test_no_retry_after_raises(text: str) -> None:
    assert retry_after_s(text, NOW) >= 0


def test_a_reply_is_one_short_line() -> None:
    assert str(Reply(422, text="a\nb" + "c" * 999)).startswith("HTTP 422: a bccc")
    assert Reply(422, text="what you sent").summary == "HTTP 422"
    assert str(Reply(None, error="ConnectionError: refused")) == "ConnectionError: refused"
    assert str(Reply(503)) == "HTTP 503"


def test_a_dated_retry_after_in_another_zone() -> None:
    later = (NOW + timedelta(seconds=9)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    assert retry_after_s(later, NOW.astimezone(timezone(timedelta(hours=2)))) == 9


# Plain REST, and patches


@given(st.dictionaries(st.text(), attribute_values, max_size=5))
def test_plain_rest_says_in_one_object_what_multipart_says_in_parts(held: dict[str, Any]) -> None:
    run = run_of(BELOW, inputs=held, outputs=held, events=[{"name": "e"}], error="e", tags=["t"])
    message = basic.encode(run.id, parts_of(run, placed=False), "post", place_of(run))
    main, *fields = posted(run)
    expected = json.loads(main.body)
    expected |= {part.name.rpartition(".")[2]: json.loads(part.body) for part in fields}
    assert json.loads(message.data) == expected
    assert (message.method, message.path) == ("POST", "/runs")


def test_a_plain_patch_names_its_run_and_may_leave_its_place_out() -> None:
    run = run_of(BELOW)
    message = basic.encode(run.id, parts_of(run, placed=False), "patch", {})
    assert (message.method, message.path) == ("PATCH", f"/runs/{run.id}")
    assert {"trace_id", "dotted_order", "parent_run_id"}.isdisjoint(json.loads(message.data))


def test_a_patch_has_the_parts_of_a_post_under_its_own_name() -> None:
    run = run_of(attachments=[Attachment("note", "text/plain", b"hi")])
    opened = EncodedRun(run.id, parts_of(run), Presence(State.OPENED))
    other = EncodedRun(run_id_of(9), parts_of(run_of(BELOW)))
    told = Batch([opened, other], 0).instructions()
    assert [event for event, _, _ in told] == ["patch", "post"]
    patched = [*named(*told[0])]
    assert [part.body for part in patched] == [part.body for part in posted(run)]
    assert {part.name.split(".")[0] for part in patched} == {"patch", "attachment"}
    assert [*named(*told[1])] == [*named("post", run_id_of(9), other.parts)]


def test_ends_that_were_never_shown_are_all_posts() -> None:
    runs = [EncodedRun(str(number), parts_of(run_of())) for number in range(3)]
    told = Batch(runs, 0).instructions()
    assert told == [("post", run.run_id, run.parts) for run in runs]
    mixed = [*runs, replace(runs[0], run_id="9", moment="closing")]
    assert [event for event, _, _ in Batch(mixed, 0).instructions()] == ["post"] * 3 + ["patch"]


def test_a_closing_ends_a_run_and_says_nothing_of_its_content() -> None:
    run = run_of(error="gone", end_time_ns=START + 1)
    assert [*parts_of_closing(run)] == ["", ".error"]


def test_a_run_that_travels_alone_shares_no_batch() -> None:
    one = EncodedRun("1", {})
    alone = EncodedRun("2", {}, alone=True)
    found = batches([one, alone, alone, one], max_runs=9, max_bytes=9)
    assert [[run.run_id for run in batch.runs] for batch in found] == [["1"], ["2"], ["2"], ["1"]]
