"""What the store returns: runs, and summaries of traces, as values; knows no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from otel_langsmith.receiver import instants
from otel_langsmith.receiver.dotted_order import extend, parse
from otel_langsmith.run import EMPTY, Json, JsonObject, RunType

Status: TypeAlias = Literal["pending", "success", "error"]

_MOST_TOKENS: Final = 2**40


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One line of the list of traces: its first run, and how much hangs beneath it.

    ``error`` is the first run's own: a failure that was handled further down does not fail a trace.
    ``total_tokens`` is the sum over model runs, None when none of them told its usage.
    """

    trace_id: str
    name: str
    project: str
    run_type: RunType
    start_time: datetime | None
    end_time: datetime | None
    error: str | None
    run_count: int
    total_tokens: int | None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run as the server knows it: what its post said, overridden by what its patch said.

    A run that has been patched but not yet posted may lack its name, type and lineage: its name is
    then empty, its type ``chain``, and its own id stands in for the trace's.
    """

    id: str
    trace_id: str
    parent_run_id: str | None
    dotted_order: str
    name: str
    run_type: RunType
    start_time: datetime | None
    end_time: datetime | None
    inputs: JsonObject | None
    outputs: JsonObject | None
    error: str | None
    events: Sequence[JsonObject]
    tags: Sequence[str]
    extra: JsonObject
    serialized: JsonObject | None
    session_name: str | None
    session_id: str | None
    reference_example_id: str | None
    attachments: Mapping[str, tuple[str, bytes]]

    @property
    def depth(self) -> int:
        """How many ancestors the dotted order names: 0 for the root of a trace."""
        return self.dotted_order.count(".")

    @property
    def status(self) -> Status:
        """``error`` as soon as there is one, else ``pending`` until the run has an end."""
        if self.error is not None:
            return "error"
        return "pending" if self.end_time is None else "success"

    @property
    def metadata(self) -> JsonObject:
        """``extra.metadata``, or nothing."""
        return _object(self.extra.get("metadata"))

    @property
    def usage(self) -> JsonObject | None:
        """``usage_metadata`` of the outputs, else of the metadata."""
        for holder in (self.outputs or EMPTY, self.metadata):
            if isinstance(usage := holder.get("usage_metadata"), dict):
                return usage
        return None

    @property
    def total_tokens(self) -> int | None:
        """The stated total, else input plus output; None when the usage says neither."""
        usage = self.usage or EMPTY
        total = _count(usage.get("total_tokens"))
        if total is not None:
            return total
        halves = [_count(usage.get(key)) for key in ("input_tokens", "output_tokens")]
        return None if halves == [None, None] else sum(half or 0 for half in halves)

    @property
    def project(self) -> str:
        """Where LangSmith files it: the project named, else the project's id, else ``default``."""
        return self.session_name or self.session_id or "default"


def merged(posted: JsonObject, patched: JsonObject) -> JsonObject:
    """A run out of its two halves, whichever came first.

    Fields of the patch replace fields of the post whole, ``extra`` included: so does the Python SDK
    when it merges a patch into a post before sending, and both ways must end in the same run.
    """
    return {**posted, **patched}


def stored_run(fields: JsonObject, attachments: Mapping[str, tuple[str, bytes]]) -> StoredRun:
    """The value for a run's merged wire fields."""
    order = fields.get("dotted_order", "")
    return StoredRun(
        id=fields["id"],
        trace_id=fields.get("trace_id", fields["id"]),
        parent_run_id=fields.get("parent_run_id"),
        dotted_order=order,
        name=fields.get("name", ""),
        run_type=fields.get("run_type", "chain"),
        start_time=_start(fields),
        end_time=_instant(fields.get("end_time")),
        inputs=fields.get("inputs"),
        outputs=fields.get("outputs"),
        error=fields.get("error"),
        events=fields.get("events", ()),
        tags=fields.get("tags", ()),
        extra=_object(fields.get("extra")),
        serialized=fields.get("serialized"),
        session_name=fields.get("session_name"),
        session_id=fields.get("session_id"),
        reference_example_id=fields.get("reference_example_id"),
        attachments=attachments,
    )


def with_lineage(fields: JsonObject, parent_order: str | None, now: datetime) -> JsonObject:
    """``fields`` with the trace id and the dotted order that LangSmith derives for a single run.

    ``parent_order`` is the parent's dotted order, None for a root; ``now`` is the start of a run
    that does not tell its own.
    """
    order = fields.get("dotted_order")
    if order is None:
        start = _instant(fields.get("start_time")) or now
        order = extend(parent_order, start, fields["id"])
    return {**fields, "dotted_order": order, "trace_id": parse(order)[0].run_id}


def _start(fields: JsonObject) -> datetime | None:
    if "start_time" in fields:
        return _instant(fields["start_time"])
    order = fields.get("dotted_order")
    return parse(order)[-1].instant if order else None


def _instant(value: Json) -> datetime | None:
    return None if value is None else instants.read(value)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else EMPTY


def _count(value: Json) -> int | None:
    # Bounded so that SQLite can hold it, and the sum of a trace as well.
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < _MOST_TOKENS else None
