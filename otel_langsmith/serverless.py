"""A flush after each call, for processes that are frozen or ended between two of them."""

from __future__ import annotations

import inspect
import logging
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from opentelemetry.trace import get_tracer_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Handler = TypeVar("Handler", bound=Callable[..., Any])

LONGEST_MILLIS: Final = 30_000.0
"""What OpenTelemetry's own flush is given by default."""

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
    """The handler, after each call of which the global tracer provider is flushed.

        @flush_on_return
        def handler(event, context): ...

    For AWS Lambda and its like, where a process may be frozen as soon as the handler returned. The
    flush also follows an exception, which it never masks. Works on ``async`` handlers without
    blocking their loop. Put it above decorators that make spans, so that these have ended, and set
    ``live=False``: a run that starts and ends within a call needs no announcement.

    Args:
        handler: Called with whatever its caller brings.
        timeout_millis: Longest that a flush may take. Default: 30,000.
        margin_millis: How much to leave of the time that the caller says remains, by an argument
            with AWS Lambda's ``get_remaining_time_in_millis()``. Default: 500.
    """
    if handler is None:
        return partial(_flushing, timeout_millis=timeout_millis, margin_millis=margin_millis)
    return _flushing(handler, timeout_millis, margin_millis)


def _flushing(handler: Handler, timeout_millis: float, margin_millis: float) -> Handler:
    def flush(arguments: Iterable[object]) -> None:
        _flush(min(timeout_millis, _remaining_millis(arguments) - margin_millis))

    @wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        finally:
            flush((*args, *kwargs.values()))

    @wraps(handler)
    async def wrapped_async(*args: Any, **kwargs: Any) -> Any:
        import asyncio  # noqa: PLC0415 - costs 30 ms, and is there where this is called

        try:
            return await handler(*args, **kwargs)
        finally:
            await asyncio.to_thread(flush, (*args, *kwargs.values()))

    return cast("Handler", wrapped_async if inspect.iscoroutinefunction(handler) else wrapped)


def _remaining_millis(arguments: Iterable[object]) -> float:
    """How long the caller lets the call go on, by the first argument that tells."""
    for argument in arguments:
        ask = getattr(argument, "get_remaining_time_in_millis", None)
        if callable(ask):
            return float(ask())
    return float("inf")


def _flush(timeout_millis: float) -> None:
    """Flush what there is to flush; never raises."""
    try:
        provider: Any = get_tracer_provider()
        if hasattr(provider, "force_flush"):
            provider.force_flush(max(0, int(timeout_millis)))
    except Exception:  # noqa: BLE001 - the handler's own outcome is what counts
        _log.exception("the flush after a call failed")
