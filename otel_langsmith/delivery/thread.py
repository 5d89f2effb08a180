"""A thread that is there when it is needed."""

import sys
import threading
from collections.abc import Callable


class LazyThread:
    """Starts with the first need, so that a process that forks before has nothing to lose."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether it is at work."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], None]) -> bool:
        """Whether it is at ``work``, after starting it if need be.

        Not at the interpreter's exit: then the work is the caller's. Before Python 3.12, a thread
        that starts when all is over hangs who starts it, instead of raising.
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
