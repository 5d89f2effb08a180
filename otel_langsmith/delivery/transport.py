"""One HTTP request → one `Reply`."""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit

from otel_langsmith.deferral import deferred
from otel_langsmith.delivery.connections import BODY_S, Lines, pooled
from otel_langsmith.wire.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests
    import urllib3
    from requests import PreparedRequest

    _Exchange: TypeAlias = Callable[["Request", float], Reply]
else:  # with the first request: together they cost 80 ms
    requests = deferred("requests")
    urllib3 = deferred("urllib3")

_MAX_REPLY_BYTES: Final = 65_536
_TARGETS_KNOWN: Final = 16
_FRAMING: Final = ("Content-Length", "Transfer-Encoding")
"""What tells where a body ends: not for a setting to say, or the rest reads as another request."""

_KINDS: Final = {
    "NewConnectionError": "ConnectionError",
    "ConnectTimeoutError": "ConnectTimeout",
    "ReadTimeoutError": "ReadTimeout",
    "ProtocolError": "ConnectionError",
    "ClosedPoolError": "ConnectionError",
}
"""What urllib3 calls a failure and requests, by whose names logs and metrics tell of it."""


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

    def hang_up(self) -> None:
        """Break off what is being sent or waited for, for good: each such `send` returns soon."""


class HttpTransport:
    """`Transport` over a pooled ``requests.Session``, opened at the first send.

    Neither ``requests`` nor urllib3 retries here: there is one retry layer, the sender's. A session
    of the user's own is used by every process that forks off the one with that ``pid``, but not its
    connections; ours is not used at all. What the environment says of proxies, certificates and
    passwords is asked once for each host.
    """

    def __init__(self, session: requests.Session | None = None, pid: int | None = None) -> None:
        self._given = session
        self._pid = pid or os.getpid()
        self._session = session
        self._hosts: dict[tuple[str, ...], _Host] = {}
        self._lines = Lines()
        self._lock = threading.Lock()

    def send(self, request: Request, timeout_s: float) -> Reply:
        """The reply; the exchange is traced by nobody.

        ``timeout_s`` is for connecting and reading together. Out of reach, in a session of the
        user's own, are a name server that hangs and a server whose status line and headers drip.
        """
        try:
            with _untraced():
                return self._exchange(request)(request, timeout_s)
        except Exception as error:  # noqa: BLE001 - a session of the user's may raise anything
            kind = "DeadlineExceeded" if self._lines.cut else _kind(error)
            return Reply(None, error=f"{kind}: {error}")

    def close(self) -> None:
        """Close idle connections, unless the session is the user's own; `send` opens new ones."""
        with self._lock:
            session, self._session = self._session, self._given
            self._hosts = {}
        if session is not None and session is not self._given:
            session.close()

    def hang_up(self) -> None:
        """Break off what is being sent or waited for, for good.

        Out of reach is a session of the user's own.
        """
        self._lines.hang_up()

    def _opened(self) -> tuple[requests.Session, dict[tuple[str, ...], _Host]]:
        """A session, and the hosts known in it: the pools of one that was closed are closed."""
        with self._lock:
            if self._session is None:
                self._session = pooled(requests.Session(), self._lines)
            if self._pid != os.getpid():
                self._session.close()  # its connections are the parent's; it opens new ones
                self._hosts = {}
                self._pid = os.getpid()
            return self._session, self._hosts

    def _exchange(self, request: Request) -> _Exchange:
        session, hosts = self._opened()
        if session is self._given:
            return partial(_exchange, session)
        where = urlsplit(request.url)[:2]
        host = hosts.get(where)
        if host is None:
            host = hosts[where] = _host(session, request.url)
        return host.exchange


class _Host(NamedTuple):
    """How requests go to one host, in a session of our own.

    ``Session.request`` finds that out anew each time, and its adapter where to connect: that is
    four fifths of the cost of a request.
    """

    prepared: PreparedRequest
    pool: urllib3.HTTPConnectionPool
    retries: urllib3.Retry
    target_of: Callable[[str], str]
    layouts: dict[tuple[str, ...], _Layout]

    def exchange(self, request: Request, timeout_s: float) -> Reply:
        """What the server answers; a redirect is an answer."""
        deadline_s = time.monotonic() + timeout_s
        response = self.pool.urlopen(  # by keywords, as whoever wraps it expects
            method=request.method,
            url=self.target_of(request.url),
            body=request.body or None,
            headers=self._headers(request.headers),
            retries=self.retries,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(total=timeout_s),
            preload_content=False,
            decode_content=False,
        )
        try:
            return _reply(request, response.status, response.headers, response, deadline_s)
        finally:
            response.close()
            response.release_conn()

    def _headers(self, own: Mapping[str, str]) -> dict[str, str]:
        """Those of the session and these, of which each name was once examined by requests."""
        names = (*own,)
        layout = self.layouts.get(names)
        if layout is None:
            layout = self.layouts[names] = self._laid_out(own)
        headers = {**layout.headers, **own}
        for name in layout.overruled:
            del headers[name]
        return headers

    def _laid_out(self, own: Mapping[str, str]) -> _Layout:
        prepared = self.prepared.copy()
        prepared.prepare_headers({**prepared.headers, **own})
        for name in _FRAMING:
            prepared.headers.pop(name, None)
        headers = {**prepared.headers}
        return _Layout(headers, {*own} - {*headers})


class _Layout(NamedTuple):
    """Headers of given names among those of the session.

    Of names that differ in case only, the last one holds; the others are ``overruled``, and so is
    whatever would say where the body ends.
    """

    headers: Mapping[str, str]
    overruled: Iterable[str]


def _host(session: requests.Session, url: str) -> _Host:
    """What requests finds of a host, from the environment, too."""
    prepared = session.prepare_request(requests.Request("GET", url))
    settings = session.merge_environment_settings(url, {}, True, None, None)
    verify, cert, proxies = (settings[name] for name in ("verify", "cert", "proxies"))
    adapter: Any = session.get_adapter(url)
    if hasattr(adapter, "get_connection_with_tls_context"):  # as of requests 2.32
        pool = adapter.get_connection_with_tls_context(prepared, verify, proxies, cert)
    else:
        pool = adapter.get_connection(url, proxies)
    adapter.cert_verify(pool, prepared.url, verify, cert)

    @lru_cache(_TARGETS_KNOWN)  # a patch has a URL of its own
    def target_of(url: str) -> str:
        asked = requests.PreparedRequest()
        asked.prepare_url(url, None)
        return str(adapter.request_url(asked, proxies))

    return _Host(prepared, pool, adapter.max_retries, target_of, {})


def _exchange(session: requests.Session, request: Request, timeout_s: float) -> Reply:
    """The same by a session of the user's, whose every method may be his own."""
    deadline_s = time.monotonic() + timeout_s
    # requests takes urllib3's own kind of timeout too, the only one with a total; its stubs do not
    timeout: Any = urllib3.Timeout(total=timeout_s)
    with session.request(
        request.method,
        request.url,
        data=request.body,
        headers=dict(request.headers),
        timeout=timeout,
        allow_redirects=False,
        stream=True,
    ) as response:
        return _reply(request, response.status_code, response.headers, response.raw, deadline_s)


def _kind(error: Exception) -> str:
    """What broke, in a word."""
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    names = [kind.__name__ for kind in type(reason).__mro__]
    return next((_KINDS[name] for name in names if name in _KINDS), names[0])


def _reply(
    request: Request, status: int, headers: Mapping[str, str], raw: Any, deadline_s: float
) -> Reply:
    if request.method != "GET":
        deadline_s = min(deadline_s, time.monotonic() + BODY_S)
    told = {name.lower(): value for name, value in headers.items()}
    return Reply(status, told, _beginning(raw, deadline_s, plain="content-encoding" not in told))


def _beginning(raw: Any, deadline_s: float, *, plain: bool) -> str:
    """What the server says beside its status, as far as it says it in time.

    The status is the verdict, so a body that breaks off or drips costs no run.
    """
    text = b""
    # read1 returns what is there; urllib3 1 has only read, which waits for all of it
    read = getattr(raw, "read1", raw.read)
    try:
        while len(text) < _MAX_REPLY_BYTES and time.monotonic() < deadline_s:
            chunk = read(_MAX_REPLY_BYTES, decode_content=True)
            if not chunk:
                break
            text += chunk
            if plain and getattr(raw, "closed", False):  # as urllib3 2 does with the last byte
                break
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    return text.decode("utf-8", "replace")


def _untraced() -> AbstractContextManager[object]:
    """A context in which no instrumentation records our own requests.

    Whatever could trace us has the instrumentation package installed, whose switch this is; the
    SDK's own key is private. The batch processor throws the switch around ``export``, but nobody
    does around ``shutdown``. Imported late: at import it could be half-initialised
    (opentelemetry.md §5).
    """
    return _switch()()


@cache
def _switch() -> Callable[[], AbstractContextManager[object]]:
    """Looked for once: where it is missing, that costs as much as a request."""
    try:
        from opentelemetry.instrumentation.utils import suppress_instrumentation  # noqa: PLC0415
    except ImportError:
        return nullcontext
    return suppress_instrumentation
