"""A server with one fault that can be healed: then it takes what it is sent."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from support.rude_server import read_request

ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

Fault: TypeAlias = Callable[[socket.socket], None]


def reset(connection: socket.socket) -> None:
    """Hang up so that the other side sees an error, and not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_at_once(connection: socket.socket) -> None:
    reset(connection)


def reset_mid_body(connection: socket.socket) -> None:
    connection.recv(100)
    reset(connection)


def reset_after_request(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


def reset_mid_status(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 20")
    reset(connection)


FOR_EVER_S: Final = 60.0
"""Longer than any test waits that is not about to fail."""


def stall(connection: socket.socket) -> None:
    time.sleep(FOR_EVER_S)


def stall_after_request(connection: socket.socket) -> None:
    read_request(connection)
    time.sleep(FOR_EVER_S)


def drip(connection: socket.socket) -> None:
    """Send a byte at a time until the other side hangs up."""
    read_request(connection)
    until_s = time.monotonic() + FOR_EVER_S
    while time.monotonic() < until_s:
        connection.sendall(b"H")
        time.sleep(0.05)


def answer(status: int, *headers: str) -> Fault:
    lines = [f"HTTP/1.1 {status} No", "Content-Length: 13", "Connection: close", *headers]
    reply = "\r\n".join([*lines, "", "<html></html>"]).encode()

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply)

    return play


def half_a_refusal(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 999\r\n\r\n<html>")
    reset(connection)


CERTIFICATE: Final = str(Path(__file__).with_name("self_signed.pem"))
"""For 127.0.0.1, signed by itself, with its key; nobody trusts it unless told to."""


class FaultyServer:
    """Plays its fault on every connection until it is healed; behind TLS if it has a context."""

    def __init__(self, fault: Fault, tls: ssl.SSLContext | None = None) -> None:
        self.healed = threading.Event()
        self._fault = fault
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, bare: socket.socket) -> None:
        with suppress(OSError), bare, self._secured(bare) as connection:
            if self.healed.is_set():
                read_request(connection)
                connection.sendall(ACCEPTED)
            else:
                self._fault(connection)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def faulty_server(fault: Fault, tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    server = FaultyServer(fault, tls)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)
