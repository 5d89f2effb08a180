"""A flush after each call of a handler, in the time that its caller leaves."""

import asyncio
import math
import os
import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor, flush_on_return, serverless
from otel_langsmith.receiver import Receiver


class LambdaContext(NamedTuple):
    """What AWS hands to a handler, as far as it matters here."""

    remaining_millis: int = 5_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_millis


@pytest.fixture
def provider(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    """A provider that the decorator takes for the global one, which a test cannot take back."""
    provider = TracerProvider()
    provider.add_span_processor(
        LangSmithSpanProcessor(
            endpoint=receiver.url, api_key="k", schedule_delay_millis=3_600_000, timeout=60
        )
    )
    monkeypatch.setattr(serverless, "get_tracer_provider", lambda: provider)
    yield provider
    provider.shutdown()


def arrived(receiver: Receiver) -> list[str]:
    return [run.name for run in receiver.store.runs()]


def test_what_a_call_traced_is_there_when_it_returns(
    receiver: Receiver, provider: TracerProvider
) -> None:
    @flush_on_return
    def handler(event: str, context: Any) -> str:
        """Answers."""
        provider.get_tracer("app").start_span(event).end()
        return event.upper()

    assert handler("first", LambdaContext(60_000)) == "FIRST"
    assert arrived(receiver) == ["first"]
    assert handler("second", context=None) == "SECOND"
    assert arrived(receiver) == ["first", "second"]
    assert (handler.__name__, handler.__doc__) == ("handler", "Answers.")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_job_in_a_forked_process_that_leaves_at_once_is_there(
    receiver: Receiver, provider: TracerProvider
) -> None:
    """As RQ's workers run each job."""

    @flush_on_return
    def job(number: int) -> None:
        provider.get_tracer("app").start_span(f"job {number}").end()

    for number in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forks while threads run
            child = os.fork()
        if child == 0:
            try:
                job(number)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    assert arrived(receiver) == ["job 0", "job 1"]


def test_an_async_handler_is_flushed_beside_its_loop(
    receiver: Receiver, provider: TracerProvider
) -> None:
    @flush_on_return(timeout_millis=60_000)
    async def handler(event: str) -> str:
        provider.get_tracer("app").start_span(event).end()
        await asyncio.sleep(0)
        return event

    assert asyncio.run(handler("one")) == "one"
    assert arrived(receiver) == ["one"]


def test_an_exception_comes_after_the_flush_and_is_the_handlers_own(
    receiver: Receiver, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    @flush_on_return
    def handler(event: str) -> None:
        provider.get_tracer("app").start_span(event).end()
        raise KeyError(event)

    with pytest.raises(KeyError, match="one"):
        handler("one")
    assert arrived(receiver) == ["one"]

    monkeypatch.setattr(provider, "force_flush", lambda millis: 1 / 0)
    with pytest.raises(KeyError, match="two"):
        handler("two")


@pytest.mark.parametrize(
    ("options", "remaining_millis", "given_millis"),
    [
        ({}, 5_000, 4_500),
        ({"margin_millis": 1_000}, 5_000, 4_000),
        ({"timeout_millis": 2_000}, 5_000, 2_000),
        ({"timeout_millis": 2_000}, None, 2_000),
        ({}, None, 30_000),
        ({}, 100, 0),
    ],
)
def test_a_flush_gets_what_time_is_left(
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, float],
    remaining_millis: int | None,
    given_millis: int,
) -> None:
    given: list[int] = []
    monkeypatch.setattr(provider, "force_flush", given.append)
    context = None if remaining_millis is None else LambdaContext(remaining_millis)
    flush_on_return(**options)(lambda event, context: None)("event", context)
    assert given == [given_millis]


@pytest.mark.parametrize(
    "context",
    [
        Mock(),
        Mock(get_remaining_time_in_millis=lambda: None),
        Mock(get_remaining_time_in_millis=lambda: 1 / 0),
    ],
)
def test_a_context_that_cannot_tell_the_time_is_no_concern_of_the_handlers(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, context: object
) -> None:
    given: list[int] = []
    monkeypatch.setattr(provider, "force_flush", given.append)

    @flush_on_return
    def handler(event: str, context: object) -> str:
        del context
        return event

    assert handler("event", context) == "event"
    assert given == [30_000]


def test_a_flush_may_take_as_long_as_it_takes(receiver: Receiver, provider: TracerProvider) -> None:
    handler = flush_on_return(timeout_millis=math.inf)(
        lambda: provider.get_tracer("app").start_span("one").end()
    )
    handler()
    assert arrived(receiver) == ["one"]


def test_a_call_lasts_until_its_last_piece(receiver: Receiver, provider: TracerProvider) -> None:
    @flush_on_return
    def handler(event: str) -> Iterator[str]:
        with provider.get_tracer("app").start_as_current_span(event):
            yield from event

    assert list(handler("abc")) == ["a", "b", "c"]
    assert arrived(receiver) == ["abc"]


def test_an_object_can_be_a_handler(receiver: Receiver, provider: TracerProvider) -> None:
    class Handler:
        async def __call__(self, event: str) -> str:
            await asyncio.sleep(0)
            provider.get_tracer("app").start_span(event).end()
            return event

    handler = flush_on_return(Handler())
    assert asyncio.run(handler("one")) == "one"
    assert arrived(receiver) == ["one"]


def test_a_dead_endpoint_costs_no_more_than_that(
    provider: TracerProvider, receiver: Receiver
) -> None:
    receiver.stop()
    handler = flush_on_return(lambda context: provider.get_tracer("app").start_span("one").end())
    began = time.monotonic()
    handler(LambdaContext(1_000))
    assert time.monotonic() - began < 20  # and not the half a minute that a flush may take


def test_without_a_provider_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serverless, "get_tracer_provider", trace.ProxyTracerProvider)
    assert flush_on_return(lambda: 1)() == 1
