"""What can be read back, and who may: the gate is the same as for sending."""

from collections.abc import Iterator

import pytest
import requests
from requests_of import KEY, root, send_batch

from otel_langsmith.receiver import Receiver

WORKSPACE = "7f3b1a52-0000-4000-8000-00000000cafe"
RUN = {**root(), "session_name": "shop"}


@pytest.fixture(scope="module")
def kept() -> Iterator[Receiver]:
    with Receiver(api_keys=[KEY["x-api-key"]], workspace_id=WORKSPACE) as running:
        body = {"post": [RUN]}
        answer = requests.post(
            f"{running.url}/runs/batch", json=body, headers=headers(), timeout=30
        )
        assert answer.status_code == 202, answer.text
        yield running


def headers() -> dict[str, str]:
    return {**KEY, "x-tenant-id": WORKSPACE}


def get(receiver: Receiver, path: str, **query: str) -> requests.Response:
    return requests.get(f"{receiver.url}{path}", query, headers=headers(), timeout=30)


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_a_run_is_told_by_its_id(kept: Receiver, prefix: str) -> None:
    told = get(kept, f"{prefix}/runs/{RUN['id'].upper()}").json()
    assert told["id"] == RUN["id"]
    assert told["dotted_order"] == RUN["dotted_order"]
    (session,) = get(kept, f"{prefix}/sessions").json()
    assert told["session_id"] == session["id"]
    assert (session["name"], session["tenant_id"]) == ("shop", WORKSPACE)


@pytest.mark.parametrize("run_id", ["00000000-0000-0000-0000-000000000001", "no-uuid"])
def test_a_run_that_is_not_there_is_404(kept: Receiver, run_id: str) -> None:
    answer = get(kept, f"/runs/{run_id}")
    assert (answer.status_code, answer.json()["error"].split(":")[0]) == (404, "Not found")


@pytest.mark.parametrize(
    ("query", "count"),
    [({"limit": "0"}, 0), ({"offset": "1"}, 0), ({"name": "x"}, 0), ({"limit": "many"}, 1)],
)
def test_projects_come_in_pages(kept: Receiver, query: dict[str, str], count: int) -> None:
    assert len(get(kept, "/sessions", **query).json()) == count


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (KEY, "org_scoped_key_requires_workspace"),
        ({**KEY, "x-tenant-id": WORKSPACE[:-1] + "0"}, "Forbidden"),
        ({"x-api-key": "other", "x-tenant-id": WORKSPACE}, "Forbidden"),
        ({}, "Forbidden"),
    ],
)
@pytest.mark.parametrize("path", ["/sessions", f"/runs/{RUN['id']}", "/runs/batch"])
def test_who_may_not_send_may_not_read(
    kept: Receiver, path: str, sent: dict[str, str], error: str
) -> None:
    method = "POST" if path == "/runs/batch" else "GET"
    answer = requests.request(method, kept.url + path, json={}, headers=sent, timeout=30)
    assert (answer.status_code, answer.json()) == (403, {"error": error})


@pytest.mark.filterwarnings("ignore:read_run")
def test_langsmiths_sdk_reads_what_was_sent(receiver: Receiver) -> None:
    langsmith = pytest.importorskip("langsmith")
    send_batch(receiver, post=[RUN])
    client = langsmith.Client(
        api_url=receiver.url, api_key=KEY["x-api-key"], auto_batch_tracing=False
    )
    assert str(client.read_run(RUN["id"]).trace_id) == RUN["trace_id"]
    assert [project.name for project in client.list_projects()] == ["shop"]
