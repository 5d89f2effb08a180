"""One HTTP request → one `Reply`; the only file that opens sockets."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from otel_langsmith.delivery.punctual import punctual_adapter
from otel_langsmith.wire.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_MAX_REPLY_BYTES: Final = 65_536
_POOL_SIZE: Final = 16


class Request(NamedTuple):
    """A request whose body can be sent any number of times."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What carries a request. A failure is a `Reply` without a status, never an exception."""

    def send(self, request: Request, timeout_s: float) -> Reply:
        """The reply, or why none came within ``timeout_s`` seconds."""

    def close(self) -> None:
        """Give up idle connections; a later `send` opens new ones."""


class HttpTransport:
    """`Transport` over a pooled ``requests.Session``, opened at the first send.

    Neither ``requests`` nor urllib3 retries here: there is one retry layer, the sender's. A session
    of the user's own is shared by every process that forks off; ours is not.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        self._given = session
        self._session = session
        self._lock = threading.Lock()

    def send(self, request: Request, timeout_s: float) -> Reply:
        """The reply; the exchange is traced by nobody.

        ``timeout_s`` is for connecting and reading together. Out of reach are a name server that
        hangs, and with a session of the user's own a server that sends its headers byte by byte.
        """
        try:
            with _untraced():
                return _exchange(self._opened(), request, timeout_s)
        except Exception as error:  # noqa: BLE001 - a session of the user's may raise anything
            return Reply(None, error=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Close idle connections, unless the session is the user's own; `send` opens new ones."""
        with self._lock:
            session, self._session = self._session, self._given
        if session is not None and session is not self._given:
            session.close()

    def _opened(self) -> requests.Session:
        import requests  # noqa: PLC0415 - loads at the first send: it costs 80 ms to import

        with self._lock:
            if self._session is None:
                self._session = _pooled(requests.Session())
            return self._session


def _exchange(session: requests.Session, request: Request, timeout_s: float) -> Reply:
    from urllib3 import Timeout  # noqa: PLC0415 - comes with requests

    deadline_s = time.monotonic() + timeout_s
    # requests takes urllib3's own kind of timeout too, the only one with a total; its stubs do not
    total: Any = Timeout(total=timeout_s)
    with session.request(
        request.method,
        request.url,
        data=request.body,
        headers=dict(request.headers),
        timeout=total,
        allow_redirects=False,
        stream=True,
    ) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, _beginning(response, deadline_s))


def _beginning(response: requests.Response, deadline_s: float) -> str:
    """What the server says beside its status, as far as it says it in time.

    The status is the verdict, so a body that breaks off or drips costs no run.
    """
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with requests

    text = b""
    # read1 returns what is there; urllib3 1 has only read, which waits for all of it
    read = getattr(response.raw, "read1", response.raw.read)
    try:
        while len(text) < _MAX_REPLY_BYTES and time.monotonic() < deadline_s:
            chunk = read(_MAX_REPLY_BYTES, decode_content=True)
            if not chunk:
                break
            text += chunk
    except (HTTPError, OSError, ValueError):
        pass
    return text.decode("utf-8", "replace")


def _pooled(session: requests.Session) -> requests.Session:
    for scheme in ("https://", "http://"):
        session.mount(scheme, punctual_adapter(_POOL_SIZE))
    return session


def _untraced() -> AbstractContextManager[object]:
    """A context in which no instrumentation records our own requests.

    Whatever could trace us has the instrumentation package installed, whose switch this is; the
    SDK's own key is private. The batch processor throws the switch around ``export``, but nobody
    does around ``shutdown``. Imported late: at import it could be half-initialised
    (opentelemetry.md §5).
    """
    try:
        from opentelemetry.instrumentation.utils import suppress_instrumentation  # noqa: PLC0415
    except ImportError:
        return nullcontext()
    return suppress_instrumentation()
