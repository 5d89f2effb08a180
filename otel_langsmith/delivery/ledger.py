"""What became of every span: a count that always adds up.

``received = delivered + held + queued + spooled + filtered + dead_lettered + dropped``, at any
moment and in any thread.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Ledger:
    """A snapshot of what became of every span received.

    ``delivered``: LangSmith has it. ``held``: waits for its ancestors. ``queued``: on its way.
    ``spooled``: waits on disk. ``filtered``: left out as asked. ``dead_lettered``: refused by
    LangSmith, kept on disk. ``dropped``: lost, by reason. ``noted`` counts what had to be bent to
    be acceptable, by what it was; it is no part of the sum.
    """

    received: int = 0
    delivered: int = 0
    held: int = 0
    queued: int = 0
    spooled: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """How many spans were dropped, for whatever reason."""
        return sum(self.dropped.values())

    @property
    def balances(self) -> bool:
        """Whether the accounting identity holds; anything but True is a bug of this package."""
        known = self.delivered + self.held + self.queued + self.spooled + self.filtered
        return self.received == known + self.dead_lettered + self.lost


class Book:
    """The ledger while it is being written, from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._received = self._delivered = self._held = self._queued = 0
        self._dropped: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()

    def read(self) -> Ledger:
        """The counts as they stand."""
        with self._changed:
            return Ledger(
                received=self._received,
                delivered=self._delivered,
                held=self._held,
                queued=self._queued,
                dropped=MappingProxyType(dict(self._dropped)),
                noted=MappingProxyType(dict(self._noted)),
            )

    def receive(self, count: int) -> None:
        """``count`` spans came in; they are held until consigned."""
        with self._changed:
            self._received += count
            self._held += count

    @contextmanager
    def consign(self, count: int) -> Iterator["Consignment"]:
        """``count`` held spans go on their way; what the block leaves unsettled is dropped."""
        with self._changed:
            self._held -= count
            self._queued += count
        consignment = Consignment(self, count)
        try:
            yield consignment
        finally:
            consignment.close()

    def note(self, notes: Iterable[str]) -> None:
        """Count what had to be bent."""
        with self._changed:
            self._noted.update(notes)

    def settle(self, count: int, reason: str | None) -> None:
        """``count`` queued spans were delivered, or dropped for ``reason``."""
        with self._changed:
            self._queued -= count
            if reason is None:
                self._delivered += count
            else:
                self._dropped[reason] += count
            self._changed.notify_all()

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether nothing is on its way, at the latest after ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._queued == 0, timeout_s)


INTERRUPTED: Final = "interrupted"
"""An exception left the delivery before the fate of a span was known."""


class Consignment:
    """Spans on their way, whose fate is yet to be settled."""

    def __init__(self, book: Book, count: int) -> None:
        self._book = book
        self._open = count
        self.lost = 0

    def delivered(self, count: int) -> None:
        """LangSmith has ``count`` of them."""
        self._settle(count, None)

    def dropped(self, reason: str, count: int = 1) -> None:
        """``count`` of them are lost."""
        self.lost += count
        self._settle(count, reason)

    def note(self, notes: Iterable[str]) -> None:
        """Count what had to be bent in one of them."""
        self._book.note(notes)

    def close(self) -> None:
        """Drop what nobody settled."""
        if self._open:
            self.dropped(INTERRUPTED, self._open)

    def _settle(self, count: int, reason: str | None) -> None:
        self._open -= count
        self._book.settle(count, reason)
