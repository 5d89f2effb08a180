"""`delivery.connection`: what goes the short way is what urllib3 and http.client make of it."""

import io
import math
from http import client
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.delivery.connection import Answer, answer_in, beginning, head_of, lowered

USUAL = {"User-Agent": "any", "Accept-Encoding": "gzip"}
HEAD = b"HTTP/1.1 202 Accepted\r\n"


class Said(urllib3.connection.HTTPConnection):
    """A connection that keeps what it would send."""

    said = b""

    def send(self, data: object) -> None:
        """Keep it."""
        assert isinstance(data, bytes)
        self.said += data


class Heard:
    """A socket on which all is there that ever comes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        """It, as a file."""
        return io.BytesIO(self._data)


def read_by_urllib3(data: bytes) -> Answer:
    heard: Any = Heard(data)
    found = client.HTTPResponse(heard, method="POST")
    found.begin()
    raw = urllib3.HTTPResponse(
        body=found,
        headers=urllib3.HTTPHeaderDict(found.getheaders()),
        status=found.status,
        preload_content=False,
        original_response=found,
    )
    told = lowered(raw.headers)
    text, whole = beginning(raw, math.inf, plain="content-encoding" not in told)
    assert whole
    return Answer(raw.status, told, text)


names = st.text("aB-9 :\né", min_size=1, max_size=4) | st.sampled_from(
    ["Host", "content-length", "Transfer-Encoding", "accept-encoding", "X-Api-Key", "Content-Type"]
)
values = st.text("ab, =;\t\r\né\x00\x7f", max_size=6) | st.sampled_from(["b\r\nc: d", "b\r\n c"])


@given(
    headers=st.dictionaries(names, values, max_size=4),
    usual=st.booleans(),
    host=st.sampled_from(["langsmith.test", "127.0.0.1", "[::1]", "::1", "bücher.test", "a."]),
    port=st.sampled_from([80, 8080]),
    url=st.sampled_from(["/runs/multipart", "/a?b=%20", "/a b", "", "http://c.test/d"]),
)
def test_a_head_is_what_urllib3_sends(
    headers: dict[str, str], usual: bool, host: str, port: int, url: str
) -> None:
    headers = {**USUAL, **headers} if usual else headers
    connection = Said(host, port)
    where = connection.host if port == 80 else f"{connection.host}:{port}"
    head = head_of("POST", url, where, headers, 4)
    if head is not None:
        connection.request("POST", url, body=b"body", headers=headers)
        assert head + b"body" == connection.said


def test_the_usual_head_goes_the_short_way() -> None:
    assert head_of("POST", "/runs/multipart", "langsmith.test", {**USUAL, "a": "b"}, 4) == (
        b"POST /runs/multipart HTTP/1.1\r\nHost: langsmith.test\r\nContent-Length: 4\r\n"
        b"User-Agent: any\r\nAccept-Encoding: gzip\r\na: b\r\n\r\n"
    )


@pytest.mark.parametrize(
    "header",
    [
        {"a": "b\r\nc: d"},
        {"a\r\nb": "c"},
        {"a": "b\n c"},
        {"a: b": "c"},
        {"a": "é"},
        {"Host": "a"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_what_could_be_read_in_two_ways_goes_the_long_way(header: dict[str, str]) -> None:
    assert head_of("POST", "/", "langsmith.test", {**USUAL, **header}, 4) is None


told = st.sampled_from(
    [
        *("Content-Type: application/json", "Server:", "Retry-After:  7 ", "X-A: b: c", "x-a: d"),
        *("Connection: close", "Connection: keep-alive", "Transfer-Encoding: chunked"),
        *("Content-Length: 3", "Content-Length: 0", "Content-Length: 3, 3", "content-length: 03"),
        *(" folded", "no colon", ": no name", "Tab:\tx", "High: é", "Line: a\x0bb\x85c\x1cd"),
    ]
)


@given(
    first=st.sampled_from(["1.1 202 Accepted", "1.1 422 ", "1.1 200", "1.0 200 OK", "1.1 204 No"]),
    lines=st.lists(told, max_size=4),
    body=st.sampled_from([b"", b"{}", b"abc", b"\xff\xfe\xfd", b"abcdef"]),
    counted=st.booleans(),
)
def test_an_answer_is_what_urllib3_reads(
    first: str, lines: list[str], body: bytes, counted: bool
) -> None:
    lines = [*lines, f"Content-Length: {len(body)}"] if counted else lines
    head = "".join(f"{line}\r\n" for line in (f"HTTP/{first}", *lines, ""))
    data = head.encode("latin-1") + body
    answer = answer_in(data)
    if answer is not None:
        assert answer == read_by_urllib3(data)


def test_the_usual_reply_goes_the_short_way() -> None:
    told = (
        b"Content-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"
    )
    headers = {"content-type": "application/json", "connection": "keep-alive"}
    assert answer_in(HEAD + told) == Answer(202, {**headers, "content-length": "2"}, "{}")


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"\r\n",
        b"Content-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\n\r\n{",
        b"Content-Length: 2\r\n\r\n{}HTTP/1.1 202",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"Content-Length: 2\r\nX: a\r\n b\r\n\r\n{}",
    ],
)
def test_a_reply_of_which_more_is_to_be_known_goes_the_long_way(rest: bytes) -> None:
    assert answer_in(HEAD + rest) is None
