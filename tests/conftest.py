"""What every test gets: a clean environment, and a ledger that is checked when it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.ports import reserved_port

from otel_langsmith.delivery.ledger import Book
from otel_langsmith.receiver import Receiver

# A loaded machine is no failure, and what lands must not depend on a throw of the dice.
settings.register_profile(
    "ours",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quarter", settings.get_profile("ours"), max_examples=25)
settings.load_profile("ours")

# Who starts us in the background has us ignore it, and so would the programs that are to heed it.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROGRAMS: list[str] = []
"""The Python programs that tests have started."""


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


@pytest.fixture(autouse=True, scope="session")
def programs_are_seen() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        start = subprocess.Popen.__init__

        def start_watched(self: Any, args: Any, *more: Any, **named: Any) -> None:
            if args[0] == sys.executable:
                PROGRAMS.append(" ".join(map(str, args)))
            start(self, args, *more, **named)

        patch.setattr(subprocess.Popen, "__init__", start_watched)
        yield


@pytest.fixture(autouse=True, scope="session")
def no_thread_is_left_busy() -> Iterator[None]:
    """One that spins takes half the time of every test after its own."""
    yield
    before_s = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before_s < 0.1, threading.enumerate()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that starts programs says so: CI asks for those on one Python only."""
    before = len(PROGRAMS)
    yield
    if "programs" not in item.keywords:
        assert PROGRAMS[before:] == [], "mark it with pytest.mark.programs"


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
    with reserved_port() as port, Receiver(port=port, requests_per_minute=1_000_000) as running:
        yield running


@pytest.fixture
def port() -> Iterator[int]:
    """Where a program of the test's may listen."""
    with reserved_port() as port:
        yield port
