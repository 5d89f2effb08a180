"""A server in a process of its own that answers 202 to whatever it is sent, and counts.

It parses nothing but a request's head, so that it costs as little as may be of the machine it
shares with what is measured. ``python -m bench.sink`` prints its port and serves until its standard
input closes.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = "127.0.0.1"

_BUFFER_BYTES: Final = 1 << 20
_END_OF_HEAD: Final = b"\r\n\r\n"
_TALLY: Final = "/tally"


class Tally(NamedTuple):
    """What has arrived so far: request bodies that were answered 202, and their bytes."""

    requests: int
    bytes: int

    def __sub__(self, earlier: Tally) -> Tally:
        """What arrived since."""
        return Tally(self.requests - earlier.requests, self.bytes - earlier.bytes)


class Sink(NamedTuple):
    """A running sink, seen from the process that measures."""

    url: str

    def tally(self) -> Tally:
        """What has arrived so far."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", _TALLY)
            return Tally(*json.load(connection.getresponse()))
        finally:
            connection.close()


@contextmanager
def running(cpu: int | None = None) -> Iterator[Sink]:
    """A sink in another process, on processor ``cpu`` if that is given."""
    command = [sys.executable, "-m", "bench.sink", *([] if cpu is None else [str(cpu)])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Sink(f"http://{HOST}:{int(process.stdout.readline())}")
        finally:
            process.stdin.close()
            process.terminate()


class _Server:
    """One thread per connection: connections are few and live long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tally = Tally(0, 0)
        self._socket = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]

    def serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._converse, args=[connection], daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            try:
                while head := _read_head(connection):
                    connection.sendall(self._reply(connection, buffer, *head))
            except OSError:
                return

    def _reply(
        self, connection: socket.socket, buffer: memoryview, head: bytes, begun: int
    ) -> bytes:
        """The answer to one request, of whose body ``begun`` bytes came with its head."""
        if head.startswith(b"GET"):
            return _answer(b"200 OK", json.dumps(self._tally).encode())
        length = _content_length(head)
        if length is None:  # a chunked body; nobody here sends one, and it must not go unnoticed
            return _answer(b"411 Length Required", b"{}")
        left = length - begun
        while left > 0:
            received = connection.recv_into(buffer, min(left, _BUFFER_BYTES))
            if not received:
                raise ConnectionError
            left -= received
        with self._lock:
            self._tally = Tally(self._tally.requests + 1, self._tally.bytes + length)
        return _answer(b"202 Accepted", b"{}")


def _read_head(connection: socket.socket) -> tuple[bytes, int] | None:
    """A request's head, and how much of its body came along; None if there is none."""
    data = b""
    while _END_OF_HEAD not in data:
        received = connection.recv(65_536)
        if not received:
            return None
        data += received
    head, _, body = data.partition(_END_OF_HEAD)
    return head, len(body)


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None


def _answer(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def main() -> None:
    """Print the port, then serve until standard input closes."""
    if len(sys.argv) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[1])})
    server = _Server()
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
