"""A server that answers each connection with bytes of the test's choosing, however rude."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 0.1


class RudeServer:
    """Reads a request, then plays its script: bytes to send, None to pause; then it hangs up."""

    def __init__(self, script: list[bytes | None], *, hangs_up: bool = True) -> None:
        self._script = script
        self._hangs_up = hangs_up
        self._closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests = 0
        self.heads: list[bytes] = []

    def serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            self.heads.append(read_request(connection))
            self.requests += 1
            for piece in self._script:
                if self._closed.is_set():
                    return
                if piece is None:
                    time.sleep(PAUSE)
                else:
                    connection.sendall(piece)
            if not self._hangs_up:
                self._closed.wait(30)
        except OSError:
            return

    def close(self) -> None:
        self._closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # close alone does not wake accept
        self._socket.close()


def read_request(connection: socket.socket) -> bytes:
    """The request line and the headers, once all of it is there."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = (
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    length = next(lengths, 0)
    while len(body) < length:
        body += received(connection)
    return head


def received(connection: socket.socket) -> bytes:
    """What comes next; who hung up sends no bytes, at once and as often as asked."""
    if data := connection.recv(65_536):
        return data
    raise ConnectionResetError("hung up before all was said")


@contextmanager
def rude_server(script: list[bytes | None], *, hangs_up: bool = True) -> Iterator[RudeServer]:
    server = RudeServer(script, hangs_up=hangs_up)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)


@contextmanager
def deaf_address() -> Iterator[str]:
    """The address of a port that nobody listens on, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
