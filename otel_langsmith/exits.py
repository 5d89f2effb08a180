"""The ways a process ends without ``atexit``, and the last delivery that each gets."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LAST_S: Final = 3.0
"""Longest that the end is put off; supervisors kill a process after 10 s or so."""


class Delivering(Protocol):
    """What is to deliver what it has before the process ends."""

    def force_flush(self, timeout_millis: float | None = ...) -> bool:
        """Whether nothing waits any more, at the latest after ``timeout_millis``."""

    def shutdown(self, timeout_millis: float = ...) -> None:
        """Deliver what can be within ``timeout_millis``, or leave it on disk, and stop.

        While another thread does, shorten that and wait for it.
        """


_log: Final = logging.getLogger("otel_langsmith")

_delivering: Final[weakref.WeakSet[Delivering]] = weakref.WeakSet()
_first_pid: Final = os.getpid()


def shut_down_at_sigterm(delivering: Delivering) -> bool:
    """Install a SIGTERM handler that shuts ``delivering`` down first; whether one is installed.

    Only where SIGTERM would kill without further ado: not if anyone handles it, nor outside the
    main thread. Those who install a handler later (gunicorn, Celery) replace ours and end through
    ``atexit``; uvicorn puts ours back and raises the signal again after its own shutdown, unless it
    was there first: its workers handle signals before they load the application. As with every
    handler in Python, a main thread that is busy in C code hears of the signal afterwards.
    """
    _delivering.add(delivering)
    if signal.getsignal(signal.SIGTERM) is _shut_down_then_die:
        return True
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return False
    try:
        signal.signal(signal.SIGTERM, _shut_down_then_die)
    except ValueError:  # in a sub-interpreter, whose main thread is not the process's
        return False
    return True


def _shut_down_then_die(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's
    """Deliver what we can, then let the signal do what it does, so that the status tells of it.

    In a thread of its own, because the main thread may hold a lock that a shutdown needs.
    """
    last = threading.Thread(target=_shut_down_all, name="otel_langsmith SIGTERM", daemon=True)
    try:
        last.start()
        last.join(LAST_S)
    except RuntimeError:  # the interpreter is exiting already, and shuts down
        pass
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _shut_down_all() -> None:
    deadline_s = time.monotonic() + LAST_S
    for delivering in list(_delivering):
        delivering.shutdown(1000 * max(0.0, deadline_s - time.monotonic()))


def flush_at_child_exit(delivering: Delivering) -> None:
    """Flush at the end of a worker process, which ends by ``os._exit`` and without ``atexit``.

    To be called in the child and after its start, which forgets what was asked for before. Never
    raises; in a process that is nobody's child there is ``atexit``, and nothing to do here. It is
    no shutdown, because threads of the child may go on, and are waited for after this.
    """
    try:
        for module, ask in _ENDS_OF_CHILDREN.items():
            if module in sys.modules:
                ask(sys.modules[module], partial(_flush_alive, weakref.ref(delivering)))
    except Exception:  # noqa: BLE001 - other people's modules, and a span is ending meanwhile
        _log.debug("a child process will end without a last flush", exc_info=True)


def _is_child() -> bool:
    """Whether this process was forked off since, or started by ``multiprocessing``."""
    processes = sys.modules.get("multiprocessing.process")
    return os.getpid() != _first_pid or bool(processes and processes.parent_process())


def _flush_alive(delivering: weakref.ref[Delivering], **_: object) -> None:
    alive = delivering()
    if alive is not None:
        alive.force_flush(1000 * LAST_S)


def _ask_multiprocessing(util: Any, flush: Callable[[], None]) -> None:
    if _is_child():
        util.Finalize(None, flush, exitpriority=0)


def _ask_celery(signals: Any, flush: Callable[..., None]) -> None:
    signals.worker_process_shutdown.connect(flush, weak=False)


_ENDS_OF_CHILDREN: Final[dict[str, Callable[[Any, Callable[..., None]], None]]] = {
    "multiprocessing.util": _ask_multiprocessing,
    "celery.signals": _ask_celery,  # sent by the pool's workers alone, which run no finalizers
}
"""The modules whose workers end so, and how to be called before each of them does."""
