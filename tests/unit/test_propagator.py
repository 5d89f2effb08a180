"""`propagator`: one trace across services, whatever the services between understand."""

import inspect
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith import Client
from langsmith.run_trees import RunTree
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import (
    SpanContext,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests.structures import CaseInsensitiveDict

import otel_langsmith
from otel_langsmith.baggage import parse_baggage
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.headers import unpack_state
from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import Lineage, Riding, of_span
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.propagator import LangSmithPropagator
from otel_langsmith.settings import SETTINGS
from otel_langsmith.tracking import Tracker, find, in_context, put_in_context
from otel_langsmith.translate import translate

WSGI: Any = None
if find_spec("opentelemetry.instrumentation") is not None:  # comes with the demo's packages only
    WSGI = import_module("opentelemetry.instrumentation.wsgi")

PACKAGE = str(Path(otel_langsmith.__file__).parent)
ROOT = str(Path(PACKAGE).parent)
CALLER = "019b7cbc-f1ae-7000-8000-000000000001"
INNER = "019b7cbc-f1af-7000-8000-0000000000a2"
ORDER = f"20260102T030405678901Z{CALLER}.20260102T030405679901Z{INNER}"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
MEMBERS = (
    "langsmith-metadata=%7B%22city%22%3A%22Z%C3%BCrich%20100%25%20a%2Bb%22%7D,"
    "langsmith-tags=a%20tag%2Cb%2Bc,langsmith-project=My%20%D0%BF%D1%80%25%2B"
)
METADATA, TAGS, PROJECT = {"city": "Zürich 100% a+b"}, ("a tag", "b+c"), "My пр%+"


class Following(SpanProcessor):
    """What `LangSmithSpanProcessor` does of it all: it follows spans."""

    def __init__(self, wanted: Callable[[ReadableSpan, bool], bool] | None = None) -> None:
        self.tracker = Tracker(wanted)
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        self.tracker.start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def service(
    wanted: Callable[[ReadableSpan, bool], bool] | None = None,
    *,
    sampler: Sampler | None = None,
    followed: bool = True,
) -> Any:
    """A tracer of a service that has our processor."""
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    following = Following(wanted)
    if followed:
        provider.add_span_processor(following)
    return SimpleNamespace(tracer=provider.get_tracer("tests"), ended=following.ended)


def carried(propagator: TextMapPropagator, span: Any, carrier: Any = None) -> Any:
    carrier = {} if carrier is None else carrier
    propagator.inject(carrier, set_span_in_context(span, Context()))
    return carrier


def lineage_of(span: Any) -> Lineage:
    found = find(span.get_span_context())
    assert found is not None
    return found


def sdk_run(name: str, project: str, tags: list[str], metadata: Mapping[str, Any]) -> RunTree:
    """A run of the official SDK's, with a client that sends nothing."""
    return RunTree(
        name=name,
        project_name=project,
        tags=tags,
        client=object.__new__(Client),
        extra={"metadata": dict(metadata)},
    )


def run_id(span: Any) -> str:
    return run_id_of(span.get_span_context().span_id)


def remote(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def flags(traceparent: str) -> str:
    return traceparent[-2:]


# ── alone and in company ──────────────────────────────────────────────────────────────────────────


def test_it_names_every_header_that_it_reads_or_writes() -> None:
    fields = {"langsmith-trace", "baggage", "traceparent", "tracestate"}
    assert LangSmithPropagator().fields == fields
    span = service().tracer.start_span("a")
    assert carried(LangSmithPropagator(), span).keys() == fields


def test_alone_it_continues_both_traces() -> None:
    ours = LangSmithPropagator()
    near, far = service(), service()
    with near.tracer.start_as_current_span("near", context=Context()) as span:
        headers: dict[str, str] = {}
        ours.inject(headers)
    far_span = far.tracer.start_span("far", context=ours.extract(headers))
    assert far_span.get_span_context().trace_id == span.get_span_context().trace_id
    assert far_span.parent.span_id == span.get_span_context().span_id
    assert lineage_of(far_span).dotted_order.startswith(lineage_of(span).dotted_order + ".")
    assert lineage_of(far_span).trace_id == run_id(span)
    assert flags(headers["traceparent"]) in ("01", "03")


MAKERS: dict[str, Callable[[], TextMapPropagator]] = {
    "tracecontext": TraceContextTextMapPropagator,
    "baggage": W3CBaggagePropagator,
    "langsmith": LangSmithPropagator,
}
COMPANIES = [
    names for size in (1, 2, 3) for names in permutations(MAKERS, size) if "langsmith" in names
]


@pytest.mark.parametrize("names", COMPANIES, ids=",".join)
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("with_w3c", [True, False])
def test_reading_is_right_in_any_company_and_order(
    names: tuple[str, ...], twice: bool, with_w3c: bool
) -> None:
    propagator = CompositePropagator([MAKERS[name]() for name in names])
    headers = {"langsmith-trace": ORDER, "baggage": f"a=1,{MEMBERS}"}
    headers |= {"traceparent": TRACEPARENT, "tracestate": "dd=s:1"} if with_w3c else {}
    context = propagator.extract(headers, Context())
    if twice:
        context = propagator.extract(headers, context)
    span = service().tracer.start_span("here", context=context)
    lineage = lineage_of(span)
    assert (lineage.trace_id, lineage.parent_run_id) == (CALLER, INNER)
    assert lineage.dotted_order.startswith(ORDER + ".")
    assert lineage.riding == Riding(PROJECT, None, TAGS, METADATA)
    if with_w3c:
        assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == TRACEPARENT[3:-3]
        assert span.parent.trace_state.get("dd") == "s:1"
    else:
        assert f"{span.parent.trace_id:032x}" == CALLER.replace("-", "")
    if "baggage" in names or names == ("langsmith",):
        assert baggage.get_baggage("a", context) == "1"


@pytest.mark.parametrize("names", [c for c in COMPANIES if c[-1] == "langsmith"], ids=",".join)
def test_writing_last_it_has_the_last_word(names: tuple[str, ...]) -> None:
    propagator = CompositePropagator([MAKERS[name]() for name in names])
    span = service().tracer.start_span("here", context=Context())
    context = baggage.set_baggage("user", "Ada L", set_span_in_context(span, Context()))
    headers: dict[str, str] = {}
    propagator.inject(headers, context)
    assert headers["langsmith-trace"] == lineage_of(span).dotted_order
    others = headers["baggage"].split(",")[2:]
    assert [unquote(other.replace("+", " ")) for other in others] == ["user=Ada L"]
    before = dict(headers)
    propagator.inject(headers, context)
    assert headers == before


def test_alone_a_space_in_baggage_is_one_for_everybody() -> None:
    context = baggage.set_baggage("user", "Ada+L 1", Context())
    headers: dict[str, str] = {}
    LangSmithPropagator().inject(headers, context)
    assert headers == {"baggage": "user=Ada%2BL%201"}


def test_with_nothing_to_say_nothing_is_written() -> None:
    headers = {"baggage": "langsmith-project=x,a=1", "langsmith-trace": "an SDK's own"}
    before = dict(headers)
    LangSmithPropagator().inject(headers, Context())
    assert headers == before
    empty: dict[str, str] = {}
    LangSmithPropagator().inject(empty, Context())
    assert empty == {}


@pytest.mark.parametrize("headers", [{}, {"baggage": "a=1"}, {"traceparent": TRACEPARENT}])
def test_without_langsmith_there_is_no_lineage(headers: dict[str, str]) -> None:
    context = LangSmithPropagator().extract(headers)
    assert isinstance(context, Context)
    assert in_context(context) is None
    assert find(remote(context)) is None
    assert remote(context).is_valid is ("traceparent" in headers)


def test_langsmiths_members_do_not_become_baggage_of_opentelemetry() -> None:
    """A processor that copies baggage to attributes would put them on every span."""
    context = LangSmithPropagator().extract({"baggage": f" {MEMBERS} , a=1"})
    assert baggage.get_all(context) == {"a": "1"}


# ── the rows of the table: langsmith-trace, baggage, tracestate ──────────────────────────────────


def test_a_caller_that_knows_only_langsmith_gets_a_sampled_parent() -> None:
    context = LangSmithPropagator().extract({"langsmith-trace": ORDER})
    parent = remote(context)
    assert (parent.is_remote, parent.trace_flags.sampled, parent.is_valid) == (True, True, True)
    assert f"{parent.trace_id:032x}" == CALLER.replace("-", "")
    assert f"{parent.span_id:016x}" == INNER[19:].replace("-", "")
    assert in_context(context) == find(parent)


def test_the_otel_trace_id_comes_back_through_langsmith_metadata() -> None:
    metadata = quote(json.dumps({"OTEL_TRACE_ID": TRACE_ID, "k": 1}))
    headers = {"langsmith-trace": ORDER, "baggage": f"langsmith-metadata={metadata}"}
    context = LangSmithPropagator().extract(headers)
    assert f"{remote(context).trace_id:032x}" == TRACE_ID
    assert in_context(context).riding.metadata == {"k": 1}


@pytest.mark.parametrize(
    "run", ["0" * 8 + "-0000-0000-0000-" + "0" * 12, CALLER[:19] + "0000-" + "0" * 12]
)
def test_no_invalid_ids_are_ever_made(run: str) -> None:
    context = LangSmithPropagator().extract({"langsmith-trace": f"20260102T030405678901Z{run}"})
    assert get_current_span(context).get_span_context().is_valid is False
    span = service().tracer.start_span("here", context=context)
    assert lineage_of(span).parent_run_id == run


def test_two_identities_are_kept_apart() -> None:
    ours = LangSmithPropagator()
    context = ours.extract({"langsmith-trace": ORDER, "traceparent": TRACEPARENT})
    span = service().tracer.start_span("here", context=context)
    headers = carried(ours, span)
    assert headers["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert headers["langsmith-trace"].startswith(ORDER + ".")


def test_what_rides_along_reaches_every_run_and_the_spans_own_values_win() -> None:
    ours, here = LangSmithPropagator(), service()
    context = ours.extract({"langsmith-trace": ORDER, "baggage": MEMBERS})
    with here.tracer.start_as_current_span("top", context=context):
        own = {"langsmith.metadata.city": "Bern", "langsmith.span.tags": "b+c, own"}
        here.tracer.start_span("inner", attributes=own).end()
    inner, top = (translate(span, find(span.context)) for span in here.ended)
    assert (top.project, top.tags, top.metadata["city"]) == (PROJECT, TAGS, METADATA["city"])
    assert (inner.project, inner.metadata["city"]) == (PROJECT, "Bern")
    assert list(inner.tags) == ["a tag", "b+c", "own"]


def test_what_is_said_of_the_callers_own_run_does_not_ride_along() -> None:
    """Its model and its tokens would be counted again on ours."""
    said = {"ls_model_name": "m", "usage_metadata": {"input_tokens": 9}, "user": "u"}
    headers = {"langsmith-trace": ORDER, "baggage": f"langsmith-metadata={quote(json.dumps(said))}"}
    assert in_context(LangSmithPropagator().extract(headers)).riding.metadata == {"user": "u"}


def test_baggage_without_a_lineage_still_names_project_and_thread() -> None:
    """A hop that dropped ``tracestate`` but kept ``baggage``."""
    headers = {"traceparent": TRACEPARENT, "baggage": MEMBERS}
    span = service().tracer.start_span("here", context=LangSmithPropagator().extract(headers))
    lineage = lineage_of(span)
    assert (lineage.parent_run_id, lineage.trace_id) == (None, run_id(span))
    assert lineage.riding == Riding(PROJECT, None, TAGS, METADATA)
    child = service().tracer.start_span("child", context=set_span_in_context(span, Context()))
    assert child.parent.span_id == span.get_span_context().span_id


@pytest.mark.parametrize(
    "existing",
    ["a=1;p=2, b = x y ,novalue", "k=%20+;m;n=o", 'j={"raw":"json"}'],
)
def test_others_members_stay_byte_for_byte(existing: str) -> None:
    span = service().tracer.start_span("here", context=Context())
    headers = carried(LangSmithPropagator(project="P"), span, {"baggage": existing})
    _, _, *others = headers["baggage"].split(",")
    assert ",".join(others) == existing
    assert parse_baggage(headers["baggage"])[0].project == "P"


def test_under_what_only_rides_along_a_span_is_a_root() -> None:
    """So a filter that keeps roots keeps it."""
    tracer = service(lambda _, is_root: is_root).tracer
    context = LangSmithPropagator().extract({"traceparent": TRACEPARENT, "baggage": MEMBERS})
    with tracer.start_as_current_span("top", context=context) as top:
        inner = tracer.start_span("inner")
    assert lineage_of(inner) == lineage_of(top)
    assert lineage_of(top).run_id == run_id(top)


def test_replicas_and_urls_are_neither_taken_nor_handed_on() -> None:
    replicas = quote(json.dumps([{"project_name": "p", "api_url": "https://evil"}]))
    headers = {"langsmith-trace": ORDER, "baggage": f"langsmith-replicas={replicas},a=1"}
    ours = LangSmithPropagator()
    span = service().tracer.start_span("here", context=ours.extract(headers))
    out = carried(ours, span, headers)["baggage"]
    assert "evil" not in repr(lineage_of(span)) + out
    assert out.endswith(",a=1")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ("langsmith-address=lrn%3Aagents/a/environments/local", "address_unsupported"),
        (
            "langsmith-project=p,langsmith-address=lrn%3Aagents/a/environments/local",
            "two_destinations",
        ),
    ],
)
def test_a_trace_that_goes_to_an_agents_address_is_linked_to(members: str, reason: str) -> None:
    """A run goes to a project or an address, never both, and we can send to no address."""
    ours = LangSmithPropagator()
    context = ours.extract({"langsmith-trace": ORDER, "baggage": members})
    span = service().tracer.start_span("here", context=context)
    lineage = lineage_of(span)
    assert (lineage.trace_id, lineage.parent_run_id, lineage.riding.project) == (
        run_id(span),
        None,
        None,
    )
    assert lineage.riding.metadata["otel_langsmith.caller_run_id"] == INNER
    assert ours.ignored() == {reason: 1}


def test_tracestate_has_our_member_first_and_the_others_after_it() -> None:
    ours = LangSmithPropagator(project="P")
    many = ",".join(f"v{number}=x" for number in range(32))
    context = ours.extract({"traceparent": TRACEPARENT, "tracestate": many})
    span = service().tracer.start_span("here", context=context)
    members = carried(ours, span)["tracestate"].split(",")
    assert len(members) == 32
    assert members[1:] == many.split(",")[:31]
    assert members[0].startswith("langsmith=")
    assert unpack_state(members[0][10:]) == (lineage_of(span).dotted_order, "P")


def test_a_tracestate_member_that_is_not_ours_is_left_alone() -> None:
    ours = LangSmithPropagator()
    context = ours.extract({"traceparent": TRACEPARENT, "tracestate": "langsmith=nonsense,a=b"})
    assert in_context(context) is None
    assert ours.ignored() == {"state_unusable": 1}


def test_only_allowed_metadata_leaves() -> None:
    ours = LangSmithPropagator()
    said = {"thread_id": "t 1", "session_id": "s", "secret": "x", "OTEL_TRACE_ID": TRACE_ID}
    headers = {"langsmith-trace": ORDER, "baggage": f"langsmith-metadata={quote(json.dumps(said))}"}
    attributes = {"langsmith.metadata.conversation_id": "c%+", "langsmith.metadata.other": "y"}
    span = service().tracer.start_span("a", context=ours.extract(headers), attributes=attributes)
    sent = parse_baggage(carried(ours, span)["baggage"])[0].metadata
    assert sent == {
        "OTEL_TRACE_ID": TRACE_ID,
        "thread_id": "t 1",
        "session_id": "s",
        "conversation_id": "c%+",
    }


def test_the_current_spans_thread_wins_by_its_plainest_name() -> None:
    attributes = {"session.id": "s", "gen_ai.conversation.id": "g"}
    span = service().tracer.start_span("a", context=Context(), attributes=attributes)
    sent = parse_baggage(carried(LangSmithPropagator(), span)["baggage"])[0].metadata
    assert sent["thread_id"] == "g"


def test_a_very_deep_run_is_named_by_an_ancestor() -> None:
    """Rather a header that servers take than none: many refuse a field of more than 8 KiB."""
    tracer = service().tracer
    context = Context()
    orders = []
    for _ in range(300):
        span = tracer.start_span("deeper", context=context)
        context = set_span_in_context(span, Context())
        orders.append(lineage_of(span).dotted_order)
    headers = carried(LangSmithPropagator(), span)
    assert headers["langsmith-trace"] == orders[127]
    assert sum(map(len, headers.values())) < 8192
    assert in_context(LangSmithPropagator().extract(headers)).dotted_order == orders[127]


# ── which run is the current one ─────────────────────────────────────────────────────────────────


def test_a_span_that_is_left_out_is_named_by_the_nearest_that_is_not() -> None:
    tracer = service(lambda span, _: span.name != "http").tracer
    with tracer.start_as_current_span("agent", context=Context()) as agent:
        http = tracer.start_span("http")
    headers = carried(LangSmithPropagator(), http)
    assert headers["langsmith-trace"] == lineage_of(agent).dotted_order
    assert headers["traceparent"].split("-")[2] == f"{http.get_span_context().span_id:016x}"


def test_a_root_that_is_left_out_is_not_named() -> None:
    tracer = service(lambda _, __: False).tracer
    headers = carried(LangSmithPropagator(), tracer.start_span("http", context=Context()))
    assert headers.keys() == {"traceparent"}


def test_who_has_no_key_names_the_callers_run_and_loses_spans_by_that_name() -> None:
    """Of its own runs LangSmith will never hear, so whoever hung under them would be an orphan."""
    processor = LangSmithSpanProcessor()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    propagator, tracer = LangSmithPropagator(), provider.get_tracer("tests")
    for callers in (ORDER, ""):
        above = propagator.extract({"langsmith-trace": callers}, Context())
        span = tracer.start_span("keyless", above)
        assert carried(propagator, span).get("langsmith-trace", "") == callers
        span.end()
    processor.shutdown()
    assert processor.ledger().dropped == {"no_api_key": 2}


@pytest.mark.parametrize("name_first", [True, False])
def test_without_sampling_the_callers_run_is_handed_on(name_first: bool) -> None:
    propagators = [LangSmithPropagator(), TraceContextTextMapPropagator()]
    composite = CompositePropagator(propagators if name_first else propagators[::-1])
    context = composite.extract({"langsmith-trace": ORDER, "traceparent": TRACEPARENT[:-1] + "0"})
    span = service(sampler=ALWAYS_OFF).tracer.start_span("off", context=context)
    headers: dict[str, str] = {}
    LangSmithPropagator().inject(headers, set_span_in_context(span, context))
    assert headers["langsmith-trace"] == ORDER
    assert flags(headers["traceparent"]) in ("00", "02")


def test_a_service_without_spans_hands_on_what_it_got() -> None:
    ours = LangSmithPropagator()
    context = ours.extract({"langsmith-trace": ORDER, "traceparent": TRACEPARENT})
    headers: dict[str, str] = {}
    ours.inject(headers, context)
    assert (headers["langsmith-trace"], headers["traceparent"]) == (ORDER, TRACEPARENT)


def test_a_lineage_without_any_span_is_written_too() -> None:
    context = put_in_context(Lineage(CALLER, INNER, CALLER, ORDER, riding=Riding("P")), Context())
    headers: dict[str, str] = {}
    LangSmithPropagator().inject(headers, context)
    assert headers == {"langsmith-trace": ORDER, "baggage": "langsmith-project=P"}


def test_without_our_processor_spans_without_a_local_parent_are_known() -> None:
    ours, bare = LangSmithPropagator(), service(followed=False)
    top = bare.tracer.start_span("top", context=Context())
    lineage = of_span(top.context.span_id, top.start_time, None, {})
    assert carried(ours, top)["langsmith-trace"] == lineage.dotted_order
    below = bare.tracer.start_span("below", context=ours.extract({"langsmith-trace": ORDER}))
    assert carried(ours, below)["langsmith-trace"].startswith(ORDER + ".")


def test_without_our_processor_a_later_w3c_propagator_loses_nothing() -> None:
    """What it was given is hung where the exporter looks for it."""
    composite = CompositePropagator([LangSmithPropagator(), TraceContextTextMapPropagator()])
    context = composite.extract({"langsmith-trace": ORDER, "traceparent": TRACEPARENT})
    span = service(followed=False).tracer.start_span("below", context=context)
    headers: dict[str, str] = {}
    LangSmithPropagator().inject(headers, set_span_in_context(span, context))
    assert headers["langsmith-trace"].startswith(ORDER + ".")
    assert find(span.parent).dotted_order == ORDER


def test_without_our_processor_it_says_once_what_to_add(caplog: pytest.LogCaptureFixture) -> None:
    ours, bare = LangSmithPropagator(), service(followed=False)
    with bare.tracer.start_as_current_span("top", context=Context()):
        inner = bare.tracer.start_span("inner")
    for _ in range(3):
        assert carried(ours, inner).keys() == {"traceparent"}
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "add LangSmithSpanProcessor()" in record.getMessage()


def test_without_our_processor_an_inner_span_hands_on_the_caller() -> None:
    """The nearest ancestor of which LangSmith is known to know."""
    ours, bare = LangSmithPropagator(), service(followed=False)
    context = ours.extract({"langsmith-trace": ORDER})
    token = attach(context)
    try:
        with (
            bare.tracer.start_as_current_span("server"),
            bare.tracer.start_as_current_span("client"),
        ):
            headers: dict[str, str] = {}
            ours.inject(headers)
    finally:
        detach(token)
    assert headers["langsmith-trace"] == ORDER


def test_the_project_that_a_span_asks_for_is_the_one_that_is_named() -> None:
    tracer = service().tracer
    asked = {"langsmith.trace.session_name": "asked"}
    span = tracer.start_span("top", context=Context(), attributes=asked)
    assert parse_baggage(carried(LangSmithPropagator(), span)["baggage"])[0].project == "asked"


# ── trust ─────────────────────────────────────────────────────────────────────────────────────────

HEADERS = {"langsmith-trace": ORDER, "baggage": MEMBERS, "traceparent": TRACEPARENT}


def received(headers: Mapping[str, str] = HEADERS, **settings: Any) -> tuple[Any, Lineage]:
    context = LangSmithPropagator(**settings).extract(headers)
    span = service().tracer.start_span("here", context=context)
    return span, lineage_of(span)


def test_link_starts_a_trace_and_remembers_the_callers() -> None:
    span, lineage = received(inbound="link")
    assert (lineage.trace_id, lineage.parent_run_id) == (run_id(span), None)
    assert lineage.riding.project == PROJECT
    assert lineage.riding.metadata == {
        **METADATA,
        "otel_langsmith.caller_trace_id": CALLER,
        "otel_langsmith.caller_run_id": INNER,
    }
    assert f"{span.parent.trace_id:032x}" == TRACE_ID


@pytest.mark.parametrize("policy", ["link", "ignore"])
def test_only_a_trace_that_is_continued_makes_a_parent(policy: str) -> None:
    context = LangSmithPropagator(inbound=policy).extract({"langsmith-trace": ORDER})
    assert remote(context).is_valid is False


def test_ignore_takes_nothing_of_langsmiths() -> None:
    span, lineage = received(inbound="ignore")
    assert lineage == of_span(span.context.span_id, span.start_time, None, {})
    assert f"{span.parent.trace_id:032x}" == TRACE_ID


@pytest.mark.parametrize(
    ("keyword", "field", "nothing"),
    [
        ("accept_project", "project", None),
        ("accept_metadata", "metadata", {}),
        ("accept_tags", "tags", ()),
    ],
)
@pytest.mark.parametrize("inbound", ["continue", "link"])
def test_each_thing_that_rides_along_has_its_switch(
    keyword: str, field: str, nothing: Any, inbound: str
) -> None:
    _, lineage = received(inbound=inbound, **{keyword: False})
    held = getattr(lineage.riding, field)
    assert (
        {k: v for k, v in held.items() if "caller" not in k} == {}
        if field == "metadata"
        else held == nothing
    )
    _, all_of_it = received(inbound=inbound)
    others = {"project", "tags", "metadata"} - {field}
    assert all(
        getattr(lineage.riding, other) == getattr(all_of_it.riding, other) for other in others
    )


def test_the_project_in_tracestate_needs_the_same_permission() -> None:
    ours = LangSmithPropagator(project="state")
    sent = carried(ours, service().tracer.start_span("a", context=Context()))
    headers = {name: sent[name] for name in ("traceparent", "tracestate")}
    assert received(headers)[1].riding.project == "state"
    assert received(headers, accept_project=False)[1].riding.project is None


# ── settings ──────────────────────────────────────────────────────────────────────────────────────


def test_the_environment_says_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_LANGSMITH_INBOUND", "ignore")
    assert in_context(LangSmithPropagator().extract(HEADERS)) is None
    assert in_context(LangSmithPropagator(inbound="continue").extract(HEADERS)) is not None


def test_a_bad_environment_is_warned_about_and_the_careful_choice_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_LANGSMITH_INBOUND", "trust")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "none of a propagator's business")
    assert in_context(LangSmithPropagator().extract(HEADERS)) is None
    (record,) = caplog.records
    assert "OTEL_EXPORTER_LANGSMITH_INBOUND is 'trust'" in record.getMessage()


@pytest.mark.parametrize("bad", [{"inbound": "trust"}, {"accept_tags": "perhaps"}])
def test_a_bad_argument_raises(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        LangSmithPropagator(**bad)


def test_an_order_in_which_it_is_overwritten_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "tracecontext,langsmith,baggage")
    LangSmithPropagator()
    (record,) = caplog.records
    assert "baggage after langsmith" in record.getMessage()
    monkeypatch.setenv("OTEL_PROPAGATORS", "tracecontext, baggage, langsmith")
    LangSmithPropagator()
    assert len(caplog.records) == 1


def test_its_keywords_are_rows_of_the_settings() -> None:
    rows = [row.keyword for row in SETTINGS if "propagator" in row.faces]
    assert [*LangSmithPropagator.__init__.__kwdefaults__] == rows
    doc = inspect.getdoc(LangSmithPropagator) or ""
    assert all(f"\n    {row}: " in doc for row in rows)


# ── carriers ──────────────────────────────────────────────────────────────────────────────────────


class Pairs(Getter[Any], Setter[Any]):
    """As Kafka's instrumentations: text names, bytes, the first of several counts, set appends."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        return next(([value.decode()] for name, value in carrier if name == key), None)

    def keys(self, carrier: Any) -> list[str]:
        return [name for name, _ in carrier]

    def set(self, carrier: Any, key: str, value: str) -> None:
        carrier.append((key, value.encode()))


class Scope(Getter[Any]):
    """As ASGI's: all values of a name, whatever its case."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        found = [
            value.decode() for name, value in carrier["headers"] if name.decode().lower() == key
        ]
        return found or None

    def keys(self, carrier: Any) -> list[str]:
        return [name.decode() for name, _ in carrier["headers"]]


def wsgi(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"wsgi.version": (1, 0)} | {
        "HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()
    }


def asgi(headers: Mapping[str, str]) -> dict[str, Any]:
    split = [
        (name, part)
        for name, value in headers.items()
        for part in (value.split(",") if name == "baggage" else [value])
    ]
    return {"headers": [(name.encode(), part.encode()) for name, part in split]}


CARRIERS: list[tuple[str, Callable[[Mapping[str, str]], Any], Any]] = [
    ("dict", dict, default_getter),
    ("title case", lambda h: {name.title(): value for name, value in h.items()}, default_getter),
    ("upper case", lambda h: {name.upper(): value for name, value in h.items()}, default_getter),
    ("lists", lambda h: {name: [value] for name, value in h.items()}, default_getter),
    ("bytes", lambda h: {n.encode(): v.encode() for n, v in h.items()}, default_getter),
    ("requests", CaseInsensitiveDict, default_getter),
    ("httpx", httpx.Headers, default_getter),
    *([("wsgi", wsgi, WSGI.wsgi_getter)] if WSGI else []),
    ("asgi, baggage in several headers", asgi, Scope()),
    ("kafka", lambda h: [(n, v.encode()) for n, v in h.items()], Pairs()),
]


@pytest.mark.parametrize(
    ("carrier_of", "getter"), [row[1:] for row in CARRIERS], ids=[row[0] for row in CARRIERS]
)
@pytest.mark.parametrize("names", [("langsmith",), ("tracecontext", "baggage", "langsmith")])
def test_carriers_of_every_kind_are_read(
    carrier_of: Callable[[Mapping[str, str]], Any], getter: Any, names: tuple[str, ...]
) -> None:
    ours = CompositePropagator([MAKERS[name]() for name in names])
    lineage = in_context(ours.extract(carrier_of(HEADERS), None, getter))
    assert lineage is not None
    assert (lineage.dotted_order, lineage.riding.project, lineage.riding.tags) == (
        ORDER,
        PROJECT,
        TAGS,
    )


def test_bytes_under_names_of_text_are_read() -> None:
    """Alone only: OpenTelemetry's own propagators raise on them."""
    carrier = {name: value.encode() for name, value in HEADERS.items()}
    assert in_context(LangSmithPropagator().extract(carrier)).dotted_order == ORDER


@pytest.mark.parametrize(
    "carrier",
    [
        {},
        CaseInsensitiveDict(),
        httpx.Headers(),
        {"Baggage": "b=2"},
        httpx.Headers({"BAGGAGE": "b=2"}),
    ],
)
def test_mappings_of_every_kind_are_written_once_each(carrier: Any) -> None:
    ours = LangSmithPropagator()
    had = dict(carrier)
    span = service().tracer.start_span("here", context=Context())
    carried(ours, span, carrier)
    before = dict(carrier)
    carried(ours, span, carrier)
    assert dict(carrier) == before
    assert len(carrier) == 4
    lowered = {name.lower(): value for name, value in carrier.items()}
    assert lowered["langsmith-trace"] == lineage_of(span).dotted_order
    assert lowered["baggage"].endswith("b=2") is bool(had)


@pytest.mark.parametrize("names", [("langsmith",), ("tracecontext", "baggage", "langsmith")])
def test_where_setting_appends_each_name_stands_once(names: tuple[str, ...]) -> None:
    """A reader takes the first, so another propagator's must not stand before ours."""
    propagator = CompositePropagator([MAKERS[name]() for name in names])
    span = service().tracer.start_span("here", context=Context())
    context = baggage.set_baggage("a", "1", set_span_in_context(span, Context()))
    carrier = [("other", b"kept")]
    for _ in range(2):
        propagator.inject(carrier, context, Pairs())
        assert sorted(name for name, _ in carrier) == sorted(
            [*LangSmithPropagator().fields, "other"]
        )
        assert dict(carrier)["baggage"].endswith(b",a=1")


def test_a_carrier_that_can_only_be_written_to_gets_the_contexts_baggage() -> None:
    class WriteOnly(Setter[Any]):
        def set(self, carrier: Any, key: str, value: str) -> None:
            carrier.written.append((key, value))

    carrier = SimpleNamespace(written=[], items=None)
    span = service().tracer.start_span("here", context=Context())
    context = baggage.set_baggage("a", "1", set_span_in_context(span, Context()))
    LangSmithPropagator().inject(carrier, context, WriteOnly())
    assert sorted(name for name, _ in carrier.written) == sorted(LangSmithPropagator().fields)
    assert dict(carrier.written)["baggage"].endswith(",a=1")


class Broken(Getter[Any], Setter[Any]):
    def get(self, carrier: Any, key: str) -> list[str] | None:
        raise LookupError

    def keys(self, carrier: Any) -> list[str]:
        raise LookupError

    def set(self, carrier: Any, key: str, value: str) -> None:
        raise LookupError


@pytest.mark.parametrize("carrier", [None, 7, object(), [], [7], {7: 7}, {"baggage": 7}, "text"])
def test_no_carrier_is_broken_enough_to_raise(carrier: Any) -> None:
    ours, context = LangSmithPropagator(), Context({"k": "v"})
    assert ours.extract(carrier, context)["k"] == "v"
    assert ours.extract(carrier, context, Broken()) == context
    assert ours.ignored()["carrier_unreadable"] >= 1
    span = service().tracer.start_span("here", context=Context())
    ours.inject(carrier, set_span_in_context(span, Context()))
    ours.inject(carrier, set_span_in_context(span, Context()), Broken())
    assert ours.ignored()["carrier_unwritable"] >= 1


def test_one_header_that_a_getter_fails_on_does_not_cost_the_others() -> None:
    carrier = [
        ("baggage", b"\xff"),
        ("langsmith-trace", ORDER.encode()),
        ("traceparent", TRACEPARENT.encode()),
    ]
    ours = LangSmithPropagator()
    context = ours.extract(carrier, None, Pairs())
    assert in_context(context).dotted_order == ORDER
    assert f"{remote(context).trace_id:032x}" == TRACE_ID
    assert ours.ignored() == {"carrier_unreadable": 1}


# ── hostile headers ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        "hello",
        ORDER + ".",
        ORDER + "." + ORDER,
        ORDER.replace("20260102", "20261302"),
        ORDER * 1000,
        "20260102T030405678Z" + CALLER,
        "\x00" * 100,
        f"{ORDER},{ORDER}",
        "\ud800" + ORDER,
    ],
)
def test_a_bad_trace_is_counted_and_never_shown(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="otel_langsmith")
    ours = LangSmithPropagator()
    context = ours.extract({"langsmith-trace": value, "traceparent": TRACEPARENT})
    assert in_context(context) is None
    assert f"{remote(context).trace_id:032x}" == TRACE_ID
    assert ours.ignored() == {"trace_unusable": 1}
    (record,) = caplog.records
    assert value not in record.getMessage()


def test_a_member_that_no_propagator_can_encode_does_not_cost_the_lineage() -> None:
    """OpenTelemetry's own raises on a lone surrogate."""
    headers = {**HEADERS, "baggage": f"x=\ud800,{MEMBERS},a=1"}
    ours = LangSmithPropagator()
    context = ours.extract(headers)
    assert baggage.get_all(context) == {"a": "1"}
    assert in_context(context).riding.project == PROJECT
    assert ours.ignored() == {}


def test_two_traces_that_disagree_are_none() -> None:
    ours = LangSmithPropagator()
    root = ORDER.partition(".")[0]
    assert in_context(ours.extract({"langsmith-trace": [ORDER, ORDER]})).dotted_order == ORDER
    assert in_context(ours.extract({"langsmith-trace": [ORDER, root]})) is None
    assert ours.ignored() == {"trace_unusable": 1}


HOSTILE = st.one_of(
    st.text(),
    st.binary(),
    st.lists(st.text() | st.binary() | st.none() | st.integers()),
    st.sampled_from(
        [ORDER, TRACEPARENT, MEMBERS, f"langsmith={'A' * 200}", "langsmith-metadata=["]
    ),
    st.none(),
    st.integers(),
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "langsmith-trace",
                "Langsmith-Trace",
                "baggage",
                "traceparent",
                "tracestate",
                b"baggage",
            ]
        )
        | st.text(max_size=5),
        HOSTILE,
    )
)
def test_nothing_raises_and_what_comes_out_is_valid(carrier: Any) -> None:
    ours = LangSmithPropagator()
    context = ours.extract(carrier, Context({"k": "v"}))
    assert context["k"] == "v"
    parent = remote(context)
    assert parent.is_valid or not parent.is_remote
    lineage = in_context(context)
    assert lineage is None or lineage.dotted_order in ("", ORDER)
    span = service().tracer.start_span("here", context=context)
    out = carried(ours, span)
    assert all(value.isascii() and value.isprintable() for value in out.values())
    assert out["langsmith-trace"] == lineage_of(span).dotted_order


WORDS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=",") | st.sampled_from(" %+;="),
    min_size=1,
    max_size=60,
).filter(lambda text: text == text.strip())


@given(WORDS, WORDS, st.lists(WORDS, max_size=3, unique=True))
def test_what_an_sdk_sends_arrives_unchanged(value: str, project: str, tags: list[str]) -> None:
    """Through OpenTelemetry's own baggage propagator, too, which makes a plus of each space."""
    metadata = {"v": value, "thread_id": value}
    headers = sdk_run("r", project, tags, metadata).to_headers()
    for baggage_ in (headers["baggage"], headers["baggage"].replace("%20", "+")):
        lineage = in_context(LangSmithPropagator().extract({**headers, "baggage": baggage_}))
        assert lineage is not None
        assert (lineage.riding.project, lineage.riding.tags, lineage.riding.metadata) == (
            project,
            tuple(tags),
            metadata,
        )


# ── three hops ────────────────────────────────────────────────────────────────────────────────────


def plain_hop(headers: Mapping[str, str]) -> dict[str, str]:
    """A service with OpenTelemetry and nothing of LangSmith."""
    plain = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    context = plain.extract(headers)
    with (
        TracerProvider(shutdown_on_exit=False)
        .get_tracer("hop")
        .start_as_current_span("hop", context=context) as span
    ):
        out: dict[str, str] = {}
        plain.inject(out, set_span_in_context(span, context))
    return out


@contextmanager
def langsmith_hop(headers: Mapping[str, str]) -> Iterator[RunTree]:
    """A service with the LangSmith SDK and nothing of OpenTelemetry."""
    parent = RunTree.from_headers(dict(headers), ls_client=object.__new__(Client))
    assert parent is not None
    yield parent.create_child("hop", tags=parent.tags, extra=parent.extra)


def test_ours_then_a_w3c_only_service_then_ours() -> None:
    ours = LangSmithPropagator(project="My пр%+")
    attributes = {"langsmith.metadata.thread_id": "t 1%+"}
    near = service().tracer.start_span("near", context=Context(), attributes=attributes)
    between = plain_hop(carried(ours, near))
    assert "langsmith-trace" not in between
    far = service().tracer.start_span("far", context=ours.extract(between))
    lineage = lineage_of(far)
    assert (lineage.trace_id, lineage.parent_run_id) == (run_id(near), run_id(near))
    assert (lineage.riding.project, lineage.riding.metadata) == ("My пр%+", {"thread_id": "t 1%+"})
    assert f"{far.context.trace_id:032x}" == between["traceparent"][3:35]


def test_ours_then_a_langsmith_only_service_then_ours() -> None:
    ours = LangSmithPropagator(project="My пр%+")
    near = service().tracer.start_span("near", context=Context())
    with langsmith_hop(carried(ours, near)) as hop:
        headers = hop.to_headers()
    assert "traceparent" not in headers
    far = service().tracer.start_span("far", context=ours.extract(headers))
    lineage = lineage_of(far)
    assert far.context.trace_id == near.context.trace_id
    assert (lineage.trace_id, lineage.parent_run_id) == (run_id(near), str(hop.id))
    assert hop.parent_run_id is not None
    assert lineage.riding.project == "My пр%+"


def test_the_langsmith_sdk_then_ours_then_the_langsmith_sdk() -> None:
    metadata = {"thread_id": '100% a+b ü,;="', "city": "Zürich", "n": 1.5, "deep": {"k": [1, None]}}
    tags, project = ["a tag", "50%", "x+y", "ünï"], "team/My пр%+ =;"
    first = sdk_run("first", project, tags, metadata)
    ours, here = LangSmithPropagator(), service()
    with here.tracer.start_as_current_span(
        "here", context=ours.extract(first.to_headers())
    ) as span:
        headers: dict[str, str] = {}
        ours.inject(headers)
    run = translate(here.ended[0], lineage_of(span))
    assert {key: run.metadata[key] for key in metadata} == metadata
    assert (list(run.tags), run.project) == (tags, project)
    last = RunTree.from_headers(headers, ls_client=object.__new__(Client))
    assert last is not None
    assert (str(last.trace_id), str(last.id)) == (str(first.id), run_id(span))
    assert (last.session_name, sorted(last.tags)) == (project, sorted(tags))
    assert last.metadata["thread_id"] == metadata["thread_id"]
    assert last.dotted_order.startswith(first.dotted_order + ".")


# ── start-up ──────────────────────────────────────────────────────────────────────────────────────


def fresh(source: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ROOT, **environ},
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.programs
def test_it_imports_nothing_that_may_be_half_imported() -> None:
    """It is loaded by ``opentelemetry.propagate`` itself, before anything else of the package."""
    source = """
import sys, types
package = types.ModuleType("otel_langsmith")
package.__path__ = [PATH]
sys.modules["otel_langsmith"] = package
import otel_langsmith.propagator
wrong = {
    *("opentelemetry.propagate", "opentelemetry.instrumentation", "requests", "urllib3", "orjson"),
    *("langsmith", "otel_langsmith.exporter", "otel_langsmith.translate"),
}
print(sorted(wrong & set(sys.modules)))
"""
    assert fresh(source.replace("PATH", repr(PACKAGE))).strip() == "[]"


@pytest.mark.programs
def test_with_the_package_around_it_no_trap_snaps_either() -> None:
    source = """
import sys
import otel_langsmith.propagator
wrong = {"opentelemetry.propagate", "opentelemetry.instrumentation"}
print(sorted(wrong & set(sys.modules)))
"""
    assert fresh(source).strip() == "[]"


@pytest.mark.programs
@pytest.mark.parametrize("names", ["langsmith", "tracecontext,baggage,langsmith"])
def test_opentelemetry_finds_it_by_name(names: str, tmp_path: Path) -> None:
    info = tmp_path / "found-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: found\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[opentelemetry_propagator]\nlangsmith = otel_langsmith.propagator:LangSmithPropagator\n"
    )
    source = """
from opentelemetry.propagate import get_global_textmap
print(sorted(get_global_textmap().fields))
"""
    environ = {
        "OTEL_PROPAGATORS": names,
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "OTEL_EXPORTER_LANGSMITH_INBOUND": "nonsense",
    }
    out = fresh(source, **environ)
    assert "['baggage', 'langsmith-trace', 'traceparent', 'tracestate']" in out
