"""A daemon thread that starts when it is first needed."""

import sys
import threading
from collections.abc import Callable


class LazyThread:
    """A thread that starts with the first work, so that a process may fork before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether it is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], None]) -> bool:
        """Whether the thread runs ``work``, after starting it if need be.

        False at the interpreter's exit: then the caller has to do the work.
        """
        if sys.is_finalizing():  # before Python 3.12 a thread that starts now hangs who starts it
            return False
        with self._lock:
            if self.runs:
                return True
            if sys.is_finalizing():
                return False
            thread = threading.Thread(target=work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
            return True
