"""`translate`: a run for every span, whatever the span holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode
from support.properties import examples
from support.spans import span as hand_made

from otel_langsmith import lineage
from otel_langsmith.conventions import CONVENTIONS, Convention, Row, attr, table_of
from otel_langsmith.identity import LAST_NS, iso_time, run_id_of
from otel_langsmith.lineage import TIME_UNWRITABLE, Lineage, Riding
from otel_langsmith.run import RUN_TYPES, Attachment, Run
from otel_langsmith.translate import UNTRANSLATED, translate
from otel_langsmith.wire.json import dumps

START = 1_795_246_915_312_327_139
CONTEXT = SpanContext(0xAB, 0xCD, is_remote=False, trace_flags=TraceFlags(1))
ROOT = lineage.root("00000000-0000-0000-0000-0000000000cd", START)
ERROR = Status(StatusCode.ERROR)
RESOURCE = Resource({"service.name": "tests"})


def span(attributes: Any = None, /, scope: str = "tests", **said: Any) -> ReadableSpan:
    said = {"name": "span", "start_time": START, "end_time": START + 1, **said}
    return ReadableSpan(
        context=CONTEXT,
        resource=said.pop("resource", RESOURCE),
        attributes=attributes or {},
        instrumentation_scope=InstrumentationScope(scope, "1.0"),
        **said,
    )


def run_of(attributes: Any = None, /, line: Lineage = ROOT, **said: Any) -> Run:
    return translate(span(attributes, **said), line)


def exception(**said: str) -> Event:
    return Event("exception", {f"exception.{key}": value for key, value in said.items()}, START)


def test_a_bare_span_is_a_chain_that_knows_where_it_comes_from() -> None:
    run = run_of({"my.own": 1})
    assert (run.name, run.run_type, run.inputs, run.outputs) == ("span", "chain", {}, None)
    assert run.metadata == {
        "service.name": "tests",
        "my.own": 1,
        "OTEL_TRACE_ID": f"{0xAB:032x}",
        "OTEL_SPAN_ID": f"{0xCD:016x}",
        "otel.scope.name": "tests",
        "otel.scope.version": "1.0",
    }


def test_no_field_of_a_run_is_left_open() -> None:
    """`translate` fills them in one by one; `replace` reads them all."""
    failed = run_of({"gen_ai.operation.name": "chat"}, status=ERROR, events=[exception(type="E")])
    for run in (run_of(), failed):
        assert replace(run) == run


def test_the_place_in_the_tree_is_the_lineage() -> None:
    line = lineage.child(ROOT, "00000000-0000-0000-0000-0000000000ef", START)
    run = run_of(line=line)
    assert (run.id, run.trace_id, run.parent_run_id) == (line.run_id, ROOT.run_id, ROOT.run_id)
    assert run.dotted_order == line.dotted_order


def test_the_lineage_knows_the_project_better_than_the_caller() -> None:
    own = Lineage(
        ROOT.trace_id, ROOT.run_id, None, ROOT.dotted_order, riding=Riding("theirs", "id")
    )
    assert translate(span(), ROOT, project="ours").project == "ours"
    run = translate(span(), own, project="ours")
    assert (run.project, run.session_id) == ("theirs", "id")


def test_what_any_status_says_is_told() -> None:
    """The SDK's own takes descriptions of errors only; one made by hand may say what it likes."""
    status = SimpleNamespace(status_code=StatusCode.UNSET, description="said")
    assert run_of(status=status).metadata["otel.status_description"] == "said"


def test_notes_of_the_lineage_are_told() -> None:
    line = Lineage(ROOT.trace_id, ROOT.run_id, None, ROOT.dotted_order, notes=("start_clamped",))
    run = run_of(line=line)
    assert run.notes == ("start_clamped",)
    assert run.metadata["otel_langsmith.notes"] == ["start_clamped"]


def test_identity_attributes_vanish_only_when_they_were_honoured() -> None:
    given_id = "0190D9A6-5A4C-7C3A-9B5E-0123456789AB"
    attributes = {
        "langsmith.span.id": given_id,
        "langsmith.span.parent_id": "nonsense",
        "langsmith.trace.session_name": "p",
    }
    run = run_of(attributes, line=lineage.of_span(0xCD, START, None, attributes))
    assert run.project == "p"
    assert run.id == given_id.lower()
    assert "langsmith.span.id" not in run.metadata
    assert "langsmith.trace.session_name" not in run.metadata
    assert run.metadata["langsmith.span.parent_id"] == "nonsense"
    assert run_of(attributes).metadata["langsmith.span.id"] == given_id


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"langsmith.trace.name": "mine", "gen_ai.tool.name": "t"}, "mine"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}, "t"),
        ({"gen_ai.operation.name": "chat", "gen_ai.tool.name": "t"}, "span"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}, "a"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.agent.name": "a"}, "span"),
        ({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "w"}, "w"),
        ({"gen_ai.agent.name": "a"}, "span"),
    ],
)
def test_runs_are_called_by_what_they_do(attributes: dict[str, str], name: str) -> None:
    run = run_of(attributes)
    assert run.name == name
    assert run.metadata.get("otel.span.name") == (None if name == "span" else "span")


@pytest.mark.parametrize(
    ("name", "attributes", "readable"),
    [
        ("GET", {"http.request.method": "GET", "server.address": "a.b"}, "GET a.b"),
        ("GET", {"http.request.method": "GET", "http.route": "/x/{id}"}, "GET /x/{id}"),
        ("HTTP GET", {"http.method": "GET", "http.url": "https://u:p@a.b/x?k=1"}, "HTTP GET a.b"),
        ("GET /x", {"http.request.method": "GET", "server.address": "a.b"}, "GET /x"),
        ("GET", {"db.system": "redis", "server.address": "a.b"}, "GET"),
    ],
)
def test_requests_are_told_apart_by_whom_they_went_to(
    name: str, attributes: dict[str, str], readable: str
) -> None:
    assert run_of(attributes, name=name).name == readable


def test_a_long_name_is_cut_and_kept() -> None:
    run = run_of(name="n" * 200)
    assert (run.name, run.metadata["otel.span.name"]) == ("n" * 128, "n" * 200)
    run = run_of({"langsmith.trace.name": "m" * 200})
    assert (run.name, run.metadata["otel_langsmith.full_name"]) == ("m" * 128, "m" * 200)
    assert run_of(name="").name == "span"


@pytest.mark.parametrize(
    ("attributes", "run_type"),
    [
        ({"gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "text_completion"}, "llm"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "retrieval"}, "retriever"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "invoke_agent"}, "chain"),
        ({"gen_ai.operation.name": "brand_new", "gen_ai.tool.name": "t"}, "chain"),
        ({"gen_ai.operation.name": "chat", "langsmith.span.kind": "Retriever"}, "retriever"),
        ({"gen_ai.operation.name": "chat", "langsmith.span.kind": "agent"}, "llm"),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}, "llm"),
        ({"gen_ai.usage.input_tokens": 1}, "chain"),
        ({"gen_ai.tool.name": "t"}, "tool"),
    ],
)
def test_run_types_are_of_the_closed_vocabulary(attributes: dict[str, Any], run_type: str) -> None:
    assert run_of(attributes).run_type == run_type


def test_usage_counts_only_where_the_model_was_called() -> None:
    usage = {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}
    counts = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    model = run_of({"gen_ai.operation.name": "chat", **usage})
    agent = run_of({"gen_ai.operation.name": "invoke_agent", **usage})
    assert model.metadata["usage_metadata"] == counts
    assert agent.metadata["aggregated_usage"] == counts
    assert "usage_metadata" not in agent.metadata


def test_provider_model_and_type_are_said_together() -> None:
    run = run_of(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.request.model": "m",
            "gen_ai.response.model": "m-001",
            "gen_ai.request.temperature": 0.5,
        }
    )
    said = {key: value for key, value in run.metadata.items() if key.startswith("ls_")}
    assert said == {
        "ls_provider": "google_genai",
        "ls_model_name": "m",
        "ls_response_model": "m-001",
        "ls_model_type": "chat",
        "ls_temperature": 0.5,
    }
    assert run.invocation_params == {"model": "m", "temperature": 0.5}


@pytest.mark.parametrize("framework", ["langchain", "InMemoryVectorStore", ""])
def test_a_framework_is_no_provider(framework: str) -> None:
    run = run_of({"gen_ai.provider.name": framework, "gen_ai.system": "openai"})
    assert run.metadata["ls_provider"] == "openai"
    assert run.metadata["gen_ai.provider.name"] == framework


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"status": ERROR}, "status ERROR, without a description"),
        ({"status": Status(StatusCode.ERROR, "broke")}, "broke"),
        (
            {"status": Status(StatusCode.ERROR, "broke"), "attributes": {"error.type": "KeyError"}},
            "KeyError: broke",
        ),
        ({"status": ERROR, "attributes": {"error.type": "KeyError"}}, "KeyError"),
        ({"status": ERROR, "attributes": {"http.response.status_code": 404}}, "HTTP 404"),
        (
            {"status": ERROR, "attributes": {"http.status_code": 429, "error.type": "rate"}},
            "rate (HTTP 429)",
        ),
        (
            {"status": ERROR, "attributes": {"http.status_code": 429, "error.type": "429"}},
            "HTTP 429",
        ),
        (
            {"status": Status(StatusCode.ERROR, "broke"), "attributes": {"error.type": "_OTHER"}},
            "broke",
        ),
        (
            {"status": ERROR, "events": [exception(type="A", message="x"), exception(type="B")]},
            "B",
        ),
        (
            {"status": ERROR, "events": [exception(type="A", message="x", stacktrace="at line 1")]},
            "A: x\n\nat line 1",
        ),
        (
            {"status": ERROR, "events": [exception(type="A", message="x", stacktrace="A: x\n at")]},
            "A: x\n at",
        ),
        ({"status": ERROR, "events": [Event("exception")]}, "status ERROR, without a description"),
        ({"events": [exception(type="A", message="x")]}, None),
        (
            {"events": [exception(type="A")], "attributes": {"langsmith.span.kind": "chain"}},
            None,
        ),
        (
            {
                "events": [exception(type="A")],
                "attributes": {"langsmith.span.kind": "chain"},
                "scope": "langsmith",
                "status": Status(StatusCode.OK),
            },
            "A",
        ),
    ],
)
def test_the_status_decides_whether_it_failed(said: dict[str, Any], error: str | None) -> None:
    run = run_of(said.pop("attributes", None), **said)
    assert run.error == error


def test_the_exception_that_became_the_error_is_not_repeated() -> None:
    raised = Event("exception", {"exception.type": "A", "mine": 1}, START)
    first, other = exception(type="B"), Event("retry", {"n": 1}, START)
    run = run_of(status=ERROR, events=[first, other, raised])
    assert [(event["name"], event["kwargs"]) for event in run.events] == [
        ("exception", {"exception.type": "B"}),
        ("retry", {"n": 1}),
        ("exception", {"mine": 1}),
    ]
    assert run.events[1]["time"] == "2026-11-21T07:41:55.312327Z"
    assert not run_of(status=ERROR, events=[exception(type="A")]).events


def test_a_description_that_the_error_does_not_quote_stays() -> None:
    run = run_of(status=Status(StatusCode.ERROR, "why"), events=[exception(type="A")])
    assert (run.error, run.metadata["otel.status_description"]) == ("A", "why")


def test_the_first_token_is_an_event() -> None:
    run = run_of({"gen_ai.response.time_to_first_chunk": 0.5})
    assert run.events == [{"name": "new_token", "time": "2026-11-21T07:41:55.812327Z"}]
    assert not run_of({"gen_ai.response.time_to_first_chunk": float("nan")}).events


def test_content_on_an_event_becomes_content_and_leaves_the_rest() -> None:
    said = {"gen_ai.input.messages": '[{"role":"user","parts":[]}]', "gen_ai.request.model": "m"}
    said["gen_ai.output.messages"] = (
        '[{"role":"assistant","parts":[{"type":"text","content":"x"}]}]'
    )
    run = run_of(events=[Event("gen_ai.client.inference.operation.details", said, START)])
    assert run.outputs == {
        "messages": [{"role": "assistant", "content": [{"type": "text", "text": "x"}]}]
    }
    assert [event["kwargs"] for event in run.events] == [{"gen_ai.request.model": "m"}]


def test_a_name_that_is_taken_does_not_cost_the_attribute() -> None:
    attributes = {
        "OTEL_SPAN_ID": "mine",
        "thread_id": "mine",
        "session.id": "s",
        "service.name": "other",
        "otel.attribute.thread_id": "also mine",
    }
    metadata = run_of(attributes).metadata
    assert metadata["thread_id"] == "s"
    assert metadata["otel.attribute.otel.attribute.thread_id"] == "mine"
    assert metadata["otel.attribute.thread_id"] == "also mine"
    assert metadata["OTEL_SPAN_ID"] == f"{0xCD:016x}"
    assert metadata["otel.attribute.OTEL_SPAN_ID"] == "mine"
    assert metadata["service.name"] == "other"
    assert metadata["resource.service.name"] == "tests"


def test_resources_are_told_apart() -> None:
    for number in range(200):
        run = run_of(resource=Resource({"service.name": f"s{number}"}))
        assert run.metadata["service.name"] == f"s{number}"


def test_everything_else_opentelemetry_knows_is_metadata() -> None:
    attributes = BoundedAttributes(attributes={"a": 1})
    attributes.dropped = 3
    parent = SpanContext(0xAB, 0x99, is_remote=True)
    run = run_of(
        attributes, kind=SpanKind.CLIENT, parent=parent, links=[Link(CONTEXT, {"why": "batch"})]
    )
    assert run.metadata["otel.span.kind"] == "CLIENT"
    assert run.metadata["otel.parent_span_id"] == f"{0x99:016x}"
    assert run.metadata["otel.dropped_attributes_count"] == 3
    assert run.metadata["otel.links"] == [
        {"trace_id": f"{0xAB:032x}", "span_id": f"{0xCD:016x}", "attributes": {"why": "batch"}}
    ]
    line = lineage.child(ROOT, ROOT.run_id, START)
    assert "otel.parent_span_id" not in run_of(line=line, parent=parent).metadata


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        (None, None, (0, None)),
        (-5, 0, (0, 0)),
        (10**30, 10**30, (LAST_NS, LAST_NS)),
        (0, LAST_NS, (0, LAST_NS)),
        (5, 4, (5, 4)),
        (1.5, 2.0, (1, 2)),
        (True, float("nan"), (1, 0)),
    ],
)
def test_times_can_be_written(
    start: float | None, end: float | None, times: tuple[int, int | None]
) -> None:
    run = run_of({"gen_ai.response.time_to_first_chunk": 1}, start_time=start, end_time=end)
    assert (run.start_time_ns, run.end_time_ns) == times
    assert {type(run.start_time_ns), type(run.end_time_ns)} <= {int, type(None)}
    assert (TIME_UNWRITABLE in run.notes) == (end != run.end_time_ns)


def shape_that(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


FILE = Attachment("a_txt", "text/plain", b"hi")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("attachments", (FILE,), {"attachments": (FILE,)}),
        ("reference_example_id", "e", {"reference_example_id": "e"}),
        ("tags", ("t",), {"tags": ("t",)}),
        ("error.stated", True, {"error": "status ERROR, without a description"}),
        ("first_token_s", 0, {"events": [{"name": "new_token", "time": iso_time(START)}]}),
        ("first_token_ns", START, {"events": [{"name": "new_token", "time": iso_time(START)}]}),
        ("name", "mine", {"name": "mine"}),
    ],
)
def test_what_few_spans_say_is_heard_if_it_is_all_that_one_says(
    field: Any, value: Any, shown: dict[str, Any]
) -> None:
    rows = (attr(field, "said", via=shape_that(value)),)
    table = table_of((Convention(name="terse", spec="", rows=rows),))
    run = translate(span({"said": 1}), ROOT, table=table)
    assert {name: getattr(run, name) for name in shown} == shown


def test_attachments_travel_beside_the_run() -> None:
    given = json.dumps([{"name": "a.txt", "content": "aGk=", "mime_type": "text/plain"}, "no"])
    run = run_of({"langsmith.attachments": given})
    assert run.attachments == (Attachment("a_txt", "text/plain", b"hi"),)
    assert run.metadata["langsmith.attachments"] == ["no"]


def test_a_tool_result_that_is_a_number_stays_text() -> None:
    run = run_of(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"a": 1}',
            "gen_ai.tool.call.result": "2",
        }
    )
    assert (run.inputs, run.outputs) == ({"a": 1}, {"output": "2"})


def test_the_spans_own_values_are_not_touched() -> None:
    messages = ({"role": "user", "parts": ({"type": "text", "content": "hi"},)},)
    tools = ({"name": "f", "parameters": {"a": 1}},)
    attributes = {"gen_ai.input.messages": messages, "gen_ai.tool.definitions": tools}
    before = repr(attributes)
    given_span = span(attributes)
    assert translate(given_span, ROOT).inputs["messages"][0]["content"][0]["text"] == "hi"
    assert translate(given_span, ROOT) == translate(given_span, ROOT)
    assert repr(attributes) == before


def test_usage_as_langsmith_writes_it_wins_and_loses_nothing() -> None:
    said = {"input_tokens": 3, "output_tokens": 2, "input_cost": 0.5, "novel": 1}
    said["input_token_details"] = {"cache_read": 1}
    run = run_of(
        {
            "langsmith.span.kind": "llm",
            "langsmith.usage_metadata": json.dumps(said),
            "gen_ai.usage.input_tokens": 4,
            "gen_ai.usage.output_tokens": 2,
        }
    )
    assert run.metadata["usage_metadata"] == {
        "input_tokens": 3,
        "output_tokens": 2,
        "total_tokens": 5,
        "input_cost": 0.5,
        "input_token_details": {"cache_read": 1},
    }
    assert run.metadata["langsmith.usage_metadata"] == {"novel": 1}
    assert run.metadata["gen_ai.usage.input_tokens"] == 4
    assert "gen_ai.usage.output_tokens" not in run.metadata


def members(row: Row) -> list[str]:
    """Attributes that the row would read."""
    within = {"indexed": ("0.content", "0.message.content"), "named": ("x.messages",)}
    if row.is_family:
        return [row.keys[0] + name for name in within.get(row.kind, ("x",))]
    return list(row.keys)


CONTENT = {
    key: (*row.when.scope, "tests")[0]
    for c in CONVENTIONS
    for row in c.rows
    if row.content and not row.is_spoken
    for key in members(row)
}
"""Attributes that are content, and a scope in which they are."""


@pytest.mark.parametrize("kind", [None, "chain", "llm", "tool", "retriever", "embedding", "prompt"])
def test_content_that_reaches_metadata_can_be_found_there(kind: str | None) -> None:
    """Hiding inputs and outputs must find it: by its key, which a table calls content."""
    said = {"langsmith.span.kind": kind} if kind else {}
    others = {**said, **dict.fromkeys(CONTENT, "other content")}
    is_content = table_of(CONVENTIONS).is_content
    for key, scope in CONTENT.items():
        for attributes in (said, others):
            run = run_of({**attributes, key: "CANARY"}, scope=scope)
            leaks = [name for name, value in run.metadata.items() if "CANARY" in repr(value)]
            assert all(is_content(name, scope) for name in leaks)
            assert not leaks or attributes is said or key.startswith(PLAIN_OR_INVALID)


PLAIN_OR_INVALID = (
    *("http.", "url.", "db.", "rpc.", "messaging.", "langsmith.attachments"),
    "logfire.msg",  # no name without a template
)


def refuse(_: Any) -> Any:
    raise RuntimeError


@pytest.mark.parametrize("failed", [True, False])
def test_a_failed_call_answers_nothing_rather_than_an_empty_message(failed: bool) -> None:
    """LangChain's callback ends a failed call with an empty message, as OpenInference tells it."""
    told = {"openinference.span.kind": "LLM", "llm.output_messages.0.message.role": "assistant"}
    told["output.value"] = '{"generations": [[{"text": "", "message": {"role": "assistant"}}]]}'
    run = translate(span(told, status=ERROR if failed else Status()), ROOT)
    assert run.outputs == (None if failed else {"messages": [{"role": "assistant", "content": []}]})


@pytest.mark.parametrize("field", ["run_type", "inputs", "outputs"])
def test_a_convention_that_fails_costs_no_run_and_leaks_no_content(field: Any) -> None:
    """The run still goes out, with its place, times, status and harmless attributes."""
    broken = Convention(name="broken", spec="", rows=(attr(field, "mine", via=refuse),))
    run = translate(
        span({"mine": "x", "gen_ai.input.messages": "secret", "my.own": 1}, status=ERROR),
        ROOT,
        table=table_of((broken, *CONVENTIONS)),
    )
    assert run.notes == (UNTRANSLATED,)
    assert run.metadata["my.own"] == 1
    assert run.error
    assert "secret" not in repr(run)
    assert ("mine" in run.metadata) == (field == "run_type")
    place = run.metadata["otel_langsmith.untranslated"]
    assert place.startswith("RuntimeError in refuse (test_translate.py:")


@pytest.mark.parametrize(
    ("field", "value"),
    [("params.tools", object()), ("tags", 5), ("first_token_s", "soon"), ("run_type", [])],
)
def test_a_reader_that_returns_nonsense_costs_no_run(field: Any, value: Any) -> None:
    odd = Convention(name="odd", spec="", rows=(attr(field, "mine", via=shape_that(value)),))
    assert translate(span({"mine": 1}), ROOT, table=table_of((odd,))).id == ROOT.run_id


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    [*sorted({k for c in CONVENTIONS for r in c.rows for k in r.keys}), "x", "langsmith.metadata.x"]
)


@given(
    st.dictionaries(keys, anything, max_size=10),
    st.lists(
        st.builds(Event, st.sampled_from(["exception", "e"]), st.dictionaries(keys, anything))
    ),
    st.sampled_from(list(StatusCode)),
)
@examples(300)
def test_nothing_a_span_says_raises(
    attributes: dict[str, Any], events: list[Event], status: StatusCode
) -> None:
    run = run_of(attributes, events=events, status=Status(status))
    assert run.run_type in RUN_TYPES
    assert UNTRANSLATED not in run.notes
    assert (run.error is None) == (status is not StatusCode.ERROR)
    assert "" not in (run.name, run.error)


class Undecided:  # noqa: PLW1641 - nor have arrays a hash
    """As NumPy's arrays are: neither true nor false, and of no telling what they equal."""

    def __bool__(self) -> bool:
        raise ValueError

    def __eq__(self, other: object) -> Any:
        return self

    def __str__(self) -> str:
        return "[0 1]"


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.retrieval.documents",
        "input.value",
        "traceloop.entity.output",
        "tool.parameters",
        "my.own",
    ],
)
def test_a_value_that_is_neither_true_nor_false_travels_as_text(key: str) -> None:
    for value in ("text", Undecided(), "text", Undecided()):
        run = run_of({key: value})
        assert UNTRANSLATED not in run.notes
        said = dumps([run.inputs, run.outputs, run.metadata])
        assert (b"[0 1]" in said) == isinstance(value, Undecided)


class Mangled:
    """A span of nobody's SDK: without status, kind and resource."""

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span

    def __getattr__(self, name: str) -> Any:
        return None if name in ("status", "kind", "resource") else getattr(self._span, name)


def test_a_span_that_is_none_keeps_its_name_and_times() -> None:
    mangled: Any = Mangled(hand_made(1, name="odd", attributes={"a": 1}))
    run = translate(mangled, lineage.root(run_id_of(1), START))
    assert (run.name, run.start_time_ns, run.notes) == ("odd", START, (UNTRANSLATED,))
