"""The file in which ``serve`` keeps runs and ``show`` finds them."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from otel_langsmith.errors import ConfigurationError
from otel_langsmith.receiver import Store


def default_database() -> Path:
    """Where runs are kept unless told otherwise: one file per user, found from any directory.

    Not the working directory: prompts and answers would end up in whatever repository one happens
    to stand in, and ``show`` would look elsewhere than ``serve`` wrote.
    """
    if sys.platform == "linux":
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "otel-langsmith" / "runs.db"
    return Path(click.get_app_dir("otel-langsmith", roaming=False)) / "runs.db"


database_option = click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=default_database,
    show_default="a file of your user account",
    help="The SQLite file that holds the runs.",
)


def make_directory(database: Path) -> None:
    """Make the directory of the file if it is missing, for this user alone.

    Raises:
        ClickException: It cannot be made.
    """
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"cannot make the directory {database.parent}: {error.strerror}. "
            "--database names another file."
        ) from error


@contextlib.contextmanager
def opened(database: Path) -> Iterator[Store]:
    """The runs in the file, which is closed with the block.

    Raises:
        ClickException: There is no such file, or it is not one of ours.
    """
    if not database.exists():
        raise click.ClickException(
            f"no runs in {database} yet: start `otel-langsmith serve` and send it some"
        )
    try:
        store = Store(database)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    with contextlib.closing(store):
        yield store
