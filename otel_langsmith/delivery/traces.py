"""How many runs each trace has: LangSmith takes 25,000, and drops what comes later in silence."""

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

        It costs a fifth of as many calls of `admit`, which decides if this does not.
        """
        first, runs = trace_ids[0], len(trace_ids)
        told = {first: runs}
        if trace_ids.count(first) < runs:
            told = {one: trace_ids.count(one) for one in dict.fromkeys(trace_ids)}
        counts = self._counts
        with self._lock:
            for one, runs in told.items():
                if counts.get(one, 0) + runs >= self._warn_at:
                    return False
            for one, runs in told.items():
                counts[one] = counts.pop(one, 0) + runs
            self._latest = ""  # the one that `admit` saw last may be the oldest by now
            while len(counts) > TRACES_COUNTED:
                counts.popitem(last=False)
        return True

    def admit(self, trace_id: str) -> bool:
        """Whether the trace takes one more run, which is counted then."""
        with self._lock:
            count = self._counts.get(trace_id, 0)
            admitted = count < self._most
            self._counts[trace_id] = count + admitted
            if trace_id != self._latest:  # most spans come after one of the same trace
                self._latest = trace_id
                self._counts.move_to_end(trace_id)
                if len(self._counts) > TRACES_COUNTED:
                    self._counts.popitem(last=False)
        if admitted and count + 1 == self._warn_at:
            message = "trace %s has %d runs; those beyond %d are dropped"
            _log.warning(message, trace_id, self._warn_at, self._most)
        return admitted
