"""``otel-langsmith doctor``."""

import json
import logging
import os
import sys

import click

from otel_langsmith.commands.console import console, progress
from otel_langsmith.doctor import diagnose, examine, report


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--strict", is_flag=True, help="Exit with 1 after a warning, too.")
@click.option("--canary/--no-canary", default=True, help="Send one run.  [default: send it]")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    help="Seconds that each request may take.",
)
def doctor(*, as_json: bool, strict: bool, canary: bool, timeout: float) -> None:
    """Check the set-up and send a test run.

    Each finding comes with what to do about it. The run is called "otel-langsmith doctor" and goes
    into the configured project. Exit status: 0 if all is well, 1 if there is a problem.
    """
    # the findings say what the log would, with a remedy
    logging.getLogger("otel_langsmith").addHandler(logging.NullHandler())
    with progress("Checking"):
        findings = diagnose(examine(os.environ, timeout_s=timeout, send=canary))
    if as_json:
        click.echo(json.dumps(report.document(findings, strict=strict), indent=2))
    else:
        out = console()
        out.print(report.table(findings))
        out.print(f"\n{report.summary(findings)}")
    if not report.passed(findings, strict=strict):
        sys.exit(1)
