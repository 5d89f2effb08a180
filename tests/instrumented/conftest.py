"""A model for the programs to ask, and each program run once for all tests of its tree."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from support.programs import Traced, trace


@pytest.fixture(scope="session")
def traced() -> Iterator[Callable[..., Traced]]:
    """``traced(program, **settings)``: the runs of a program with these environment variables."""
    from instrumented import fake_model  # noqa: PLC0415 - Flask may not be here

    from otel_langsmith.demo.serving import serving  # noqa: PLC0415

    with serving(fake_model.app) as model_url:
        yield cache(lambda program, **settings: trace(program, model_url, settings))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here has a program run."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.programs)
