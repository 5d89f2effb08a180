"""``otel-langsmith demo``."""

import dataclasses
import importlib
from types import ModuleType
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from otel_langsmith.commands.console import console, progress
from otel_langsmith.commands.receiving import PORT, receiving, wait_for_interrupt
from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.receiver import Receiver, TraceSummary
from otel_langsmith.tree import printable, trace_tree

SETTLE_S: Final = 5.0
"""How long the demo waits for its runs; they are there at once, or something is wrong."""


@click.command()
@click.option("--keep", is_flag=True, help="Keep the page open until Ctrl-C.")
@click.option("--port", type=PORT, default=0, help="The page's port.  [default: a free one]")
def demo(*, keep: bool, port: int) -> None:
    """Run a small agent and show its runs.

    All of it stays on this machine: the agent, its model, its search service, the runs.
    """
    out = console()
    with progress("Loading the agent"):
        program = _program()
    with receiving("127.0.0.1", port, ":memory:") as receiver:
        with progress("The agent is answering"):
            answer, ledger = program.run(receiver.url)
            receiver.store.wait_for(ledger.received, timeout_s=SETTLE_S)
        out.print(_exchange(program.QUESTION, answer))
        _print_traces(out, receiver, with_address=keep)
        out.print(_ledger_line(ledger))
        _check_arrival(ledger.received, ledger.delivered, len(receiver.store.runs()))
        if keep:
            wait_for_interrupt(f"All traces: {receiver.url} (Ctrl-C ends)")
        else:
            out.print("To read these runs on a page: otel-langsmith demo --keep", style="dim")


def _program() -> ModuleType:
    """The module `otel_langsmith.demo.program`, which needs the extra ``demo``."""
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
    asked = (("Question  ", "bold"), printable(question))
    answered = (("\nAnswer    ", "bold"), printable(answer), "\n")
    return Text.assemble(*asked, *answered)


def _print_traces(out: Console, receiver: Receiver, *, with_address: bool) -> None:
    """Every trace, the oldest first, each under the address of its page if that stays open."""
    traces = receiver.store.traces()
    for number, summary in enumerate(reversed(traces), start=1):
        out.print(_title(number, len(traces), summary))
        if with_address:
            out.print(f"{receiver.url}/traces/{summary.trace_id}", style="blue")
        out.print(trace_tree(receiver.store.trace(summary.trace_id)))
        out.print()


def _title(number: int, traces: int, summary: TraceSummary) -> Text:
    tokens = f", {summary.total_tokens:,} tokens" if summary.total_tokens else ""
    size = f"{summary.run_count} runs{tokens}"
    return Text.assemble((f"Trace {number} of {traces}", "bold underline"), f"  {size}")


def _ledger_line(ledger: Ledger) -> Text:
    """The ledger as the sum that it is: spans received, and what became of them."""
    fates = {
        field.name.replace("_", " "): getattr(ledger, field.name)
        for field in dataclasses.fields(ledger)
        if field.name not in {"received", "dropped", "noted"}
    } | {f"dropped ({reason})": count for reason, count in ledger.dropped.items()}
    known = [f"{count} {fate}" for fate, count in fates.items() if count]
    return Text(f"Ledger: {ledger.received} spans received = {' + '.join(known) or 0}")


def _check_arrival(received: int, delivered: int, stored: int) -> None:
    """Fail, saying why, unless every span of the demo is a run in the receiver."""
    if not received:
        raise click.ClickException(
            "no span reached the exporter; does OTEL_SDK_DISABLED or OTEL_TRACES_SAMPLER forbid it?"
        )
    if delivered != received or stored != received:
        raise click.ClickException(
            f"of {received} spans {delivered} were delivered and {stored} arrived; "
            "the ledger above says what became of the others"
        )
