"""The TypeScript SDK for real: a service of theirs on Node and one of ours make one tree."""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from support.interop import (
    FLASK,
    METADATA,
    OUR_CLIENT,
    PROJECT,
    ROOT,
    TAGS,
    above,
    environ,
    one_tree,
    python,
    run,
    serving,
)

from otel_langsmith.receiver import Receiver

pytest.importorskip("opentelemetry.instrumentation.flask")
pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not shutil.which("npm"), reason="Node.js is not here"),
]

SAID = json.dumps({"project_name": PROJECT, "tags": TAGS, "metadata": METADATA})


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node programs beside the packages they need."""
    folder = tmp_path_factory.mktemp("interop") / "programs"
    shutil.copytree(ROOT / "tests" / "interop", folder)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--silent"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=250,
    )
    return folder


def node(programs: Path, name: str) -> list[str]:
    return ["node", str(programs / name)]


def test_a_node_client_calls_our_service(receiver: Receiver, programs: Path) -> None:
    with serving(python(FLASK), environ(receiver)) as url:
        run(node(programs, "client.mjs"), environ(receiver, NEXT=url, SAID=SAID))
        runs = one_tree(receiver, ["client", "GET /", "ours"])
    assert [above(runs, name) for name in ("GET /", "ours")] == ["client", "GET /"]
    assert {key: runs["ours"].metadata.get(key) for key in METADATA} == METADATA
    assert sorted(runs["ours"].tags) == sorted(TAGS)


def test_our_client_calls_a_node_service(receiver: Receiver, programs: Path) -> None:
    with serving(node(programs, "server.mjs"), environ(receiver)) as url:
        run(python(OUR_CLIENT), environ(receiver), url)
        runs = one_tree(receiver, ["client", "theirs", "inner"])
    assert [above(runs, name) for name in ("theirs", "inner")] == ["client", "theirs"]
    assert runs["theirs"].metadata["thread_id"] == METADATA["thread_id"]


def test_ours_then_node_then_ours(receiver: Receiver, programs: Path) -> None:
    with ExitStack() as stack:
        far = stack.enter_context(serving(python(FLASK), environ(receiver)))
        hop = stack.enter_context(
            serving(node(programs, "server.mjs"), environ(receiver, NEXT=far))
        )
        run(python(OUR_CLIENT), environ(receiver), hop)
        runs = one_tree(receiver, ["client", "theirs", "inner", "GET /", "ours"])
    assert [above(runs, name) for name in ("theirs", "GET /")] == ["client", "theirs"]
    assert runs["ours"].metadata["OTEL_TRACE_ID"] == runs["client"].metadata["OTEL_TRACE_ID"]


def test_the_four_services_of_the_example_are_one_tree(receiver: Receiver, programs: Path) -> None:
    """Started as its README says, and drawn as it draws them."""
    example = ROOT / "examples" / "four_services"
    on_node = programs / "langsmith_service.mjs"  # beside the packages it needs
    shutil.copy(example / on_node.name, on_node)
    with ExitStack() as stack:
        url = ""
        for name, command in (
            ("archive", [sys.executable, str(example / "otel_service.py")]),
            ("writer", ["node", str(on_node)]),
            ("planner", [sys.executable, str(example / "langsmith_service.py")]),
            ("gateway", [sys.executable, str(example / "otel_service.py")]),
        ):
            following = {"NEXT": url} if url else {}
            environment = environ(receiver, NAME=name, LANGSMITH_PROJECT=PROJECT, **following)
            url = stack.enter_context(serving(command, environment))
        answer = requests.get(url, timeout=60).text
        assert answer == "gateway planner writer archive"
        assert receiver.store.wait_for(7, timeout_s=60, ended=True)
    runs = sorted(receiver.store.runs(), key=lambda one: one.dotted_order)
    assert len({one.trace_id for one in runs}) == 1
    drawn = [f"{'    ' * (one.depth - 1)}└── {one.name}" if one.depth else one.name for one in runs]
    readme = (example / "README.md").read_text(encoding="utf-8")
    assert "\n".join(drawn) in readme
