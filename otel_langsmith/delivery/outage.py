"""An outage, said once when it begins and once when it is over."""

import logging
import threading
from typing import Final

_log: Final = logging.getLogger("otel_langsmith")


class Outage:
    """Says in the log when delivery begins to fail and when it works again, not in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_s: float | None = None

    def began(self, now_s: float, why: str) -> None:
        """LangSmith could not be reached, or was busy."""
        with self._lock:
            new = self._since_s is None
            if new:
                self._since_s = now_s
        if new:
            _log.warning("delivery to LangSmith is failing: %s", why)

    def over(self, now_s: float) -> None:
        """LangSmith took something."""
        with self._lock:
            since_s, self._since_s = self._since_s, None
        if since_s is not None:
            _log.warning("delivery to LangSmith recovered after %.0f s", now_s - since_s)
