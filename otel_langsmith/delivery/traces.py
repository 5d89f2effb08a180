"""How many runs each trace has: LangSmith takes 25,000 and silently drops what comes later."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

TRACE_FULL: Final = "trace_full"
"""The trace of this run has as many runs as LangSmith takes."""

TRACES_COUNTED: Final = 4096
"""How many traces are counted at a time; of the others, the one longest untouched starts anew."""

_WARN_AT: Final = 0.9

_log: Final = logging.getLogger("otel_langsmith")


class Traces:
    """Counts the runs of the traces at hand, in bounded memory; for use from many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._warn_at = max(1, int(most * _WARN_AT))
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._latest = ""

    def full(self, trace_id: str) -> bool:
        """Whether the trace takes no more runs."""
        return self._counts.get(trace_id, 0) >= self._most

    def admit_all(self, trace_ids: Sequence[str]) -> bool:
        """Whether no trace comes near its end by these runs, which are counted then; else none is.

        It costs a tenth of as many calls of `admit`, which decides if this does not.
        """
        first, runs = trace_ids[0], len(trace_ids)
        if trace_ids.count(first) < runs:
            return self._admit_several(trace_ids)
        with self._lock:
            runs += self._counts.get(first, 0)
            if runs >= self._warn_at:
                return False
            self._count(first, runs)
        return True

    def _admit_several(self, trace_ids: Sequence[str]) -> bool:
        """The same for runs of several traces."""
        told = {one: trace_ids.count(one) for one in dict.fromkeys(trace_ids)}
        with self._lock:
            for one, runs in told.items():
                if self._counts.get(one, 0) + runs >= self._warn_at:
                    return False
            for one, runs in told.items():
                self._count(one, self._counts.get(one, 0) + runs)
        return True

    def admit(self, trace_id: str) -> bool:
        """Whether the trace takes one more run, which is counted then."""
        with self._lock:
            count = self._counts.get(trace_id, 0)
            admitted = count < self._most
            self._count(trace_id, count + admitted)
        if admitted and count + 1 == self._warn_at:
            message = (
                "trace %s has %d runs; those beyond %d are dropped, as LangSmith would "
                "(begin another trace, or leave spans out by span_filter)"
            )
            _log.warning(message, trace_id, self._warn_at, self._most)
        return admitted

    def _count(self, trace_id: str, runs: int) -> None:
        """The trace has so many runs and is the one touched last."""
        self._counts[trace_id] = runs
        if trace_id != self._latest:  # most spans come after one of the same trace
            self._latest = trace_id
            self._counts.move_to_end(trace_id)
            if len(self._counts) > TRACES_COUNTED:
                self._counts.popitem(last=False)
