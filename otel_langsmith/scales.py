"""How much memory a queue of spans takes, without weighing each.

A span that is weighed stands for those since the last one: the bound on bytes is an estimate, for
weighing each would cost the application more than all else we do.
"""

from itertools import cycle
from typing import Final

MAX_QUEUE_BYTES: Final = 32 * 2**20
"""Most memory of spans at hand. With the backlog's 48 MiB and 16 to work in, that makes 96."""

EACH_BYTES: Final = 2048
"""Of a longer queue, so much for each of its spans; the default one has 16,384."""

WAKE_AT: Final = 512
"""So many waiting spans wake the worker before its time; OpenTelemetry's batch size."""

_strides: Final = cycle((61, 83, 47, 71, 53, 67))
"""How far apart spans are weighed: so irregular that no rhythm of the application's fits it."""


class Scales:
    """Estimates the bytes of spans at hand; no lock, threads may overshoot a bound by a span each.

    Those at hand wait in the queue, or were taken from it to be encoded.
    """

    def __init__(self, most_spans: int) -> None:
        self.wake_at = min(WAKE_AT, most_spans // 2)
        self._most_spans = most_spans
        self._most_bytes = max(MAX_QUEUE_BYTES, EACH_BYTES * most_spans)
        self._bytes = self._taken = self._looked_at = 0

    @property
    def light(self) -> bool:
        """Whether half of the bytes are still free."""
        return self._taken + self._bytes < self._most_bytes // 2

    def weigh(self, size: int, waiting: int) -> int:
        """With how many waiting to ask again; 0 if there is no room for a span of ``size`` bytes.

        After a heavy span the next is looked at sooner.
        """
        weight = size * max(1, waiting - self._looked_at)
        heavy = waiting and self._taken + self._bytes + weight > self._most_bytes
        if heavy or waiting >= self._most_spans:
            return 0
        self._bytes += weight
        self._looked_at = waiting
        stride = min(next(_strides), 1 + self._most_bytes // 16 // size)
        most = self._most_spans
        return min(waiting + stride, min(self.wake_at, most) if waiting < self.wake_at else most)

    def take(self) -> None:
        """What waited is being encoded, and takes its memory until that is done."""
        self._taken += self._bytes
        self._bytes = self._looked_at = 0

    def done(self) -> None:
        """What was taken is let go."""
        self._taken = 0
