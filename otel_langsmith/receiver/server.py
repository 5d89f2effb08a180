"""The receiver as a server in a thread, for tests and for ``otel-langsmith serve``."""

import ipaddress
import os
import socket
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Final

import uvicorn

from otel_langsmith.receiver.app import (
    MAX_BODY_BYTES,
    MAX_INFLATED_BYTES,
    REQUESTS_PER_MINUTE,
    create_app,
)
from otel_langsmith.receiver.store import Store

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_GRACE_S: Final = 1  # for requests under way when the server is told to stop
_STOP_TIMEOUT_S: Final = 5.0


class Receiver:
    """A local LangSmith: ``with Receiver() as receiver: ... receiver.url ... receiver.store``.

    It can be stopped and started again, on the same port and with the same runs. Leaving the
    ``with`` block also closes the store.

    Args:
        port: 0 lets the system choose; ``url`` tells which after the start.
        database: A file to keep the runs in, or ``:memory:``.
        api_keys: The keys to accept; None accepts any that is not empty.
        workspace_id: The workspace to demand, as of a key that spans several; None demands none.
        max_body_bytes: The most a request body may have as sent.
        max_inflated_bytes: The most it may have without its content coding.
        requests_per_minute: The quota of one API key.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, one per limit
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        database: str | Path = ":memory:",
        api_keys: Collection[str] | None = None,
        workspace_id: str | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_inflated_bytes: int = MAX_INFLATED_BYTES,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
    ) -> None:
        self.store = Store(database)
        self._host = host
        self._port = port
        self._app = create_app(
            self.store,
            api_keys=api_keys,
            workspace_id=workspace_id,
            max_body_bytes=max_body_bytes,
            max_inflated_bytes=max_inflated_bytes,
            requests_per_minute=requests_per_minute,
            # Or any web page could read the runs by rebinding its own name to 127.0.0.1.
            allowed_hosts=_LOOPBACK_NAMES if _is_loopback(host) else None,
        )
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash; the port is known once it was started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listen and serve. Connections are accepted from the moment this returns.

        Raises:
            OSError: the address cannot be had, for example because the port is taken.
        """
        if self._running is not None:
            return
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        thread = threading.Thread(
            target=server.run, args=([listener],), name="otel-langsmith-receiver", daemon=True
        )
        self._running = (server, thread, listener)
        thread.start()

    def stop(self) -> None:
        """Stop serving, within a few seconds whatever the clients do. The store stays readable."""
        if self._running is None:
            return
        server, thread, listener = self._running
        self._running = None
        server.should_exit = True
        thread.join(_STOP_TIMEOUT_S)
        server.force_exit = True
        listener.close()  # uvicorn leaves it open when it is stopped before it was up

    def __enter__(self) -> "Receiver":  # noqa: PYI034 - typing.Self needs Python 3.11
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.store.close()


def _listen(host: str, port: int) -> socket.socket:
    # socket.create_server leaves the protocol unsaid, and asyncio turns Nagle's algorithm off only
    # where it says TCP: without that, every other reply waits 40 ms for a delayed acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
