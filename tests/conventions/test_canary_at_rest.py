"""What is hidden is not on the disk either, nor in our log: spooled, dead-lettered, or logged for.

All captures with their log records, by the exporter as it is, with a network that never takes any.
"""

import logging
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from conventions.test_canary import CANARY, TABLE, anything, marked, marked_span, refuse
from conventions.test_captured_logs import marked_content
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.trace.export import SpanExportResult
from requests.adapters import BaseAdapter
from support.captures import CAPTURES, load, log_records, logs_of, name_of

from otel_langsmith import LangSmithLogRecordProcessor, LangSmithSpanExporter
from otel_langsmith.delivery.records import content, scan
from otel_langsmith.delivery.segment_files import segment_names

pytestmark = pytest.mark.large

EVERY = {name_of(path).partition("__")[0]: path for path in CAPTURES}.values()
"""A capture of each instrumentation."""

LOGGED = [path for path in CAPTURES if logs_of(path).exists()]

ALL_HIDDEN = {"hide_inputs": True, "hide_outputs": True, "hide_metadata": True}
CONTENT_HIDDEN = {"hide_inputs": True, "hide_outputs": True}


class Wall(BaseAdapter):
    """A network without LangSmith (no status), or with one that refuses every run."""

    def __init__(self, status: int | None) -> None:
        super().__init__()
        self._status = status

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        if self._status is None:
            raise requests.ConnectionError(request=request)
        response = requests.Response()
        response.status_code, response.request = self._status, request
        response.raw = BytesIO(b'{"detail": "no"}')
        return response

    def close(self) -> None:
        pass


def session(status: int | None) -> requests.Session:
    made = requests.Session()
    made.mount("http://", Wall(status))
    return made


def hear(path: Path) -> None:
    """Log what was logged for the spans of a capture, with the marker in it."""
    processor = LangSmithLogRecordProcessor()
    for record in log_records(path):
        record.body, record.attributes = marked(record.body), marked_content(record.attributes)
        processor.on_emit(ReadWriteLogRecord(record))


def at_rest(folder: Path, status: int | None, settings: Mapping[str, Any]) -> bytes:
    """All that is on the disk once every capture went nowhere."""
    exporter = LangSmithSpanExporter(
        endpoint="http://127.0.0.1:9",
        api_key="k",
        session=session(status),
        spool_dir=str(folder),
        timeout=5,
        **settings,
    )
    chosen = anything if "redact" in settings else TABLE.is_content
    for path in {*EVERY, *LOGGED}:
        hear(path)
        spans = [marked_span(span, chosen) for span in load(path)]
        assert exporter.export(spans) in SpanExportResult
    exporter.shutdown()
    ledger = exporter.ledger()
    assert ledger.spooled + ledger.dead_lettered == ledger.received
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.name.encode() + written_in(path) for path in files)


def written_in(path: Path) -> bytes:
    """What a file says, and in a segment what its deflated frames do."""
    data = path.read_bytes()
    frames = [
        content(frame)
        for name in segment_names([path.name])
        for frame in scan(data, name.marker)[0]
    ]
    return b"".join((data, *frames))


EITHER_WAY = pytest.mark.parametrize("status", [None, 422], ids=["spooled", "dead-lettered"])


@EITHER_WAY
@pytest.mark.parametrize(
    "settings",
    [ALL_HIDDEN, CONTENT_HIDDEN, {"redact": refuse}],
    ids=["all hidden", "content hidden", "redact fails"],
)
def test_no_marker_is_on_the_disk_or_in_the_log(
    tmp_path: Path,
    status: int | None,
    settings: Mapping[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        found = at_rest(tmp_path, status, settings)
    assert b"dotted_order" in found
    assert CANARY.encode() not in found
    assert CANARY not in caplog.text + "".join(str(one.message) for one in warned)


@EITHER_WAY
def test_the_marker_would_be_found(tmp_path: Path, status: int | None) -> None:
    assert CANARY.encode() in at_rest(tmp_path, status, {})
