"""A port of a test's own, which nobody else gets while no server of the test listens there."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 for a server that starts later, or stops and starts again.

    The system hands out each free port to whoever asks next, be it another test at the same time.
    On Linux one that is bound is not free, and yet a server may bind and listen at it as well.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port
