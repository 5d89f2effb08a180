"""An estimate of how much memory a queue of spans takes.

Only one span in 64 or so is weighed and stands for those since the last one: weighing each would
cost the application more than all else we do.
"""

from itertools import cycle
from typing import Final

MAX_QUEUE_BYTES: Final = 32 * 2**20
"""Most memory of spans at hand. With the backlog's 48 MiB and 16 to work in, that makes 96."""

EACH_BYTES: Final = 2048
"""The bound of a longer queue, for each of its spans; the default length is 16,384."""

WAKE_AT: Final = 512
"""So many waiting spans wake the worker early; OpenTelemetry's batch size."""

_strides: Final = cycle((61, 83, 47, 71, 53, 67))
"""How many spans apart two are weighed: irregular, to match no pattern of the application."""


class Scales:
    """Estimates the memory of spans in the queue and of those that are being encoded.

    Without a lock: threads may overshoot a bound by a span each.
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

    def is_half_full(self, waiting: int) -> bool:
        """Whether so many waiting spans take half of the room."""
        return waiting >= self._most_spans // 2 or (waiting > 0 and not self.light)

    def weigh(self, size: int, waiting: int) -> int:
        """At what length of the queue to ask again; 0 if a span of ``size`` bytes has no room.

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
        """All that waited is being encoded, and takes memory until `done`."""
        self._taken += self._bytes
        self._bytes = self._looked_at = 0

    def done(self) -> None:
        """What was taken is let go."""
        self._taken = 0
