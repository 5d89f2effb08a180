"""Several destinations before anything is sent: what may be said, and what a run is there."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.delivery.books import Books, total
from otel_langsmith.delivery.ledger import Book
from otel_langsmith.endpoints import Endpoint
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.keys import destinations, names_of
from otel_langsmith.presence import Presence, State
from otel_langsmith.run import Run
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import MAIN, parts_of, place_of
from otel_langsmith.wire.readdress import derived, readdressed

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = "https://a.example/api", "https://b.example"
KEY = "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"
WORKSPACE = "7f3b1a52-0000-4000-8000-00000000cafe"
RUNS_ENDPOINTS = "LANGSMITH_RUNS_ENDPOINTS"


def one(url: str = A, **said: Any) -> dict[str, Any]:
    return {"api_url": url, "api_key": KEY, **said}


def endpoints(value: object) -> Any:
    return resolve({"endpoints": value}, {})[0].endpoints


UNDERSTOOD: list[tuple[Any, tuple[Endpoint, ...]]] = [
    ([one()], (Endpoint(A, KEY),)),
    ({A: KEY, f"{B}/": "b"}, (Endpoint(A, KEY), Endpoint(B, "b"))),
    ([one(), one(B)], (Endpoint(A, KEY), Endpoint(B, KEY))),
    ([one(), one()], (Endpoint(A, KEY),)),
    ([one(workspace_id=WORKSPACE.upper())], (Endpoint(A, KEY, workspace_id=WORKSPACE),)),
    ([one(project_name=None, workspace_id=" ")], (Endpoint(A, KEY),)),
    ([], ()),
    ({}, ()),
    ("[]", ()),
]


@pytest.mark.parametrize(("said", "found"), UNDERSTOOD, ids=str)
def test_both_forms_are_understood_in_code_and_as_json(
    said: Any, found: tuple[Endpoint, ...]
) -> None:
    assert endpoints(said) == found
    text = said if isinstance(said, str) else json.dumps(said)
    assert endpoints(text) == found
    assert resolve({}, {RUNS_ENDPOINTS: text}) == resolve({"endpoints": said}, {})


def test_a_primary_keeps_the_ids_and_is_the_only_one_to() -> None:
    pytest.importorskip("xxhash")
    found = endpoints([one(primary=True), one(B), one(B, project_name="copy", primary=False)])
    assert [there.primary for there in found] == [True, False, False]
    assert [there.primary for there in endpoints([one(), one(B, project_name="p")])] == [None, None]
    with pytest.raises(ConfigurationError, match="only one of them can be primary"):
        endpoints([one(primary=True), one(B, primary=True)])


UNUSABLE: list[tuple[Any, str]] = [
    (7, "it must be a list of"),
    ("{", "it must be a list of"),
    ("[" * 100_000, "it must be a list of"),
    ("null", "it must be a list of"),
    ("https://a.example", "it must be a list of"),
    (["https://a.example"], "number 1: it must be an object"),
    ([one(), {"api_url": A}], "number 2: its api_key is missing"),
    ([one("a.example")], "number 1: a URL needs its scheme"),
    ([one(f"https://user:{KEY}@a.example")], "number 1: leave out user"),
    ([one(api_key=7)], "number 1: api_key must be text"),
    ([one(api_key="ü" + KEY)], "number 1: .* plain ASCII"),
    ([one(api_key=" ")], "number 1: its api_key is missing"),
    ({A: None}, "number 1: its api_key is missing"),
    ([one(workspace_id="mine")], "number 1: it must be the workspace's UUID"),
    ([one(primary="yes")], "number 1: primary must be true or false"),
    ([one(auth={"api_key": KEY})], "number 1: it may hold .*, not auth"),
]


@pytest.mark.parametrize(("said", "remedy"), UNUSABLE, ids=lambda value: str(value)[:40])
def test_what_cannot_be_used_is_an_error_that_shows_no_key(said: Any, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"endpoints is not shown.*{remedy}") as error:
        endpoints(said)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("said", ["{", '["x"]', "7", json.dumps([one("ftp://a")])])
def test_an_unusable_variable_sends_nothing_to_strangers(said: str) -> None:
    """The default is LangSmith's cloud, and the key may be there: neither was asked for."""
    settings, problems = resolve({}, {RUNS_ENDPOINTS: said, "LANGSMITH_API_KEY": KEY})
    assert [there.endpoint for there in destinations(settings)] == [None]
    assert len(problems) == 1
    assert RUNS_ENDPOINTS in problems[0]
    assert "going on without it" in problems[0]


def test_one_unusable_destination_costs_only_itself() -> None:
    said = json.dumps([one(), {"api_url": B}, one(B, updates={"reroot": True})])
    settings, problems = resolve({}, {RUNS_ENDPOINTS: said})
    assert settings.endpoints == (Endpoint(A, KEY), Endpoint(B, KEY))
    assert f"number 2: its api_key is missing (going on with {A}, {B})" in problems[0]
    assert KEY not in str(problems) + repr(settings)


@pytest.mark.parametrize(
    ("arguments", "environ", "urls", "told"),
    [
        ({}, {"LANGSMITH_ENDPOINT": "http://e"}, ["http://e"], 0),
        ({}, {RUNS_ENDPOINTS: f'{{"{A}": "k"}}'}, [A], 0),
        ({}, {"LANGCHAIN_RUNS_ENDPOINTS": f'{{"{A}": "k"}}'}, [A], 0),
        # LangSmith's SDK does not start with both
        ({}, {RUNS_ENDPOINTS: f'{{"{A}": "k"}}', "LANGSMITH_ENDPOINT": "http://e"}, [A], 1),
        ({}, {RUNS_ENDPOINTS: f'{{"{A}": "k"}}', "LANGCHAIN_ENDPOINT": "http://e"}, [A], 1),
        # what is said to us alone, or in code, is meant
        (
            {},
            {RUNS_ENDPOINTS: f'{{"{A}": "k"}}', "OTEL_EXPORTER_LANGSMITH_ENDPOINT": "http://e"},
            ["http://e"],
            0,
        ),
        ({"endpoint": "http://e"}, {RUNS_ENDPOINTS: f'{{"{A}": "k"}}'}, ["http://e"], 0),
        ({"endpoint": "http://e"}, {RUNS_ENDPOINTS: "{"}, ["http://e"], 1),
        ({"endpoints": {A: "k", B: "k"}}, {"LANGSMITH_ENDPOINT": "http://e"}, [A, B], 0),
    ],
)
def test_either_one_or_several_count(
    arguments: dict[str, Any], environ: dict[str, str], urls: list[str], told: int
) -> None:
    settings, problems = resolve(arguments, environ)
    assert [there.endpoint for there in destinations(settings)] == urls
    assert len(problems) == told


def test_both_in_code_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="leave out one of them"):
        resolve({"endpoint": A, "endpoints": {B: "k"}}, {})


def test_a_workspace_goes_only_to_the_langsmith_it_is_of() -> None:
    cloud = "https://api.smith.langchain.com"
    said = [{**one(cloud), "api_key": "c"}, one(B), {**one(A), "api_key": "a"}]
    environ = {"LANGSMITH_WORKSPACE_ID": WORKSPACE, "LANGSMITH_API_KEY": KEY}
    settings, _ = resolve({"endpoints": said}, environ)
    assert [there.workspace_id for there in destinations(settings)] == [WORKSPACE, WORKSPACE, None]


@pytest.mark.parametrize("said", [said for said, found in UNDERSTOOD if found], ids=str)
def test_langsmiths_sdk_reads_the_same(said: Any, caplog: pytest.LogCaptureFixture) -> None:
    run_trees: Any = pytest.importorskip("langsmith.run_trees")
    with caplog.at_level(logging.WARNING):
        theirs = run_trees._parse_write_replicas_from_env_var.__wrapped__(json.dumps(said))
    told = {
        (
            there["api_url"],
            (there.get("auth") or there)["api_key"],
            there["project_name"],
            (there.get("auth") or there).get("tenant_id", "").lower() or None,
        )
        for there in theirs
    }
    ours = endpoints(said)
    assert told == {(one.url, one.api_key, one.project, one.workspace_id) for one in ours}
    assert not caplog.records


uuids = st.uuids() | st.integers(0, 2**64 - 1).map(lambda low: UUID(int=low))


@given(uuids, st.text(max_size=300).filter(lambda text: text.isprintable()))
def test_an_id_elsewhere_is_the_one_that_langsmiths_sdk_derives(given_id: UUID, key: str) -> None:
    pytest.importorskip("xxhash")
    theirs: Any = pytest.importorskip("langsmith._internal._uuid")
    assert derived(str(given_id), key) == str(theirs.uuid7_deterministic(given_id, key))


STAMP = "20261121T120000000000Z"
ROOT, LEAF = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
RUN = Run(
    id=LEAF,
    trace_id=ROOT,
    dotted_order=f"{STAMP}{ROOT}.{STAMP}{LEAF}",
    parent_run_id=ROOT,
    name="leaf",
    run_type="llm",
    start_time_ns=1,
    end_time_ns=2,
    inputs={"prompt": "hello"},
    outputs={"answer": "hi"},
    project="shop",
)


def encoded(**changes: Any) -> EncodedRun:
    return EncodedRun(LEAF, parts_of(RUN), **changes)


UNCHANGED = [
    Endpoint(A, KEY),
    Endpoint(A, KEY, project="shop"),
    Endpoint(A, KEY, primary=True),
    Endpoint(A, KEY, project="shop", primary=True),
]


@pytest.mark.parametrize("endpoint", UNCHANGED, ids=repr)
def test_a_run_that_stays_in_its_project_stays_itself(endpoint: Endpoint) -> None:
    there = readdressed(encoded(), endpoint)
    assert there.run_id == LEAF
    assert json.loads(there.parts[MAIN]) == json.loads(encoded().parts[MAIN])


def test_a_primary_in_another_project_keeps_its_ids() -> None:
    there = readdressed(encoded(), Endpoint(A, KEY, project="copy", primary=True))
    main = json.loads(there.parts[MAIN])
    assert (main["id"], main["session_name"]) == (LEAF, "copy")


@pytest.mark.parametrize(
    ("endpoint", "project"),
    [
        (Endpoint(A, KEY, project="copy"), "copy"),
        (Endpoint(A, KEY, primary=False), "shop"),
        (Endpoint(A, KEY, project="copy", primary=False), "copy"),
    ],
    ids=repr,
)
def test_in_another_project_all_ids_are_others_and_all_else_is_shared(
    endpoint: Endpoint, project: str
) -> None:
    pytest.importorskip("xxhash")
    was = encoded(alone=True, place=place_of(RUN))
    there = readdressed(was, endpoint)
    root, leaf = (derived(run_id, project) for run_id in (ROOT, LEAF))
    main = json.loads(there.parts[MAIN])
    assert there.run_id == main["id"] == leaf
    assert main["session_name"] == project
    place = {
        "trace_id": root,
        "parent_run_id": root,
        "dotted_order": f"{STAMP}{root}.{STAMP}{leaf}",
    }
    assert {name: main[name] for name in place} == place == there.place
    assert [*there.parts] == [*was.parts]
    assert all(body is was.parts[field] for field, body in there.parts.items() if field != MAIN)


def test_names_tell_destinations_apart() -> None:
    settings, _ = resolve({"endpoints": [one(), one(B), one(api_key="k")]}, {})
    assert names_of(destinations(settings)) == [A, B, f"{A} (2)"]


def test_each_destination_has_a_presence_of_its_own() -> None:
    first = Presence()
    first.at(2).opening_sent()
    assert [there.state for there in first.everywhere] == [
        State.ABSENT,
        State.ABSENT,
        State.UNSURE,
    ]
    assert first.at(0) is first
    assert first.at(2) is first.at(2)


ACTS: list[Callable[[Books], object]] = [
    lambda books: books.receive(3),
    lambda books: books.enqueue(2),
    lambda books: books.refuse("shut_down", 2),
    lambda books: books.note(["odd"]),
]


@given(st.integers(1, 4), st.lists(st.sampled_from(ACTS)), st.data())
def test_every_book_balances_and_so_does_their_sum(
    many: int, acts: list[Callable[[Books], object]], data: st.DataObject
) -> None:
    each = [Book() for _ in range(many)]
    books = Books(each)
    for act in acts:
        act(books)
        held = each[0].read().held
        take = data.draw(st.integers(0, held))
        with books.consign(take) as consignments:
            left = data.draw(st.integers(0, take))
            consignments.filtered(take - left)
            for book, consignment in zip(each, consignments.each, strict=True):
                some = data.draw(st.integers(0, left))
                consignment.pass_on(some)
                book.delivered(some)
        whole = books.read()
        assert all(book.read().balances for book in each)
        assert whole.balances
        assert whole == total([book.read() for book in each])
        assert whole.received == many * each[0].read().received
