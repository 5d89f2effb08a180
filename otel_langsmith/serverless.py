"""`flush_on_return`, for processes that may be frozen or ended between two calls."""

from __future__ import annotations

import inspect
import logging
import math
import threading
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from opentelemetry.trace import get_tracer_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    Handler = TypeVar("Handler", bound=Callable[..., Any])

LONGEST_MILLIS: Final = 30_000.0
"""What OpenTelemetry's own flush is given by default."""

_MOST_MILLIS: Final = 1000 * threading.TIMEOUT_MAX
"""As long as a thread can wait; without end is what "no limit" is written as."""

_log: Final = logging.getLogger("otel_langsmith")


@overload
def flush_on_return(handler: Handler, /) -> Handler: ...


@overload
def flush_on_return(
    *, timeout_millis: float = ..., margin_millis: float = ...
) -> Callable[[Handler], Handler]: ...


def flush_on_return(
    handler: Handler | None = None,
    /,
    *,
    timeout_millis: float = LONGEST_MILLIS,
    margin_millis: float = 500,
) -> Handler | Callable[[Handler], Handler]:
    """A decorator: the handler, with a flush of the global tracer provider after each call.

        @flush_on_return
        def handler(event, context): ...

    For AWS Lambda and its like, where a process may be frozen as soon as the handler returned. The
    flush also follows an exception, which it never masks. Works on ``async`` handlers without
    blocking their loop, and on generators, whose call lasts until they are exhausted. Put it above
    decorators that make spans, so that these have ended, and set ``live=False``: a run that starts
    and ends within a call needs no announcement.

    Args:
        handler: Any callable.
        timeout_millis: Longest that a flush may take, in milliseconds. Default: 30,000.
        margin_millis: If an argument of the call has AWS Lambda's
            ``get_remaining_time_in_millis()``, the flush ends so long before that time is over.
            Default: 500.
    """
    if handler is None:
        return partial(_flushing, timeout_millis=timeout_millis, margin_millis=margin_millis)
    return _flushing(handler, timeout_millis, margin_millis)


def _flushing(handler: Handler, timeout_millis: float, margin_millis: float) -> Handler:
    """The handler wrapped as what it is: whoever calls it may look."""

    def flush(*args: object, **kwargs: object) -> None:
        _flush(timeout_millis, margin_millis, (*args, *kwargs.values()))

    @wraps(handler)
    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        finally:
            flush(*args, **kwargs)

    @wraps(handler)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from handler(*args, **kwargs))
        finally:
            flush(*args, **kwargs)

    @wraps(handler)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        import asyncio  # noqa: PLC0415 - costs 30 ms, and is there where this is called

        try:
            return await handler(*args, **kwargs)
        finally:
            await asyncio.to_thread(flush, *args, **kwargs)

    kinds = (handler, type(handler).__call__)  # it may be an object that can be called
    if any(map(inspect.iscoroutinefunction, kinds)):
        return cast("Handler", coroutine)
    return cast("Handler", generator if any(map(inspect.isgeneratorfunction, kinds)) else function)


def _remaining_millis(arguments: Iterable[object]) -> float:
    """How long the caller lets the call go on, by the first argument that tells."""
    for argument in arguments:
        ask = getattr(argument, "get_remaining_time_in_millis", None)
        if callable(ask):
            return float(ask())
    return math.inf


def _flush(timeout_millis: float, margin_millis: float, arguments: Iterable[object]) -> None:
    """Flush what there is to flush; never raises.

    An argument that cannot tell, as a test's stand-in for Lambda's, is no reason not to.
    """
    try:
        left_millis = _remaining_millis(arguments) - margin_millis
    except Exception:  # noqa: BLE001 - the handler's own outcome is what counts
        _log.debug("how long the call may go on cannot be told", exc_info=True)
        left_millis = math.inf
    try:
        provider: Any = get_tracer_provider()
        if hasattr(provider, "force_flush"):
            given_millis = min(timeout_millis, left_millis, _MOST_MILLIS)
            provider.force_flush(max(0, int(given_millis)))
    except Exception:  # noqa: BLE001 - as above
        _log.exception("the flush after a call failed")
