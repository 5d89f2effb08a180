import os
from collections.abc import Iterator

import pytest
from support.ports import reserved_port

from otel_langsmith.receiver import Receiver


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("LANGSMITH_", "LANGCHAIN_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with reserved_port() as port, Receiver(port=port) as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    """One server for tests that only ask whether something is refused."""
    with Receiver(max_body_bytes=300_000, max_inflated_bytes=400_000) as running:
        yield running
