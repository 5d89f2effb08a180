"""Exporters as they are measured: each takes finished spans and, when timed, gets them to the sink.

Every contender is opened once and warmed up, so that connections, caches and imports are paid for,
and raises when anything was not delivered: a fast loss is no speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import orjson
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from bench.measure import Work
from bench.runs import Run, ready_runs
from bench.workloads import Workload, finished
from otel_langsmith import LangSmithSpanExporter

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http import Compression as OTLPCompression

Spans: TypeAlias = Sequence[ReadableSpan]
Contender: TypeAlias = Callable[[Spans], Work]
"""Prepares the spans, which is not timed, and says what is."""

Opening: TypeAlias = Callable[[str], AbstractContextManager[Contender]]
"""A contender that sends to a URL, while the context lasts."""

BATCH: Final = 512
"""Spans per export: OpenTelemetry's batch size."""

MOST_SPANS: Final = 2_048
"""What OpenTelemetry's batch processor can queue; more at a time would be dropped."""

API_KEY: Final = "lsv2_bench"

_PATIENCE_S: Final = 120
"""For one export: ten are too few under valgrind, on a machine that others use as well."""


class LostSpansError(RuntimeError):
    """A contender did not deliver all it was given, so its time means nothing."""


def prepared(contender: Contender, workload: Workload, spans: int) -> Work:
    """The contender at so many new spans of the workload, and a few more to fill the last trace."""
    return contender(finished(workload.traces(spans)))


@contextmanager
def ours(url: str, compression: Literal["none", "gzip", "zstd"] = "none") -> Iterator[Contender]:
    """`LangSmithSpanExporter.export`, and proof that all was delivered."""
    exporter = LangSmithSpanExporter(
        endpoint=url,
        api_key=API_KEY,
        compression=compression,
        max_trace_runs=10_000_000,
        timeout=_PATIENCE_S,
    )

    def deliver(spans: Spans) -> None:
        _export(exporter, spans)
        if not exporter.force_flush():
            raise LostSpansError(f"ours: {exporter.ledger()}")

    yield lambda spans: partial(deliver, spans)
    exporter.shutdown()


@contextmanager
def otlp(url: str, compression: OTLPCompression | None = None) -> Iterator[Contender]:
    """`opentelemetry-exporter-otlp-proto-http`."""
    exporter: SpanExporter = OTLPSpanExporter(
        f"{url}/v1/traces", timeout=_PATIENCE_S, compression=compression
    )
    yield lambda spans: partial(_export, exporter, spans)
    exporter.shutdown()


def _export(exporter: SpanExporter, spans: Spans) -> None:
    for start in range(0, len(spans), BATCH):
        if exporter.export(spans[start : start + BATCH]) is not SpanExportResult.SUCCESS:
            raise LostSpansError(f"{type(exporter).__name__} failed")


@contextmanager
def floor(url: str) -> Iterator[Contender]:  # noqa: ARG001 - sends nothing
    """`orjson.dumps` of ready dicts, joined: the least that JSON can cost, and nothing sent."""

    def dump(runs: list[Run]) -> None:
        b"".join([orjson.dumps(run) for run in runs])

    def prepare(spans: Spans) -> Work:
        return partial(dump, ready_runs(spans))

    yield prepare
