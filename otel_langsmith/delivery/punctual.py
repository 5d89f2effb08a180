"""HTTP connections whose timeout is a deadline: no server stretches it, however slowly it speaks.

A socket's own timeout is for each read, so a status line that comes byte by byte can last for ever.
Here every read gets what is left of the time that urllib3 allows for the whole reply.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from requests.adapters import HTTPAdapter
    from urllib3 import PoolManager


class DeadlineReader(io.RawIOBase):
    """What comes through a socket within ``timeout_s`` seconds from now; then TimeoutError."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As the socket's own."""
        remaining_s = self._deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError("the reply took too long")
        self._connection.settimeout(remaining_s)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._connection.settimeout(self._timeout_s)

    def close(self) -> None:
        """Give up the socket, as its own file would."""
        self._raw.close()
        super().close()


def punctual_adapter(pool_size: int) -> HTTPAdapter:
    """An adapter for a ``requests.Session`` that keeps the timeout it is given, proxy or not."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - loads at the first send

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            _make_punctual(self.poolmanager)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            _make_punctual(manager)
            return manager

    return Adapter(pool_maxsize=pool_size, max_retries=0)


def _make_punctual(manager: PoolManager) -> None:
    """Have the manager open connections that read their replies in time.

    Those through a SOCKS proxy have classes of their own and are left as they are.
    """
    from http.client import HTTPResponse  # noqa: PLC0415 - comes with requests, like these

    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415

    class Response(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            if (timeout_s := sock.gettimeout()) is not None:
                self.fp.close()
                self.fp = io.BufferedReader(DeadlineReader(sock, timeout_s))

    class Connection(HTTPConnection):
        response_class = Response

    class SecureConnection(HTTPSConnection):
        response_class = Response

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    punctual = {HTTPConnectionPool: Pool, HTTPSConnectionPool: SecurePool}
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {
        scheme: punctual.get(kind, kind) for scheme, kind in pools.items()
    }
