"""The command line ``otel-langsmith``: a module for each command, and what they share."""

import io
import sys

import click

from otel_langsmith.commands.demo import demo
from otel_langsmith.commands.doctor import doctor
from otel_langsmith.commands.serve import serve
from otel_langsmith.commands.show import show
from otel_langsmith.commands.spool import spool
from otel_langsmith.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="otel-langsmith")
def command_line() -> None:
    """OpenTelemetry spans as LangSmith runs.

    `demo`, `serve` and `show` need no account.
    """
    # A console that cannot encode a character of a run shows "?" instead of failing.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


for _command in (demo, serve, show, doctor, spool):
    command_line.add_command(_command)
