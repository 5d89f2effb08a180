"""The commands of ``otel-langsmith``: serve, demo, show, doctor, spool."""

import base64
import contextlib
import dataclasses
import importlib
import io
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Final
from uuid import UUID

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.doctor import diagnose, examine, report
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.receiver import Receiver, Store, StoredRun, TraceSummary
from otel_langsmith.receiver.instants import duration
from otel_langsmith.spool_commands import spool
from otel_langsmith.tree import printable, trace_tree
from otel_langsmith.version import __version__

LATEST: Final = 20
"""How many traces a list shows: what fits a screen."""

SETTLE_S: Final = 5.0
"""How long the demo waits for its runs; they are there at once, or something is wrong."""

_SPAN_ID_PADDING: Final = "00000000-0000-0000-"
"""What a trace id made from a span id begins with; nobody has to read or type it."""


def default_database() -> Path:
    """Where runs are kept unless told otherwise: one file per user, found from any directory.

    Not the working directory: prompts and answers would end up in whatever repository one happens
    to stand in, and ``show`` would look elsewhere than ``serve`` wrote.
    """
    if sys.platform == "linux":
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "otel-langsmith" / "runs.db"
    return Path(click.get_app_dir("otel-langsmith", roaming=False)) / "runs.db"


PORT: Final = click.IntRange(0, 65_535)

database_option = click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=default_database,
    show_default="a file of your user account",
    help="The file that runs are kept in.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="otel-langsmith")
def command_line() -> None:
    """See the LangSmith runs of OpenTelemetry spans on this machine, without an account."""
    # A console that cannot encode a character of a run shows "?" instead of failing.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


command_line.add_command(spool)


@command_line.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; anything but loopback lets others read the runs.",
)
@click.option("--port", type=PORT, default=1984, show_default=True, help="0 picks a free one.")
@click.option("--api-key", "api_keys", multiple=True, help="Accept only this key. Repeatable.")
@click.option("--workspace-id", type=click.UUID, help="Demand this workspace, as some keys do.")
@database_option
def serve(
    host: str, port: int, api_keys: tuple[str, ...], workspace_id: UUID | None, database: Path
) -> None:
    """Receive runs as LangSmith does, keep them, and show them on a page."""
    _make_room(database)
    workspace = None if workspace_id is None else str(workspace_id)
    with _receiving(host, port, database, api_keys, workspace) as receiver:
        click.echo(f"Receiving at {receiver.url} (open it to see the traces)")
        click.echo(f"Runs are kept in {database}")
        click.echo("\nIn the terminal of the program to trace:\n")
        for line in _environment(receiver.url, api_keys, workspace):
            click.echo(f"  {line}")
        _wait_for_interrupt("\nCtrl-C ends.")
    click.echo("Ended.")


@command_line.command()
@click.option("--keep", is_flag=True, help="Keep the page open until Ctrl-C.")
@click.option("--port", type=PORT, default=0, help="The page's port.  [default: a free one]")
def demo(*, keep: bool, port: int) -> None:
    """Run a small agent, and show the runs its spans become.

    All of it stays on this machine: the agent, its model, its search service, the runs.
    """
    console = _console()
    with _progress("Loading the agent"):
        program = _demo_program()
    with _receiving("127.0.0.1", port, ":memory:") as receiver:
        with _progress("The agent is answering"):
            answer, ledger = program.run(receiver.url)
            receiver.store.wait_for(ledger.received, timeout_s=SETTLE_S)
        console.print(_exchange(program.QUESTION, answer))
        _print_traces(console, receiver, with_address=keep)
        console.print(_ledger_line(ledger))
        _check_arrival(ledger.received, ledger.delivered, len(receiver.store.runs()))
        if keep:
            _wait_for_interrupt(f"All traces: {receiver.url} (Ctrl-C ends)")
        else:
            console.print("To read these runs on a page: otel-langsmith demo --keep", style="dim")


@command_line.command()
@click.argument("trace", required=False)
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that was received.")
def show(trace: str | None, database: Path, *, as_json: bool) -> None:
    """List the latest traces, or show one as a tree.

    TRACE is its id, or as much of the beginning as tells it from the others.
    """
    with _opened(database) as store:
        if trace is None:
            latest = store.traces(limit=LATEST)
            _emit(latest, _trace_table(latest), as_json=as_json)
        else:
            runs = _runs_of(store, trace)
            _emit(runs, trace_tree(runs), as_json=as_json)


@command_line.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--strict", is_flag=True, help="Let a warning fail, too.")
@click.option("--canary/--no-canary", default=True, help="Send one run.  [default: send it]")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    help="Seconds that one question to the network may take.",
)
def doctor(*, as_json: bool, strict: bool, canary: bool, timeout: float) -> None:
    """Check this environment, and send one run to LangSmith to see it arrive.

    The run is called "otel-langsmith doctor" and goes into the project that is configured. Exit
    status: 0 if all is well, 1 if there is a problem.
    """
    # What the log would say the findings say, with a remedy; and standard error stays clean.
    logging.getLogger("otel_langsmith").addHandler(logging.NullHandler())
    with _progress("Asking around"):
        findings = diagnose(examine(os.environ, timeout_s=timeout, send=canary))
    if as_json:
        click.echo(json.dumps(report.document(findings, strict=strict), indent=2))
    else:
        console = _console()
        console.print(report.table(findings))
        console.print(f"\n{report.summary(findings)}")
    if not report.passed(findings, strict=strict):
        sys.exit(1)


def _console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; a pipe has no width, so it gets a comfortable one."""
    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else 120
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=fixed)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[None]:
    """A spinner beside what goes on, on standard error and only where someone looks at it."""
    with _console(stderr=True).status(f"{what} …"):
        yield


@contextlib.contextmanager
def _receiving(
    host: str,
    port: int,
    database: Path | str,
    api_keys: Sequence[str] = (),
    workspace_id: str | None = None,
) -> Iterator[Receiver]:
    """A running receiver; what keeps it from running is said in one line."""
    try:
        receiver = Receiver(
            host=host,
            port=port,
            database=database,
            api_keys=api_keys or None,
            workspace_id=workspace_id,
        )
        receiver.start()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot listen at {host}:{port}: {error.strerror}. --port 0 picks a free port."
        ) from error
    with receiver:
        yield receiver


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[Store]:
    if not database.exists():
        raise click.ClickException(f"no runs in {database} yet; otel-langsmith serve receives some")
    try:
        store = Store(database)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    with contextlib.closing(store):
        yield store


def _make_room(database: Path) -> None:
    """The folder of the file exists; one that is made here is for this user's eyes only."""
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot make {database.parent}: {error.strerror}") from error


def _wait_for_interrupt(last_words: str) -> None:
    """Says so, and returns at Ctrl-C or at the polite signal that service managers send."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        click.echo(last_words)
        while True:
            time.sleep(3600)


def _environment(url: str, api_keys: Sequence[str], workspace_id: str | None) -> list[str]:
    """The lines that point a program at this receiver, for the shell at hand."""
    word = "set" if os.name == "nt" else "export"
    key = "<one of the accepted keys>" if api_keys else "local"
    workspace = [f"{word} LANGSMITH_WORKSPACE_ID={workspace_id}"] if workspace_id else []
    return [
        f"{word} LANGSMITH_ENDPOINT={url}",
        f"{word} LANGSMITH_API_KEY={key}",
        *workspace,
        f"{word} LANGSMITH_PROJECT=default",
    ]


def _demo_program() -> ModuleType:
    """The module `otel_langsmith.demo.program`, which only the extra ``demo`` makes importable."""
    try:
        return importlib.import_module("otel_langsmith.demo.program")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("otel_langsmith"):
            raise
        raise click.ClickException(
            f"the demo needs {error.name}, which is not installed: "
            'pip install "otel-langsmith[demo]"'
        ) from error


def _exchange(question: str, answer: str) -> Text:
    """What was asked and what came of it."""
    asked = (("Question  ", "bold"), printable(question))
    answered = (("\nAnswer    ", "bold"), printable(answer), "\n")
    return Text.assemble(*asked, *answered)


def _print_traces(console: Console, receiver: Receiver, *, with_address: bool) -> None:
    """Every trace that came, the first one first, each under its address if that stays open."""
    traces = receiver.store.traces()
    for number, summary in enumerate(reversed(traces), start=1):
        console.print(_title(number, len(traces), summary))
        if with_address:
            console.print(f"{receiver.url}/traces/{summary.trace_id}", style="blue")
        console.print(trace_tree(receiver.store.trace(summary.trace_id)))
        console.print()


def _title(number: int, traces: int, summary: TraceSummary) -> Text:
    tokens = f", {summary.total_tokens:,} tokens" if summary.total_tokens else ""
    size = f"{summary.run_count} runs{tokens}"
    return Text.assemble((f"Trace {number} of {traces}", "bold underline"), f"  {size}")


def _ledger_line(ledger: Ledger) -> Text:
    """What became of every span: the exporter's own account, as the sum that it is."""
    fates = {
        field.name.replace("_", " "): getattr(ledger, field.name)
        for field in dataclasses.fields(ledger)
        if field.name not in {"received", "dropped", "noted"}
    } | {f"dropped ({reason})": count for reason, count in ledger.dropped.items()}
    known = [f"{count} {fate}" for fate, count in fates.items() if count]
    return Text(f"Ledger: {ledger.received} spans received = {' + '.join(known) or 0}")


def _check_arrival(received: int, delivered: int, stored: int) -> None:
    """Fails, saying why, unless every span of the demo is a run in the receiver."""
    if not received:
        raise click.ClickException(
            "no span reached the exporter; does OTEL_SDK_DISABLED or OTEL_TRACES_SAMPLER forbid it?"
        )
    if delivered != received or stored != received:
        raise click.ClickException(
            f"of {received} spans {delivered} were delivered and {stored} arrived; "
            "the ledger above says what became of the others"
        )


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


def _emit(rows: Sequence[object], readable: RenderableType, *, as_json: bool) -> None:
    """The rows as JSON, or what a person would rather read."""
    if as_json:
        # Escaped to ASCII, so that no text in a run can play tricks on the terminal.
        click.echo(json.dumps(rows, default=_jsonable, indent=2))
    else:
        _console().print(readable)


def _jsonable(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
