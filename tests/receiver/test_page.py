"""What a person sees: everything that was stored, and nothing that it could do to them."""

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
import requests
from requests_of import START, child, root, send_batch, send_json

from otel_langsmith.receiver import Receiver, Store
from otel_langsmith.receiver.ingest import Delivery, Operation
from otel_langsmith.run import Attachment

HOSTILE = """"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</style></pre>"""


def get(receiver: Receiver, path: str) -> requests.Response:
    return requests.get(receiver.url + path, timeout=30)


def keep(store: Store, *runs: dict[str, Any], files: tuple[Attachment, ...] = ()) -> None:
    store.receive(Delivery([Operation("post", run, files) for run in runs]))


def test_an_empty_receiver_says_how_to_fill_it(receiver: Receiver) -> None:
    reply = get(receiver, "/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"LANGSMITH_ENDPOINT={receiver.url}" in reply.text


def test_a_trace_is_listed_and_shown(receiver: Receiver) -> None:
    top = root(name="the root", end_time=(START + timedelta(seconds=2)).isoformat())
    model = child(
        top,
        name="a model",
        run_type="llm",
        error="it broke",
        inputs={"messages": [{"role": "user", "content": "Good morning"}]},
        outputs={"usage_metadata": {"total_tokens": 1234}, "content": "So it is"},
        extra={"metadata": {"ls_model_name": "gpt-of-the-test"}},
    )
    keep(receiver.store, top, model)
    listing = get(receiver, "/").text
    for expected in ("the root", "2.00 s", "1,234", f"/traces/{top['id']}"):
        assert expected in listing
    tree = get(receiver, f"/traces/{top['id']}").text
    for expected in ("a model", "it broke", "Good morning", "gpt-of-the-test", "1,234 tok"):
        assert expected in tree


def test_a_refusal_is_shown_with_its_reason(receiver: Receiver) -> None:
    send_json(receiver, "POST", "/runs", root(run_type="<agent>"))
    assert "run_type must be one of" in get(receiver, "/").text


def test_hostile_content_is_text(receiver: Receiver) -> None:
    run = root(
        name=HOSTILE[:128],
        error=HOSTILE,
        inputs={HOSTILE: HOSTILE},
        outputs={"messages": [{"role": HOSTILE, "content": HOSTILE}]},
        tags=[HOSTILE],
        session_name=HOSTILE,
        extra={"metadata": {HOSTILE: HOSTILE}},
        run_type="llm",
    )
    keep(receiver.store, run, files=(Attachment(HOSTILE, HOSTILE, b"x"),))
    keep(receiver.store, root(session_name="another"))
    send_json(receiver, "POST", f"/{HOSTILE}", {})
    for path in ("/", f"/traces/{run['id']}", "/traces/" + HOSTILE.replace("/", "")):
        page = get(receiver, path).text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script" not in page
        assert "<img src=x" not in page
        assert page.count("</style>") == 1


def test_the_pages_forbid_everything_but_their_own_style(shared: Receiver) -> None:
    keep(shared.store, run := root())
    for path in ("/", f"/traces/{run['id']}", "/traces/none"):
        reply = get(shared, path)
        policy = reply.headers["content-security-policy"]
        (style,) = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"\sstyle=|\son\w+=|(?:src|href)=.https?:", reply.text)


def test_an_unknown_trace_is_a_404(shared: Receiver) -> None:
    reply = get(shared, "/traces/0197a2f0")
    assert (reply.status_code, "There is no trace" in reply.text) == (404, True)


def test_small_images_are_shown_and_other_files_only_named(shared: Receiver) -> None:
    files = (
        Attachment("picture", "image/png", b"\x89PNG"),
        Attachment("drawing", "image/svg+xml", b"<svg/>"),
    )
    keep(shared.store, run := root(), files=files)
    page = get(shared, f"/traces/{run['id']}").text
    assert page.count("<img ") == 1
    assert "data:image/png;base64,iVBORw==" in page
    assert "drawing" in page


@pytest.mark.large
def test_a_chain_a_thousand_deep_is_shown(shared: Receiver) -> None:
    runs = [root()]
    while len(runs) < 1000:
        runs.append(child(runs[-1], offset_ms=len(runs)))
    assert send_batch(shared, post=runs[:50]).status_code == 202
    keep(shared.store, *runs[50:])
    page = get(shared, f"/traces/{runs[0]['id']}").text
    assert page.count('<details class="run') == 500
    assert "Runs 1 to 500 of 1,000" in page
    assert "depth 499" in page
    assert "depth 999" in get(shared, f"/traces/{runs[0]['id']}?skip=500").text


@pytest.mark.large
def test_ten_thousand_runs_are_shown_in_portions(receiver: Receiver) -> None:
    top = root()
    keep(receiver.store, top, *[child(top, offset_ms=n) for n in range(9_999)])
    page = get(receiver, f"/traces/{top['id']}?skip=9999999").text
    assert "Runs 10,000 to 10,000 of 10,000" in page
    assert "10,000" in get(receiver, "/").text


def test_long_fields_are_cut_and_say_so(shared: Receiver) -> None:
    top = root()
    keep(shared.store, top, *[child(top, inputs={"t": "x" * 50_000}) for _ in range(300)])
    page = get(shared, f"/traces/{top['id']}").text
    assert "Cut here" in page
    assert len(page) < 6_000_000
