"""Everybody who takes part, by the name that stands in tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http import Compression as OTLPCompression

from bench.exporters import Opening, floor, otlp, ours
from bench.langsmith_sdk import langsmith_client, langsmith_otel, run_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

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
