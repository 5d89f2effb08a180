"""LangSmith's ingest endpoints as an ASGI application: authentication, quotas, size limits, pages.

The rules for the content of a request are in `ingest`.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otel_langsmith.receiver import ingest, page, reading
from otel_langsmith.receiver.inflate import inflate
from otel_langsmith.receiver.multipart import parse
from otel_langsmith.receiver.refusal import (
    RefusedError,
    forbidden,
    not_found,
    too_large,
    too_many,
    workspace_required,
)
from otel_langsmith.receiver.store import ReceivedRequest, Store
from otel_langsmith.run import Json
from otel_langsmith.version import __version__

# LangSmith advertises 20 MiB, and its own SDKs overshoot that by one run; bodies above 32 MB have
# been seen refused. What it takes with attachments is more, and unknown: raise the limits to try.
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
MAX_INFLATED_BYTES: Final = 32 * 1024 * 1024
REQUESTS_PER_MINUTE: Final = 5000

_PREFIXES: Final = ("", "/api/v1", "/api")  # as SaaS and self-hosted installations serve them
_MINUTE_S: Final = 60.0
_PATIENCE: Final = 8

# The Python SDK compares this: below 0.8.10 it sends feedback to an endpoint we do not serve.
_SERVER_VERSION: Final = "0.13.0"
_INFO: Final = {
    "version": _SERVER_VERSION,
    "git_sha": f"otel-langsmith-{__version__}",
    "license_expiration_time": None,
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": True, "gzip_body_enabled": True},
    "customer_info": None,
}

Read: TypeAlias = Callable[[Request, bytes], ingest.Delivery]


def create_app(  # noqa: PLR0913 - one keyword per limit, as in `Receiver`
    store: Store,
    *,
    api_keys: Collection[str] | None = None,
    workspace_id: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_inflated_bytes: int = MAX_INFLATED_BYTES,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
    allowed_hosts: Sequence[str] | None = None,
) -> Starlette:
    """The receiver as an ASGI application over ``store``, with the limits that `Receiver` explains.

    ``allowed_hosts`` are the ``Host`` names it answers to; None answers to all.
    """
    gate = _Gate(api_keys, workspace_id, requests_per_minute)
    limits = (max_body_bytes, max_inflated_bytes)
    api = [*_api(store, gate, limits), *_told(store, gate, workspace_id)]
    middleware = [Middleware(_RequestLog, store=store)]
    if allowed_hosts is not None:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts)))
    return Starlette(
        routes=[*_everywhere(api), *page.routes(store)],
        middleware=middleware,
        exception_handlers={RefusedError: _refused, HTTPException: _not_served},
    )


class _Gate:
    """Who may send, and how many requests a minute. Used on the event loop only."""

    def __init__(
        self,
        api_keys: Collection[str] | None,
        workspace_id: str | None,
        requests_per_minute: int,
    ) -> None:
        self._api_keys = None if api_keys is None else frozenset(api_keys)
        self._workspace_id = workspace_id
        self._requests_per_minute = requests_per_minute
        self._since = -_MINUTE_S
        self._counts: Counter[str] = Counter()

    def refusal(self, request: Request) -> RefusedError | None:
        key = _api_key(request)
        if not key or (self._api_keys is not None and key not in self._api_keys):
            return forbidden()
        if self._workspace_id not in (None, workspace := request.headers.get("x-tenant-id")):
            return forbidden() if workspace else workspace_required()
        now = time.monotonic()
        if now - self._since >= _MINUTE_S:
            self._since = now
            self._counts.clear()
        self._counts[key] += 1
        if self._counts[key] > self._requests_per_minute:
            return too_many(f"more than {self._requests_per_minute} requests a minute")
        return None


def _api_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("x-api-key", "").strip() or bearer


def _api(store: Store, gate: _Gate, limits: tuple[int, int]) -> list[BaseRoute]:
    def endpoint(read: Read) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # The body is read even if it is refused: a client that is still sending when the
            # connection closes sees a reset, and never the refusal.
            refusal = gate.refusal(request)
            body = await _body(request, limits[0], keep=refusal is None)
            if refusal is not None:
                raise refusal
            await run_in_threadpool(receive, request, body, read)
            return JSONResponse({"message": "Runs accepted"}, 202)

        return answer

    def receive(request: Request, body: bytes, read: Read) -> None:
        coding = request.headers.get("content-encoding", "")
        store.receive(read(request, inflate(body, coding, limits[1])))

    return [
        Route("/info", _info),
        Route("/runs", endpoint(_read_post), methods=["POST"]),
        Route("/runs/batch", endpoint(_read_batch), methods=["POST"]),
        Route("/runs/multipart", endpoint(_read_multipart), methods=["POST"]),
        Route("/runs/{run_id}", endpoint(_read_patch), methods=["PATCH"]),
    ]


def _told(store: Store, gate: _Gate, workspace_id: str | None) -> list[BaseRoute]:
    def endpoint(tell: Callable[[Request], Json]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if (refusal := gate.refusal(request)) is not None:
                raise refusal
            if (found := await run_in_threadpool(tell, request)) is None:
                raise not_found(request.url.path)
            return JSONResponse(found)

        return answer

    def sessions(request: Request) -> Json:
        return reading.sessions(store, request.query_params, workspace_id)

    def run(request: Request) -> Json:
        return reading.run(store, request.path_params["run_id"])

    return [Route("/sessions", endpoint(sessions)), Route("/runs/{run_id}", endpoint(run))]


def _everywhere(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    return [route for prefix in _PREFIXES for route in _under(prefix, routes)]


def _under(prefix: str, routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    return [Mount(prefix, routes=routes)] if prefix else routes


def _read_post(_: Request, body: bytes) -> ingest.Delivery:
    return ingest.from_single(body, "post")


def _read_patch(request: Request, body: bytes) -> ingest.Delivery:
    return ingest.from_single(body, "patch", request.path_params["run_id"])


def _read_batch(_: Request, body: bytes) -> ingest.Delivery:
    return ingest.from_batch(body)


def _read_multipart(request: Request, body: bytes) -> ingest.Delivery:
    return ingest.from_parts(parse(body, request.headers.get("content-type", "")))


async def _info(_: Request) -> Response:
    return JSONResponse(_INFO)


async def _body(request: Request, limit: int, *, keep: bool) -> bytes:
    """The body as sent; what is over the limit is read for a while and thrown away."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if keep and size <= limit:
            chunks.append(chunk)
        elif size > _PATIENCE * limit:
            break
    if keep and size > limit:
        raise too_large(f"more than {limit} bytes")
    return b"".join(chunks)


async def _refused(request: Request, error: Exception) -> Response:
    status, text = (error.status, error.text) if isinstance(error, RefusedError) else (500, "")
    request.state.error = text
    return JSONResponse({"error": text}, status)


async def _not_served(request: Request, error: Exception) -> Response:
    status, text = 500, ""
    if isinstance(error, HTTPException):
        status, text = error.status_code, error.detail
    request.state.error = text
    return JSONResponse({"error": text}, status)


class _RequestLog:
    """ASGI middleware that tells the store how each request was answered."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        state = scope.setdefault("state", {})

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # Before the client can know, so that a test which has its answer finds its line.
                self._log(scope, status, state.get("error"))
            await send(message)

        await self._app(scope, receive, note)

    def _log(self, scope: Scope, status: int, error: str | None) -> None:
        self._store.log(ReceivedRequest(scope["method"], scope["path"], status, error))
