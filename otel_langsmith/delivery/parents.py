"""What a run that is sent as plain REST says of its place in a tree."""

from collections import OrderedDict
from typing import Final

from otel_langsmith.run import EMPTY, JsonObject
from otel_langsmith.wire.batch import EncodedRun

_KNOWN: Final = 65_536
"""How many runs are remembered to be there; of others it is taken for unsure."""


class Parents:
    """Which runs LangSmith has, for their children to be found a place by their ids alone."""

    def __init__(self) -> None:
        self._there: OrderedDict[str, None] = OrderedDict()

    def arrived(self, run: EncodedRun) -> None:
        """LangSmith has this run."""
        self._there[run.run_id] = None
        if len(self._there) > _KNOWN:
            self._there.popitem(last=False)

    def claimed_by(self, run: EncodedRun) -> bool:
        """Whether the run has nothing but the id of a parent that may not be there."""
        place = self.place_of(run)
        return len(place) == 1 and place["parent_run_id"] not in self._there

    def place_of(self, run: EncodedRun) -> JsonObject:
        """What the run says of its place.

        The parent's id, from which the server tells the rest; and the rest as well if the parent
        may not have come yet, as one of another process, and if we know it.
        """
        parent = run.place.get("parent_run_id")
        if parent is None or (run.presence is not None and run.presence.orphaned):
            return EMPTY
        if parent in self._there or run.operation == "patch":
            return {"parent_run_id": parent}
        return run.place
