"""`delivery.transport`: over real sockets, whatever the other side does is a `Reply` in time."""

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from support import faulty_server as faults
from support.rude_server import PAUSE, deaf_address, rude_server

from otel_langsmith.delivery.transport import HttpTransport, Request
from otel_langsmith.receiver import Receiver
from otel_langsmith.wire.reply import Reply

ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"
FOR_EVER = 600
"""So many pauses are a minute, and who waits as long was not to."""


def send(url: str, timeout_s: float = 30.0) -> Reply:
    transport = HttpTransport()
    try:
        return transport.send(Request("POST", f"{url}/runs/multipart", {}, b"body"), timeout_s)
    finally:
        transport.close()


@pytest.mark.parametrize(
    "script",
    [
        [ACCEPTED + b"Content-Length: 2\r\n\r\n{}"],
        [ACCEPTED + b"Content-Length: 99\r\n\r\n{}"],
        [ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nno length\r\n"],
        [ACCEPTED + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"],
        [ACCEPTED + b"\r\n"],
    ],
    ids=["whole", "cut short", "broken chunk", "no gzip", "empty"],
)
def test_the_status_is_the_verdict_however_the_body_ends(script: list[bytes | None]) -> None:
    with rude_server(script) as server:
        assert send(server.url).status == 202


def test_what_the_server_says_is_read_up_to_a_bound() -> None:
    body = b'{"error":"no"}' + b" " * 200_000
    head = f"HTTP/1.1 422 No\r\nRetry-After: 7\r\nContent-Length: {len(body)}\r\n\r\n"
    with rude_server([head.encode() + body]) as server:
        reply = send(server.url)
    assert (reply.status, reply.headers["retry-after"]) == (422, "7")
    assert reply.text.startswith('{"error":"no"}')
    assert len(reply.text) <= 140_000


@pytest.mark.parametrize(
    "script",
    [
        [],
        [b"SSH-2.0-OpenSSH_9.6\r\n"],
        [b"HTTP/1.1 two hundred\r\n\r\n"],
        [b"HTTP/1.1 20"],
    ],
    ids=["hangs up", "another protocol", "no status", "breaks off"],
)
def test_no_status_is_a_reply_without_one(script: list[bytes | None]) -> None:
    with rude_server(script) as server:
        reply = send(server.url)
    assert reply.status is None
    assert reply.error


def test_nobody_there_is_a_reply_too() -> None:
    with deaf_address() as url:
        assert send(url).summary == "ConnectionError"


@pytest.mark.parametrize(
    "script",
    [
        [],
        [b"H", None] * FOR_EVER,
        [ACCEPTED, b"X-Drip: ", *[b"x", None] * FOR_EVER],
        [ACCEPTED, *[b"A: b\r\n", None] * FOR_EVER],
        [b"HTTP/1.1 100 Continue\r\n\r\n", None] * FOR_EVER,
    ],
    ids=[
        "says nothing",
        "status drips",
        "header drips",
        "headers without end",
        "continues for ever",
    ],
)
def test_the_timeout_is_for_the_whole_exchange(script: list[bytes | None]) -> None:
    with rude_server(script, hangs_up=False) as server:
        began = time.monotonic()
        reply = send(server.url, timeout_s=0.5)
        assert time.monotonic() - began < FOR_EVER * PAUSE / 2
    assert reply.status is None


@pytest.mark.parametrize("body", [[], [b"x", None] * FOR_EVER], ids=["missing", "dripping"])
def test_a_status_is_not_kept_waiting_for_by_its_body(body: list[bytes | None]) -> None:
    """A drain of many requests would wait for each, although all were accepted."""
    with rude_server([ACCEPTED + b"Content-Length: 999\r\n\r\n", *body], hangs_up=False) as server:
        began = time.monotonic()
        assert send(server.url, timeout_s=FOR_EVER * PAUSE).status == 202
        assert time.monotonic() - began < FOR_EVER * PAUSE / 2


def test_what_was_asked_for_is_heard_to_its_end() -> None:
    body = [b"x", None] * 8
    head = ACCEPTED + b"Content-Length: 8\r\n\r\n"
    with rude_server([head, *body], hangs_up=False) as server:
        assert HttpTransport().send(Request("GET", server.url, {}, b""), 60).text == 8 * "x"


def test_one_connection_serves_many_requests_and_each_has_its_own_deadline(
    receiver: Receiver,
) -> None:
    transport = HttpTransport()
    ask = Request("GET", f"{receiver.url}/info", {}, b"")
    for timeout_s in (20, 30, 20, 30):
        assert transport.send(ask, timeout_s).status == 200
    session, _ = transport._opened()
    pools = session.get_adapter(ask.url).poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118
    transport.close()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([], "ConnectionError"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "ConnectionError"),
        ([b"HTTP/1.1 20", None, None, None, None, None, None], "ReadTimeout"),
        ([ACCEPTED + b"Content-Length: 1, 2\r\n\r\n"], "InvalidHeader"),
    ],
    ids=["hangs up", "another protocol", "too late", "two lengths"],
)
def test_failures_have_the_names_that_requests_gives_them(
    script: list[bytes | None], kind: str
) -> None:
    """Logs and metrics tell of them by these; a session of the user's own gives no others."""
    with rude_server(script, hangs_up=script[1:] == []) as server:
        request = Request("POST", server.url, {}, b"body")
        timeout_s = 0.4 if kind == "ReadTimeout" else 30
        own = HttpTransport(requests.Session())
        replies = [send(server.url, timeout_s), own.send(request, timeout_s)]
    assert [reply.summary for reply in replies] == [kind, kind]


def test_a_header_that_goes_bad_later_is_not_sent(receiver: Receiver) -> None:
    """The headers of a URL are examined once; then they are http.client's to refuse."""
    transport = HttpTransport()
    url = f"{receiver.url}/info"
    assert transport.send(Request("GET", url, {"a": "b"}, b""), 30).status == 200
    assert transport.send(Request("GET", url, {"a": "b\r\nc: d"}, b""), 30).summary == "ValueError"
    transport.close()


def test_headers_of_other_names_and_an_empty_body_are_sent_as_they_are() -> None:
    reply = ACCEPTED + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    sent = [({"User-Agent": "a"}, b"12"), ({"user-agent": "b", "X-Own": "c"}, b""), ({}, b"345")]
    with rude_server([reply]) as server:
        transport = HttpTransport()
        for headers, body in sent:
            assert transport.send(Request("POST", server.url, headers, body), 30).status == 202
        transport.close()
    heads = [head.lower() for head in server.heads]
    lengths = [re.findall(rb"\r\ncontent-length: (\d+)", head) for head in heads]
    agents = [re.findall(rb"\r\nuser-agent: (\w+)", head) for head in heads]
    assert lengths == [[b"2"], [b"0"], [b"3"]]
    assert agents == [[b"a"], [b"b"], [b"python"]]
    assert [b"\r\nx-own: c" in head for head in heads] == [False, True, False]


def test_of_two_names_in_different_letters_the_later_one_is_sent() -> None:
    """The user's headers come first, and must not double the key or the kind of content."""
    reply = ACCEPTED + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    with rude_server([reply]) as server:
        transport = HttpTransport()
        for _ in range(2):
            headers = {"X-API-Key": "theirs", "x-api-key": "ours"}
            assert transport.send(Request("POST", server.url, headers, b"1"), 30).status == 202
        transport.close()
    found = [re.findall(rb"\r\nx-api-key: (\w+)", head.lower()) for head in server.heads]
    assert found == [[b"ours"], [b"ours"]]


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding"])
def test_no_header_of_the_users_says_where_a_body_ends(name: str) -> None:
    """The rest of it would be read as the beginning of the next request."""
    reply = ACCEPTED + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    headers = {name: "chunked" if name.startswith("T") else "3"}
    with rude_server([reply]) as server:
        transport = HttpTransport()
        for body in (b"four", b"5more"):
            assert transport.send(Request("POST", server.url, headers, body), 30).status == 202
        transport.close()
    told = [
        re.findall(rb"\r\n(content-length|transfer-encoding): (\w+)", head.lower())
        for head in server.heads
    ]
    assert told == [[(b"content-length", b"4")], [(b"content-length", b"5")]]


def test_a_redirect_is_not_followed() -> None:
    with rude_server([ACCEPTED.replace(b"202", b"307") + b"Location: /\r\n\r\n"]) as server:
        assert send(server.url).status == 307
        assert server.requests == 1


def test_a_closed_transport_opens_again() -> None:
    transport = HttpTransport()
    with rude_server([ACCEPTED + b"Content-Length: 0\r\n\r\n"]) as server:
        for _ in range(2):
            assert transport.send(Request("POST", server.url, {}, b""), 30).status == 202
            transport.close()


@pytest.mark.parametrize("body", [b"", b"x" * 20_000_000], ids=["waiting", "sending"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_hangs_up_does_not_wait_for_an_answer(
    body: bytes, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_side = None
    if tls:
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(faults.CERTIFICATE)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(faults.CERTIFICATE))
    replies: list[Reply] = []
    transport = HttpTransport()
    connected = threading.Event()

    def never_answer(connection: socket.socket) -> None:
        connected.set()
        over.wait(30)

    over = threading.Event()
    with faults.faulty_server(never_answer, server_side) as server:
        request = Request("POST", server.url, {}, body)
        thread = threading.Thread(target=lambda: replies.append(transport.send(request, 60)))
        thread.start()
        assert connected.wait(30)
        time.sleep(0.1)
        transport.hang_up()
        thread.join(30)
        assert [reply.summary for reply in replies] == ["DeadlineExceeded"]
        assert transport.send(Request("POST", server.url, {}, b""), 60).status is None
        over.set()


@pytest.fixture(params=["a name server", "a full queue", "a handshake"])
def unconnectable(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, threading.Event]]:
    """An address to which no connection comes about, and when somebody tries."""
    tried, over = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        tried.set()
        if request.param == "a name server":
            over.wait(60)
        return resolve(*args, **kwargs)

    with socket.socket() as listener, ExitStack() as others:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if request.param == "a full queue" else 9)
        address = listener.getsockname()
        if request.param == "a full queue":
            for _ in range(4):
                other = others.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(address)
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        scheme = "https" if request.param == "a handshake" else "http"
        yield f"{scheme}://127.0.0.1:{address[1]}", tried
        if request.param == "a handshake":
            # to be reset before it begins would leave CPython's socket unclosed, with a warning
            listener.settimeout(30)
            others.enter_context(listener.accept()[0])
        over.set()


def test_who_hangs_up_does_not_wait_for_a_connection(
    unconnectable: tuple[str, threading.Event],
) -> None:
    url, tried = unconnectable
    replies: list[Reply] = []
    transport = HttpTransport()
    request = Request("POST", url, {}, b"body")
    thread = threading.Thread(target=lambda: replies.append(transport.send(request, 60)))
    thread.start()
    assert tried.wait(30)
    transport.hang_up()
    thread.join(30)
    assert [reply.summary for reply in replies] == ["DeadlineExceeded"]


def test_the_timeout_is_for_a_connection_too(unconnectable: tuple[str, threading.Event]) -> None:
    began = time.monotonic()
    assert send(unconnectable[0], timeout_s=0.3).summary in {"ConnectTimeout", "ReadTimeout"}
    assert time.monotonic() - began < 30


def test_a_session_of_the_users_own_is_used_and_left_open() -> None:
    closed = []

    class Session(requests.Session):
        def close(self) -> None:
            closed.append(self)

    session = Session()
    session.headers["X-Own"] = "yes"
    transport = HttpTransport(session)
    with rude_server([ACCEPTED + b"Content-Length: 0\r\n\r\n"]) as server:
        assert transport.send(Request("POST", server.url, {}, b""), 30).status == 202
    transport.close()
    assert closed == []
    requests.Session.close(session)


def test_a_forked_child_leaves_its_parents_connections_alone() -> None:
    """The session is the user's, and so the same; two processes on one socket mix their replies."""
    closed = []

    class Session(requests.Session):
        def close(self) -> None:
            closed.append(self)
            super().close()

    reply = ACCEPTED + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    with rude_server([reply]) as server, Session() as session:
        request = Request("POST", server.url, {}, b"")
        HttpTransport(session, os.getpid()).send(request, 30)
        assert closed == []
        childs = HttpTransport(session, os.getpid() + 1)
        assert [childs.send(request, 30).status for _ in range(2)] == [202, 202]
        assert closed == [session]


def test_an_unsendable_header_is_a_reply_too() -> None:
    reply = HttpTransport().send(Request("POST", "http://127.0.0.1:1", {"a": "b\r\nc: d"}, b""), 1)
    assert reply.summary == "InvalidHeader"


def test_the_environment_names_proxy_and_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine langsmith.test login me password open-sesame")
    netrc.chmod(0o600)
    with rude_server([ACCEPTED + b"Connection: close\r\nContent-Length: 0\r\n\r\n"]) as proxy:
        for name, value in {"http_proxy": proxy.url, "no_proxy": "", "NETRC": str(netrc)}.items():
            monkeypatch.setenv(name, value)
        transport = HttpTransport()
        for number, own in enumerate(({}, {"Authorization": "Bearer mine"}, {})):
            request = Request("POST", "http://langsmith.test/runs", own, b"%d" % number)
            assert transport.send(request, 30).status == 202
        transport.close()
    assert all(head.startswith(b"POST http://langsmith.test/runs ") for head in proxy.heads)
    said = [b"\r\nAuthorization: Bearer mine" in head for head in proxy.heads]
    assert said == [False, True, False]
    assert sum(b"\r\nAuthorization: Basic" in head for head in proxy.heads) == 2
