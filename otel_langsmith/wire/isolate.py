"""A refused batch → smaller batches, until the run that LangSmith refuses is alone."""

import re
from dataclasses import replace
from typing import Final

from otel_langsmith.wire.batch import Batch
from otel_langsmith.wire.reply import Reply
from otel_langsmith.wire.shorten import MOST_CUTS, shortened

_BLAMES_A_RUN: Final = frozenset({400, 422})

_BLAMED: Final = re.compile(
    r"(?:(?<!parent_)run_id\W{1,4}|\b(?:post|patch)\.)"
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
"""How LangSmith's errors name the run they are about; they also quote its trace and its parent."""


def taken_apart(batch: Batch, reply: Reply, *, believed: bool = True) -> tuple[Batch, ...]:
    """What to send instead of a refused batch; nothing if there is nothing left to take away.

    A run that the error names goes alone and first, unless the server is not to be ``believed``.
    Else the batch is halved. A lone run, which can only be too large, loses its largest field.
    """
    if len(batch) == 1:
        return _cut(batch)
    named = _BLAMED.findall(reply.text) if reply.status in _BLAMES_A_RUN and believed else ()
    accused = {run.run_id for run in batch.runs}.intersection(named)
    return batch.parted(accused) if len(accused) == 1 else batch.halves()


def _cut(batch: Batch) -> tuple[Batch, ...]:
    (run,) = batch.runs
    if run.cuts == MOST_CUTS or shortened(run.parts, run.cuts + 1) == run.content:
        return ()
    return (Batch([replace(run, cuts=run.cuts + 1)], batch.size),)
