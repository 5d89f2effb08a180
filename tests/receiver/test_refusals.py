"""What LangSmith refuses is refused, with its status and its words, and nothing of it is kept."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
import requests
import zstandard
from requests_of import (
    BOUNDARY,
    KEY,
    body_of,
    child,
    part,
    parts_of,
    root,
    send,
    send_batch,
    send_json,
    send_multipart,
    send_parts,
    stamp,
)

from otel_langsmith.receiver import Receiver

OTHER = "0197a2f0-0000-7000-8000-000000000001"


def without(run: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in fields}


def with_stamp(text: str) -> dict[str, Any]:
    run = root()
    return {**run, "dotted_order": text + run["id"]}


def child_with(**changes: Any) -> dict[str, Any]:
    return child(root(), **changes)


def cut_to_root(run: dict[str, Any]) -> dict[str, Any]:
    return {**run, "dotted_order": run["dotted_order"].rpartition(".")[2]}


# A run that goes into a batch between two good ones, the status, and a piece of the text.
BAD_RUNS: dict[str, tuple[Callable[[], Any], int, str]] = {
    "three fraction digits": (lambda: with_stamp("20251208T144553111Z"), 400, "invalid timestamp"),
    "nine fraction digits": (
        lambda: with_stamp("20251208T144553541735000Z"),
        400,
        (
            "invalid 'dotted_order': invalid timestamp in dotted_order 20251208T144553541735000 at "
            "index 0: parsing time"
        ),
    ),
    "a fraction after a dot": (lambda: with_stamp("20251208T144553.111000Z"), 400, "invalid"),
    "month thirteen": (lambda: with_stamp("20251308T144553541735Z"), 400, "invalid timestamp"),
    "no Z": (lambda: with_stamp("20251208T144553541735"), 400, "invalid segment"),
    "an empty dotted_order": (lambda: root(dotted_order=""), 400, "invalid segment"),
    "a trailing dot": (
        lambda: (run := root()) | {"dotted_order": run["dotted_order"] + "."},
        400,
        "at index 1",
    ),
    "a root of two parts": (
        lambda: child_with(parent_run_id=None),
        400,
        "dotted_order must contain a single part for root runs for run_id:",
    ),
    "a child of one part": (
        lambda: cut_to_root(child_with()),
        400,
        "dotted_order must contain at least two parts for child runs",
    ),
    "another trace": (
        lambda: child_with(trace_id=OTHER),
        400,
        f"trace_id {OTHER} does not match first part of dotted_order",
    ),
    "another last id": (lambda: child_with(id=OTHER), 400, "does not match last part"),
    "another parent": (lambda: child_with(parent_run_id=OTHER), 400, "second to last part"),
    "a child before its parent": (
        lambda: child(root(), offset_ms=-1),
        400,
        "earlier than parent timestamp",
    ),
    "no trace_id": (lambda: without(root(), "trace_id"), 400, "are required"),
    "no dotted_order": (lambda: without(root(), "dotted_order"), 400, "are required"),
    "no id": (lambda: without(root(), "id"), 422, "id: is required"),
    "an id that is no UUID": (lambda: root(id="run-1"), 422, "id: Must validate one and only one"),
    "an id that is a number": (lambda: root(id=17), 422, "id: Must validate one and only one"),
    "a session_id that is no UUID": (
        lambda: root(session_id="my project"),
        422,
        (
            "invalid batch JSON: batch schema error post.1.session_id: "
            "Must validate one and only one schema (oneOf)"
        ),
    ),
    "a reference_example_id": (lambda: root(reference_example_id="7"), 422, "reference_example_id"),
    "an unknown run_type": (lambda: root(run_type="agent"), 422, "run_type must be one of"),
    "an upper-case run_type": (lambda: root(run_type="LLM"), 422, "run_type must be one of"),
    "no run_type": (lambda: without(root(), "run_type"), 422, "run_type: is required"),
    "no name": (lambda: without(root(), "name"), 422, "name: is required"),
    "a name of 129": (lambda: root(name="x" * 129), 422, "name: String length"),
    "a name that is a number": (lambda: root(name=7), 422, "name: Invalid type"),
    "inputs in an array": (
        lambda: root(inputs=["a"]),
        422,
        "inputs: Invalid type. Expected: object, given: array",
    ),
    "outputs in a string": (lambda: root(outputs="done"), 422, "outputs: Invalid type"),
    "extra in an array": (lambda: root(extra=[]), 422, "extra: Invalid type"),
    "serialized in a string": (lambda: root(serialized="x"), 422, "serialized: Invalid type"),
    "an error that is an object": (lambda: root(error={}), 422, "error: Invalid type"),
    "events in an object": (lambda: root(events={}), 422, "events: Invalid type"),
    "an event that is a string": (lambda: root(events=["start"]), 422, "events: Invalid type"),
    "tags in a string": (lambda: root(tags="a,b"), 422, "tags: Invalid type"),
    "a tag that is a number": (lambda: root(tags=[1]), 422, "tags: Invalid type"),
    "a start that is no time": (lambda: root(start_time="yesterday"), 422, "start_time"),
    "an end that is a boolean": (lambda: root(end_time=True), 422, "end_time"),
    "an end in year 300000": (lambda: root(end_time=10**16), 422, "end_time"),
    "65 bits": (lambda: root(inputs={"n": 2**64}), 422, "int too big to convert"),
    "minus 65 bits": (lambda: root(inputs={"n": -(2**63) - 1}), 422, "int too big to convert"),
    "five thousand digits": (lambda: root(inputs={"n": 10**4200}), 422, "int too big"),
    "NaN": (lambda: root(inputs={"n": float("nan")}), 422, "invalid JSON: NaN"),
    "Infinity": (lambda: root(inputs={"n": float("-inf")}), 422, "invalid JSON: -Infinity"),
    "NUL": (lambda: root(inputs={"text": "a\0b"}), 422, "U+0000"),
    "NUL in a key": (lambda: root(inputs={"a\0b": 1}), 422, "U+0000"),
    "a lone surrogate": (lambda: root(inputs={"text": "\ud83d"}), 422, "U+D83D"),
    "nested too deep": (lambda: root(inputs=nested(251)), 422, "nested"),
    "nested very deep": (lambda: root(inputs=nested(700)), 422, "nested"),
    "a run that is a string": (lambda: "run", 422, "Invalid type. Expected: object, given: string"),
}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize("name", BAD_RUNS)
def test_one_bad_run_fails_the_whole_batch(shared: Receiver, name: str) -> None:
    make, status, text = BAD_RUNS[name]
    before = len(shared.store.runs())
    reply = send_batch(shared, post=[root(), make(), root()])
    assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text
    assert reply.json()["error"].startswith(("Bad request: ", "Unprocessable entity: "))
    assert len(shared.store.runs()) == before


IN_PARTS = [
    name
    for name in BAD_RUNS
    # The id of a part is the one in its name.
    if name not in {"no id", "a run that is a string", "a session_id that is no UUID"}
    and not name.startswith("an id")
]


@pytest.mark.parametrize("name", IN_PARTS)
def test_one_bad_run_fails_the_whole_multipart_request(shared: Receiver, name: str) -> None:
    make, status, text = BAD_RUNS[name]
    before = len(shared.store.runs())
    reply = send_parts(shared, [part for run in (root(), make()) for part in parts_of(run)])
    assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text
    assert len(shared.store.runs()) == before


def good(*more: bytes) -> list[bytes]:
    return [*parts_of(root(id=OTHER, trace_id=OTHER, dotted_order=stamp() + OTHER)), *more]


LENGTH = "Content-Length: 2"
JSON = "Content-Type: application/json"

BAD_PARTS: dict[str, tuple[list[bytes], int, str]] = {
    "an unknown event": (good(part(f"put.{OTHER}", {})), 422, "unknown event 'put'"),
    "an unknown field": (good(part(f"post.{OTHER}.name", "x")), 422, "unknown field 'name'"),
    "an empty field": (good(part(f"post.{OTHER}.", "x")), 422, "unknown field ''"),
    "a field within a field": (good(part(f"post.{OTHER}.inputs.a", {})), 422, "unknown field"),
    "no id": (good(part("post", {})), 422, "id: Must validate one and only one schema"),
    "an id that is no UUID": (
        good(part("post.run-1", {})),
        422,
        (
            "Unprocessable entity: error parsing run for post.run-1: schema validation failed: "
            "id: Must validate one and only one schema (oneOf)"
        ),
    ),
    "another id inside": (
        [part(f"post.{OTHER}", root())],
        422,
        "is not the id in the part's name",
    ),
    "an id inside that is no UUID": (
        [part(f"post.{OTHER}", root(id="run-1"))],
        422,
        f"error parsing run for post.{OTHER}: schema validation failed: id: Must validate",
    ),
    "no Content-Type": (good(part(f"post.{OTHER}.inputs", {}, LENGTH)), 422, "Content-Type"),
    "another Content-Type": (
        good(part(f"post.{OTHER}.inputs", {}, kind="text/plain")),
        422,
        "expected application/json",
    ),
    "no length": (good(part(f"post.{OTHER}.inputs", {}, JSON)), 422, "must state its length"),
    "a length too short": (
        good(part(f"post.{OTHER}.inputs", {}, length=1)),
        422,
        "states a length of '1' but is 2 bytes long",
    ),
    "a length too long": (good(part(f"post.{OTHER}.inputs", {}, length=3)), 422, "is 2 bytes"),
    "a length parameter that lies": (
        good(part(f"post.{OTHER}.inputs", {}, f"{JSON}; length=4")),
        422,
        "is 2 bytes",
    ),
    "two lengths of which one lies": (
        good(part(f"post.{OTHER}.inputs", {}, f"{JSON}; length=4", LENGTH)),
        422,
        "is 2 bytes",
    ),
    "a length that is no number": (
        good(part(f"post.{OTHER}.inputs", {}, JSON, "Content-Length: two")),
        422,
        "states a length of 'two'",
    ),
    "a part with its own coding": (
        good(part(f"post.{OTHER}.inputs", {}, JSON, LENGTH, "Content-Encoding: identity")),
        422,
        "Content-Encoding is not allowed",
    ),
    "no Content-Disposition": (good(b"\r\n{}"), 422, "Content-Disposition"),
    "two Content-Types": (
        good(part(f"post.{OTHER}.inputs", {}, JSON, JSON, LENGTH)),
        422,
        "two content-type headers",
    ),
    "the same part twice": (good(*good()), 422, "twice"),
    "a field without its run": (
        [part(f"post.{OTHER}.inputs", {})],
        422,
        f"there is no part post.{OTHER}",
    ),
    "a field of the other operation": (good(part(f"patch.{OTHER}.outputs", {})), 422, "no part"),
    "inputs that are an array": (
        good(part(f"post.{OTHER}.inputs", [])),
        422,
        "inputs: Invalid type. Expected: object, given: array",
    ),
    "an error that is no string": (good(part(f"post.{OTHER}.error", {})), 422, "error: Invalid"),
    "a field that is no JSON": (
        good(part(f"post.{OTHER}.outputs", b"{'a': 1}")),
        422,
        f"error parsing run for post.{OTHER}.outputs: invalid JSON",
    ),
    "a field that is no UTF-8": (good(part(f"post.{OTHER}.error", b'"\xff"')), 422, "utf-8"),
    "an empty field body": (good(part(f"post.{OTHER}.error", b"")), 422, "invalid JSON"),
    "a bare NaN": (good(part(f"post.{OTHER}.outputs", b'{"a": NaN}')), 422, "NaN"),
    "an endless number": (good(part(f"post.{OTHER}.outputs", b'{"a": 1e999}')), 422, "range"),
    "a run that is an array": ([part(f"post.{OTHER}", [])], 422, "Expected: object, given: array"),
    "an attachment without its run": (
        [part(f"attachment.{OTHER}.note", b"hi", kind="text/plain")],
        422,
        "there is no run for this attachment",
    ),
    "an attachment with a dot": (
        good(part(f"attachment.{OTHER}.note.txt", b"hi", kind="text/plain")),
        422,
        "no dot in it: 'note.txt'",
    ),
    "an attachment without a name": (
        good(part(f"attachment.{OTHER}", b"hi", kind="text/plain")),
        422,
        "an attachment needs a name",
    ),
    "feedback without a trace": (
        good(part(f"feedback.{OTHER}", {"key": "score"})),
        422,
        "feedback must contain a trace_id",
    ),
    "feedback of a field": (
        good(part(f"feedback.{OTHER}.score", {"trace_id": OTHER})),
        422,
        "unknown field",
    ),
    "no part at all": ([], 422, "at least one part"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
def test_a_bad_part_fails_the_whole_request(shared: Receiver, name: str) -> None:
    parts, status, text = BAD_PARTS[name]
    before = len(shared.store.runs())
    reply = send_parts(shared, parts)
    assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text
    assert len(shared.store.runs()) == before


WHOLE = body_of(parts_of(root()))
ZSTD = zstandard.ZstdCompressor(level=1).compress(WHOLE)
KIND = f"multipart/form-data; boundary={BOUNDARY}"

BAD_BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "empty": (b"", {}, 400, "closing boundary"),
    "cut before the closing boundary": (WHOLE[: -len(BOUNDARY) - 6], {}, 400, "closing boundary"),
    "cut in the closing boundary": (WHOLE[:-3], {}, 400, "closing boundary"),
    "another boundary": (WHOLE, {"content_type": f"{KIND}x"}, 400, "invalid multipart body"),
    "no boundary": (WHOLE, {"content_type": "multipart/form-data"}, 400, "with a boundary"),
    "no multipart": (WHOLE, {"content_type": "application/json"}, 400, "with a boundary"),
    "no multipart at all": (b"hello", {}, 400, "invalid multipart body"),
    "an unknown coding": (WHOLE, {"content_encoding": "br"}, 415, "gzip and zstd"),
    "two codings": (WHOLE, {"content_encoding": "gzip, zstd"}, 415, "gzip and zstd"),
    "gzip that is none": (WHOLE, {"content_encoding": "gzip"}, 400, "invalid gzip body"),
    "zstd that is none": (WHOLE, {"content_encoding": "zstd"}, 400, "invalid zstd body"),
    "gzip cut short": (gzip.compress(WHOLE)[:-9], {"content_encoding": "gzip"}, 400, "cut short"),
    "zstd cut short": (ZSTD[:-5], {"content_encoding": "zstd"}, 400, "cut short"),
    "gzip with a tail": (gzip.compress(WHOLE) + b"tail", {"content_encoding": "gzip"}, 400, "gzip"),
    "zstd with a tail": (ZSTD + b"tail", {"content_encoding": "zstd"}, 400, "zstd"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_cannot_be_read_is_refused(shared: Receiver, name: str) -> None:
    body, headers, status, text = BAD_BODIES[name]
    reply = send_multipart(shared, body, **headers)
    assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text


BAD_BATCHES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"post", "invalid batch JSON: invalid JSON"),
    "an array": (b"[]", "invalid batch JSON: Expected: object, given: array"),
    "posts in an object": (b'{"post": {}}', "post: Invalid type. Expected: array, given: object"),
    "UTF-16": ('{"post": []}'.encode("utf-16"), "invalid JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"post": []}', "invalid JSON"),
    "nothing": (b"", "invalid JSON"),
    "a raw line feed in a string": (b'{"post": ["\n"]}', "invalid JSON"),
}


@pytest.mark.parametrize("name", BAD_BATCHES)
def test_a_batch_that_cannot_be_read_is_refused(shared: Receiver, name: str) -> None:
    body, text = BAD_BATCHES[name]
    reply = send(shared, "POST", "/runs/batch", body)
    assert (reply.status_code, text in reply.json()["error"]) == (422, True), reply.text


def test_a_refusal_names_the_culprit(shared: Receiver) -> None:
    bad = child_with(trace_id=OTHER)
    reply = send_batch(shared, post=[root(), bad])
    assert reply.json() == {
        "error": f"Bad request: invalid 'dotted_order': trace_id {OTHER} does not match first part "
        f"of dotted_order {bad['dotted_order']} for run_id:{bad['id']} trace_id:{OTHER} "
        f"dotted_order:{bad['dotted_order']} parent_run_id:{bad['parent_run_id']}"
    }


def test_single_runs_obey_the_same_rules(shared: Receiver) -> None:
    assert send_json(shared, "POST", "/runs", root(run_type="agent")).status_code == 422
    assert send_json(shared, "POST", "/runs", with_stamp("20251208T144553111Z")).status_code == 400
    assert send_json(shared, "POST", "/runs", []).status_code == 422
    path = f"/runs/{root()['id']}"
    assert send_json(shared, "PATCH", path, {"id": OTHER}).status_code == 422
    assert send_json(shared, "PATCH", path, {"outputs": []}).status_code == 422
    assert send_json(shared, "PATCH", "/runs/run-1", {}).status_code == 422


def test_a_single_run_whose_lineage_cannot_be_derived_is_refused(shared: Receiver) -> None:
    orphan = without(child_with(), "dotted_order", "trace_id")
    assert "unknown" in send_json(shared, "POST", "/runs", orphan).json()["error"]
    parent = root()
    assert send_json(shared, "POST", "/runs", parent).status_code == 202
    strayed = without(child(parent, trace_id=OTHER), "dotted_order")
    reply = send_json(shared, "POST", "/runs", strayed)
    assert (reply.status_code, "trace of the parent" in reply.text) == (400, True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": ""}, {"authorization": "Bearer "}, {"authorization": "Basic abc"}],
)
def test_without_a_key_everything_is_forbidden(shared: Receiver, headers: dict[str, str]) -> None:
    for method, path in [("POST", "/runs"), ("POST", "/runs/batch"), ("PATCH", f"/runs/{OTHER}")]:
        reply = requests.request(method, shared.url + path, data=b"{}", headers=headers, timeout=30)
        assert (reply.status_code, reply.json()) == (403, {"error": "Forbidden"})


def test_only_the_keys_it_was_given_are_accepted() -> None:
    with Receiver(api_keys=["right"]) as receiver:

        def status(**headers: str) -> int:
            url = f"{receiver.url}/runs/batch"
            return requests.post(url, data=b"{}", headers=headers, timeout=30).status_code

        assert status(**{"x-api-key": "right"}) == 202
        assert status(**{"X-API-Key": "right"}) == 202
        assert status(authorization="Bearer right") == 202
        assert status(**{"x-api-key": "wrong"}) == 403
        assert status(authorization="Bearer wrong") == 403


def test_the_quota_is_per_key_and_says_nothing_about_when_to_come_back() -> None:
    with Receiver(requests_per_minute=2) as receiver:

        def reply(key: str) -> requests.Response:
            url = f"{receiver.url}/runs/batch"
            return requests.post(url, data=b"{}", headers={"x-api-key": key}, timeout=30)

        assert [reply("a").status_code for _ in range(3)] == [202, 202, 429]
        assert "retry-after" not in reply("a").headers
        assert reply("b").status_code == 202


def test_an_unknown_path_is_a_404_in_json(shared: Receiver) -> None:
    reply = requests.get(f"{shared.url}/datasets", headers=KEY, timeout=30)
    assert (reply.status_code, reply.json()) == (404, {"error": "Not Found"})
    assert requests.get(f"{shared.url}/runs", headers=KEY, timeout=30).status_code == 405


def test_another_host_name_is_not_answered(shared: Receiver) -> None:
    reply = requests.get(shared.url, headers={"Host": "evil.example"}, timeout=30)
    assert reply.status_code == 400


def test_an_operation_is_received_once(receiver: Receiver) -> None:
    run = root()
    conflict = {"error": "Conflict: payload already received: payloads already received"}
    assert send_batch(receiver, post=[run]).status_code == 202
    assert send_batch(receiver, patch=[{**run, "outputs": {"n": 1}}]).status_code == 202
    for again in ({"post": [{**run, "name": "other"}]}, {"patch": [{**run, "outputs": {"n": 2}}]}):
        reply = send_batch(receiver, **again)
        assert (reply.status_code, reply.json()) == (409, conflict)
    (stored,) = receiver.store.runs()
    assert (stored.name, stored.outputs) == ("root", {"n": 1})


def test_a_conflict_stores_nothing_of_its_request(receiver: Receiver) -> None:
    run = root()
    assert send_batch(receiver, post=[run]).status_code == 202
    assert send_batch(receiver, post=[root(), run]).status_code == 409
    assert send_parts(receiver, [*parts_of(root()), *parts_of(run)]).status_code == 409
    assert [stored.id for stored in receiver.store.runs()] == [run["id"]]


def test_the_same_run_twice_in_one_batch_is_a_conflict(receiver: Receiver) -> None:
    run = root()
    assert send_batch(receiver, post=[run, run]).status_code == 409
    assert receiver.store.runs() == []


def test_a_body_over_the_limit_is_refused(shared: Receiver) -> None:
    run = root(inputs={"text": "x" * 310_000})
    for reply in (send_batch(shared, post=[run]), send_parts(shared, parts_of(run))):
        assert (reply.status_code, "300000" in reply.json()["error"]) == (413, True)


def test_a_body_far_over_the_limit_and_without_a_key_is_answered(shared: Receiver) -> None:
    reply = requests.post(f"{shared.url}/runs", data=b" " * 2_000_000, timeout=30)
    assert reply.status_code == 403
    assert send(shared, "POST", "/runs", b" " * 2_000_000).status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_stopped_while_it_unfolds(shared: Receiver, coding: str) -> None:
    zeros = bytes(16 * 1024 * 1024)
    bomb = gzip.compress(zeros) if coding == "gzip" else zstandard.compress(zeros)
    if coding == "zstd":
        bomb *= 400  # frames, one after another: 6.25 GiB in 240 KB
    assert len(bomb) < 300_000
    reply = send_multipart(shared, bomb, content_encoding=coding)
    assert (reply.status_code, "uncompressed" in reply.json()["error"]) == (413, True)


def test_a_deeply_nested_body_costs_no_recursion(shared: Receiver) -> None:
    body = b'{"post": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert send(shared, "POST", "/runs/batch", body).status_code == 422


def test_nothing_is_answered_with_a_crash(shared: Receiver) -> None:
    assert {line.status for line in shared.store.requests()}.isdisjoint({500})
