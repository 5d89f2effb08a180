"""Runs as the named parts of a post."""

from otel_langsmith.run import Run
from otel_langsmith.wire.parts import Part, named, parts_of


def posted(run: Run) -> list[Part]:
    """The parts that tell LangSmith of the run."""
    return [*named("post", run.id, parts_of(run))]
