"""One line of set-up. What it sets up is global, so each program is a process of its own."""

import inspect
import os
import sys
from textwrap import dedent

import pytest
from support.processes import environ, run

import otel_langsmith
from otel_langsmith import setup
from otel_langsmith.receiver import Receiver
from otel_langsmith.settings import SETTINGS

pytestmark = pytest.mark.programs


def program(receiver: Receiver, body: str, **variables: str) -> tuple[int, str]:
    """Exit status and what is said on either stream; the spans are in the receiver."""
    script = "import otel_langsmith\n" + dedent(body)
    done = run([sys.executable, "-c", script], environ(receiver.url, **variables))
    return done.returncode, done.stdout + done.stderr


def names(receiver: Receiver) -> list[str]:
    return sorted(run.name for run in receiver.store.runs())


def test_it_makes_the_provider_and_the_propagator(receiver: Receiver) -> None:
    body = """
    provider = otel_langsmith.configure(project="shop")
    from opentelemetry import propagate, trace
    assert trace.get_tracer_provider() is provider
    with trace.get_tracer("app").start_as_current_span("one"):
        headers = {}
        propagate.inject(headers)
    assert {"langsmith-trace", "traceparent"} <= {*headers}
    """
    assert program(receiver, body) == (0, "")
    (run,) = receiver.store.runs()
    assert (run.name, run.project) == ("one", "shop")


@pytest.mark.parametrize("fields", ["{'theirs'}", "None"])
def test_it_joins_what_is_there_and_replaces_nothing(receiver: Receiver, fields: str) -> None:
    body = f"""
    from opentelemetry import propagate, trace
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    class Theirs(TextMapPropagator):
        fields = {fields}
        def extract(self, carrier, context=None, getter=None): return context
        def inject(self, carrier, context=None, setter=None): carrier["theirs"] = "1"

    class Seen(SpanProcessor):
        def on_end(self, span): print(span.name)

    theirs = TracerProvider()
    theirs.add_span_processor(Seen())
    trace.set_tracer_provider(theirs)
    propagate.set_global_textmap(Theirs())
    assert otel_langsmith.configure() is theirs
    with theirs.get_tracer("app").start_as_current_span("one"):
        headers = dict()
        propagate.inject(headers)
    assert headers.keys() >= set(("theirs", "langsmith-trace"))
    """
    assert program(receiver, body) == (0, "one\n")
    assert names(receiver) == ["one"]


def test_a_second_call_changes_nothing_and_says_what_it_ignores(receiver: Receiver) -> None:
    body = """
    from opentelemetry import propagate
    provider = otel_langsmith.configure(project="first", api_key="secret")
    there = propagate.get_global_textmap()
    assert otel_langsmith.configure() is provider
    assert otel_langsmith.configure(project="first") is provider
    assert otel_langsmith.configure(project="second", api_key="other", inbound="link") is provider
    assert propagate.get_global_textmap() is there
    provider.get_tracer("app").start_span("one").end()
    """
    ignored = "LangSmith is set up already, so this is ignored: project, api_key, inbound\n"
    assert program(receiver, body) == (0, ignored)
    (run,) = receiver.store.runs()
    assert run.project == "first"


def test_from_many_threads_there_is_one(receiver: Receiver) -> None:
    body = """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(8) as pool:
        providers = {*pool.map(lambda _: otel_langsmith.configure(), range(8))}
    (provider,) = providers
    provider.get_tracer("app").start_span("one").end()
    """
    assert program(receiver, body) == (0, "")
    assert names(receiver) == ["one"]


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ("tracecontext,langsmith", {"langsmith-trace", "traceparent"}),
        ("tracecontext", {"langsmith-trace", "traceparent"}),
        ("none", set()),
    ],
)
def test_the_operators_choice_of_propagators_stands(
    receiver: Receiver, chosen: str, written: set[str]
) -> None:
    body = f"""
    from opentelemetry import propagate
    provider = otel_langsmith.configure()
    with provider.get_tracer("app").start_as_current_span("one"):
        headers = {{}}
        propagate.inject(headers)
    assert {{*headers}} - {{"baggage", "tracestate"}} == {written}, headers
    """
    assert program(receiver, body, OTEL_PROPAGATORS=chosen) == (0, "")


def test_a_provider_that_takes_no_processors_is_left_alone_and_named(receiver: Receiver) -> None:
    body = """
    from opentelemetry import trace
    trace.set_tracer_provider(trace.NoOpTracerProvider())
    try:
        otel_langsmith.configure()
    except otel_langsmith.ConfigurationError as error:
        print(error)
    """
    code, said = program(receiver, body)
    assert code == 0
    assert "opentelemetry.trace.NoOpTracerProvider" in said
    assert "before" in said


@pytest.mark.parametrize(
    ("call", "error"),
    [("timeout='soon'", "timeout"), ("inbound='maybe'", "inbound"), ("projet='x'", "projet")],
)
def test_what_cannot_be_used_raises_and_leaves_nothing_behind(
    receiver: Receiver, call: str, error: str
) -> None:
    body = f"""
    from opentelemetry import propagate, trace
    before = propagate.get_global_textmap()
    try:
        otel_langsmith.configure({call})
    except (otel_langsmith.ConfigurationError, TypeError) as error:
        print(error)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert propagate.get_global_textmap() is before
    otel_langsmith.configure().get_tracer("app").start_span("one").end()
    """
    code, said = program(receiver, body)
    assert code == 0
    assert error in said
    assert names(receiver) == ["one"]


def test_without_an_account_one_line_says_how_to_go_on(receiver: Receiver) -> None:
    body = """
    provider = otel_langsmith.configure()
    provider.get_tracer("app").start_span("one").end()
    """
    code, said = program(receiver, body, LANGSMITH_API_KEY="", LANGSMITH_ENDPOINT="")
    assert code == 0
    (line,) = said.splitlines()
    assert "LANGSMITH_API_KEY" in line
    assert "otel-langsmith serve" in line


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("where", ["before", "after", "both"])
def test_a_forked_child_may_be_set_up_before_or_after_the_fork(
    receiver: Receiver, where: str
) -> None:
    """As in gunicorn's ``post_fork`` and Celery's ``worker_process_init``."""
    body = f"""
    import os
    if {where!r} in ("before", "both"):
        otel_langsmith.configure()
    for number in range(2):
        if (child := os.fork()) == 0:
            if {where!r} in ("after", "both"):
                otel_langsmith.configure()
            from opentelemetry import trace
            trace.get_tracer("app").start_span(f"child {{number}}").end()
            assert trace.get_tracer_provider().force_flush()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    assert program(receiver, body) == (0, "")
    assert names(receiver) == ["child 0", "child 1"]


def test_each_keyword_is_a_setting() -> None:
    assert [*setup.Keywords.__annotations__] == [row.keyword for row in SETTINGS]
    doc = inspect.getdoc(otel_langsmith.configure) or ""
    assert "LangSmithSpanProcessor" in doc


def test_importing_us_stays_light(receiver: Receiver) -> None:
    heavy = ["requests", "urllib3", "multiprocessing", "opentelemetry.propagate"]
    body = f"import sys; print([name for name in {heavy} if name in sys.modules])"
    assert program(receiver, body) == (0, "[]\n")
