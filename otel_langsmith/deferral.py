"""Modules that load when something of them is first asked for, not when somebody names them.

    if TYPE_CHECKING:
        from otel_langsmith import pipeline
    else:
        pipeline = deferred("otel_langsmith.pipeline")

An import is the application's time, and the thread that delivers has time of its own: what is
deferred loads there, but for what a constructor uses. Whatever the application's threads need it
should use, for Python loads nothing any more once it is ending. Type checkers and the order of the
house (tests/test_architecture.py) see an import as any other. ``importlib.util.LazyLoader`` would
put a stand-in where everybody looks for the module, and in Python 3.11 two threads can fill it.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FORK_S: Final = 5.0
"""Longest that a fork waits for imports; those of ours take a tenth of a second or so."""


def deferred(name: str) -> ModuleType:
    """What stands for a module until something of it is asked for, and hands that out."""
    return _Deferred(name)


def is_loaded(module: ModuleType) -> bool:
    """Whether anybody has loaded what is deferred here."""
    return module.__name__ in sys.modules


class _Deferred(ModuleType):
    _module: ModuleType | None = None

    def __getattr__(self, name: str) -> object:
        """The module's own, as it is at the moment: Python asks here for all that it looks for."""
        if self._module is None:
            self._module = _imported(self.__name__)
        return getattr(self._module, name)


def _imported(name: str) -> ModuleType:
    with _imports.running():
        return import_module(name)


class _Imports:
    """Lets no process fork in the midst of an import.

    The child would find the module half made and its lock held for ever, by a thread that is gone.
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._hold, after_in_parent=self._release, after_in_child=self._begin
            )

    def _begin(self) -> None:
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _hold(self) -> None:
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._running, FORK_S)

    def _release(self) -> None:
        self._changed.release()


_imports: Final = _Imports()
