"""What every test gets: a clean environment, and a ledger that is checked when it ends."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from otel_langsmith.delivery.ledger import Book
from otel_langsmith.receiver import Receiver

# A loaded machine is no failure, and what lands must not depend on a throw of the dice.
settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes")
    parser.addoption("--regen", action="store_true", help="write the golden files anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="takes minutes; run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own reaches a test."""
    for name in list(os.environ):
        if name.startswith(("LANGSMITH_", "LANGCHAIN_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def every_ledger_balances(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Book]]:
    """The accounting identity holds for every exporter that the test made."""
    books: list[Book] = []
    begin = Book.__init__

    def begin_watched(self: Book) -> None:
        begin(self)
        books.append(self)

    monkeypatch.setattr(Book, "__init__", begin_watched)
    yield books
    for book in books:
        ledger = book.read()
        assert ledger.balances, ledger


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A LangSmith of the test's own, with room for as many requests as it likes."""
    with Receiver(requests_per_minute=1_000_000) as running:
        yield running
