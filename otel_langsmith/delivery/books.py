"""The books of all destinations, written to at once until each goes its own way."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from otel_langsmith.delivery.clock import Clock, bounded
from otel_langsmith.delivery.ledger import Book, Consignment, Ledger

_COUNTS: Final = (
    *("received", "delivered", "held", "queued", "spooled", "filtered"),
    "dead_lettered",
)


class Books:
    """One `Book` for each destination; what is counted here is counted in each of them."""

    def __init__(self, books: Sequence[Book]) -> None:
        self._books = books

    def read(self) -> Ledger:
        """Their sum: each span counts once for each destination."""
        return total([book.read() for book in self._books])

    def receive(self, count: int) -> None:
        """``count`` spans came in; they are held until consigned."""
        for book in self._books:
            book.receive(count)

    def enqueue(self, count: int) -> None:
        """``count`` spans came in and are on their way; consign them as such."""
        for book in self._books:
            book.enqueue(count)

    def refuse(self, reason: str, count: int = 1) -> None:
        """``count`` spans came in and are lost at once."""
        for book in self._books:
            book.refuse(reason, count)

    def note(self, notes: Iterable[str]) -> None:
        """Count what had to be altered, and the like."""
        told = [*notes]
        for book in self._books:
            book.note(told)

    def wait_idle(self, deadline_s: float, clock: Clock) -> bool:
        """Whether nothing is on its way or waits on disk, at the latest at the deadline."""
        return all(book.wait_idle(bounded(deadline_s - clock.now_s())) for book in self._books)

    @property
    def missing(self) -> int:
        """`Ledger.missing` of their sum."""
        return sum([book.missing for book in self._books])

    def consign(self, count: int, *, queued: int = 0) -> "Consignments":
        """``count`` held spans go on their way; what the block does not pass on is dropped.

        ``queued`` of them are on their way already.
        """
        return Consignments([book.consign(count, queued=queued) for book in self._books])


class Consignments:
    """The same spans on their way to each destination; see `Books.consign`."""

    def __init__(self, each: Sequence[Consignment]) -> None:
        self.each = each

    def __enter__(self) -> "Consignments":  # noqa: PYI034 - typing.Self needs Python 3.11
        """They go on their way."""
        for one in self.each:
            one.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was not passed on."""
        for one in self.each:
            one.__exit__()

    def pass_on(self, count: int) -> None:
        """``count`` of them are settled by somebody else, everywhere."""
        for one in self.each:
            one.pass_on(count)

    def dropped(self, reason: str, count: int = 1) -> None:
        """``count`` of them are lost, everywhere."""
        for one in self.each:
            one.dropped(reason, count)

    def filtered(self, count: int = 1) -> None:
        """``count`` of them are left out as asked, everywhere."""
        for one in self.each:
            one.filtered(count)

    def held(self, count: int) -> None:
        """``count`` of them must wait for their ancestors first."""
        for one in self.each:
            one.held(count)


def total(ledgers: Sequence[Ledger]) -> Ledger:
    """The sum of several ledgers, which balances if each of them does."""
    if len(ledgers) == 1:
        return ledgers[0]
    counts = {name: sum(getattr(one, name) for one in ledgers) for name in _COUNTS}
    return Ledger(
        **counts,
        dropped=_summed([one.dropped for one in ledgers]),
        noted=_summed([one.noted for one in ledgers]),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    summed: Counter[str] = Counter()
    for one in counts:
        summed.update(one)
    return MappingProxyType(dict(summed))
