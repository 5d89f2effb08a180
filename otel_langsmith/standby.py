"""A pipeline in waiting: what the faces hold, and what is opened when there is work for it.

All that makes runs and delivers them takes a tenth of a second to load. The thread that delivers
pays for that, and a process that has nothing to deliver never does.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import Counter
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from otel_langsmith.deferral import deferred
from otel_langsmith.delivery.clock import SystemClock
from otel_langsmith.delivery.ledger import SHUT_DOWN, Book, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith import keys, pipeline, settings
    from otel_langsmith.assembly import Placed
    from otel_langsmith.live import LiveRuns
    from otel_langsmith.pipeline import Pipeline
    from otel_langsmith.tracking import Fate
else:
    keys = deferred("otel_langsmith.keys")
    pipeline = deferred("otel_langsmith.pipeline")
    settings = deferred("otel_langsmith.settings")

_log: Final = logging.getLogger("otel_langsmith")


class Standby:
    """A `Pipeline` by all its methods, of which those that have nothing to do do not open it.

    What another process may have left on disk is work, too.

    Raises:
        ConfigurationError: An argument cannot be used. An unusable variable is warned about.
    """

    def __init__(self, arguments: Mapping[str, object]) -> None:
        self.settings, problems = settings.resolve(arguments, os.environ)
        for problem in problems:
            _log.warning("%s", problem)
        keyless = keys.undeliverable(self.settings) == keys.NO_API_KEY
        if keyless and not any("API_KEY" in told for told in problems):
            _log.warning("%s", keys.missing_key(self.settings))
        self.clock = SystemClock()
        self._pipeline: Pipeline | None = None
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, weakref.ref(self)))

    def _begin(self) -> None:
        """Everything that a forked child needs anew, but for the pipeline, which sees to itself."""
        self._lock = threading.Lock()
        self._early = Book()
        self._told: list[Callable[[Pipeline], None]] = []

    def open(self) -> Pipeline:
        """The pipeline, made now if it was not."""
        if self._pipeline is None:
            with self._lock:
                if self._pipeline is None:
                    self._pipeline = pipeline.open_pipeline(self.settings, self.clock)
                    for act in self._told:
                        act(self._pipeline)
        return self._pipeline

    @property
    def _rests(self) -> bool:
        return self._pipeline is None and self.settings.spool_dir is None

    def ledger(self) -> Ledger:
        """What became of every span so far."""
        early = self._early.read()
        if self._pipeline is None or not early.received:
            return early if self._pipeline is None else self._pipeline.ledger()
        booked = self._pipeline.ledger()
        dropped = Counter(booked.dropped) + Counter(early.dropped)
        return replace(
            booked, received=booked.received + early.received, dropped=MappingProxyType(dropped)
        )

    def export(self, spans: Sequence[ReadableSpan]) -> bool:
        """As `Pipeline.export`, but that nothing can be opened once Python is ending."""
        try:
            opened = self.open()
        except ImportError as error:
            _log.warning("%d spans are lost: %s", len(spans), error)
            self._early.refuse(SHUT_DOWN, len(spans))
            return False
        return opened.export(spans)

    def accept(self, count: int) -> None:
        """As `Pipeline.accept`."""
        if count:
            self.open().accept(count)

    def refuse(self, reason: str, count: int = 1) -> None:
        """As `Pipeline.refuse`; whoever ends a span too many opens nothing."""
        if self._pipeline is not None:
            self._pipeline.refuse(reason, count)
        elif count:
            self._early.refuse(reason, count)

    def send(
        self,
        spans: Sequence[ReadableSpan],
        place: Callable[[ReadableSpan], Placed | Fate],
        timeout_s: float,
        live: LiveRuns,
    ) -> None:
        """As `Pipeline.send`."""
        if spans or not self._rests:
            self.open().send(spans, place, timeout_s, live)

    def show(self, live: LiveRuns) -> float:
        """As `Pipeline.show`."""
        return self.open().show(live)

    def flush(self, timeout_s: float) -> bool:
        """As `Pipeline.flush`."""
        return self._rests or self.open().flush(timeout_s)

    def interrupt(self) -> None:
        """As `Pipeline.interrupt`."""
        self._tell(lambda pipeline: pipeline.interrupt())

    def abandon(self) -> None:
        """As `Pipeline.abandon`."""
        self._tell(lambda pipeline: pipeline.abandon())

    def close(self, timeout_s: float, live: LiveRuns | None = None) -> None:
        """As `Pipeline.close`."""
        with self._lock:  # whoever is opening it comes first
            rests = self._rests
            if rests:
                self._told.append(lambda pipeline: pipeline.close(0.0))
        if not rests:
            self.open().close(timeout_s, live)

    def _tell(self, act: Callable[[Pipeline], None]) -> None:
        """Do it with the pipeline that there is, or as soon as there is one."""
        self._told.append(act)
        if self._pipeline is not None:
            act(self._pipeline)


def _begin_anew(standby: weakref.ref[Standby]) -> None:
    """In a forked child: the lock may be held by a thread that is gone."""
    alive = standby()
    if alive is not None:
        alive._begin()  # noqa: SLF001 - its own module
