"""`delivery.ledger`: the count adds up at every moment, in every thread."""

import threading

import pytest

from otel_langsmith.delivery.ledger import INTERRUPTED, Book, Ledger


def test_every_step_keeps_the_balance() -> None:
    book = Book()
    book.receive(10)
    assert (book.read().received, book.read().held) == (10, 10)
    with book.consign(6) as consignment:
        assert (book.read().held, book.read().queued) == (4, 6)
        consignment.pass_on(4)
        book.delivered(3)
        consignment.dropped("http_422", 2)
        book.note(["start_clamped"])
        assert book.read().balances
        book.delivered(1)
    ledger = book.read()
    assert ledger == Ledger(
        received=10,
        held=4,
        delivered=4,
        dropped={"http_422": 2},
        noted={"start_clamped": 1},
    )
    assert ledger.lost == 2
    assert ledger.balances


def test_what_a_broken_off_delivery_left_is_dropped_by_name() -> None:
    book = Book()
    book.receive(5)
    with pytest.raises(KeyboardInterrupt), book.consign(5) as consignment:  # noqa: PT012
        consignment.pass_on(2)
        raise KeyboardInterrupt
    assert book.read() == Ledger(received=5, queued=2, dropped={INTERRUPTED: 3})


def test_a_ledger_that_does_not_add_up_says_so() -> None:
    assert not Ledger(received=1).balances


def test_a_snapshot_does_not_change() -> None:
    book = Book()
    before = book.read()
    book.receive(1)
    assert before.received == 0
    with pytest.raises(TypeError):
        before.dropped["x"] = 1  # type: ignore[index]


def test_the_balance_holds_while_many_threads_write() -> None:
    book = Book()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            book.receive(3)
            with book.consign(3) as consignment:
                consignment.pass_on(1)
                book.delivered(1)
                consignment.dropped("x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = [book.read() for _ in range(2_000)]
    stop.set()
    for thread in threads:
        thread.join()
    assert all(ledger.balances for ledger in seen)
    assert book.read().queued == 0


def test_waiting_for_idle_ends_when_the_last_is_settled() -> None:
    book = Book()
    book.receive(1)
    assert book.wait_idle(0)
    with book.consign(1) as consignment:
        consignment.pass_on(1)
    assert not book.wait_idle(0.01)
    threading.Timer(0.05, book.delivered, [1]).start()
    assert book.wait_idle(10)
