"""All that belongs to one destination: what is learned of it, what waits for it, its book."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_langsmith.delivery.clock import AT_ONCE
from otel_langsmith.delivery.destination import Destination
from otel_langsmith.delivery.ledger import Book
from otel_langsmith.delivery.outbox import Outbox, open_storage
from otel_langsmith.delivery.patience import Patience
from otel_langsmith.delivery.sender import Sender
from otel_langsmith.keys import names_of, undeliverable
from otel_langsmith.live import UNENDED
from otel_langsmith.presence import State
from otel_langsmith.wire.readdress import readdressed
from otel_langsmith.wire.reply import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_langsmith.delivery.clock import Clock
    from otel_langsmith.delivery.ledger import Consignment
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import Batch, EncodedRun
    from otel_langsmith.wire.reply import Verdict

OPENING_TIMEOUT_S: Final = 5.0
"""Longest that runs which have ended may wait for the requests that show others."""

_log: Final = logging.getLogger("otel_langsmith")


class Lane:
    """Delivers to one destination in the thread that calls it, after `begin`.

    Args:
        settings: Those of the destination, as `destinations` has them.
        transport: Opens its connections; asked anew in each forked child.
        clock: Its time.
        name: What it is called among others.
        number: Which of the destinations it is, the first being 0.
        shares: Another lane has the same folder on disk, so this one waits in memory.
    """

    def __init__(  # noqa: PLR0913 - what makes a lane
        self,
        settings: Settings,
        transport: Callable[[], Transport],
        clock: Clock,
        name: str = "",
        number: int = 0,
        *,
        shares: bool = False,
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.undeliverable = undeliverable(settings)
        self._number = number
        self._endpoint = settings.endpoints[0] if settings.endpoints else None
        self._open_transport = transport
        unwanted = shares or self.undeliverable
        self._storage = None if unwanted else open_storage(settings, self._lost_on_disk)

    def begin(self, closing: threading.Event, pressed: Callable[[], bool]) -> None:
        """Everything that a forked child needs anew.

        ``closing``: there may be no later. ``pressed``: other runs need a delivery soon.
        """
        self.book = Book()
        self._closing = closing
        self._patience = Patience()
        self._transport = self._open_transport()
        storage, most = self._storage, self.settings.spool_max_bytes
        self._outbox = Outbox(self.book, self.clock, storage, most)
        self._sender = Sender(
            self.settings, self._transport, self.clock, self.book, self._outbox, pressed
        )

    @property
    def readdresses(self) -> bool:
        """Whether runs may look different at this destination, so that they go through `own`."""
        return self._number > 0 or self._endpoint is not None

    @property
    def keeps(self) -> bool:
        """Whether what waits may be on disk, where other processes may leave something, too."""
        return self._storage is not None

    def own(self, run: EncodedRun) -> EncodedRun:
        """The run as this destination gets it, and what this destination has of it."""
        if run.presence is not None and self._number:
            run = replace(run, presence=run.presence.at(self._number))
        return readdressed(run, self._endpoint) if self._endpoint else run

    def deliver(
        self,
        runs: Iterable[EncodedRun],
        consignment: Consignment,
        deadline_s: float,
        interrupt: threading.Event,
    ) -> bool:
        """Whether nothing waits, after sending what can be sent; see `Sender.deliver`."""
        began_s = self.clock.now_s()
        deadline_s = self._in_patience(deadline_s, began_s)
        clear = self._sender.deliver(runs, consignment, deadline_s, interrupt)
        if began_s < deadline_s:
            # what is on disk while LangSmith takes runs has time
            taken = clear or (self._outbox.keeps and not self._outbox.failing)
            in_vain = not (taken or self._sender.moved_on)
            self._patience.tried(self.clock.now_s(), in_vain=in_vain)
        return clear

    def postpone(self, batch: Batch) -> None:
        """Let the batch wait, in the backlog or on disk, without trying to send it."""
        self._sender.postpone(batch)

    def show(self, runs: Iterable[EncodedRun]) -> Verdict:
        """Show runs whose spans are open, in one attempt and unless others wait."""
        most_s = min(self.settings.timeout, OPENING_TIMEOUT_S)
        return self._announce(runs, self.clock.now_s() + most_s, AT_ONCE)

    def _announce(
        self, runs: Iterable[EncodedRun], deadline_s: float, interrupt: threading.Event
    ) -> Verdict:
        """Send what is no span that ended, with the patience that is left."""
        began_s = self.clock.now_s()
        deadline_s = self._in_patience(deadline_s, began_s)
        verdict = self._sender.announce(runs, deadline_s, interrupt)
        if began_s < deadline_s:
            self._patience.tried(self.clock.now_s(), in_vain=isinstance(verdict, RetryLater))
        return verdict

    def drain(self, deadline_s: float, interrupt: threading.Event) -> bool:
        """Whether nothing that this process received waits on disk; at an end, with patience left.

        Who flushes says how long to try, however lately LangSmith took nothing.
        """
        if self._is_ending:
            deadline_s = self._in_patience(deadline_s, self.clock.now_s())
        return self._sender.drain(deadline_s, interrupt)

    def finish(self, closings: Sequence[EncodedRun], deadline_s: float) -> None:
        """The last words: what waits on disk, then what ends runs that were shown here."""
        never = threading.Event()
        self.drain(deadline_s, never)
        shown = [run for run in closings if run.presence and run.presence.state is not State.ABSENT]
        self.book.note(UNENDED for _ in shown)
        self._announce(shown, deadline_s, never)

    def end_by(self, until_s: float) -> None:
        """Begin no request from then on."""
        self._sender.end_by(until_s)

    def hang_up(self) -> None:
        """Break off the requests that are on their way; their runs wait, or are lost."""
        self._transport.hang_up()

    def insist(self) -> None:
        """Ask once more, however lately LangSmith asked for patience: this is the last chance."""
        self._sender.insist()

    def abandon(self) -> None:
        """Leave what waits on disk, or count it as lost."""
        self._sender.abandon()
        self._transport.close()

    def _in_patience(self, deadline_s: float, now_s: float) -> float:
        return self._patience.deadline_s(deadline_s, now_s, ending=self._is_ending)

    @property
    def _is_ending(self) -> bool:
        """Whether the process may be: ``atexit`` handlers run when the main thread has ended."""
        return self._closing.is_set() or not threading.main_thread().is_alive()

    def _lost_on_disk(self, reason: str, count: int, inherited: bool) -> None:
        """Book what the spool, which a fork does not end, says is lost."""
        self.book.spool_lost(reason, count, inherited)


def open_lanes(
    each: Sequence[Settings], transport: Callable[[], Transport], clock: Clock
) -> tuple[Lane, ...]:
    """A lane for each destination, under names that tell them apart.

    On disk a destination is known by address, workspace and project, for no key lies there. Of
    those that agree in all three, only the first waits on disk.
    """
    lanes: list[Lane] = []
    folders: set[Destination] = set()
    for number, (name, settings) in enumerate(zip(names_of(each), each, strict=True)):
        destination = Destination(settings.endpoint or "", settings.workspace_id, settings.project)
        shares = destination in folders
        if shares and settings.spool_dir is not None:
            _log.warning(
                "%s is a destination twice, so only one of them waits on disk: give each its "
                "workspace_id",
                settings.endpoint,
            )
        folders.add(destination)
        lanes.append(Lane(settings, transport, clock, name, number, shares=shares))
    return tuple(lanes)
