"""What became of one request, for the sender to act upon."""

from typing import Final, NamedTuple

from otel_langsmith.wire.reply import Accepted, Paused, Reply, RetryLater, Verdict

NO_REPLY: Final = Reply(None, error="DeadlineExceeded")
"""Nothing was sent in time."""


class Outcome(NamedTuple):
    """What a request came to; ``sent``: it was, so it may have arrived whatever came back."""

    verdict: Verdict
    reply: Reply
    sent: bool

    @property
    def waits(self) -> bool:
        """Whether the runs are to be sent again as they are, later."""
        return isinstance(self.verdict, RetryLater | Paused)

    @property
    def error(self) -> str:
        """What went wrong, in a word; empty if nothing did."""
        if isinstance(self.verdict, Accepted):
            return ""
        return str(self.reply.status or self.reply.summary)
