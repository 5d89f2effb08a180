"""What an exporter tells of itself, under OpenTelemetry's own names."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from support.rude_server import rude_server
from support.spans import span

from otel_langsmith import ConfigurationError, LangSmithSpanExporter
from otel_langsmith.settings import resolve


@pytest.fixture
def metrics() -> Iterator[tuple[MeterProvider, InMemoryMetricReader]]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    yield provider, reader
    provider.shutdown()


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The points of each metric of ours."""
    told: Any = reader.get_metrics_data()
    return {
        metric.name.removeprefix("otel.sdk.exporter."): list(metric.data.data_points)
        for resource in told.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_each_destination_is_told_apart(
    metrics: tuple[MeterProvider, InMemoryMetricReader],
) -> None:
    provider, reader = metrics
    answers = [b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\n{}" % what for what in STATUS_LINES]
    with rude_server([answers[0]]) as one, rude_server([answers[1]]) as another:
        exporter = LangSmithSpanExporter(
            endpoints={one.url: "k", another.url: "k"}, meter_provider=provider
        )
        exporter.export([span(1)])
        exporter.shutdown()
    told = {
        (f"http://{a['server.address']}:{a['server.port']}", a.get("error.type"))
        for a in (point.attributes for point in points(reader)["span.exported"])
    }
    assert told == {(one.url, None), (another.url, "http_422")}


STATUS_LINES = (b"202 Accepted", b"422 No")


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"202 Accepted", None), (b"422 No", "http_422"), (b"403 No", "http_403")],
)
def test_spans_and_requests_are_counted_and_timed(
    metrics: tuple[MeterProvider, InMemoryMetricReader], answer: bytes, error: str | None
) -> None:
    provider, reader = metrics
    with rude_server([b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n"]) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k", meter_provider=provider)
        exporter.export([span(1)])
        exporter.shutdown()
        port = int(server.url.rpartition(":")[2])
    told = points(reader)
    assert [point.value for point in told["span.inflight"]] == [0]
    (exported,) = told["span.exported"]
    assert (exported.value, exported.attributes.get("error.type")) == (1, error)
    (duration,) = told["operation.duration"]
    assert duration.attributes["http.response.status_code"] == int(answer[:3])
    assert duration.attributes.get("error.type") == (error and error[-3:])
    assert duration.attributes["server.address"] == "127.0.0.1"
    assert duration.attributes["server.port"] == port
    assert duration.attributes["otel.component.type"] == "langsmith_span_exporter"
    names = {point.attributes["otel.component.name"] for found in told.values() for point in found}
    assert len(names) == 1


def test_nobody_is_told_unless_asked() -> None:
    enabled = {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}
    assert resolve({}, {})[0].meter_provider is None
    assert resolve({}, enabled)[0].meter_provider is True
    with pytest.raises(ConfigurationError, match="meter_provider"):
        resolve({"meter_provider": "prometheus"}, {})


class Broken:
    """A provider whose instruments raise, whatever they are told."""

    def get_meter(self, *_: object) -> "Broken":
        return self

    def create(self, *_: object) -> "Broken":
        return self

    def write(self, *_: object) -> None:
        raise RuntimeError("no metric today")

    create_counter = create_up_down_counter = create_histogram = create
    add = record = write


class Refusing:
    """A provider that makes no meter."""

    def get_meter(self, *_: object) -> Broken:
        raise RuntimeError("no meter today")


@pytest.mark.parametrize("provider", [Broken(), Refusing()])
def test_no_run_is_lost_for_a_meter_that_raises(provider: Any) -> None:
    with rude_server([b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k", meter_provider=provider)
        exporter.export([span(1)])
        exporter.shutdown()
    assert exporter.ledger().delivered == 1


def test_nothing_is_asked_of_a_provider_before_a_delivery() -> None:
    """In a forked child, its lock may be held by a thread that is gone."""
    asked: list[object] = []

    class Asked(Broken):
        def get_meter(self, *_: object) -> Broken:
            asked.append(self)
            return self

    provider: Any = Asked()
    exporter = LangSmithSpanExporter(endpoint="http://a.test", api_key="k", meter_provider=provider)
    exporter.shutdown()
    assert asked == []
