"""A tracer and what is behind it: the whole way of a span, from its start to the sink."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.exporters import API_KEY, MOST_SPANS, PATIENCE_S, LostSpansError
from bench.workloads import tracer
from otel_langsmith import LangSmithSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.trace import Tracer

    from bench.measure import Work

NOBODY: Final = "no processor"
IDLE: Final = "SDK's batch processor, no-op exporter"
OTLP_PIPELINE: Final = "SDK's batch processor, OTLP/HTTP"
OURS_PIPELINE: Final = "LangSmithSpanProcessor"

_NEVER_MS: Final = 3_600_000


class NoOpExporter(SpanExporter):
    """Takes everything and does nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        """SUCCESS."""
        return SpanExportResult.SUCCESS


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A tracer, and how to wait until all its spans are delivered."""

    tracer: Tracer
    flush: Work


@contextmanager
def nobody(url: str, *, asleep: bool = False) -> Iterator[Pipeline]:  # noqa: ARG001
    """The SDK alone."""
    yield Pipeline(tracer(), lambda: None)


@contextmanager
def batched(
    url: str, *, exporter: Callable[[str], SpanExporter], asleep: bool = False
) -> Iterator[Pipeline]:
    """The SDK's batch processor; ``asleep``, its worker wakes only for a flush."""
    processor: SpanProcessor = (
        BatchSpanProcessor(exporter(url), MOST_SPANS, _NEVER_MS, MOST_SPANS)
        if asleep
        else BatchSpanProcessor(exporter(url))
    )

    def flush() -> None:
        if not processor.force_flush():
            raise LostSpansError("the batch processor lost spans")

    yield Pipeline(tracer(processor), flush)
    processor.shutdown()


@contextmanager
def ours(url: str, *, asleep: bool = False) -> Iterator[Pipeline]:
    """Our processor; ``asleep``, its worker wakes only for a flush or 512 spans."""
    delay = _NEVER_MS if asleep else None
    processor = LangSmithSpanProcessor(
        endpoint=url, api_key=API_KEY, schedule_delay_millis=delay, timeout=PATIENCE_S
    )

    def flush() -> None:
        if not processor.force_flush():
            raise LostSpansError(f"ours: {processor.ledger()}")

    yield Pipeline(tracer(processor), flush)
    processor.shutdown()


def _otlp_exporter(url: str) -> SpanExporter:
    return OTLPSpanExporter(f"{url}/v1/traces")


def _no_op_exporter(url: str) -> SpanExporter:  # noqa: ARG001
    return NoOpExporter()


PIPELINES: Final[Mapping[str, Callable[..., AbstractContextManager[Pipeline]]]] = {
    NOBODY: nobody,
    IDLE: partial(batched, exporter=_no_op_exporter),
    OTLP_PIPELINE: partial(batched, exporter=_otlp_exporter),
    OURS_PIPELINE: ours,
}
