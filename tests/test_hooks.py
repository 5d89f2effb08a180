"""What the hook takes over and what it leaves alone, without ``opentelemetry-instrument``."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from support.spans import span

from otel_langsmith import LangSmithSpanExporter, hooks, setup
from otel_langsmith.receiver import Receiver

Exporters = Callable[..., LangSmithSpanExporter]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    """A provider that passes for the global one, and a process where nothing was set up."""
    provider = TracerProvider()
    monkeypatch.setattr(setup, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(setup, "shut_down_at_sigterm", lambda processor: None)
    monkeypatch.setattr(setup, "_given", [])
    monkeypatch.setattr(logging.getLogger("otel_langsmith"), "handlers", [])
    hooks.pre_instrument()  # what other tests left
    yield provider
    provider.shutdown()


@pytest.fixture
def configured(receiver: Receiver) -> Exporters:
    """Builds an exporter as OpenTelemetry's configurator does: from its own code."""

    def build(**settings: Any) -> LangSmithSpanExporter:
        settings = {"endpoint": receiver.url, "schedule_delay_millis": 3_600_000, **settings}
        its_own = {"__name__": "opentelemetry.sdk._configuration"}
        exporter: LangSmithSpanExporter = eval(
            "exporter(api_key='k', **settings)",
            {**its_own, "settings": settings, "exporter": LangSmithSpanExporter},
        )
        return exporter

    return build


def spans(provider: TracerProvider) -> None:
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass


def names(receiver: Receiver) -> list[str]:
    assert [line for line in receiver.store.requests() if line.status >= 400] == []
    return sorted(run.name for run in receiver.store.runs())


@pytest.mark.parametrize("times", [1, 2])
def test_each_span_is_sent_once_however_often_the_hook_is_called(
    provider: TracerProvider, configured: Exporters, receiver: Receiver, times: int
) -> None:
    exporter = configured()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for _ in range(times):
        hooks.pre_instrument()
    spans(provider)
    assert provider.force_flush()
    assert names(receiver) == ["inner", "outer"]
    assert exporter.ledger().delivered == 2
    provider.shutdown()
    assert (exporter.ledger().received, exporter.ledger().delivered) == (2, 2)


def test_the_processor_obeys_the_exporters_arguments(
    provider: TracerProvider, configured: Exporters, receiver: Receiver
) -> None:
    exporter = configured(span_filter="genai+root", project="shop", hide_metadata=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    hooks.pre_instrument()
    spans(provider)
    provider.shutdown()
    (run,) = receiver.store.runs()
    assert (run.name, run.project) == ("outer", "shop")
    assert exporter.ledger().filtered == 1


def test_several_exporters_have_a_processor_each(
    provider: TracerProvider, configured: Exporters, receiver: Receiver
) -> None:
    with Receiver() as other:
        for exporter in (configured(), configured(endpoint=other.url)):
            provider.add_span_processor(BatchSpanProcessor(exporter))
        hooks.pre_instrument()
        spans(provider)
        provider.shutdown()
        assert names(receiver) == names(other) == ["inner", "outer"]


def test_an_exporter_wired_by_hand_stays_one(provider: TracerProvider, receiver: Receiver) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k")
    by_hand = TracerProvider()
    by_hand.add_span_processor(BatchSpanProcessor(exporter))
    hooks.pre_instrument()
    spans(provider)
    assert names(receiver) == []
    spans(by_hand)
    by_hand.shutdown()
    assert names(receiver) == ["inner", "outer"]
    assert exporter.export([span(1)]) is SpanExportResult.FAILURE


def test_spans_of_a_provider_that_is_not_the_global_one_are_the_exporters_still(
    provider: TracerProvider, configured: Exporters, receiver: Receiver
) -> None:
    """An application set its own provider first, so OpenTelemetry's configurator's is not it."""
    its_own = TracerProvider()
    its_own.add_span_processor(BatchSpanProcessor(configured()))
    hooks.pre_instrument()
    spans(its_own)
    spans(provider)
    its_own.shutdown()
    provider.shutdown()
    assert names(receiver) == ["inner", "inner", "outer", "outer"]


@pytest.mark.parametrize("theirs", [trace.ProxyTracerProvider(), trace.NoOpTracerProvider()])
def test_without_a_provider_of_the_sdks_the_exporter_goes_on(
    configured: Exporters, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, theirs: Any
) -> None:
    monkeypatch.setattr(setup, "get_tracer_provider", lambda: theirs)
    exporter = configured()
    hooks.pre_instrument()
    assert exporter.export([span(1)]) is SpanExportResult.SUCCESS
    exporter.shutdown()


def test_where_no_exporter_was_chosen_nothing_is_touched(provider: TracerProvider) -> None:
    hooks.pre_instrument()
    assert setup._given == []
    assert logging.getLogger("otel_langsmith").handlers == []


def test_the_hook_never_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(setup, "global_provider", lambda: 1 / 0)
    hooks.pre_instrument()
    assert "please report" in caplog.text


def test_what_only_a_processor_obeys_is_not_ignored_in_silence(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = LangSmithSpanExporter(endpoint=receiver.url, api_key="k", span_filter="genai")
    for number in (1, 2):
        exporter.export([span(number)])
    (record,) = caplog.records
    assert record.getMessage() == (
        "span_filter has no effect here: use LangSmithSpanProcessor instead"
    )
    exporter.shutdown()


class FromOpenTelemetry(logging.NullHandler):
    __module__ = "opentelemetry.instrumentation.logging.handler"


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        (None, True),
        (FromOpenTelemetry(), True),
        (logging.StreamHandler(), False),
        (logging.NullHandler(), False),
    ],
)
def test_stderr_is_the_last_resort(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    handler: logging.Handler | None,
    shown: bool,
) -> None:
    logger = logging.getLogger("otel_langsmith")
    monkeypatch.setattr(logger, "handlers", [hooks.LastResort(logging.WARNING)])
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler] if handler else [])
    logger.info("not that")
    logger.warning("this")
    assert ("this\n" in capsys.readouterr().err) is shown
