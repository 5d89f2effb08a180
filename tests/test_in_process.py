"""LangSmith's SDK and OpenTelemetry in one process: `@traceable` functions and spans nest.

Both keep global state, so the programs are processes of their own.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN, Tracer
from support.interop import (
    OURS,
    PROJECT,
    ROOT,
    Neighbours,
    above,
    environ,
    one_tree,
    python,
    run,
)

from otel_langsmith import LangSmithSpanProcessor, run_id
from otel_langsmith.identity import run_id_of
from otel_langsmith.receiver import Receiver

BOTH = (
    OURS
    + f"""
import asyncio, contextvars, langsmith
from concurrent.futures import ThreadPoolExecutor
from langsmith import traceable, tracing_context
from langsmith.run_helpers import get_current_run_tree
from opentelemetry.propagate import extract, inject

def under_the_span():
    headers = {{}}
    inject(headers)
    return tracing_context(parent=headers)

def span_under_the_run():
    return tracer.start_as_current_span("span", extract(get_current_run_tree().to_headers()))

def root():
    return tracer.start_as_current_span(
        "root", attributes={{"langsmith.trace.session_name": {PROJECT!r}}})

@traceable
def innermost():
    return 1
"""
)

SENT = """
provider.shutdown()
langsmith.run_trees.get_cached_client().flush()
"""

FUNCTION = """
@traceable
def outer():
    with span_under_the_run(), under_the_span():
        innermost()
"""

PROGRAMS = {
    "functions": FUNCTION
    + """
with root(), under_the_span():
    outer()
""",
    "threads": FUNCTION
    + """
with root(), under_the_span(), ThreadPoolExecutor() as pool:
    pool.submit(contextvars.copy_context().run, outer).result()
""",
    "asyncio tasks": """
@traceable
async def outer():
    with span_under_the_run(), under_the_span():
        await asyncio.create_task(asyncio.to_thread(innermost))

async def main():
    with root(), under_the_span():
        await asyncio.create_task(outer())

asyncio.run(main())
""",
    "generators": """
@traceable
def outer():
    with span_under_the_run(), under_the_span():
        innermost()
    yield 1

with root(), under_the_span():
    assert list(outer()) == [1]
""",
}


EACH_WHEN_TOLD = (
    BOTH
    + f"""
for name in map(str.strip, sys.stdin):
    exec({PROGRAMS!r}[name])
    assert provider.force_flush()
    langsmith.run_trees.get_cached_client().flush()
    print("done", flush=True)
"""
)


@pytest.fixture(scope="module")
def both() -> Iterator[Neighbours]:
    with Receiver(requests_per_minute=1_000_000) as receiver, ExitStack() as stack:
        yield Neighbours(receiver, stack)


@pytest.mark.programs
@pytest.mark.parametrize("program", PROGRAMS)
def test_spans_and_runs_nest_in_both_directions(both: Neighbours, program: str) -> None:
    both.client(EACH_WHEN_TOLD)(program)
    runs = both.one_tree(["root", "outer", "span", "innermost"])
    assert [above(runs, name) for name in ("outer", "span", "innermost")] == [
        "root",
        "outer",
        "span",
    ]


@pytest.mark.programs
def test_the_readmes_words_nest_as_it_says(receiver: Receiver) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from langsmith import .*?)```", readme, re.DOTALL)
    run(python(BOTH + code + SENT), environ(receiver, LANGSMITH_PROJECT=PROJECT))
    runs = one_tree(receiver, ["span around runs", "sdk_code", "span in a run"])
    assert above(runs, "sdk_code") == "span around runs"
    assert above(runs, "span in a run") == "sdk_code"


@pytest.fixture
def tracer(receiver: Receiver) -> Iterator[Tracer]:
    provider = TracerProvider()
    provider.add_span_processor(LangSmithSpanProcessor(endpoint=receiver.url, api_key="key"))
    yield provider.get_tracer("tests")
    provider.shutdown()


def test_the_run_of_a_span_is_known_before_it_is_sent(tracer: Tracer, receiver: Receiver) -> None:
    with tracer.start_as_current_span("root") as root:
        known = run_id(root)
        assert known == run_id(root.get_span_context())
        assert str(known) == run_id_of(root.get_span_context().span_id)
    assert receiver.store.wait_for(1, timeout_s=10)
    assert [run.id for run in receiver.store.runs()] == [str(known)]


def test_a_span_that_names_its_own_run_is_found_by_that(tracer: Tracer) -> None:
    own = {"langsmith.span.id": "019b7cbc-f1ae-7000-8000-000000000001"}
    with tracer.start_as_current_span("root", attributes=own) as root:
        assert str(run_id(root)) == own["langsmith.span.id"]


def test_there_is_no_run_for_no_span() -> None:
    with pytest.raises(ValueError, match="is a span current here"):
        run_id(INVALID_SPAN)
