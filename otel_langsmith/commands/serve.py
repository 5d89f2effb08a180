"""``otel-langsmith serve``."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import click

from otel_langsmith.commands.database import database_option, make_directory
from otel_langsmith.commands.receiving import PORT, receiving, wait_for_interrupt


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; anything but loopback lets others read the runs.",
)
@click.option("--port", type=PORT, default=1984, show_default=True, help="0 picks a free one.")
@click.option("--api-key", "api_keys", multiple=True, help="Accept only this key. Repeatable.")
@click.option("--workspace-id", type=click.UUID, help="Refuse requests for another workspace.")
@database_option
def serve(
    host: str, port: int, api_keys: tuple[str, ...], workspace_id: UUID | None, database: Path
) -> None:
    """Run a local stand-in for LangSmith.

    It keeps the runs it receives in a file, shows them on a web page, and refuses what LangSmith
    refuses.
    """
    make_directory(database)
    workspace = None if workspace_id is None else str(workspace_id)
    with receiving(host, port, database, api_keys, workspace) as receiver:
        click.echo(f"Receiving at {receiver.url} (open it to see the traces)")
        click.echo(f"Runs are kept in {database}")
        click.echo("\nIn the terminal of the program to trace:\n")
        for line in _environment(receiver.url, api_keys, workspace):
            click.echo(f"  {line}")
        wait_for_interrupt("\nCtrl-C ends.")
    click.echo("Ended.")


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
