"""A connection that keeps its time, and sends and reads at once what is simple enough."""

from __future__ import annotations

import io
import math
import re
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from otel_langsmith.deferral import deferred

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from http import client

    import urllib3

    _Connection = urllib3.connection.HTTPConnection
else:  # with the first request
    client = deferred("http.client")
    urllib3 = deferred("urllib3")
    _Connection = object

MAX_REPLY_BYTES: Final = 65_536

BODY_S: Final = 0.3
"""How long to listen once the verdict on what was sent is known: the status and the headers."""

_AT_ONCE_BYTES: Final = 8_192
_END_OF_HEAD: Final = b"\r\n\r\n"
_LATE: Final = "the reply took too long"
_BODILESS: Final = frozenset({204, 304})

_ADDED: Final = frozenset({"accept-encoding", "user-agent"})
"""Headers that http.client and urllib3 add to a request that does not have them."""

_FRAMING: Final = frozenset({"host", "content-length", "transfer-encoding"})
"""Those that they write themselves unless the request has them."""

_INVOLVED: Final = frozenset({"transfer-encoding", "content-encoding"})
"""Those of a reply whose body is not what stands behind its head."""

_is_name: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII).fullmatch
_is_simple_start: Final = re.compile(
    r"[A-Z]+ /[!-~]* HTTP/1\.1\r\nHost: [\w.-]+(?::\d+)?\r\n", re.ASCII
).fullmatch

_simple_reply: Final = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d) [ -~]*\r\n((?:[\w!#$%&'*+.^`|~-]+:[\t -~]*\r\n){1,99})\r\n"
).match


@dataclass
class Answer:
    """A reply that was read to its end, and what a pool of urllib3's asks of one.

    Header names are in lower case; ``text`` is the beginning of the body.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    version_string: ClassVar[str] = "HTTP/1.1"
    length_remaining: ClassVar[int] = 0


def head_of(
    method: str, url: str, host: str, headers: Mapping[str, str], length: int
) -> bytes | None:
    """A request's head, byte for byte as urllib3 sends it.

    None unless it is simple: then it is urllib3's to write, or to refuse.
    """
    start, told = _start(method, url, host), "".join(headers.values())
    if not (start and _are_usual((*headers,)) and told.isascii() and told.isprintable()):
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{start}Content-Length: {length}\r\n{lines}\r\n".encode("ascii")


@lru_cache(maxsize=64)
def _start(method: str, url: str, host: str) -> str:
    """The first two lines; none if they are not simple."""
    start = f"{method} {url} HTTP/1.1\r\nHost: {host}\r\n"
    return start if _is_simple_start(start) else ""


@lru_cache(maxsize=64)
def _are_usual(names: tuple[str, ...]) -> bool:
    lowered = {name.lower() for name in names}
    usual = lowered >= _ADDED and lowered.isdisjoint(_FRAMING)
    return usual and all(_is_name(name) for name in names)


def answer_in(received: bytes) -> Answer | None:
    """The reply in what was received, as http.client and urllib3 read it.

    None unless it is simple and all there: then it is theirs to read.
    """
    found = _simple_reply(received)
    if found is None:
        return None
    lines = [line.partition(":") for line in found[2].decode("ascii").splitlines()]
    told = {name.lower(): value.lstrip(" \t") for name, _, value in lines}
    body, status = received[found.end() :], int(found[1])
    whole = told.get("content-length") == str(len(body)) and status not in _BODILESS
    stays = told.get("connection", "keep-alive").lower() == "keep-alive"
    if not (whole and stays and len(told) == len(lines) and told.keys().isdisjoint(_INVOLVED)):
        return None
    return Answer(status, told, body.decode("utf-8", "replace"))


class AtOnce(_Connection):
    """A connection whose every reply is an `Answer`, in time.

    A simple head is written in one piece, and a simple reply read from what comes first. urllib3
    and http.client do both line by line, headers as those of a mail; so a request of 100 runs cost
    390 instead of 155 µs, and twice that between other work. What is not simple goes that way.
    """

    response_class: Any
    _posted: str | None = None

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        **options: Any,
    ) -> None:
        """Send a request."""
        head = None
        if isinstance(body, bytes) and body and headers and self.proxy is None:
            head = head_of(method, url, self._authority, headers, len(body))
        self._posted = method if head else None
        if head is None:
            super().request(method, url, body=body, headers=headers, **options)
            return
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        self.send(head)
        self.send(body)

    def getresponse(self) -> Any:
        """The whole `Answer`, or as much of it as comes in time.

        Raises:
            TimeoutError: Not even a status came in time.
        """
        deadline_s = time.monotonic() + (self.timeout or 0.0)
        if self._posted is None:
            return self._read(super().getresponse(), deadline_s)
        received = self._received(deadline_s)
        answer = answer_in(received)
        if answer is None and received.endswith(_END_OF_HEAD):  # who sends the body by itself
            with suppress(OSError):  # whatever it is, it is met again below
                received += self._received(min(deadline_s, time.monotonic() + BODY_S))
            answer = answer_in(received)
        return answer or self._read_on(self._posted, received, deadline_s)

    @property
    def _authority(self) -> str:
        return self.host if self.port == self.default_port else f"{self.host}:{self.port}"

    def _received(self, deadline_s: float) -> bytes:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(_LATE)
        self.sock.settimeout(left_s)
        return self.sock.recv(_AT_ONCE_BYTES)

    def _read_on(self, method: str, received: bytes, deadline_s: float) -> Answer:
        """The reply that begins like that, by http.client and urllib3."""
        self.sock.settimeout(max(0.0, deadline_s - time.monotonic()))
        with closing(self.response_class(self.sock, method=method, received=received)) as response:
            response.begin()
            raw = urllib3.HTTPResponse(
                body=response,
                headers=urllib3.HTTPHeaderDict(response.getheaders()),
                status=response.status,
                preload_content=False,
                original_response=response,
                request_method=method,
            )
            answer = self._read(raw, min(deadline_s, time.monotonic() + BODY_S))
            if response.will_close:
                self.close()
            return answer

    def _read(self, raw: Any, deadline_s: float) -> Answer:
        """The connection stays open if all was read, or the rest would answer the next request."""
        told = lowered(raw.headers)
        text, ended = beginning(raw, deadline_s, plain="content-encoding" not in told)
        if not ended:
            self.close()
            raw.close()
        return Answer(raw.status, told, text)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """The same under names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def beginning(raw: Any, deadline_s: float, *, plain: bool) -> tuple[str, bool]:
    """What the server says beside its status, as far as it says it in time; whether that is all.

    The status is the verdict, so a body that breaks off or drips costs no run.
    """
    text, whole = b"", False
    # read1 returns what is there; urllib3 1 has only read, which waits for all of it
    read = getattr(raw, "read1", raw.read)
    try:
        while len(text) < MAX_REPLY_BYTES and time.monotonic() < deadline_s:
            chunk = read(MAX_REPLY_BYTES, decode_content=True)
            text += chunk
            whole = getattr(raw, "closed", False)  # as urllib3 2 does with the last byte
            if not chunk or (plain and whole):
                break
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        whole = False
    return text.decode("utf-8", "replace"), whole


def punctual(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same manager, whose connections read a whole reply in the time their socket has."""

    class PunctualResponse(client.HTTPResponse):
        def __init__(
            self, sock: socket.socket, *args: Any, received: bytes = b"", **kwargs: Any
        ) -> None:
            super().__init__(sock, *args, **kwargs)
            self._asked = kwargs.get("method") == "GET"
            self._bytes = Punctual(sock, self.fp, received)
            self.fp = io.BufferedReader(self._bytes)

        def begin(self) -> None:
            super().begin()
            if not self._asked:
                self._bytes.hurry(BODY_S)

    def of(pool: Any) -> type:
        kinds = (AtOnce, pool.ConnectionCls) if _is_urllib3s(pool) else (pool.ConnectionCls,)
        connection = type("PunctualConnection", kinds, {"response_class": PunctualResponse})
        return type("PunctualPool", (pool,), {"ConnectionCls": connection})

    found = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: of(pool) for scheme, pool in found.items()}
    return manager


def _is_urllib3s(pool: Any) -> bool:
    """Whether its connections are those of urllib3 2, and not of a proxy's or a test's making."""
    has_answers = hasattr(urllib3, "BaseHTTPResponse")
    return has_answers and pool.ConnectionCls.__module__ == "urllib3.connection"


class Punctual(io.RawIOBase):
    """What a socket received, and receives until its timeout has passed once, counted from now.

    A socket's own timeout is for each packet, so that a status line and headers that drip, one byte
    at a time, would be read for ever.
    """

    def __init__(self, sock: socket.socket, rest: io.BufferedReader, received: bytes = b"") -> None:
        self._sock = sock
        self._received = received
        self._rest = rest
        timeout_s = sock.gettimeout()
        self._deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s

    def hurry(self, left_s: float) -> None:
        """Leave no more than ``left_s`` seconds for the rest."""
        self._deadline_s = min(self._deadline_s, time.monotonic() + left_s)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """How many bytes came.

        Raises:
            TimeoutError: The time is up.
        """
        if self._received:
            found, self._received = self._received[: len(buffer)], self._received[len(buffer) :]
            buffer[: len(found)] = found
            return len(found)
        remaining_s = self._deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError(_LATE)
        self._sock.settimeout(None if remaining_s == math.inf else remaining_s)
        return self._rest.readinto1(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._rest.close()
        super().close()
