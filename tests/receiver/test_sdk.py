"""Whatever the official SDK sends is accepted, and comes out as the tree it meant."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import langsmith
import pytest
import requests
from langsmith import RunTree, traceable, tracing_context
from langsmith.schemas import Attachment

from otel_langsmith.receiver import Receiver, StoredRun

MODES = ["zstd multipart", "plain multipart", "batch"]


@pytest.fixture(params=MODES)
def client(
    receiver: Receiver, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[langsmith.Client]:
    if request.param != "zstd multipart":
        monkeypatch.setenv("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
    langsmith.utils.get_env_var.cache_clear()
    info = requests.get(f"{receiver.url}/info", timeout=30).json()
    info["batch_ingest_config"]["use_multipart_endpoint"] = request.param != "batch"
    yield from _client(receiver, info)
    paths = {line.path for line in receiver.store.requests() if line.method != "GET"}
    assert paths <= ({"/runs/batch"} if request.param == "batch" else {"/runs/multipart"})


@pytest.fixture
def direct(receiver: Receiver) -> Iterator[langsmith.Client]:
    """A client that sends every run by itself, with POST and PATCH."""
    yield from _client(receiver, None, auto_batch_tracing=False)
    assert {line.path.split("/")[1] for line in receiver.store.requests()} <= {"runs", "info"}


def _client(
    receiver: Receiver, info: dict[str, Any] | None, *, auto_batch_tracing: bool = True
) -> Iterator[langsmith.Client]:
    made = langsmith.Client(
        api_url=receiver.url, api_key="local", info=info, auto_batch_tracing=auto_batch_tracing
    )
    yield made
    made.cleanup()


@pytest.fixture(autouse=True)
def nothing_to_complain_about(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    caplog.set_level(logging.INFO, logger="langsmith")
    yield
    assert [
        record.getMessage() for record in caplog.records if record.name[:9] == "langsmith"
    ] == []
    assert [line for line in receiver.store.requests() if line.status >= 400] == []


def test_a_run_created_and_updated_is_one_run(receiver: Receiver, client: langsmith.Client) -> None:
    run_id = _create_and_update(client)
    client.flush()
    _expect_one(receiver, run_id)


def test_a_run_sent_without_batching_gets_its_lineage_from_the_server(
    receiver: Receiver, direct: langsmith.Client
) -> None:
    run_id = uuid.uuid4()
    direct.create_run("solo", {"a": 1}, "llm", id=run_id, project_name="P")
    direct.update_run(run_id, outputs={"b": 2}, end_time=datetime.now(timezone.utc))
    (run,) = receiver.store.runs()
    assert (run.id, run.trace_id, run.depth) == (str(run_id), str(run_id), 0)
    assert (run.inputs, run.outputs, run.status) == ({"a": 1}, {"b": 2}, "success")


def test_a_run_tree_without_batching(receiver: Receiver, direct: langsmith.Client) -> None:
    _post_run_tree(direct)
    _expect_run_tree(receiver)


def test_a_run_tree_posted_and_patched(receiver: Receiver, client: langsmith.Client) -> None:
    _post_run_tree(client)
    client.flush()
    _expect_run_tree(receiver)


def test_nested_traceables_an_error_and_an_attachment(
    receiver: Receiver, client: langsmith.Client, request: pytest.FixtureRequest
) -> None:
    is_batch = "batch" in request.node.callspec.id
    with _tracing(client):
        call = _program()
        with pytest.raises(ZeroDivisionError):
            call(Attachment(mime_type="text/plain", data=b"a note"))
    client.flush()
    assert receiver.store.wait_for(3, timeout_s=60, ended=True)
    root, model, failing = _only_trace(receiver)
    assert [(run.name, run.run_type, run.depth) for run in (root, model, failing)] == [
        ("program", "chain", 0),
        ("model", "llm", 1),
        ("failing", "tool", 1),
    ]
    assert root.metadata["shift"] == "night"
    assert (root.status, model.status, failing.status) == ("error", "success", "error")
    assert "ZeroDivisionError" in (failing.error or "")
    assert model.usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert root.attachments == ({} if is_batch else {"note": ("text/plain", b"a note")})
    assert failing.parent_run_id == model.parent_run_id == root.id
    (summary,) = receiver.store.traces()
    assert (summary.name, summary.run_count, summary.total_tokens) == ("program", 3, 7)
    assert summary.project == "of the tests"


# In a batch there is no place for feedback: the SDK sends it to another endpoint then.
@pytest.mark.parametrize("client", MODES[:2], indirect=True)
def test_feedback_on_a_traced_run_travels_with_it(
    receiver: Receiver, client: langsmith.Client
) -> None:
    run_id = _create_and_update(client)
    project = uuid.uuid4()
    client.create_feedback(run_id, "score", score=1, trace_id=run_id, session_id=project)
    client.flush()
    assert receiver.store.wait_for(1, timeout_s=60, ended=True)
    (feedback,) = receiver.store.feedback()
    assert (feedback["key"], feedback["trace_id"]) == ("score", str(run_id))


def test_many_traces_at_once(receiver: Receiver, client: langsmith.Client) -> None:
    @traceable
    def leaf(number: int) -> int:
        return number

    @traceable
    def tree(number: int) -> list[int]:
        return [leaf(number) for _ in range(4)]

    with _tracing(client):
        for number in range(50):
            tree(number)
    client.flush()
    assert receiver.store.wait_for(250, timeout_s=60, ended=True)
    assert {trace.run_count for trace in receiver.store.traces()} == {5}


def _create_and_update(client: langsmith.Client) -> uuid.UUID:
    run_id = uuid.uuid4()
    now = datetime.now(timezone.utc)
    lineage = {"trace_id": run_id, "dotted_order": f"{now:%Y%m%dT%H%M%S%f}Z{run_id}"}
    client.create_run(
        "one", {"a": 1}, "llm", id=run_id, project_name="P", start_time=now, tags=["t"], **lineage
    )
    client.update_run(
        run_id, outputs={"b": float("nan")}, end_time=datetime.now(timezone.utc), **lineage
    )
    return run_id


def _expect_one(receiver: Receiver, run_id: uuid.UUID) -> None:
    assert receiver.store.wait_for(1, timeout_s=60, ended=True)
    (run,) = receiver.store.trace(str(run_id)[:12])
    assert (run.name, run.run_type, run.session_name) == ("one", "llm", "P")
    assert (run.inputs, run.outputs, run.tags) == ({"a": 1}, {"b": None}, ["t"])
    assert run.status == "success"


def _post_run_tree(client: langsmith.Client) -> None:
    parent = RunTree(name="parent", inputs={"x": 1}, ls_client=client, project_name="P")
    parent.post()
    for name in ("first", "second"):
        inner = parent.create_child(name, run_type="tool", inputs={"name": name})
        inner.post()
        inner.end(outputs={"done": True})
        inner.patch()
    parent.end(error="it broke")
    parent.patch()


def _expect_run_tree(receiver: Receiver) -> None:
    assert receiver.store.wait_for(3, timeout_s=60, ended=True)
    parent, *inner = _only_trace(receiver)
    assert (parent.name, parent.error, parent.status) == ("parent", "it broke", "error")
    assert {run.name for run in inner} == {"first", "second"}
    assert all(run.parent_run_id == parent.id and run.outputs == {"done": True} for run in inner)


def _program() -> Callable[[Attachment], None]:
    @traceable(run_type="llm")
    def model(prompt: str) -> dict[str, object]:
        return {
            "role": "assistant",
            "content": prompt,
            "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        }

    @traceable(run_type="tool")
    def failing() -> float:
        return 1 / 0

    @traceable(metadata={"shift": "night"})
    def program(note: Attachment) -> None:
        model("hello")
        failing()

    return program


@contextmanager
def _tracing(client: langsmith.Client) -> Iterator[None]:
    with tracing_context(enabled=True, client=client, project_name="of the tests"):
        yield


def _only_trace(receiver: Receiver) -> list[StoredRun]:
    (summary,) = receiver.store.traces()
    return receiver.store.trace(summary.trace_id)
