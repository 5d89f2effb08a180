"""Deadlines of deliveries while the process may be ending.

Pure: the caller has the clock.
"""

from typing import Final, NamedTuple

LAST_S: Final = 2.0
"""What is left to try in, all deliveries together, once one was in vain and the end is near."""

BREATH_S: Final = 1.0
"""A delivery that follows one in vain sooner than this is part of a drain, not of a schedule."""

KEEPING_S: Final = 2.0
"""What a shutdown leaves for writing to disk what was not delivered: a full queue takes as long."""

COUNTING_S: Final = 0.2
"""What it leaves where there is no disk, for counting that as lost."""


class Ending(NamedTuple):
    """How a shutdown divides its time: no request lasts beyond ``last_s``, nothing the deadline."""

    last_s: float
    deadline_s: float


def ending(now_s: float, timeout_s: float, *, keeps: bool) -> Ending:
    """The ending that begins now; ``keeps``: what is not delivered goes to a disk."""
    deadline_s = now_s + timeout_s
    return Ending(deadline_s - min(KEEPING_S if keeps else COUNTING_S, timeout_s / 2), deadline_s)


class Patience:
    """Gives each delivery its full deadline, except the last ones to a server that does not answer.

    A batch processor that shuts down does not tell its exporter: it exports what it has, batch
    after batch, and waits up to 30 s for that (opentelemetry.md §1). Each batch would take the full
    ``timeout`` in vain. So those that follow one another without a breath share `LAST_S`.
    """

    def __init__(self) -> None:
        self._failed_s: float | None = None
        self._until_s: float | None = None

    def deadline_s(self, wanted_s: float, now_s: float, *, ending: bool) -> float:
        """When to stop trying: ``wanted_s``, or earlier. ``ending``: the process is known to be."""
        if self._failed_s is None or not (ending or now_s - self._failed_s < BREATH_S):
            self._until_s = None
            return wanted_s
        if self._until_s is None:
            self._until_s = now_s + LAST_S
        return min(wanted_s, self._until_s)

    def tried(self, now_s: float, *, in_vain: bool) -> None:
        """A delivery is over that had time; ``in_vain`` if LangSmith did not take all of it."""
        self._failed_s = now_s if in_vain else None
