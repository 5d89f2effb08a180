"""The ledger: what became of every span, in counts that add up at any moment and in any thread."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

SHUT_DOWN: Final = "shut_down"
"""It came after the shutdown."""

UNDELIVERED: Final = "undelivered"
"""It waited in the backlog when the exporter was shut down, and LangSmith took no more."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every span received, at one moment: counts of spans.

    ``received = delivered + held + queued + spooled + filtered + dead_lettered + dropped``.

    Attributes:
        received: All spans that came in.
        delivered: LangSmith has them.
        held: They wait for ancestors that have not ended.
        queued: They are on their way, or wait in memory for LangSmith to take them.
        spooled: They wait on disk.
        filtered: ``span_filter`` left them out, or the parent of a forked process sends them.
        dead_lettered: LangSmith refused them; they are kept on disk.
        dropped: They are lost, by reason.
        noted: How often a span had to be altered to be acceptable, and the like, by kind; these
            spans are counted above as well.
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
    def waiting(self) -> int:
        """How many spans are on their way, or will be once LangSmith takes them."""
        return self.queued + self.spooled

    @property
    def missing(self) -> int:
        """How many spans LangSmith will not have unless someone acts: lost, or refused and kept."""
        return self.lost + self.dead_lettered

    def with_queued(self, count: int) -> "Ledger":
        """The same ledger with ``count`` more spans received and queued."""
        if not count:
            return self
        return replace(self, received=self.received + count, queued=self.queued + count)

    @property
    def balances(self) -> bool:
        """Whether the accounting identity holds; anything but True is a bug of this package."""
        known = self.delivered + self.held + self.queued + self.spooled + self.filtered
        return self.received == known + self.dead_lettered + self.lost


class Book:
    """The ledger while it is being written, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # in C, as a condition's own methods are not
        self._changed = threading.Condition(self._lock)
        self._received = self._delivered = self._held = self._queued = self._filtered = 0
        self._spooled = self._dead_lettered = self._awaited = 0
        self._dropped: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()

    def read(self) -> Ledger:
        """The counts as they stand."""
        with self._lock:
            return Ledger(
                received=self._received,
                delivered=self._delivered,
                held=self._held,
                queued=self._queued,
                spooled=self._spooled,
                filtered=self._filtered,
                dead_lettered=self._dead_lettered,
                dropped=MappingProxyType(dict(self._dropped)),
                noted=MappingProxyType(dict(self._noted)),
            )

    @property
    def missing(self) -> int:
        """`Ledger.missing` as it stands."""
        with self._lock:
            return sum(self._dropped.values()) + self._dead_lettered

    def receive(self, count: int) -> None:
        """``count`` spans came in; they are held until consigned."""
        with self._lock:
            self._received += count
            self._held += count

    def enqueue(self, count: int) -> None:
        """``count`` spans came in and are on their way; consign them as such."""
        with self._lock:
            self._received += count
            self._queued += count

    def refuse(self, reason: str, count: int = 1) -> None:
        """``count`` spans came in and are lost at once."""
        with self._lock:
            self._received += count
            self._dropped[reason] += count

    def consign(self, count: int, *, queued: int = 0) -> "Consignment":
        """``count`` held spans go on their way; what the block does not pass on is dropped.

        ``queued`` of them are on their way already.
        """
        return Consignment(self, count, queued)

    def depart(self, count: int) -> None:
        """``count`` held spans are on their way."""
        with self._lock:
            self._held -= count
            self._queued += count

    def delivered(self, count: int) -> None:
        """LangSmith has ``count`` of those on their way."""
        with self._lock:
            self._queued -= count
            self._delivered += count
            self._tell()

    def dropped(self, reason: str, count: int = 1) -> None:
        """``count`` of those on their way are lost."""
        with self._lock:
            self._queued -= count
            self._dropped[reason] += count
            self._tell()

    def filtered(self, count: int) -> None:
        """``count`` of those on their way are left out as asked."""
        with self._lock:
            self._queued -= count
            self._filtered += count
            self._tell()

    def held(self, count: int) -> None:
        """``count`` of those on their way must wait for their ancestors first."""
        with self._lock:
            self._queued -= count
            self._held += count
            self._tell()

    def spooled(self, count: int) -> None:
        """``count`` of those on their way wait on disk."""
        with self._lock:
            self._queued -= count
            self._spooled += count

    def unspooled(self, count: int) -> None:
        """``count`` of those that waited on disk are on their way again."""
        self.spooled(-count)

    def inherit(self, count: int) -> None:
        """``count`` spans that another process had received are on their way."""
        self.enqueue(count)

    def spool_lost(self, reason: str, count: int, inherited: bool) -> None:
        """``count`` of those that waited on disk are lost; of ``inherited`` ones none was known."""
        with self._lock:
            if inherited:
                self._received += count
            else:
                self._spooled -= count
            self._dropped[reason] += count
            self._tell()

    def dead_lettered(self, count: int) -> None:
        """``count`` of those on their way were refused by LangSmith and are kept on disk."""
        with self._lock:
            self._queued -= count
            self._dead_lettered += count
            self._tell()

    def note(self, notes: Iterable[str]) -> None:
        """Count what had to be altered, and the like."""
        if told := [*notes]:
            with self._lock:
                self._noted.update(told)

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether nothing is on its way or waits on disk, at the latest after ``timeout_s``."""
        with self._changed:
            self._awaited += 1
            try:
                return self._changed.wait_for(self._is_idle, timeout_s)
            finally:
                self._awaited -= 1

    def _is_idle(self) -> bool:
        return not (self._queued or self._spooled)

    def _tell(self) -> None:
        """Wake those who wait for idleness, if any: nearly always nobody does."""
        if self._awaited:
            self._changed.notify_all()


INTERRUPTED: Final = "interrupted"
"""An exception left the delivery before the fate of a span was known."""


class Consignment:
    """Spans that somebody must settle before the block ends; see `Book.consign`."""

    def __init__(self, book: Book, count: int, queued: int) -> None:
        self._book = book
        self._open = count
        self._queued = queued

    def __enter__(self) -> "Consignment":  # noqa: PYI034 - typing.Self needs Python 3.11
        """They go on their way."""
        self._book.depart(self._open - self._queued)
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was not passed on."""
        if self._open:
            self.dropped(INTERRUPTED, self._open)

    @property
    def left(self) -> int:
        """How many of them nobody has answered for yet."""
        return self._open

    def pass_on(self, count: int) -> None:
        """``count`` of them are settled by somebody else, later."""
        self._open -= count

    def dropped(self, reason: str, count: int = 1) -> None:
        """``count`` of them are lost."""
        self.pass_on(count)
        self._book.dropped(reason, count)

    def filtered(self, count: int = 1) -> None:
        """``count`` of them are left out as asked."""
        self.pass_on(count)
        self._book.filtered(count)

    def held(self, count: int) -> None:
        """``count`` of them must wait for their ancestors first."""
        self.pass_on(count)
        self._book.held(count)
