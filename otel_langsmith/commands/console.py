"""What every command writes with: the terminal, a spinner, JSON."""

import base64
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import click
from rich.console import Console, RenderableType

_PIPE_COLUMNS: Final = 120


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or 120 columns where the output is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


@contextlib.contextmanager
def progress(activity: str) -> Iterator[None]:
    """A spinner on standard error while the block runs; nothing unless that is a terminal."""
    with console(stderr=True).status(f"{activity} …"):
        yield


def emit(rows: Sequence[object], readable: RenderableType, *, as_json: bool) -> None:
    """Print the rows as JSON, or else ``readable``.

    JSON is escaped to ASCII, so that no text of a run can control the terminal.
    """
    if as_json:
        click.echo(json.dumps(rows, default=_jsonable, indent=2))
    else:
        console().print(readable)


def _jsonable(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
