"""``otel-langsmith spool``: `ls`, `show`, `replay`, `purge`."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_langsmith.delivery.dead_letters import DeadLetter, written
from otel_langsmith.delivery.transport import HttpTransport
from otel_langsmith.keys import destinations
from otel_langsmith.replaying import Report, replay
from otel_langsmith.settings import resolve
from otel_langsmith.spooling import STATES, Directory, Found
from otel_langsmith.tree import printable

VARIABLES = (
    "OTEL_EXPORTER_LANGSMITH_SPOOL_DIR",
    "LANGSMITH_SPOOL_DIR",
    "LANGSMITH_FAILED_TRACES_DIR",
    "LANGCHAIN_FAILED_TRACES_DIR",
)
"""Where a directory may be named."""

directory_option = click.option(
    "--dir",
    "path",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=VARIABLES,
    required=True,
    show_envvar=True,
    help="A spool directory, or the LangSmith SDK's LANGSMITH_FAILED_TRACES_DIR.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
states_option = click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="Only runs in this state. Repeatable.",
)


@click.group()
def spool() -> None:
    """List, resend or delete runs on disk.

    They are in the `spool_dir` of an exporter, or in LANGSMITH_FAILED_TRACES_DIR.
    """


@spool.command("ls")
@directory_option
@json_option
def ls(path: Path, *, as_json: bool) -> None:
    """List the files and how many runs each holds.

    Its state is `waits`: not delivered yet; `open`: the run goes on, or its process died;
    `refused`: LangSmith will not take it as it is; or `failed upload`: the LangSmith SDK gave up.
    """
    with _opened(path) as directory:
        files: dict[Path, list[Found]] = {}
        for found in directory.look():
            files.setdefault(found.file, []).append(found)
        rows = [_summary(file, held) for file, held in files.items()]
        if as_json:
            click.echo(json.dumps(rows, indent=2))
        else:
            _print_table(rows)


@spool.command()
@click.argument("run_id", required=False)
@directory_option
@json_option
@states_option
def show(run_id: str | None, path: Path, states: Sequence[str], *, as_json: bool) -> None:
    """List the runs, or print some in full.

    RUN_ID is a run id or the beginning of one.
    """
    with _opened(path) as directory:
        wanted = [
            found
            for found in directory.look()
            if found.record.run_id.startswith(run_id or "") and found.state in (states or STATES)
        ]
    if run_id is not None and not wanted:
        raise click.ClickException(f"no run id begins with {run_id!r}")
    if as_json or run_id is not None:
        click.echo(json.dumps([_whole(found) for found in wanted], indent=2))
    else:
        _print_table([_line(found) for found in wanted])


@spool.command("replay")
@directory_option
@click.option("--refused", is_flag=True, help="Send refused runs again, too.")
def replay_command(path: Path, *, refused: bool) -> None:
    """Send the runs to LangSmith.

    To the one that LANGSMITH_ENDPOINT and LANGSMITH_API_KEY name, or to each of
    LANGSMITH_RUNS_ENDPOINTS. Runs that it has already are no error. What cannot be delivered stays,
    and the exit status is 1.
    """
    settings, problems = resolve({}, os.environ)
    for problem in problems:
        click.echo(problem, err=True)
    each = destinations(settings)
    if any(one.endpoint is None or one.api_key is None for one in each):
        raise click.ClickException("set LANGSMITH_API_KEY (and LANGSMITH_ENDPOINT) to send runs")
    with _opened(path) as directory, contextlib.closing(HttpTransport()) as transport:
        report = replay(directory, each, transport, refused=refused)
    _report(report)


@spool.command()
@directory_option
@states_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(path: Path, states: Sequence[str], *, yes: bool) -> None:
    """Delete the runs for good.

    Those that a running process will still send are left alone.
    """
    with _opened(path) as directory:
        chosen = frozenset(state for state in STATES if state in (states or STATES))
        held = Counter(
            found.state for found in directory.look() if found.state in chosen and not found.in_use
        )
        if not held:
            click.echo("Nothing to delete.")
            return
        what = ", ".join(f"{count} {state}" for state, count in held.items())
        if not yes:
            click.confirm(f"Delete {held.total()} runs ({what})?", abort=True)
        click.echo(f"Deleted {held.total()} runs in {directory.purge(chosen)} files.")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Directory]:
    """The directory; what is wrong with files in it is said when all is done."""
    try:
        directory = Directory(path)
        yield directory
    except OSError as error:
        raise click.ClickException(error.strerror or str(error)) from error
    for problem in dict.fromkeys(directory.problems):
        click.echo(problem, err=True)


def _report(report: Report) -> None:
    click.echo(f"{report.delivered} delivered, {report.refused} refused, {report.left} left")
    for why in report.why:
        click.echo(printable(why), err=True)
    if report.left:
        raise click.exceptions.Exit(1)


def _summary(file: Path, held: Sequence[Found]) -> dict[str, Any]:
    first = held[0]
    return {
        "state": first.state,
        "runs": len(held),
        "bytes": file.stat().st_size if file.exists() else 0,
        "since": _when(min(found.since_ns for found in held)),
        "in use": first.in_use,
        "destination": first.destination,
        "file": str(file),
    }


def _line(found: Found) -> dict[str, Any]:
    return {
        "run": found.record.run_id,
        "state": found.state,
        "verb": found.record.verb,
        "bytes": found.record.size,
        "since": _when(found.since_ns),
        "name": found.name,
        "why": found.why,
    }


def _whole(found: Found) -> dict[str, Any]:
    letter = DeadLetter(found.record, 0, None, "", found.destination)
    parts = orjson.loads(written(letter))["parts"]
    return _line(found) | {"file": str(found.file), "in use": found.in_use, "parts": parts}


def _when(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc) if time_ns else None
    return moment.isoformat(timespec="seconds") if moment else ""


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        click.echo("No runs wait.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(value))) for value in row.values()))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int) else str(value)
