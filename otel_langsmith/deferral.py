"""Lazy imports: a module that loads when one of its names is first used.

    if TYPE_CHECKING:
        from otel_langsmith import pipeline
    else:
        pipeline = deferred("otel_langsmith.pipeline")

Importing costs the application time, so what only the delivering thread needs is loaded there. What
the application's threads need, a constructor should use: Python cannot import any more once it is
ending. Type checkers and tests/test_architecture.py see an ordinary import.

Not ``importlib.util.LazyLoader``: it puts a stand-in into ``sys.modules`` for everybody, which in
Python 3.11 two threads can fill at once.
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
    """A stand-in for the module, which loads it when an attribute is first asked for."""
    return _Deferred(name)


def is_loaded(module: ModuleType) -> bool:
    """Whether the module that this stands for was loaded, by anybody."""
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
