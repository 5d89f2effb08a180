"""Connections whose timeout is for a whole reply, and which another thread can break off."""

from __future__ import annotations

import io
import math
import socket
import threading
import time
import weakref
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from otel_langsmith.deferral import deferred
from otel_langsmith.delivery.thread import LazyThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from http import client

    import requests
    import urllib3
    from requests import adapters
else:  # with the first request: together they cost 80 ms
    adapters = deferred("requests.adapters")
    client = deferred("http.client")
    urllib3 = deferred("urllib3")

BODY_S: Final = 0.3
"""How long to listen once the verdict on what was sent is known: the status and the headers."""

_POOL_SIZE: Final = 16


class Lines:
    """The connections that are open, so that they can be broken off; for use from many threads.

    ``cut``: they were, for good, and so is whatever is connected later.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()  # re-entrant: a signal handler may shut down
        self._open: weakref.WeakSet[client.HTTPConnection] = weakref.WeakSet()
        self.cut = False

    def connect(self, connection: client.HTTPConnection, connect: Callable[[], None]) -> None:
        """Have it connected, proxy and TLS included, within its own timeout.

        In a thread of its own, which is left to itself if it takes too long: nothing breaks off a
        name server that hangs, nor a handshake.

        Raises:
            ConnectTimeoutError: The time is up.
            ConnectionAbortedError: They were cut.
        """
        dialling = _Dialling(connection, connect, self._changed)
        context = copy_context()
        thread = LazyThread("LangSmith connects")
        if not (self.cut or thread.start(lambda: context.run(dialling.dial))):
            dialling.dial()
        with self._changed:
            self._changed.wait_for(lambda: dialling.over or self.cut, connection.timeout)
            if not dialling.over:
                dialling.abandoned = True
                if self.cut:
                    raise ConnectionAbortedError("hung up")
                raise urllib3.exceptions.ConnectTimeoutError(connection, "connecting took too long")
            if dialling.error is not None:
                raise dialling.error
            self._open.add(connection)
            if self.cut:
                self.hang_up()

    def hang_up(self) -> None:
        """Whoever connects, or sends or receives on one of them, fails at once."""
        with self._changed:
            self.cut = True
            self._changed.notify_all()
            lines = [connection.sock for connection in self._open if connection.sock]
        for line in lines:
            with suppress(OSError):
                # a TLS socket's own method would let go of what another thread is reading from
                socket.socket.shutdown(getattr(line, "socket", line), socket.SHUT_RDWR)


class _Dialling:
    """A connection that is being made; whoever ``abandoned`` it does not want it any more."""

    def __init__(
        self,
        connection: client.HTTPConnection,
        connect: Callable[[], None],
        changed: threading.Condition,
    ) -> None:
        self._connection = connection
        self._connect = connect
        self._changed = changed
        self.over = self.abandoned = False
        self.error: Exception | None = None

    def dial(self) -> None:
        """Connect, and tell how it went."""
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - for the thread that waits
            self.error = error
        with self._changed:
            self.over = True
            self._changed.notify_all()
            if self.abandoned:
                self._connection.close()


class DeadlineReader(io.RawIOBase):
    """What a socket receives until its timeout has passed once, counted from now.

    A socket's own timeout is for each packet, so that a status line and headers that drip, one byte
    at a time, would be read for ever.
    """

    def __init__(self, sock: socket.socket, received: io.BufferedReader) -> None:
        self._sock = sock
        self._received = received
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
        remaining_s = self._deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError("the reply took too long")
        self._sock.settimeout(None if remaining_s == math.inf else remaining_s)
        return self._received.readinto1(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._received.close()
        super().close()


def _with_deadlines(manager: urllib3.PoolManager, lines: Lines) -> urllib3.PoolManager:
    """The same manager, whose connections read a whole reply in the time their socket has.

    All that are open are among the ``lines``.
    """

    class DeadlineResponse(client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self._asked = kwargs.get("method") == "GET"
            self._bytes = DeadlineReader(sock, self.fp)
            self.fp = io.BufferedReader(self._bytes)

        def begin(self) -> None:
            super().begin()
            if not self._asked:
                self._bytes.hurry(BODY_S)

    def of(pool: Any) -> type:
        def connect(self: Any) -> None:
            lines.connect(self, partial(pool.ConnectionCls.connect, self))

        own = {"response_class": DeadlineResponse, "connect": connect}
        connection = type("DeadlineConnection", (pool.ConnectionCls,), own)
        return type("DeadlinePool", (pool,), {"ConnectionCls": connection})

    found = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: of(pool) for scheme, pool in found.items()}
    return manager


def pooled(session: requests.Session, lines: Lines) -> requests.Session:
    """The same session, over pooled connections of this kind; it retries nothing."""

    class DeadlineAdapter(adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            _with_deadlines(self.poolmanager, lines)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.PoolManager:
            return _with_deadlines(super().proxy_manager_for(*args, **kwargs), lines)

    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(pool_maxsize=_POOL_SIZE, max_retries=0))
    return session
