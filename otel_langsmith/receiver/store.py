"""The runs that were received, in one SQLite file or in memory; knows no HTTP.

What arrived is kept as it arrived, one row per (run, operation): that is the key LangSmith's 409
goes by, and a run is merged from its rows when it is read. The table ``run`` is an index over the
merged runs.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from otel_langsmith.errors import ConfigurationError
from otel_langsmith.receiver import instants
from otel_langsmith.receiver.ingest import Delivery, Operation
from otel_langsmith.receiver.refusal import bad_request, conflict, unprocessable
from otel_langsmith.receiver.stored import (
    StoredRun,
    TraceSummary,
    merged,
    stored_run,
    with_lineage,
)
from otel_langsmith.run import EMPTY, JsonObject

MAX_RUNS_PER_TRACE: Final = 25_000
REQUESTS_REMEMBERED: Final = 2_000

_LAYOUT: Final = 1
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS payload (
    run_id TEXT, operation TEXT, body BLOB, PRIMARY KEY (run_id, operation)
);
CREATE TABLE IF NOT EXISTS run (
    arrival INTEGER PRIMARY KEY, id TEXT UNIQUE, trace_id TEXT, dotted_order TEXT, name TEXT,
    project TEXT, run_type TEXT, start_us INTEGER, end_us INTEGER, error TEXT, tokens INTEGER
);
CREATE INDEX IF NOT EXISTS run_by_trace ON run (trace_id, dotted_order);
CREATE TABLE IF NOT EXISTS attachment (
    run_id TEXT, name TEXT, mime_type TEXT, data BLOB, PRIMARY KEY (run_id, name)
);
CREATE TABLE IF NOT EXISTS feedback (id TEXT, trace_id TEXT, body BLOB);
PRAGMA user_version = {_LAYOUT};
"""

_INDEX: Final = """
INSERT INTO run
    (id, trace_id, dotted_order, name, project, run_type, start_us, end_us, error, tokens)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    trace_id = excluded.trace_id, dotted_order = excluded.dotted_order, name = excluded.name,
    project = excluded.project, run_type = excluded.run_type, start_us = excluded.start_us,
    end_us = excluded.end_us, error = excluded.error, tokens = excluded.tokens
"""

# With a single MIN(), SQLite takes the bare columns from the row that has it: the root, or the
# eldest run when the root has not arrived. '~' sorts runs whose lineage is still unknown last.
_TRACES: Final = """
SELECT trace_id, name, project, run_type, start_us, end_us, error, COUNT(*),
       SUM(CASE WHEN run_type IN ('llm', 'embedding') THEN tokens END),
       MIN(COALESCE(NULLIF(dotted_order, ''), '~' || id))
FROM run WHERE :project IS NULL OR project = :project
GROUP BY trace_id ORDER BY start_us DESC, arrival DESC LIMIT :limit
"""

_RUNS_OF_TRACE: Final = """
SELECT payload.run_id, payload.operation, payload.body FROM run
JOIN payload ON payload.run_id = run.id WHERE run.trace_id = ?
ORDER BY COALESCE(NULLIF(run.dotted_order, ''), '~' || run.id)
"""
_FILES_OF_TRACE: Final = """
SELECT run_id, name, mime_type, data FROM attachment
WHERE run_id IN (SELECT id FROM run WHERE trace_id = ?)
"""
_RUN: Final = "SELECT run_id, operation, body FROM payload WHERE run_id = ?"
_FILES_OF_RUN: Final = "SELECT run_id, name, mime_type, data FROM attachment WHERE run_id = ?"
_RUNS_SINCE: Final = """
SELECT payload.run_id, payload.operation, payload.body FROM run
JOIN payload ON payload.run_id = run.id WHERE run.arrival > ? ORDER BY run.arrival
"""
_FILES_SINCE: Final = """
SELECT run_id, name, mime_type, data FROM attachment
WHERE run_id IN (SELECT id FROM run WHERE arrival > ?)
"""
# An id can be typed with or without dashes, and without the zeros that pad a span id to a UUID.
_MATCHING: Final = """
SELECT DISTINCT trace_id FROM run
WHERE REPLACE(trace_id, '-', '') LIKE :typed || '%'
   OR REPLACE(trace_id, '-', '') LIKE '0000000000000000' || :typed || '%'
LIMIT 2
"""


class ReceivedRequest(NamedTuple):
    """One line of the request log; ``error`` is the text of a refusal."""

    method: str
    path: str
    status: int
    error: str | None


class Store:
    """Everything received, safe to use from any thread.

    Args:
        path: A file, created when it is missing, or ``:memory:``. A file may be read by another
            process while this one writes.
        max_runs_per_trace: LangSmith documents 25,000 and rejects what comes later.

    Raises:
        ConfigurationError: the file is not one of ours.
    """

    def __init__(
        self, path: str | Path = ":memory:", *, max_runs_per_trace: int = MAX_RUNS_PER_TRACE
    ) -> None:
        self._max_runs_per_trace = max_runs_per_trace
        self._requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_REMEMBERED)
        self._changed = threading.Condition(threading.RLock())
        self._database = _open(path)

    def receive(self, delivery: Delivery) -> None:
        """Keep all of ``delivery``, in one transaction, or raise and keep nothing.

        Raises:
            RefusedError: 409 for an operation received before, 400 for a run whose lineage cannot
                be derived, 422 beyond `max_runs_per_trace`.
        """
        with self._changed, self._database:
            touched = {self._apply(operation) for operation in delivery.operations}
            for trace_id in touched:
                self._check_room(trace_id)
            self._database.executemany(
                "INSERT INTO feedback VALUES (?, ?, ?)",
                [(f["id"], f["trace_id"], orjson.dumps(f)) for f in delivery.feedback],
            )
            self._changed.notify_all()

    def traces(self, *, limit: int = 50, project: str | None = None) -> list[TraceSummary]:
        """The traces that began last, newest first."""
        with self._changed:
            rows = self._database.execute(_TRACES, {"project": project, "limit": limit}).fetchall()
        return [_summary(row) for row in rows]

    def projects(self) -> list[str]:
        """The names of the projects that have runs, sorted."""
        with self._changed:
            rows = self._database.execute("SELECT DISTINCT project FROM run ORDER BY 1").fetchall()
        return [name for (name,) in rows]

    def trace(self, trace_id: str) -> list[StoredRun]:
        """The runs of one trace in the order of the tree; empty when there is no such trace.

        Args:
            trace_id: The id, or as much of its beginning as tells it from the others. Dashes, and
                the zeros in front of an id made from a span id, may be left out.

        Raises:
            LookupError: the beginning fits more than one trace.
        """
        with self._changed:
            found = self._matching(trace_id)
            if found is None:
                return []
            return self._load(_RUNS_OF_TRACE, _FILES_OF_TRACE, found)

    def runs(self, *, limit: int | None = None) -> list[StoredRun]:
        """All runs in order of arrival, or the ``limit`` that arrived last."""
        with self._changed:
            return self._load(_RUNS_SINCE, _FILES_SINCE, self._arrival_before_last(limit))

    def run(self, run_id: str) -> StoredRun | None:
        """The run of this id, dashed and in lower case; None when there is none."""
        with self._changed:
            return next(iter(self._load(_RUN, _FILES_OF_RUN, run_id)), None)

    def feedback(self) -> list[JsonObject]:
        """All feedback in order of arrival."""
        with self._changed:
            rows = self._database.execute("SELECT body FROM feedback ORDER BY rowid").fetchall()
        return [orjson.loads(body) for (body,) in rows]

    def wait_for(self, count: int, *, timeout_s: float, ended: bool = False) -> bool:
        """True as soon as ``count`` runs or more are here; False when ``timeout_s`` seconds passed.

        With ``ended``, only runs that have an end time count.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._count(ended=ended) >= count, timeout_s)

    def requests(self) -> list[ReceivedRequest]:
        """The latest requests, oldest first; kept in memory only."""
        with self._changed:
            return list(self._requests)

    def log(self, request: ReceivedRequest) -> None:
        """Remember that ``request`` was answered."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the file; the store cannot be used afterwards. Closing twice does nothing."""
        with self._changed:
            self._database.close()

    def _apply(self, operation: Operation) -> str:
        fields = self._complete(operation)
        run_id = fields["id"]
        try:
            self._database.execute(
                "INSERT INTO payload VALUES (?, ?, ?)",
                (run_id, operation.kind, orjson.dumps(fields)),
            )
        except sqlite3.IntegrityError:
            raise conflict() from None
        self._database.executemany(
            "INSERT OR REPLACE INTO attachment VALUES (?, ?, ?, ?)",
            [(run_id, a.name, a.mime_type, a.data) for a in operation.attachments],
        )
        return self._index(run_id)

    def _complete(self, operation: Operation) -> JsonObject:
        fields = operation.run
        if operation.kind == "patch" or ("dotted_order" in fields and "trace_id" in fields):
            return fields
        parent = fields.get("parent_run_id")
        order = None if parent is None else self._order_of(parent)
        if parent is not None and order is None and "dotted_order" not in fields:
            # A guess: the documented statuses have no better one for a parent nobody knows.
            raise bad_request(f"cannot derive 'dotted_order': parent run {parent} is unknown")
        complete = with_lineage(fields, order, datetime.now(timezone.utc))
        if fields.get("trace_id", complete["trace_id"]) != complete["trace_id"]:
            raise bad_request(f"trace_id {fields['trace_id']} is not the trace of the parent run")
        return complete

    def _order_of(self, run_id: str) -> str | None:
        rows = self._database.execute(
            "SELECT dotted_order FROM run WHERE id = ? AND dotted_order != ''", (run_id,)
        )
        return next((order for (order,) in rows), None)

    def _index(self, run_id: str) -> str:
        rows = self._database.execute(_RUN, (run_id,)).fetchall()
        (run,) = _merged_runs(rows, ())
        times = (instants.microseconds(run.start_time), instants.microseconds(run.end_time))
        named = (run.name, run.project, run.run_type)
        self._database.execute(
            _INDEX,
            (run.id, run.trace_id, run.dotted_order, *named, *times, run.error, run.total_tokens),
        )
        return run.trace_id

    def _check_room(self, trace_id: str) -> None:
        count = "SELECT COUNT(*) FROM run WHERE trace_id = ?"
        (held,) = self._database.execute(count, (trace_id,)).fetchone()
        if held > self._max_runs_per_trace:
            # That later runs are rejected is documented; the status and the text are guesses.
            raise unprocessable(
                f"trace {trace_id} would hold {held} runs, more than {self._max_runs_per_trace}"
            )

    def _matching(self, trace_id: str) -> str | None:
        typed = trace_id.strip().lower().replace("-", "")
        if not typed or set(typed) - set("0123456789abcdef"):
            return None
        rows = self._database.execute(_MATCHING, {"typed": typed}).fetchall()
        if len(rows) > 1:
            raise LookupError(f"{trace_id} is the beginning of more than one trace id")
        return rows[0][0] if rows else None

    def _load(self, runs: str, files: str, key: str | int) -> list[StoredRun]:
        rows = self._database.execute(runs, (key,)).fetchall()
        return _merged_runs(rows, self._database.execute(files, (key,)))

    def _arrival_before_last(self, limit: int | None) -> int:
        if limit is None:
            return 0
        row = self._database.execute(
            "SELECT arrival FROM run ORDER BY arrival DESC LIMIT 1 OFFSET ?", (max(limit, 0),)
        ).fetchone()
        return row[0] if row else 0

    def _count(self, *, ended: bool) -> int:
        (count,) = self._database.execute(
            "SELECT COUNT(*) FROM run WHERE NOT ? OR end_us IS NOT NULL", (ended,)
        ).fetchone()
        return int(count)


def _open(path: str | Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, check_same_thread=False, isolation_level="IMMEDIATE")
        try:
            _prepare(database)
        except BaseException:
            database.close()
            raise
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{path} cannot be used as the receiver's file, name another: {error}"
        ) from None
    return database


def _prepare(database: sqlite3.Connection) -> None:
    (layout,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if layout != _LAYOUT and (layout or tables):
        raise sqlite3.DatabaseError("it was not written by this version of otel-langsmith")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_SCHEMA)


def _merged_runs(
    rows: Iterable[tuple[str, str, bytes]], files: Iterable[tuple[str, str, str, bytes]]
) -> list[StoredRun]:
    halves: dict[str, dict[str, JsonObject]] = {}
    for run_id, operation, body in rows:
        halves.setdefault(run_id, {})[operation] = orjson.loads(body)
    attachments: dict[str, dict[str, tuple[str, bytes]]] = {}
    for run_id, name, mime_type, data in files:
        attachments.setdefault(run_id, {})[name] = (mime_type, data)
    return [
        stored_run(
            merged(half.get("post", EMPTY), half.get("patch", EMPTY)), attachments.get(run_id, {})
        )
        for run_id, half in halves.items()
    ]


def _summary(row: Sequence[Any]) -> TraceSummary:
    trace_id, name, project, run_type, start_us, end_us, error, count, tokens, _ = row
    return TraceSummary(
        trace_id=trace_id,
        name=name,
        project=project,
        run_type=run_type,
        start_time=instants.from_microseconds(start_us),
        end_time=instants.from_microseconds(end_us),
        error=error,
        run_count=count,
        total_tokens=tokens,
    )
