"""Those who are measured: each takes finished spans and, when timed, gets them to the sink.

Every contender is opened once and warmed up, so that connections, caches and imports are paid for,
and raises when anything was not delivered: a fast loss is no speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import langsmith
import orjson
from langsmith.run_trees import RunTree
from opentelemetry.exporter.otlp.proto.http import Compression as OTLPCompression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.measure import Work
from bench.runs import Run, ready_runs
from otel_langsmith import LangSmithSpanExporter

Spans: TypeAlias = Sequence[ReadableSpan]
Contender: TypeAlias = Callable[[Spans], Work]
"""Prepares the spans, which is not timed, and says what is."""

Opening: TypeAlias = Callable[[str], AbstractContextManager[Contender]]
"""A contender that sends to a URL, while the context lasts."""

RunType: TypeAlias = Literal["chain", "llm", "tool"]

BATCH: Final = 512
"""Spans per export: OpenTelemetry's batch size."""

MOST_SPANS: Final = 2_048
"""What OpenTelemetry's batch processor can queue; more at a time would be dropped."""

API_KEY: Final = "lsv2_bench"

_FLUSH_S: Final = 60.0

_ANCHORS: Final = 64
"""langsmith's sender takes few references to its client for a sign that nobody needs it any more, and
leaves; then `Client.flush` waits for ever (performance.md §7). So we hold some."""


class LostSpansError(RuntimeError):
    """A contender did not deliver all it was given, so its time means nothing."""


@contextmanager
def ours(url: str, compression: Literal["none", "gzip", "zstd"] = "none") -> Iterator[Contender]:
    """`LangSmithSpanExporter.export`, and proof that all was delivered."""
    exporter = LangSmithSpanExporter(endpoint=url, api_key=API_KEY, compression=compression)

    def deliver(spans: Spans) -> None:
        _export(exporter, spans)
        if not exporter.force_flush():
            raise LostSpansError(f"ours: {exporter.ledger()}")

    yield lambda spans: partial(deliver, spans)
    exporter.shutdown()


@contextmanager
def otlp(url: str, compression: OTLPCompression | None = None) -> Iterator[Contender]:
    """`opentelemetry-exporter-otlp-proto-http`."""
    exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=compression)
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


@contextmanager
def langsmith_client(url: str, *, zstd: bool = False, finished: bool = False) -> Iterator[Contender]:
    """`Client.create_run` at the start and `update_run` at the end of runs that are ready.

    ``finished`` runs are created with their outputs, and not updated.
    """
    client = _client(url, zstd=zstd)
    record = partial(_create, client) if finished else partial(_create_and_update, client)

    def send(runs: list[Run]) -> None:
        record(runs)
        _flush(client)

    with _anchored(client):
        yield lambda spans: partial(send, ready_runs(spans))


@contextmanager
def run_tree(url: str, *, zstd: bool = False) -> Iterator[Contender]:
    """`RunTree`: post at the start, end and patch at the end of runs that are ready."""
    client = _client(url, zstd=zstd)

    def send(runs: list[Run]) -> None:
        grown: dict[UUID, RunTree] = {}
        for run in runs:
            grown[run["id"]] = _grow(client, run, grown)
        for run in reversed(runs):
            tree = grown[run["id"]]
            tree.end(outputs=run["outputs"], error=run["error"])
            tree.patch()
        _flush(client)

    with _anchored(client):
        yield lambda spans: partial(send, ready_runs(spans))


@contextmanager
def langsmith_otel(url: str) -> Iterator[Contender]:
    """LangSmith's SDK in its OTel mode: runs become spans, which OTLP/HTTP sends."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{url}/otel/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MOST_SPANS * 2))
    client = _client(url, tracing_mode="otel", otel_tracer_provider=provider)

    def send(runs: list[Run]) -> None:
        _create_and_update(client, runs)
        _flush(client)
        provider.force_flush()

    with _anchored(client):
        yield lambda spans: partial(send, ready_runs(spans))
    provider.shutdown()


def _client(url: str, *, zstd: bool = False, **options: Any) -> langsmith.Client:
    info = {
        "batch_ingest_config": _INGEST,
        "instance_flags": {"zstd_compression_enabled": zstd},
    }
    return langsmith.Client(url, api_key=API_KEY, info=info, **options)


_INGEST: Final = {
    "use_multipart_endpoint": True,
    "scale_up_qsize_trigger": 1_000,
    "scale_up_nthreads_limit": 16,
    "scale_down_nempty_trigger": 4,
    "size_limit": 100,
    "size_limit_bytes": 20_971_520,
}
"""What LangSmith tells its SDK (langsmith.md)."""


def _flush(client: langsmith.Client) -> None:
    client.flush(_FLUSH_S)
    queue = client.tracing_queue
    if queue is not None and queue.unfinished_tasks:
        raise LostSpansError(f"langsmith left {queue.unfinished_tasks} operations after a flush")


@contextmanager
def _anchored(client: langsmith.Client) -> Iterator[None]:
    anchors = [client] * _ANCHORS
    yield
    anchors.clear()
    client.cleanup()


def _create(client: langsmith.Client, runs: list[Run]) -> None:
    for run in runs:
        client.create_run(**run, project_name="default")


def _create_and_update(client: langsmith.Client, runs: list[Run]) -> None:
    for run in runs:
        client.create_run(
            run["name"],
            run["inputs"],
            run["run_type"],
            project_name="default",
            start_time=run["start_time"],
            extra=run["extra"],
            **_place(run),
        )
    for run in reversed(runs):
        client.update_run(
            run["id"],
            end_time=run["end_time"],
            outputs=run["outputs"],
            error=run["error"],
            trace_id=run["trace_id"],
            parent_run_id=run["parent_run_id"],
            dotted_order=run["dotted_order"],
        )


def _place(run: Run) -> dict[str, Any]:
    places = ("id", "trace_id", "parent_run_id", "dotted_order")
    return {name: value for name, value in run.items() if name in places}


def _grow(client: langsmith.Client, run: Run, grown: Mapping[UUID, RunTree]) -> RunTree:
    tree = RunTree(
        name=run["name"],
        run_type=run["run_type"],
        inputs=run["inputs"],
        extra=run["extra"],
        parent_run=grown[run["parent_run_id"]] if run["parent_run_id"] else None,
        ls_client=client,
        project_name="default",
    )
    tree.post()
    return tree


OURS: Final = "ours"
OTLP: Final = "OTLP/HTTP protobuf"
LANGSMITH: Final = "langsmith create+update"
FLOOR: Final = "orjson floor"
OURS_GZIP: Final = f"{OURS}, gzip"
OURS_ZSTD: Final = f"{OURS}, zstd"
OTLP_GZIP: Final = f"{OTLP}, gzip"
LANGSMITH_ZSTD: Final = f"{LANGSMITH}, zstd"
LANGSMITH_CREATE: Final = "langsmith create_run"
LANGSMITH_CREATE_ZSTD: Final = f"{LANGSMITH_CREATE}, zstd"
RUN_TREE: Final = "langsmith RunTree"
RUN_TREE_ZSTD: Final = f"{RUN_TREE}, zstd"
LANGSMITH_OTEL: Final = "langsmith OTel mode"

OPENINGS: Final[Mapping[str, Opening]] = {
    OURS: ours,
    OURS_GZIP: partial(ours, compression="gzip"),
    OURS_ZSTD: partial(ours, compression="zstd"),
    OTLP: otlp,
    OTLP_GZIP: partial(otlp, compression=OTLPCompression.Gzip),
    LANGSMITH_CREATE: partial(langsmith_client, finished=True),
    LANGSMITH_CREATE_ZSTD: partial(langsmith_client, finished=True, zstd=True),
    LANGSMITH: langsmith_client,
    LANGSMITH_ZSTD: partial(langsmith_client, zstd=True),
    RUN_TREE: run_tree,
    RUN_TREE_ZSTD: partial(run_tree, zstd=True),
    LANGSMITH_OTEL: langsmith_otel,
    FLOOR: floor,
}
"""Every contender of an export, by the name it has in tables."""
