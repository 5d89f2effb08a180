"""``otel-langsmith spool``, on our own spool and on what the LangSmith SDK failed to upload."""

from __future__ import annotations

import json
import os
import uuid
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from support.rude_server import rude_server
from support.spools import record, run_id, spool_in, will

from otel_langsmith.delivery.destination import Destination, open_folder

pytest.importorskip("click")

from click.testing import CliRunner

from otel_langsmith.commands import command_line
from otel_langsmith.envelopes import read_envelope
from otel_langsmith.errors import WireError
from otel_langsmith.receiver import Receiver
from otel_langsmith.wire import multipart
from otel_langsmith.wire.parts import MAIN, Parts

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from otel_langsmith.delivery.spool import Spool

KEY = "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"


def cli(*arguments: object, **environ: str) -> Result:
    environ = {"COLUMNS": "250", "LANGSMITH_API_KEY": KEY, **environ}
    return CliRunner().invoke(command_line, ["spool", *map(str, arguments)], env=environ)


def spool_for(path: Path, endpoint: str, project: str = "default") -> Spool:
    return spool_in(open_folder(path, Destination(endpoint, None, project)))


def listed(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(cli("show", "--json", "--dir", path).stdout)
    return rows


def test_what_waits_is_listed_shown_and_sent(tmp_path: Path, receiver: Receiver) -> None:
    left = spool_for(tmp_path, receiver.url)
    left.add([record(1), record(2)])
    left.opened([will(2), will(3)])
    left.ended([run_id(2)])
    left.add([record(2, "patch", end_time="2026-11-21T12:00:01.000000Z")])
    left.close()

    table = cli("ls", "--dir", tmp_path).stdout
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [["waits", "3"], ["open", "1"]]
    assert {(row["run"], row["state"], row["verb"]) for row in listed(tmp_path)} == {
        (run_id(1), "waits", "post"),
        (run_id(2), "waits", "post"),
        (run_id(2), "waits", "patch"),
        (run_id(3), "open", "patch"),
    }
    (one,) = json.loads(cli("show", run_id(1), "--dir", tmp_path).stdout)
    assert one["parts"][0]["json"]["name"] == "run 1"

    done = cli("replay", LANGSMITH_ENDPOINT=receiver.url, LANGSMITH_SPOOL_DIR=str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "4 delivered, 0 refused, 0 left\n"), done.stderr
    runs = {run.id: run for run in receiver.store.runs()}
    assert set(runs) == {run_id(1), run_id(2), run_id(3)}
    assert runs[run_id(3)].error == "process ended"
    assert runs[run_id(3)].end_time
    assert cli("ls", "--dir", tmp_path).stdout == "No runs wait.\n"


def test_a_run_that_is_refused_is_set_apart_and_can_be_mended(
    tmp_path: Path, receiver: Receiver
) -> None:
    left = spool_for(tmp_path, receiver.url)
    runs = [record(number) for number in range(1, 60)]
    runs[41] = record(42, run_type="nonsense")
    left.add(runs)
    left.close()
    environ = {"LANGSMITH_ENDPOINT": receiver.url}
    done = cli("replay", "--dir", tmp_path, **environ)
    assert (done.exit_code, done.stdout) == (0, "58 delivered, 1 refused, 0 left\n")
    assert len(receiver.store.runs()) == 58
    assert len(receiver.store.requests()) <= 14

    (row,) = listed(tmp_path)
    assert (row["run"], row["state"]) == (run_id(42), "refused")
    assert "HTTP 422: " in row["why"]
    (again,) = [cli("replay", "--refused", "--dir", tmp_path, **environ)]
    assert (again.exit_code, again.stdout) == (1, "0 delivered, 0 refused, 1 left\n")
    (path,) = tmp_path.glob("*/refused/*.json")
    path.write_text(path.read_text().replace("nonsense", "chain"))
    done = cli("replay", "--refused", "--dir", tmp_path, **environ)
    assert done.stdout == "1 delivered, 0 refused, 0 left\n"
    assert len(receiver.store.runs()) == 59
    assert listed(tmp_path) == []


def test_an_end_of_which_nobody_knows_whether_its_opening_arrived(
    tmp_path: Path, receiver: Receiver
) -> None:
    """It is a post; where the opening did arrive, LangSmith has a conflict with it."""
    body = record(1, name="opening").parts[MAIN]
    requests.post(f"{receiver.url}/runs", data=body, headers={"x-api-key": KEY}, timeout=30)
    left = spool_for(tmp_path, receiver.url)
    left.add([replace(record(number, outputs={"n": number}), doubtful=True) for number in (1, 2)])
    left.close()
    done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=receiver.url)
    assert done.stdout == "2 delivered, 0 refused, 0 left\n"
    assert {run.name: run.outputs for run in receiver.store.runs()} == {
        "run 1": {"n": 1},
        "run 2": {"n": 2},
    }


def test_runs_that_travel_alone_go_as_plain_rest(tmp_path: Path, receiver: Receiver) -> None:
    """With their place if the server knows it, as roots if it does not."""
    main = record(1)
    bare = json.loads(main.parts[MAIN])
    place = {name: bare.pop(name) for name in ("trace_id", "dotted_order")}
    parts = {**main.parts, MAIN: json.dumps(bare).encode()}
    left = spool_for(tmp_path, receiver.url)
    left.add([replace(main, parts=parts, alone=True, place=place)])
    unknown = {"parent_run_id": run_id(77)}
    orphan = replace(record(2), alone=True, place=unknown)
    left.add([orphan, replace(record(1, "patch", outputs={"n": 1}), alone=True, place=place)])
    left.close()
    done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=receiver.url)
    assert done.stdout == "3 delivered, 0 refused, 0 left\n", done.stderr
    runs = {run.name: run for run in receiver.store.runs()}
    assert runs["run 1"].outputs == {"n": 1}
    assert runs["run 2"].parent_run_id is None
    paths = {request.path.partition("/00")[0] for request in receiver.store.requests()}
    assert paths == {"/runs"}


@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "429 Slow", "503 Busy"])
def test_what_cannot_be_delivered_now_stays_and_says_why(tmp_path: Path, status: str) -> None:
    reply = f"HTTP/1.1 {status}\r\nContent-Length: {len(KEY)}\r\n\r\n{KEY}".encode()
    with rude_server([reply]) as server:
        left = spool_for(tmp_path, server.url)
        left.add([record(1), record(2)])
        left.close()
        done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=server.url)
        assert (done.exit_code, done.stdout) == (1, "0 delivered, 0 refused, 2 left\n")
        assert done.stderr == f"HTTP {status[:3]}: [secret]\n"
        assert server.requests == 1
    assert len(listed(tmp_path)) == 2


def test_nothing_goes_where_it_was_not_meant_to_go(tmp_path: Path, receiver: Receiver) -> None:
    left = spool_for(tmp_path, "https://elsewhere.example")
    left.add([record(1)])
    left.close()
    done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=receiver.url)
    assert (done.exit_code, done.stdout) == (1, "0 delivered, 0 refused, 1 left\n")
    assert "https://elsewhere.example default: not what LANGSMITH_ENDPOINT" in done.stderr
    assert receiver.store.requests() == []


def test_each_of_several_destinations_gets_what_waits_for_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Receiver() as other:
        for number, (url, project) in enumerate(
            [(receiver.url, "default"), (other.url, "copy"), ("http://elsewhere", "default")], 1
        ):
            left = spool_for(tmp_path, url, project)
            left.add([record(number)])
            left.close()
        said = {receiver.url: KEY, other.url: KEY}
        done = cli("replay", "--dir", tmp_path, LANGSMITH_RUNS_ENDPOINTS=json.dumps(said))
        assert "2 delivered, 0 refused, 1 left" in done.stdout
        assert [run.id for run in receiver.store.runs()] == [run_id(1)]
        assert [run.id for run in other.store.runs()] == [run_id(2)]


def test_what_a_running_process_is_at_work_on_is_left_to_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    living = spool_for(tmp_path, receiver.url)
    living.add([record(1)])
    (row,) = json.loads(cli("ls", "--json", "--dir", tmp_path).stdout)
    assert (row["runs"], row["in use"]) == (1, True)
    done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=receiver.url)
    assert (done.exit_code, done.stderr) == (1, "a running process will send them\n")
    assert cli("purge", "--yes", "--dir", tmp_path).stdout == "Nothing to delete.\n"
    living.close()
    assert len(listed(tmp_path)) == 1


def test_purge_deletes_what_it_names_after_asking(tmp_path: Path) -> None:
    left = spool_for(tmp_path, "http://x")
    left.add([record(1), record(2)])
    left.opened([will(3)])
    left.close()
    answered = CliRunner().invoke(
        command_line, ["spool", "purge", "--dir", str(tmp_path)], input="n\n"
    )
    assert "Delete 3 runs (2 waits, 1 open)?" in answered.stdout
    assert len(listed(tmp_path)) == 3
    done = cli("purge", "--yes", "--state", "open", "--dir", tmp_path)
    assert done.stdout == "Deleted 1 runs in 1 files.\n"
    assert cli("purge", "--yes", "--dir", tmp_path).stdout == "Deleted 2 runs in 1 files.\n"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["destination.json"]


def test_a_directory_that_is_not_safe_or_not_there_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = cli("ls", "--dir", tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {tmp_path} can be written to by others; chmod go-w")
    done = cli("ls", "--dir", tmp_path / "none")
    assert done.stderr == f"Error: there is no directory {tmp_path / 'none'}\n"


def test_damage_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    left = spool_for(tmp_path, "http://x")
    left.add([record(1), record(2)])
    left.close()
    (segment,) = tmp_path.glob("*/*.runs")
    segment.write_bytes(segment.read_bytes()[:-1])
    done = cli("show", "--json", "--dir", tmp_path)
    assert [row["run"] for row in json.loads(done.stdout)] == [run_id(1)]
    assert done.stderr == f"{segment}: damaged in 1 places\n"


# what the LangSmith SDK left


@pytest.fixture(params=["zstd", "plain"])
def envelopes(
    receiver: Receiver,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A directory into which the real SDK put the runs that a server would not take."""
    langsmith = pytest.importorskip("langsmith")
    utils = pytest.importorskip("langsmith.utils")
    monkeypatch.setenv("LANGSMITH_FAILED_TRACES_DIR", str(tmp_path / "failed"))
    if request.param == "plain":
        monkeypatch.setenv("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
    utils.get_env_var.cache_clear()
    info = requests.get(f"{receiver.url}/info", timeout=30).json()
    with rude_server([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]) as server:
        client = langsmith.Client(api_url=server.url, api_key=KEY, info=info)
        tree = langsmith.RunTree(name="root", inputs={"a": 1}, client=client)
        tree.attachments = {"note": ("text/plain", b"\xffnot text")}
        tree.post()
        child = tree.create_child("child", "llm", inputs={"b": 2})
        child.post()
        child.end(outputs={"c": 3})
        child.patch()
        tree.end(outputs={"d": 4})
        tree.patch()
        client.flush()
        client.cleanup()
    utils.get_env_var.cache_clear()
    return tmp_path / "failed"


def test_what_the_sdk_failed_to_upload_is_shown_and_sent(
    envelopes: Path, receiver: Receiver
) -> None:
    assert {row["state"] for row in listed(envelopes)} == {"failed upload"}
    done = cli(
        "replay", LANGSMITH_ENDPOINT=receiver.url, LANGSMITH_FAILED_TRACES_DIR=str(envelopes)
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("0 refused, 0 left\n")
    runs = {run.name: run for run in receiver.store.runs()}
    assert (runs["root"].inputs, runs["root"].outputs) == ({"a": 1}, {"d": 4})
    assert (runs["child"].inputs, runs["child"].outputs) == ({"b": 2}, {"c": 3})
    assert runs["child"].parent_run_id == runs["root"].id
    assert runs["root"].attachments == {"note": ("text/plain", b"\xffnot text")}
    assert list(envelopes.iterdir()) == []


def test_an_envelope_of_which_a_run_is_refused_stays(envelopes: Path, receiver: Receiver) -> None:
    first, *_ = sorted(envelopes.iterdir())
    copy = json.loads(first.read_text())
    (first.parent / "trace_0_damaged.json").write_text(json.dumps(copy | {"body_base64": "AAAA"}))
    (first.parent / "trace_1_other.json").write_text(json.dumps(copy | {"version": 2}))
    (first.parent / "trace_2_text.json").write_text("hello")
    done = cli("replay", "--dir", envelopes, LANGSMITH_ENDPOINT=receiver.url)
    assert "trace_0_damaged.json: its body is damaged" in done.stderr
    assert "trace_1_other.json: version 2 for runs/multipart is not understood" in done.stderr
    assert "trace_2_text.json: it is no envelope of the LangSmith SDK" in done.stderr
    assert sorted(path.name[:8] for path in envelopes.iterdir()) == [
        "trace_0_",
        "trace_1_",
        "trace_2_",
    ]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b"5", b'{"version":1,"endpoint":7}'])
def test_what_is_no_envelope_is_refused_in_one_way(document: bytes) -> None:
    with pytest.raises(WireError, match="no envelope"):
        read_envelope(document)


def test_feedback_that_the_sdk_could_not_send_is_sent_as_such() -> None:
    sent: Parts = {MAIN: b'{"trace_id":1}'}
    body = multipart.encode([("feedback", run_id(1), sent)], "b")
    told = {
        "version": 1,
        "endpoint": "/runs/multipart",
        "headers": {"Content-Type": body.content_type},
        "body_base64": b64encode(body.data).decode(),
    }
    (found,) = read_envelope(json.dumps(told).encode())
    assert (found.verb, found.run_id, found.parts) == ("feedback", run_id(1), sent)


def test_no_secret_is_on_disk(tmp_path: Path) -> None:
    """Whatever a spool, its letters and its description are made of, the key is not among it."""
    with rude_server([f"HTTP/1.1 422 X\r\nContent-Length: {len(KEY)}\r\n\r\n{KEY}".encode()]) as it:
        left = spool_for(tmp_path, it.url)
        left.add([record(1)])
        left.opened([will(2)])
        left.close()
        header = f"x-tenant=very-{uuid.uuid4()}"
        done = cli("replay", "--dir", tmp_path, LANGSMITH_ENDPOINT=it.url, LANGSMITH_HEADERS=header)
        assert "2 refused" in done.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        for secret in (KEY, KEY[8:20], header.partition("=")[2]):
            assert secret.encode() not in path.read_bytes()
            assert secret not in os.fspath(path)
