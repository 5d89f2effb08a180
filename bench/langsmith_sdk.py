"""LangSmith's own SDK as it is measured, in each of its three ways, given runs that are ready."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import langsmith
from langsmith.run_trees import RunTree
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from bench.exporters import API_KEY, MOST_SPANS, Contender, LostSpansError
from bench.runs import Run, ready_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

_FLUSH_S: Final = 60.0

_ANCHORS: Final = 64
"""langsmith's sender takes few references to its client for a sign that nobody needs it any more,
and leaves; then `Client.flush` waits for ever. So we hold some."""


@contextmanager
def langsmith_client(
    url: str, *, zstd: bool = False, finished: bool = False
) -> Iterator[Contender]:
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
    logging.getLogger("langsmith").setLevel(logging.ERROR)  # it warns that zstd is off, as we wish
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
"""What LangSmith tells its SDK at ``/info``."""


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
