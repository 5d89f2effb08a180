"""What LangSmith tolerates is tolerated, and every field comes out as it went in."""

import gzip
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
import zstandard
from requests_of import (
    KEY,
    START,
    body_of,
    child,
    part,
    parts_of,
    root,
    send_batch,
    send_json,
    send_multipart,
    send_parts,
)

from otel_langsmith.errors import ConfigurationError
from otel_langsmith.receiver import Receiver, Store
from otel_langsmith.receiver.ingest import Delivery, Operation
from otel_langsmith.receiver.refusal import RefusedError


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/api"])
def test_every_endpoint_answers_under_every_prefix(shared: Receiver, prefix: str) -> None:
    receiver = shared
    info = requests.get(f"{receiver.url}{prefix}/info", timeout=30).json()
    assert info["batch_ingest_config"]["size_limit_bytes"] == 20_971_520
    assert info["instance_flags"]["zstd_compression_enabled"]
    assert info["instance_flags"]["gzip_body_enabled"]
    run = root()
    assert send_json(receiver, "POST", f"{prefix}/runs", run).status_code == 202
    reply = send_json(receiver, "PATCH", f"{prefix}/runs/{run['id']}", {"outputs": {"a": 1}})
    assert (reply.status_code, type(reply.json())) == (202, dict)
    assert send_json(receiver, "POST", f"{prefix}/runs/batch", {}).status_code == 202


def test_every_field_comes_out_as_it_went_in(receiver: Receiver) -> None:
    fields: dict[str, Any] = {
        "inputs": {"deep": [1, 2.5, None, True, "ü 🚀", {"k": 2**64 - 1}], "low": -(2**63)},
        "outputs": {"usage_metadata": {"input_tokens": 2, "output_tokens": 3}},
        "error": "E\nTraceback",
        "events": [{"name": "new_token", "time": "2026-11-21T07:34:39Z"}],
        "tags": ["a", "b,c"],
        "extra": {"metadata": {"k": "v"}, "runtime": {"sdk": "x"}},
        "serialized": {"name": "s"},
    }
    run = root(
        session_name="P",
        session_id="0197a2f0-0000-7000-8000-00000000000a",
        reference_example_id="0197A2F0000070008000000000000000",
    )
    main = part(f"post.{run['id']}", run)
    more = [part(f"post.{run['id']}.{name}", fields[name]) for name in fields if name != "tags"]
    file = part(f"attachment.{run['id']}.a note", b"\r\n--\xff", kind="text/plain; charset=utf-8")
    ids = {name: run[name] for name in ("id", "trace_id", "dotted_order")}
    tagged = part(f"patch.{run['id']}", {"tags": fields["tags"], **ids, "end_time": None})
    reply = send_parts(receiver, [*more, file, tagged, main])
    assert reply.status_code == 202, reply.text
    (stored,) = receiver.store.runs()
    assert {name: getattr(stored, name) for name in fields} == fields
    assert stored.attachments == {"a note": ("text/plain; charset=utf-8", b"\r\n--\xff")}
    assert (stored.session_name, stored.project) == ("P", "P")
    assert stored.reference_example_id == "0197a2f0-0000-7000-8000-000000000000"
    assert (stored.usage, stored.total_tokens) == (fields["outputs"]["usage_metadata"], 5)
    assert (stored.metadata, stored.start_time) == ({"k": "v"}, START)


def test_what_the_sdks_send_for_nothing_is_ignored(receiver: Receiver) -> None:
    extras = {"attachments": {}, "child_runs": [], "execution_order": 1, "of_the_future": [{}]}
    nulls = dict.fromkeys(("parent_run_id", "outputs", "error", "end_time", "tags", "session_id"))
    assert send_batch(receiver, post=[root(**extras, **nulls)]).status_code == 202


TIMES: list[tuple[str | int, datetime]] = [
    ("2026-11-21T07:34:38.940409+00:00", START),
    ("2026-11-21T07:34:38.940409", START),
    ("2026-11-21 07:34:38.940409Z", START),
    ("2026-11-21T09:04:38.940409+01:30", START),
    ("2026-11-21T07:34:38.940409999Z", START),
    ("2026-11-21T07:34:38Z", START.replace(microsecond=0)),
    (1795246478940, START.replace(microsecond=940_000)),
]


def test_every_spelling_of_a_time_is_understood(receiver: Receiver) -> None:
    runs = [root(end_time=wire) for wire, _ in TIMES]
    assert send_batch(receiver, post=runs).status_code == 202
    stored = receiver.store.runs()
    assert [run.end_time for run in stored] == [expected for _, expected in TIMES]
    assert {run.status for run in stored} == {"success"}


def test_a_start_that_differs_from_the_stamp_is_kept(receiver: Receiver) -> None:
    start = START - timedelta(hours=7)
    assert send_batch(receiver, post=[root(start_time=start.isoformat())]).status_code == 202
    assert receiver.store.runs()[0].start_time == start


def test_a_child_may_start_with_its_parent_and_arrive_before_it(receiver: Receiver) -> None:
    parent = root()
    inner = child(parent, offset_ms=0)
    assert send_batch(receiver, post=[inner]).status_code == 202
    assert send_batch(receiver, post=[parent]).status_code == 202
    assert [run.id for run in receiver.store.trace(parent["id"])] == [parent["id"], inner["id"]]
    assert [run.id for run in receiver.store.runs()] == [inner["id"], parent["id"]]


def test_a_patch_may_come_before_its_post(receiver: Receiver) -> None:
    run = root(outputs=None)
    patch = {"id": run["id"], "outputs": {"a": 1}, "end_time": START.isoformat(), "name": None}
    assert send_json(receiver, "PATCH", f"/runs/{run['id']}", patch).status_code == 202
    (early,) = receiver.store.trace(run["id"])
    assert (early.name, early.trace_id, early.dotted_order) == ("", run["id"], "")
    assert receiver.store.traces()[0].name == ""
    assert send_batch(receiver, post=[{**run, "outputs": {"a": 0}}]).status_code == 202
    (whole,) = receiver.store.runs()
    assert (whole.name, whole.outputs, whole.status) == ("root", {"a": 1}, "success")
    assert whole.dotted_order == run["dotted_order"]


def test_post_and_patch_may_share_a_request(receiver: Receiver) -> None:
    run = root()
    patch = {**run, "outputs": {"n": 1}, "end_time": START.isoformat()}
    reply = send_parts(receiver, [*parts_of(patch, "patch"), *parts_of(run)])
    assert reply.status_code == 202
    other = root()
    assert send_batch(receiver, patch=[{**other, "error": "e"}], post=[other]).status_code == 202
    assert [stored.status for stored in receiver.store.runs()] == ["success", "error"]


def test_single_runs_get_their_lineage_from_the_server(receiver: Receiver) -> None:
    def bare(run: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in run.items() if k not in {"trace_id", "dotted_order"}}

    parent = root()
    early = (START - timedelta(seconds=1)).isoformat()
    inner = bare(child(parent, start_time=early))
    timeless = {k: v for k, v in bare(root()).items() if k != "start_time"}
    for run in (bare(parent), inner, timeless):
        assert send_json(receiver, "POST", "/runs", run).status_code == 202
    top, below = receiver.store.trace(parent["id"])
    assert top.dotted_order == parent["dotted_order"]
    assert below.dotted_order == f"{top.dotted_order}.{top.dotted_order[:22]}{inner['id']}"
    assert below.start_time == START - timedelta(seconds=1)
    (alone,) = receiver.store.trace(timeless["id"])
    assert abs(datetime.now(timezone.utc) - alone.start_time) < timedelta(minutes=1)


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "GZIP", "zstd", "two gzip", "two zstd"])
def test_a_body_may_be_compressed(shared: Receiver, coding: str) -> None:
    run = root(inputs={"text": "x" * 200_000})
    body = body_of(parts_of(run))
    halves = [body[:70_000], body[70_000:]] if coding.startswith("two") else [body]
    packers = {"gzip": gzip.compress, "zstd": zstandard.compress}
    pack = packers.get(coding.lower().removeprefix("two "), bytes)
    headers = {"content_encoding": coding.removeprefix("two ")} if coding else {}
    reply = send_multipart(shared, b"".join(map(pack, halves)), **headers)
    assert reply.status_code == 202, reply.text
    assert shared.store.trace(run["id"])[0].inputs == run["inputs"]


def test_a_length_may_be_a_parameter_and_a_header(receiver: Receiver) -> None:
    run = root()
    json_of = "Content-Type: application/json; length=2"
    reply = send_parts(
        receiver,
        [
            *parts_of(run),
            part(f"post.{run['id']}.inputs", {}, json_of),
            part(f"post.{run['id']}.outputs", {}, json_of, "Content-Length: 2"),
            part(f"attachment.{run['id']}.empty", b"", kind="image/png", length=0),
        ],
    )
    assert reply.status_code == 202, reply.text
    assert receiver.store.runs()[0].attachments == {"empty": ("image/png", b"")}


def test_feedback_is_kept(receiver: Receiver) -> None:
    trace_id = root()["id"]
    value = {"trace_id": trace_id, "key": "score"}
    assert send_parts(receiver, [part(f"feedback.{trace_id}", value)]).status_code == 202
    assert receiver.store.feedback() == [{**value, "id": trace_id}]


def test_a_trace_holds_no_more_runs_than_langsmith_allows() -> None:
    store = Store(max_runs_per_trace=2)
    top = root()
    store.receive(Delivery([Operation("post", run) for run in (top, child(top))]))
    with pytest.raises(RefusedError, match="more than 2"):
        store.receive(Delivery([Operation("post", child(top))]))
    store.receive(Delivery([Operation("patch", {**top, "outputs": {}})]))
    assert len(store.trace(top["id"])) == 2
    store.close()


def test_traces_are_listed_newest_first_and_by_project(receiver: Receiver) -> None:
    names = ["old", "middle", "new"]
    for number, name in enumerate(names):
        start = START + timedelta(minutes=number)
        run = root(name=name, start_time=start.isoformat(), session_name=f"P{number % 2}")
        assert send_batch(receiver, post=[run]).status_code == 202
    store = receiver.store
    assert [trace.name for trace in store.traces()] == names[::-1]
    assert [trace.name for trace in store.traces(limit=1)] == ["new"]
    assert [trace.name for trace in store.traces(project="P0")] == ["new", "old"]
    assert store.projects() == ["P0", "P1"]
    assert [run.name for run in store.runs(limit=2)] == names[1:]
    assert store.runs(limit=0) == []


def test_a_trace_is_found_by_the_beginning_of_its_id(receiver: Receiver) -> None:
    for span_id in ("00f067aa-0ba902b7", "00f067aa-0ba902b8"):
        run_id = f"00000000-0000-0000-{span_id[:4]}-{span_id[4:].replace('-', '')}"
        run = root(id=run_id, trace_id=run_id)
        run["dotted_order"] = run["dotted_order"][:22] + run_id
        assert send_batch(receiver, post=[run]).status_code == 202
    store = receiver.store
    assert len(store.trace("00f067aa0ba902b7")) == len(store.trace("00F067AA-0BA902B7")) == 1
    assert store.trace("ffff") == store.trace("") == store.trace("100%") == []
    with pytest.raises(LookupError):
        store.trace("00f067aa")


def test_waiting_ends_when_the_runs_are_there_or_the_time_is_up(receiver: Receiver) -> None:
    assert not receiver.store.wait_for(1, timeout_s=0.01)
    assert send_batch(receiver, post=[root()]).status_code == 202
    assert receiver.store.wait_for(1, timeout_s=0)
    assert not receiver.store.wait_for(1, timeout_s=0, ended=True)


def test_a_file_outlives_the_receiver_and_is_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    with Receiver(database=file) as receiver:
        assert send_batch(receiver, post=[root()]).status_code == 202
        other = Store(file)
        assert len(other.traces()) == 1
        other.close()
    with Receiver(database=file) as receiver:
        assert len(receiver.store.runs()) == 1


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 40])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "letter.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"letter\.txt"):
        Store(file)
    assert file.read_bytes() == content


def test_a_receiver_can_go_away_and_come_back(receiver: Receiver) -> None:
    assert send_batch(receiver, post=[root()]).status_code == 202
    url = receiver.url
    receiver.stop()
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{url}/runs", data=b"{}", headers=KEY, timeout=30)
    assert len(receiver.store.runs()) == 1
    receiver.start()
    assert receiver.url == url
    assert send_batch(receiver, post=[root()]).status_code == 202


def test_a_taken_port_is_an_os_error(receiver: Receiver) -> None:
    second = Receiver(port=int(receiver.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        second.start()
    second.store.close()


def test_every_request_is_in_the_log(receiver: Receiver) -> None:
    send_batch(receiver, post=[root()])
    send_json(receiver, "POST", "/runs", root(run_type="agent"))
    requests.get(f"{receiver.url}/nowhere", timeout=30)
    accepted, refused, lost = receiver.store.requests()
    assert accepted == ("POST", "/runs/batch", 202, None)
    assert refused[:3] == ("POST", "/runs", 422)
    assert "run_type" in (refused.error or "")
    assert lost == ("GET", "/nowhere", 404, "Not Found")
