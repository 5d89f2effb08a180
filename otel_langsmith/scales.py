"""How full a queue of spans is, without weighing each.

A span that is weighed stands for those since the last one: the bound on bytes is an estimate, for
weighing each would cost the application more than all else we do.
"""

from itertools import cycle
from typing import Final

MAX_QUEUE_BYTES: Final = 64 * 2**20
"""Most content that waits in the queue, as much as may wait in the backlog behind it."""

WAKE_AT: Final = 512
"""So many waiting spans wake the worker before its time; OpenTelemetry's batch size."""

_strides: Final = cycle((61, 83, 47, 71, 53, 67))
"""How far apart spans are weighed: so irregular that no rhythm of the application's fits it."""


class Scales:
    """Estimates the bytes that wait; no lock, threads may overshoot a bound by a span each."""

    def __init__(self, most_spans: int) -> None:
        self.wake_at = min(WAKE_AT, most_spans // 2)
        self._most_spans = most_spans
        self._bytes = self._looked_at = 0

    @property
    def light(self) -> bool:
        """Whether half of the bytes are still free."""
        return self._bytes < MAX_QUEUE_BYTES // 2

    def weigh(self, size: int, waiting: int) -> int:
        """With how many waiting to ask again; 0 if there is no room for a span of ``size`` bytes.

        After a heavy span the next is looked at sooner.
        """
        weight = size * max(1, waiting - self._looked_at)
        heavy = waiting and self._bytes + weight > MAX_QUEUE_BYTES
        if heavy or waiting >= self._most_spans:
            return 0
        self._bytes += weight
        self._looked_at = waiting
        stride = min(next(_strides), 1 + MAX_QUEUE_BYTES // 16 // size)
        most = self._most_spans
        return min(waiting + stride, min(self.wake_at, most) if waiting < self.wake_at else most)

    def empty(self) -> None:
        """Nothing waits any more."""
        self._bytes = self._looked_at = 0
