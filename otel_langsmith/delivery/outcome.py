"""What became of one request, for the sender to act upon."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from otel_langsmith.presence import Presence, State
from otel_langsmith.wire.batch import Batch, EncodedRun
from otel_langsmith.wire.parts import MAIN, closing, size_of
from otel_langsmith.wire.reply import Accepted, Paused, Reply, RetryLater, Verdict

END_REFUSED: Final = "LangSmith refused how this run ended"

NO_REPLY: Final = Reply(None, error="DeadlineExceeded")
"""Nothing was sent in time."""


_WAITING: Final = (RetryLater, Paused)


class Outcome(NamedTuple):
    """What a request came to; ``sent``: it was, so it may have arrived whatever came back."""

    verdict: Verdict
    reply: Reply
    sent: bool

    @property
    def waits(self) -> bool:
        """Whether the runs are to be sent again as they are, later."""
        return isinstance(self.verdict, _WAITING)

    @property
    def error(self) -> str:
        """What went wrong, in a word; empty if nothing did."""
        if isinstance(self.verdict, Accepted):
            return ""
        return str(self.reply.status or self.reply.summary)


def closings_of(refused: Batch) -> Iterator[Batch]:
    """What closes runs that are shown as open and whose ends were refused for good.

    When they ended is told, and that the rest was refused; nothing of what may be the reason.
    """
    for run in refused.runs:
        shown = run.presence is not None and run.presence.state is not State.ABSENT
        if shown and run.moment == "end":
            parts = closing(run.parts[MAIN], END_REFUSED)
            there = Presence(State.OPENED)  # so that one denial is not believed
            ended = EncodedRun(run.run_id, parts, there, "closing", run.alone, run.place)
            yield Batch([ended], size_of(parts))


def doubtful(batch: Batch) -> list[EncodedRun]:
    """Runs of which a conflict may mean that only the opening is there."""
    return [run for run in batch.runs if run.presence is not None and run.doubtful]
