"""``otel-langsmith show``."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from otel_langsmith.commands.console import emit
from otel_langsmith.commands.database import database_option, opened
from otel_langsmith.receiver import Store, StoredRun, TraceSummary
from otel_langsmith.receiver.instants import duration
from otel_langsmith.tree import printable, trace_tree

LATEST: Final = 20
"""How many traces a list shows: what fits a screen."""

_SPAN_ID_PADDING: Final = "00000000-0000-0000-"
"""What a trace id made from a span id begins with; nobody has to read or type it."""


@click.command()
@click.argument("trace", required=False)
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that was received.")
def show(trace: str | None, database: Path, *, as_json: bool) -> None:
    """List the latest traces, or show one.

    TRACE is a trace id or the beginning of one.
    """
    with opened(database) as store:
        if trace is None:
            latest = store.traces(limit=LATEST)
            emit(latest, _trace_table(latest), as_json=as_json)
        else:
            runs = _runs_of(store, trace)
            emit(runs, trace_tree(runs), as_json=as_json)


def _runs_of(store: Store, trace_id: str) -> list[StoredRun]:
    """The runs of the one trace whose id begins so."""
    try:
        runs = store.trace(trace_id)
    except LookupError as error:
        raise click.ClickException(str(error)) from error
    if not runs:
        raise click.ClickException(f"no trace id begins with {trace_id!r}")
    return runs


def _trace_table(traces: Sequence[TraceSummary]) -> Table:
    """The traces, one a line."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("trace", "started"):
        table.add_column(heading, no_wrap=True)
    for heading in ("took", "runs", "tokens"):
        table.add_column(heading, no_wrap=True, justify="right")
    for heading in ("project", "name"):
        table.add_column(heading)
    for summary in traces:
        table.add_row(*_cells(summary), style="red" if summary.error is not None else None)
    return table


def _cells(summary: TraceSummary) -> Iterator[Text]:
    for value in (
        summary.trace_id.removeprefix(_SPAN_ID_PADDING),
        _local_time(summary.start_time),
        duration(summary.start_time, summary.end_time),
        summary.run_count,
        summary.total_tokens or "",
        summary.project,
        summary.name,
    ):
        yield Text(printable(value))


def _local_time(instant: datetime | None) -> str:
    if instant is None:
        return ""
    # The ends of the calendar have no local time; what came from the wire may lie there.
    with contextlib.suppress(OverflowError, ValueError, OSError):
        instant = instant.astimezone()
    return f"{instant:%Y-%m-%d %H:%M:%S}"
