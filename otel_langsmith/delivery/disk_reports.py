"""What the log says of a disk that cannot be used."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOG_EVERY_NS: Final = 60_000_000_000

_log: Final = logging.getLogger("otel_langsmith")


class DiskReports:
    """Logs that a folder cannot be used, once a minute at most, and when it can again."""

    def __init__(self, folder: Path, now_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ns = now_ns
        self._failing = False
        self._logged_ns = -math.inf

    def failed(self, error: OSError) -> None:
        """A call to the disk failed."""
        now_ns = self._now_ns()
        if abs(now_ns - self._logged_ns) >= _LOG_EVERY_NS:
            self._failing, self._logged_ns = True, now_ns
            why = error.strerror or str(error)
            _log.warning("spool %s cannot be used, runs wait in memory: %s", self._folder, why)

    def worked(self) -> None:
        """Something was written."""
        if self._failing:
            self._failing = False
            _log.warning("spool %s can be used again", self._folder)
