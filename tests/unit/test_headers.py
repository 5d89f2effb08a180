"""`headers` and `baggage`: what the LangSmith SDKs write we read, and what we write they read."""

import base64
import json
import math
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith import RunTree, agent_address
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import TraceState
from support.properties import examples

from otel_langsmith.baggage import (
    MAX_BAGGAGE_BYTES,
    MAX_MEMBER_BYTES,
    OTEL_TRACE_ID,
    LangSmithBaggage,
    merge_baggage,
    otel_trace_id,
    parse_baggage,
    with_otel_trace_id,
)
from otel_langsmith.headers import MAX_STATE_LENGTH, pack_state, parse_trace, unpack_state
from otel_langsmith.identity import LAST_NS, parse_dotted_order, run_id_of, stamp, trace_id_of

RUN = "019b7cbc-f1ae-7000-8000-000000000001"
CHILD = "019b7cbc-f1af-7000-8000-000000000002"
TIME = "20260102T030405678901Z"
ROOT = TIME + RUN
TWO = f"{ROOT}.20260102T030405679901Z{CHILD}"
LRN = "lrn:agents/helper/environments/production"
NOTHING = LangSmithBaggage()
GONE: dict[str, Any] = {}

Baggage = LangSmithBaggage

# (said, as Python writes it, as JavaScript writes it or None if the same): langsmith.md §6.2
WRITTEN = {
    "spaces": (
        Baggage("my project", ("a tag", "b"), {"user": "Ada Lovelace", "n": 1}),
        (
            "langsmith-metadata=%7B%22user%22%3A%22Ada%20Lovelace%22%2C%22n%22%3A1%7D,"
            "langsmith-tags=a%20tag%2Cb,langsmith-project=my%20project"
        ),
        None,
    ),
    "unicode": (
        Baggage("проект", ("ünï",), {"city": "Zürich", "emoji": "🚀"}),
        (
            "langsmith-metadata=%7B%22city%22%3A%22Z%C3%BCrich%22%2C%22emoji%22%3A%22%F0%9F%9A%80%22%7D"
            ",langsmith-tags=%C3%BCn%C3%AF,langsmith-project=%D0%BF%D1%80%D0%BE%D0%B5%D0%BA%D1%82"
        ),
        None,
    ),
    "a comma in a tag parts it": (
        Baggage("team/a,b", ("t", "1", "k=v"), {"list": "a,b=c;d", "q": 'x"y'}),
        (
            "langsmith-metadata=%7B%22list%22%3A%22a%2Cb%3Dc%3Bd%22%2C%22q%22%3A%22x%5C%22y%22%7D,"
            "langsmith-tags=t%2C1%2Ck%3Dv,langsmith-project=team/a%2Cb"
        ),
        (
            "langsmith-metadata=%7B%22list%22%3A%22a%2Cb%3Dc%3Bd%22%2C%22q%22%3A%22x%5C%22y%22%7D,"
            "langsmith-tags=t%2C1%2Ck%3Dv,langsmith-project=team%2Fa%2Cb"
        ),
    ),
    "percent and plus": (
        Baggage(
            "p+q %2B",
            ("a+b", "c%20d"),
            {"pct": "100%25", "plus": "1+1=2", "pctraw": "50% off"},
        ),
        (
            "langsmith-metadata=%7B%22pct%22%3A%22100%2525%22%2C%22plus%22%3A%221%2B1%3D2%22%2C"
            "%22pctraw%22%3A%2250%25%20off%22%7D,langsmith-tags=a%2Bb%2Cc%2520d,"
            "langsmith-project=p%2Bq%20%252B"
        ),
        None,
    ),
    "types": (
        Baggage(
            "default",
            (),
            {"f": 1.5, "b": True, "nul": None, "nest": {"k": [1, "zwei"]}, "thread_id": "t-1"},
        ),
        (
            "langsmith-metadata=%7B%22f%22%3A1.5%2C%22b%22%3Atrue%2C%22nul%22%3Anull%2C%22nest%22%3A"
            "%7B%22k%22%3A%5B1%2C%22zwei%22%5D%7D%2C%22thread_id%22%3A%22t-1%22%7D,"
            "langsmith-project=default"
        ),
        None,
    ),
    "safe characters": (
        Baggage("A/B ~*'()!", ("a/b", "~*'()!"), {"u": "/path/~user/*(x)!'", "at": "me@x.io"}),
        (
            "langsmith-metadata=%7B%22u%22%3A%22/path/~user/%2A%28x%29%21%27%22%2C%22at%22%3A%22"
            "me%40x.io%22%7D,langsmith-tags=a/b%2C~%2A%27%28%29%21,"
            "langsmith-project=A/B%20~%2A%27%28%29%21"
        ),
        (
            "langsmith-metadata=%7B%22u%22%3A%22%2Fpath%2F~user%2F*(x)!'%22%2C%22at%22%3A%22"
            "me%40x.io%22%7D,langsmith-tags=a%2Fb%2C~*'()!,langsmith-project=A%2FB%20~*'()!"
        ),
    ),
    "nothing": (NOTHING, "", None),
    "an address": (
        Baggage(address=LRN),
        "langsmith-address=lrn%3Aagents/helper/environments/production",
        None,
    ),
}

written = pytest.mark.parametrize("row", WRITTEN.values(), ids=WRITTEN)
Row = tuple[LangSmithBaggage, str, str | None]


def runtree(said: LangSmithBaggage, run_id: str = RUN) -> RunTree:
    return RunTree(
        name="r",
        id=UUID(run_id),
        start_time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
        extra={"metadata": dict(said.metadata)},
        tags=list(said.tags),
        project_name=said.project or "default",
    )


def heard(baggage: str, trace: str = TWO) -> LangSmithBaggage:
    """What the real LangSmith SDK reads from a header."""
    run = RunTree.from_headers({"langsmith-trace": trace, "baggage": baggage})
    assert run is not None
    assert run.dotted_order == trace
    metadata = run.extra.get("metadata", {})
    return LangSmithBaggage(run.session_name, tuple(run.tags or ()), metadata)


def hop(baggage: str) -> str:
    """The header after a service that speaks only W3C baggage."""
    w3c, carrier = W3CBaggagePropagator(), dict[str, str]()
    w3c.inject(carrier, w3c.extract({"baggage": baggage}, Context()))
    return carrier.get("baggage", "")


# both SDKs


@written
def test_what_either_sdk_writes_is_read(row: Row) -> None:
    said, python, javascript = row
    assert parse_baggage(python) == (said, ())
    assert parse_baggage(javascript or python) == (said, ())


@written
def test_we_write_what_the_python_sdk_writes_byte_for_byte(row: Row) -> None:
    said, python, _ = row
    assert merge_baggage("", said) == python


@written
def test_what_a_w3c_hop_re_encodes_is_read_as_it_was_meant(row: Row) -> None:
    said, python, javascript = row
    for header in (python, javascript or python):
        assert parse_baggage(hop(header)) == (said, ())


@written
def test_the_python_sdk_writes_what_the_table_says(row: Row) -> None:
    said, python, _ = row
    if said.project:
        headers = runtree(said).to_headers()
        assert headers == {"langsmith-trace": ROOT, "baggage": python}
        assert parse_trace(headers["langsmith-trace"]) == ROOT


def test_the_python_sdk_reads_our_address() -> None:
    run = RunTree.from_headers(
        {"langsmith-trace": ROOT, "baggage": merge_baggage("k=v", Baggage(address=LRN))}
    )
    assert run is not None
    assert run.address == agent_address("helper", "production")


@pytest.mark.parametrize(
    "existing",
    ["", "k=v", " k = v ;p=1 ,\tx=1", "flag,k=v", "k=50%", "k=a=b", ",,", "langsmith-project=x,k"],
)
@written
def test_the_python_sdk_reads_ours_whoever_stands_behind_us(row: Row, existing: str) -> None:
    said, _, _ = row
    if said.project:
        read = heard(merge_baggage(existing, said))
        assert read == Baggage(said.project, tuple(sorted(said.tags)), said.metadata)


# langsmith-trace


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ROOT, ROOT),
        (TWO, TWO),
        (f" \t{TWO}\r\n", TWO),
        (TIME + RUN.upper(), ROOT),
        # the rows of langsmith.md §6.3
        ("", None),
        ("hello", None),
        (f"{TIME}hello", None),
        (f"20260102T030405678Z{RUN}", None),
        (f"20260102T030405678901234Z{RUN}", None),
        (f"{ROOT}.", None),
        (f"{ROOT},{ROOT}", None),
        # refused by the server
        (f"{TIME}{RUN}.20260102T030405678900Z{CHILD}", None),
        (f"{TIME}    {RUN.replace('-', '')}", None),
        # caps
        (".".join([ROOT] * 128), ".".join([ROOT] * 128)),
        (".".join([ROOT] * 129), None),
        (ROOT + " " * 8192, None),
    ],
)
def test_a_trace_header_is_a_dotted_order_or_nothing(value: str, expected: str | None) -> None:
    assert parse_trace(value) == expected


# baggage, read


@pytest.mark.parametrize(
    ("header", "expected", "faults"),
    [
        # tolerated: langsmith.md §6.3
        ("a=1, langsmith-project=p", Baggage("p"), ()),
        ("langsmith-project \t=\t p ", Baggage("p"), ()),
        ("langsmith-project=p;prop=1;flag", Baggage("p"), ()),
        ("langsmith-project=p ; prop", Baggage("p"), ()),
        ("flag,langsmith-tags,langsmith-project=p", Baggage("p"), ()),
        ("langsmith-project=a=b", Baggage("a=b"), ()),
        ("langsmith-project=a,langsmith-project=b", Baggage("b"), ()),
        ("langsmith-project=a+b%2Bc", Baggage("a b+c"), ()),
        ("langsmith-project=a b", Baggage("a b"), ()),
        ("langsmith-project=,langsmith-tags=,langsmith-metadata=", NOTHING, ()),
        ("langsmith-tags=a%2C%2Cb%2Ca", Baggage(tags=("a", "b")), ()),
        ("langsmith-tags=x%2Cx%2C", Baggage(tags=("x",)), ()),  # as JS writes ["x", "x", ""]
        ("langsmith-metadata=%7B%22nan%22%3Anull%7D", Baggage(metadata={"nan": None}), ()),
        ("k=%,=,===,;,,k=\x00,langsmith-project=p", Baggage("p"), ()),
        ("LangSmith-Project=p,langsmith-other=%", NOTHING, ()),
        (["k=v", "langsmith-project=a", "langsmith-project=b"], Baggage("b"), ()),
        ([], NOTHING, ()),
        # never read
        ("langsmith-replicas=%5B%7B%22api_url%22%3A%22http%3A//evil%22%7D%5D", NOTHING, ()),
        # refused, and only that
        ("langsmith-project=50%,langsmith-tags=a", Baggage(tags=("a",)), ("member_undecodable",)),
        ("langsmith-project=%FF,langsmith-tags=%ed%a0%80", NOTHING, ("member_undecodable",)),
        ("langsmith-project=ü", NOTHING, ("member_undecodable",)),
        ("langsmith-project=a\rb", NOTHING, ("member_undecodable",)),
        ("langsmith-project=a%0D%0Ab", NOTHING, ("project_unusable",)),
        ("langsmith-project=a%00", NOTHING, ("project_unusable",)),
        ("langsmith-project=%20", NOTHING, ("project_unusable",)),
        ("langsmith-project=" + "p" * 257, NOTHING, ("project_unusable",)),
        ("langsmith-project=a,langsmith-project=%00", NOTHING, ("project_unusable",)),
        ("langsmith-tags=a%0A%2Cb", Baggage(tags=("b",)), ("tags_cut",)),
        ("langsmith-tags=b%2C" + "a" * 129, Baggage(tags=("b",)), ("tags_cut",)),
        ("langsmith-metadata=%7B", NOTHING, ("metadata_unusable",)),
        ("langsmith-metadata=%5B1%5D", NOTHING, ("metadata_unusable",)),
        ("langsmith-metadata=" + quote("[" * 2000), NOTHING, ("metadata_unusable",)),
        ("langsmith-metadata=" + quote(f'{{"k":"{"v" * 4090}"}}'), NOTHING, ("metadata_cut",)),
        (
            "langsmith-metadata=" + quote(f'{{"k":"{"v" * 4090}","thread_id":"t"}}'),
            Baggage(metadata={"thread_id": "t"}),
            ("metadata_cut",),
        ),
        (f"langsmith-address={LRN}", Baggage(address=LRN), ()),
        ("langsmith-address=http://evil/", NOTHING, ("address_unusable",)),
        (f"langsmith-address={LRN},langsmith-project=p", NOTHING, ("two_destinations",)),
        ("langsmith-address=x,langsmith-project=p", Baggage("p"), ("address_unusable",)),
        # caps
        ("k=" + "v" * 8191 + ",langsmith-project=p", Baggage("p"), ("baggage_too_long",)),
        (["k=" + "ü" * 4090, "langsmith-project=p"], Baggage("p"), ("baggage_too_long",)),
        (
            f"langsmith-metadata=%7B{'v' * 9000}%7D,langsmith-tags=t,langsmith-project=p",
            Baggage("p", ("t",)),
            ("baggage_too_long",),
        ),
        ("k=" + "v" * 65_520 + ",langsmith-project=p", NOTHING, ("baggage_too_long",)),
        ("k=" + "v" * 65_513 + ",langsmith-project=p,", Baggage("p"), ("baggage_too_long",)),
        (
            "langsmith-project=p" + ",k=v" * 64 + ",langsmith-tags=t",
            Baggage("p"),
            ("baggage_too_many_members",),
        ),
    ],
)
def test_a_header_is_read_as_far_as_it_can_be(
    header: str | list[str], expected: LangSmithBaggage, faults: tuple[str, ...]
) -> None:
    assert parse_baggage(header) == (expected, faults)


def read_metadata(text: str) -> tuple[Any, tuple[str, ...]]:
    baggage, faults = parse_baggage(f"langsmith-metadata={quote(text)}")
    return baggage.metadata, faults


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_metadata_nested_too_deeply_costs_only_that_entry() -> None:
    assert read_metadata(nested(8)) == (json.loads(nested(8)), ())
    text = f'{{"deep":{nested(8)},"flat":1}}'
    assert read_metadata(text) == ({"flat": 1}, ("metadata_cut",))
    assert read_metadata(text.replace('{"a":', "[").replace("}", "]", 8)[:-1] + "}")[1] != ()


def test_only_so_many_entries_and_tags_are_taken() -> None:
    metadata, faults = read_metadata(json.dumps({f"k{i}": i for i in range(65)}))
    assert (len(metadata), faults) == (64, ("metadata_cut",))
    baggage, faults = parse_baggage("langsmith-tags=" + "%2C".join(map(str, range(33))))
    assert (baggage.tags, faults) == (tuple(map(str, range(32))), ("tags_cut",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\u0000\u001b\u007f\u0085"', r"\x00\x1b\x7f\x85"),
        (r'"\ud800"', r"\ud800"),  # so JSON.stringify writes a lone surrogate
        (r'"a\r\n\tb"', "a\r\n\tb"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "inf"),
        (str(2**64 - 1), 2**64 - 1),
        (str(2**64), str(2**64)),
    ],
)
def test_metadata_that_langsmith_would_refuse_is_kept_as_text(text: str, value: object) -> None:
    assert read_metadata(f'{{"k":{text}}}') == ({"k": value}, ())
    assert heard(merge_baggage("", Baggage("p", (), {"k": value}))).metadata == {"k": value}


# baggage, written


@pytest.mark.parametrize(
    ("existing", "kept"),
    [
        (" k = v ;p=1 ,\tx=%zz", ", k = v ;p=1 ,\tx=%zz"),
        ("flag,k=v", ",flag,k=v"),
        (",, ,k=v,", ",k=v"),
        ("langsmith-project=old, langsmith-tags =x,langsmith-metadata=y,k=v", ",k=v"),
        ("langsmith-replicas=%5B%5D,langsmith-address=x,langsmith-project", ""),
        ("langsmith-tags;p,langsmith-other=1", ",langsmith-other=1"),
        ("k=Ã¼\x85", ",k=Ã¼\x85"),
        ("a=1\r\nSet-Cookie: x,b=\0,c=\ud800,d=1", ",d=1"),
    ],
)
def test_everybody_elses_members_stay_as_they_stood(existing: str, kept: str) -> None:
    assert merge_baggage(existing, Baggage("p")) == "langsmith-project=p" + kept


def test_nothing_of_ours_leaves_the_others_and_removes_the_old() -> None:
    assert merge_baggage("a=1,langsmith-project=old,b=2", NOTHING) == "a=1,b=2"


def test_what_we_would_not_read_is_not_written() -> None:
    assert merge_baggage("", Baggage("a\r\nb", ("\n", "x" * 129), {}, "http://evil")) == ""
    assert merge_baggage("", Baggage("p", address=LRN)) == "langsmith-project=p"
    odd = {"k": MappingProxyType({7: ("a", {2}, 10**20, math.nan)})}
    assert parse_baggage(merge_baggage("", Baggage(metadata=odd)))[0].metadata == {
        "k": {"7": ["a", "<set>", "1" + "0" * 20, "nan"]}
    }
    vast = 10**4500
    assert merge_baggage("", Baggage(metadata={"vast": vast, "k": 1})) == (
        "langsmith-metadata=" + quote(f'{{"vast":"{hex(vast)}","k":1}}')
    )


def test_when_room_is_short_tags_go_first_then_metadata_then_others_never_the_project() -> None:
    project, first = "п" * 200, {OTEL_TRACE_ID: "0" * 32}
    wish = Baggage(project, ("tag",), {**first, "long": "x" * 2000, "z": 1})
    destination = len(merge_baggage("", Baggage(project)))

    def left(room_for: LangSmithBaggage, less: int = 0) -> LangSmithBaggage:
        """What remains beside a member that leaves just room for so much, or less."""
        written = merge_baggage("", room_for)
        room = len(written) + (1 if written else 0) - less
        other = "k=" + "v" * (MAX_BAGGAGE_BYTES - destination - len(",k=") - room)
        header = merge_baggage(other, wish)
        assert len(header) <= MAX_BAGGAGE_BYTES
        assert header.endswith(other)
        return parse_baggage(header)[0]

    all_metadata, two = Baggage(metadata=wish.metadata), Baggage(metadata={**first, "z": 1})
    assert left(Baggage(None, wish.tags, wish.metadata)) == wish
    assert left(Baggage(None, wish.tags, wish.metadata), less=1).tags == ()
    assert left(all_metadata).metadata == wish.metadata
    assert [*left(all_metadata, less=1).metadata] == [OTEL_TRACE_ID, "long"]
    assert left(two).metadata == two.metadata
    assert left(two, less=1).metadata == first
    assert left(NOTHING) == Baggage(project)
    too_long = "k=" + "v" * 8000
    assert parse_baggage(merge_baggage(too_long, wish))[0] == wish
    assert too_long not in merge_baggage(f"{too_long},a=1", wish)
    assert merge_baggage(f"{too_long},a=1", wish).endswith(",a=1")


def test_others_are_looked_for_in_the_first_64_kib_only() -> None:
    assert merge_baggage("," * 65_534 + "ab,c=d", Baggage("p")) == "langsmith-project=p"
    assert merge_baggage("," * 65_532 + "ab,c=d", Baggage("p")) == "langsmith-project=p,ab"


def test_no_member_is_so_long_that_a_w3c_hop_drops_it() -> None:
    wish = Baggage("p", ("t" * 128,) * 3, {f"k{i}": "ü" * 100 for i in range(64)})
    header = merge_baggage("", wish)
    assert max(map(len, header.split(","))) <= MAX_MEMBER_BYTES
    assert parse_baggage(hop(header)) == parse_baggage(header)
    assert len(parse_baggage(header)[0].metadata) > 5


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts
jsons = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
baggages = st.builds(
    LangSmithBaggage,
    st.none() | names,
    st.lists(texts, max_size=4).map(tuple),
    st.dictionaries(texts, jsons, max_size=4),
    st.none() | st.just(LRN),
)
PIECES = (
    *("langsmith-project", "langsmith-tags", "langsmith-metadata", "langsmith-address"),
    *("langsmith-replicas", "langsmith-trace", "k", "v", "=", "=", ",", ",", ";", " ", "\t", "+"),
    *("%", "%2", "%20", "%2C", "%00", "%0d%0a", "%FF", "%ed%a0%80", "%7B%22a%22%3A1%7D", "%7B"),
    *("\0", "\r\n", "\ud800", "ü", "\u2028", ".", TIME, RUN, ROOT, LRN, "1", "x" * 300, "[" * 99),
)
hostile = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60)


def answered(text: str) -> None:
    """Whatever the text: no exception, and nothing comes back that must not go on."""
    baggage, faults = parse_baggage([text, text])
    assert len(set(faults)) == len(faults)
    assert not (baggage.project and baggage.address)
    assert parse_baggage(merge_baggage("", baggage)) == (baggage, ())
    merged = merge_baggage(text, baggage)
    assert len(merged.encode()) <= MAX_BAGGAGE_BYTES
    assert re.search("[\x00-\x08\x0a-\x1f\x7f]", merged) is None
    assert merge_baggage(merged, baggage) == merged
    for order in (parse_trace(text), (unpack_state("1" + text) or [None])[0]):
        assert order is None or parse_dotted_order(order) is not None
    assert parse_trace(text) is not None or pack_state(text.strip(), text)[:1] in ("", "1")
    assert trace_id_of(text) != 0


@given(hostile)
@examples(400)
def test_any_text_is_answered(text: str) -> None:
    answered(text)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(20_000, marks=pytest.mark.large),
        pytest.param(1_000_000, marks=pytest.mark.slow),
    ],
)
def test_that_many_hostile_texts_are_answered(count: int) -> None:
    dice = random.Random(20260102)
    for _ in range(count):
        answered("".join(dice.choices(PIECES, k=dice.randrange(14))))


@given(hostile, baggages)
@examples(150)
def test_merging_twice_changes_nothing(existing: str, ours: LangSmithBaggage) -> None:
    once = merge_baggage(existing, ours)
    assert merge_baggage(once, ours) == once


@given(st.lists(st.sampled_from(["k=", "ü", "v" * 999, ",", "langsmith-tags="])), baggages)
@examples(80)
def test_merging_twice_changes_nothing_when_room_is_short(
    existing: list[str], ours: LangSmithBaggage
) -> None:
    once = merge_baggage("".join(existing * 3), ours)
    assert len(once.encode()) <= MAX_BAGGAGE_BYTES
    assert merge_baggage(once, ours) == once


@given(baggages)
@examples(120)
def test_what_is_written_is_read_by_us_and_by_langsmith_alike(ours: LangSmithBaggage) -> None:
    header = merge_baggage("flag", ours)
    read, faults = parse_baggage(header)
    assert faults == ()
    assert merge_baggage("flag", read) == header
    assert len(read.metadata) == len(dict(ours.metadata))
    if read.project:
        peer = heard(header)
        assert peer == Baggage(read.project, tuple(sorted(read.tags)), read.metadata)
    spaced = any(text != text.strip() for text in (read.project or "", ",".join(read.tags)))
    assert spaced or parse_baggage(hop(header.removesuffix("flag")))[0] == read


@given(names.filter(lambda text: text.strip()), st.dictionaries(texts, texts, max_size=4))
@examples(80)
def test_what_langsmith_writes_is_read(project: str, metadata: dict[str, str]) -> None:
    printable = {k: v for k, v in metadata.items() if (k + v).isprintable()}
    said = Baggage(project, (), printable)
    assert parse_baggage(runtree(said).to_headers()["baggage"]) == (said, ())


# tracestate


def chain(length: int, *, ours: bool, step_ns: int = 12_345_000) -> str:
    """The dotted order of a run so deep, ``step_ns`` apart."""
    ids = [
        run_id_of(2**63 + 2**40 * i + i) if ours else str(UUID(int=2**125 + i))
        for i in range(length)
    ]
    return ".".join(stamp(1_767_323_045_678_901_000 + step_ns * i) + x for i, x in enumerate(ids))


segments = st.lists(
    st.tuples(
        st.integers(0, LAST_NS).map(stamp) | st.just("00010101T000000000000Z"),
        st.uuids().map(str) | st.integers(0, 2**64 - 1).map(run_id_of),
    ),
    min_size=1,
    max_size=8,
)


@given(segments, st.none() | names)
@examples(150)
def test_a_state_holds_the_eldest_ancestors_exactly(
    made: list[tuple[str, str]], project: str | None
) -> None:
    order = ".".join(time + run for time, run in sorted(made))
    value = pack_state(order, project)
    assert len(value) <= MAX_STATE_LENGTH
    assert TraceState([("langsmith", value)]).to_header() == f"langsmith={value}"
    unpacked = unpack_state(value)
    assert unpacked is not None
    assert f"{order}.".startswith(f"{unpacked[0]}.")
    short = len((project or "").encode()) <= 64 and (project or "").strip()
    assert unpacked[1] == (project if short else None)
    assert pack_state(*unpacked) == value


@pytest.mark.parametrize(
    ("ours", "step_ns", "project", "fitting"),
    [
        (True, 12_345_000, None, 16),
        (True, 60_000_000_000, None, 14),
        (True, 1_000, None, 18),
        (False, 12_345_000, None, 9),
        (True, 12_345_000, "my-project", 15),
        (True, 12_345_000, "p" * 64, 11),
        (False, 12_345_000, "p" * 64, 6),
        (True, 12_345_000, "p" * 65, 16),
    ],
)
def test_so_many_segments_fit_into_a_state(
    *, ours: bool, step_ns: int, project: str | None, fitting: int
) -> None:
    deep = chain(40, ours=ours, step_ns=step_ns)
    unpacked = unpack_state(pack_state(deep, project))
    assert unpacked == (
        ".".join(deep.split(".")[:fitting]),
        project if project and len(project) <= 64 else None,
    )


STATE = pack_state(TWO, "p")
SEGMENT = bytes([1, 7]) + bytes(8)


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_the_layout_of_a_state_is_as_documented() -> None:
    one = "00010101T000000000007Z00000000-0000-0000-0000-000000000000"
    assert unpack_state("1" + packed(b"\2\xc3\xbc" + SEGMENT)) == (one, "ü")
    assert pack_state(one, "ü") == "1" + packed(b"\2\xc3\xbc" + SEGMENT)
    assert pack_state(one[:22] + str(UUID(int=1 << 64))) == "1" + packed(
        bytes([0, 129, 7]) + (1 << 64).to_bytes(16, "big")
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1AA",  # no project and no segment
        "2" + STATE[1:],  # a version of the future
        STATE + "=",
        STATE + " ",
        STATE + "A",
        STATE[:-4],
        STATE[:-1],
        STATE.replace("A", "+", 1),
        "1" + "A" * 256,
        "1ü",
        "1\ud800",
        "1" + "_" * 100,  # a project of 255 bytes
        "1AP8" + "_" * 200,  # a time of 127 bytes
        "1AQAB" + "A" * 10,
        "1" + packed(b"\1\n" + SEGMENT),  # a line end for a project
        "1" + packed(b"\0" + SEGMENT[:-1]),
    ],
)
def test_a_state_that_we_did_not_write_is_none(value: str) -> None:
    assert unpack_state(value) is None


@given(st.integers(0, len(STATE) - 1), st.characters())
@examples(150)
def test_a_damaged_state_is_none_or_a_valid_dotted_order(at: int, damage: str) -> None:
    unpacked = unpack_state(STATE[:at] + damage + STATE[at + 1 :])
    assert unpacked is None or parse_dotted_order(unpacked[0]) is not None


def test_no_state_is_made_of_what_is_no_dotted_order() -> None:
    assert pack_state("hello", "p") == ""


# OTel ids


@given(st.integers(1, 2**128 - 1))
@examples(100)
def test_a_uuid_is_a_trace_id(trace_id: int) -> None:
    assert trace_id_of(str(UUID(int=trace_id))) == trace_id
    assert trace_id_of(f"{trace_id:032X}") == trace_id
    metadata = with_otel_trace_id({"a": 1, OTEL_TRACE_ID: "old"}, trace_id)
    assert [*metadata.items()] == [(OTEL_TRACE_ID, f"{trace_id:032x}"), ("a", 1)]
    assert otel_trace_id(metadata) == trace_id


@pytest.mark.parametrize("value", [None, 7, "", "0" * 32, "g" * 32, "1" * 31, 10**31, ["1" * 32]])
def test_a_trace_id_that_is_none(value: Any) -> None:
    assert otel_trace_id({OTEL_TRACE_ID: value}) is None
    assert otel_trace_id(GONE) is None
    assert trace_id_of(str(value)) is None or not isinstance(value, str)


# time


def hostile_megabytes() -> Iterator[str]:
    size = 10_000_000
    for piece in (",", "=", "%", "%20", " ", ";", "+", "a", "ü", ROOT + ".", "langsmith-project=,"):
        yield piece * (size // len(piece))
    yield "langsmith-metadata=" + "%5B" * (size // 3)


@pytest.mark.parametrize(
    "read", [parse_trace, parse_baggage, unpack_state, lambda text: merge_baggage(text, NOTHING)]
)
def test_ten_megabytes_cost_next_to_nothing(read: Callable[[str], object]) -> None:
    for text in hostile_megabytes():
        start = time.thread_time()  # whatever else the machine is doing
        read(text)
        taken = time.thread_time() - start
        assert taken < 0.5, f"{taken * 1000:.1f} ms for {text[:20]!r}"
