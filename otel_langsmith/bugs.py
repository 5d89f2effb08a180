"""Exceptions that nobody expected, logged once each by their place in the code."""

import logging
from traceback import walk_tb
from typing import Final

_log: Final = logging.getLogger("otel_langsmith")


class Bugs:
    """Logs each kind once, without the exception's text: that may hold hidden content."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, what: str, error: Exception) -> None:
        """Log what an unexpected exception led to, and where it was raised."""
        if what not in self._said:
            self._said.add(what)
            # not `extract_tb`: it reads the source, by modules that Python lacks when it is ending
            *_, (frame, line) = walk_tb(error.__traceback__)
            place = f"{frame.f_code.co_filename}:{line}"
            _log.error("%s: %s at %s; please report this", what, type(error).__name__, place)
