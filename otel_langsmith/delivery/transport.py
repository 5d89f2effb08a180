"""One HTTP request → one `Reply`; the only file that opens sockets."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

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

    Neither ``requests`` nor urllib3 retries here: there is one retry layer, the sender's.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        self._given = session
        self._session = session

    def send(self, request: Request, timeout_s: float) -> Reply:
        """The reply; the connection is traced by nobody."""
        import requests  # noqa: PLC0415 - loads at the first send: it costs 80 ms to import

        if self._session is None:
            self._session = _pooled(requests.Session())
        try:
            with _untraced():
                return _exchange(self._session, request, timeout_s)
        except (requests.RequestException, OSError, ValueError) as error:
            return Reply(None, error=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Give up idle connections, unless the session is the user's own."""
        if self._session is not None and self._given is None:
            self._session.close()
            self._session = None


def _exchange(session: requests.Session, request: Request, timeout_s: float) -> Reply:
    with session.request(
        request.method,
        request.url,
        data=request.body,
        headers=dict(request.headers),
        timeout=timeout_s,
        allow_redirects=False,
        stream=True,
    ) as response:
        text = response.raw.read(_MAX_REPLY_BYTES, decode_content=True)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, text.decode("utf-8", "replace"))


def _pooled(session: requests.Session) -> requests.Session:
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - see `send`

    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_POOL_SIZE, max_retries=0))
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
