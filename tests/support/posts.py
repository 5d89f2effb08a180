"""Runs for the wire, and what is posted of them."""

from typing import Any

from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import root
from otel_langsmith.run import Run
from otel_langsmith.wire.parts import Part, named, parts_of


def run(number: int, **fields: Any) -> Run:
    """A run that is a trace of its own, whose id has that number."""
    lineage = root(run_id_of(number), 0)
    given = {"run_type": "chain", "name": "run", **fields}
    return Run(
        id=lineage.run_id,
        trace_id=lineage.trace_id,
        parent_run_id=None,
        dotted_order=lineage.dotted_order,
        start_time_ns=0,
        end_time_ns=1,
        **given,
    )


def posted(run: Run) -> list[Part]:
    """The parts that tell LangSmith of the run."""
    return [*named("post", run.id, parts_of(run))]
