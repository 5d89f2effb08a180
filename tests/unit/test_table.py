"""`conventions`: whatever a span holds, each attribute ends in one place, and nothing raises."""

import base64
import json
import math
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event

from otel_langsmith.conventions import (
    BLANK,
    CONVENTIONS,
    READERS,
    UNREADABLE,
    Convention,
    Row,
    When,
    attr,
    event,
    events,
    indexed,
    named,
    prefix,
    readers,
    spread,
    table_of,
    together,
    tools,
)
from otel_langsmith.conventions import messages as conversation
from otel_langsmith.conventions.compose import content, usage
from otel_langsmith.conventions.dialects import plain
from otel_langsmith.conventions.dialects.langsmith import attachments
from otel_langsmith.conventions.dialects.plain import clean_query, clean_statement, clean_url
from otel_langsmith.conventions.json import from_json, nested_json
from otel_langsmith.conventions.media import detached
from otel_langsmith.conventions.plan import home_of
from otel_langsmith.conventions.rows import EARLY, LATE
from otel_langsmith.conventions.table import SHAPES, UNREAD, Reading
from otel_langsmith.run import Attachment

TABLE = table_of(CONVENTIONS)
ROWS = [row for convention in CONVENTIONS for row in convention.rows]

texts = st.text(st.characters(exclude_categories=()), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**64, 2**80),
    st.floats(),
    texts,
    st.binary(max_size=8),
    st.sampled_from(
        [
            "64",
            "1e400",
            "None",
            "[]",
            "{}",
            '"{}"',
            '{"a": NaN}',
            '[{"role":"user","parts":[{"type":"te',
            '[{"role":["x"],"parts":[{"type":{}},{"type":"tool_call"},{"type":"blob"},3]}]',
            '{"role":"model","content":[{"type":"tool_result"},{"type":"image_url"}]}',
            '[[{"lc":1}]]',
            "{'audio': 7}",
            "https://a:b@c/?token=1#key=2",
            "chat",
            "execute_tool",
            "tool",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(
            texts | st.sampled_from(["type", "role", "parts", "name"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


def fed(row: Row, value: Any) -> Any:
    """What the table hands to a row's reader where the attribute's value is this."""
    if row.kind == "indexed":
        return [value, {"message": value}, {"tool": value}, {"embedding": value, "document": value}]
    if row.kind == "named":
        return {"openai": {"messages": value, "choices": value}, "other": value}
    if row.kind == "together":
        return dict.fromkeys(row.keys, value)
    if row.kind == "events":
        return [(row.names[0], {"content": value, "message": value}), (row.names[-1], {"x": value})]
    return value


@given(values)
@example({"output_tools": True})
def test_every_reader_of_every_table_is_total(value: Any) -> None:
    for row in ROWS:
        row.via(fed(row, value))


class Odd(Enum):
    """An enum is what people put on spans by hand."""

    VALUE = "v"


@pytest.mark.parametrize(
    "value", [Odd.VALUE, object(), {1: 2}, {"type": []}, [{"type": {}}], set()]
)
def test_readers_stand_what_no_attribute_can_be(value: Any) -> None:
    for row in ROWS:
        row.via(fed(row, value))


A = Convention(
    name="a",
    spec="",
    rows=(
        attr("params.seed", "a.seed", "a.old_seed", via=readers.as_count),
        attr("tags", "a.tags", via=readers.as_tags),
        attr("inputs.messages", "a.in", via=readers.as_is),
        attr("outputs", "a.out", via=readers.as_is),
        prefix("metadata", "a."),
        event("outputs", "a.said", "a.out", via=readers.as_is),
    ),
)
B = Convention(
    name="b",
    spec="",
    rows=(
        attr("params.seed", "b.seed", via=readers.as_count),
        attr("tags", "b.tags", via=readers.as_tags),
        attr("run_type", "b.kind", via=readers.as_is, keep=True),
        attr("inputs", "b.in", via=readers.as_is),
        attr("outputs", "b.out", via=readers.as_is),
        attr("params.top_k", "b.k", via=readers.as_is, when=When(given=("b.seed",))),
        attr("params.n", "b.n", via=readers.as_is, when=When(scope=("b-scope",))),
        prefix("inputs.variables", "b.var."),
    ),
)
LAST = Convention(
    name="last",
    spec="",
    fallback=True,
    rows=(attr("inputs.url", "url", via=lambda url: url.partition("?")[0]),),
)


def read(scope: str = "", /, **attributes: Any) -> Reading:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return table_of((A, B, LAST)).read(scope, named)


def test_scalars_coalesce_over_keys_and_then_over_dialects() -> None:
    assert read(a__seed=1, a__old_seed=2, b__seed=3).params == {"seed": 1}
    assert read(a__seed="x", a__old_seed=2, b__seed=3).params == {"seed": 2}
    assert read(a__seed="x", b__seed=3).params == {"seed": 3}


def test_a_scalar_that_lost_keeps_its_own_name() -> None:
    assert read(a__seed=1, b__seed=3).rest == {"b.seed": 3}


def test_a_scalar_that_says_the_same_is_no_loss() -> None:
    assert read(a__seed=1, b__seed=1).rest == {}
    assert read(a__seed=1, b__seed=True).rest == {"b.seed": True}


def test_an_earlier_row_keeps_an_attribute_from_a_later_family() -> None:
    reading = read(a__seed=1, a__other=2, a__old_seed=9)
    assert (reading.params, reading.metadata) == ({"seed": 1}, {"other": 2, "old_seed": 9})


def test_content_has_one_owner_and_the_rest_is_superseded() -> None:
    reading = read(a__in=["hi"], b__in="hello", b__out="bye", b__var__city="Paris")
    assert reading.inputs == {"messages": ["hi"]}
    assert reading.outputs == {"": "bye"}
    assert reading.rest == {}


def test_an_empty_first_dialect_leaves_the_content_to_the_next() -> None:
    assert read(a__in=[], b__in="hello").inputs == {"": "hello"}
    assert read(a__in=[]).inputs == {"messages": []}


def test_a_family_of_content_nests_under_its_remainders() -> None:
    reading = read(b__var__city="Paris", b__var__day="Monday")
    assert content(reading.inputs, "inputs") == {"variables": {"city": "Paris", "day": "Monday"}}


def test_variables_of_one_dialect_leave_the_inputs_to_another() -> None:
    prompt = {"traceloop.prompt.template_variables.city": "Paris", "input.value": "Where to?"}
    reading = TABLE.read("", {**prompt, "openinference.span.kind": "CHAIN"})
    assert content(reading.inputs, "inputs") == {
        "input": "Where to?",
        "variables": {"city": "Paris"},
    }


def test_tags_are_gathered_from_every_dialect() -> None:
    assert read(a__tags="x, y", b__tags=("y", "z")).fields["tags"] == ("x", "y", "z")


def test_metadata_called_tags_are_no_tags() -> None:
    first, other = "ai.telemetry.metadata.tags", "langfuse.observation.metadata.tags"
    reading = TABLE.read("", {first: None, other: 7})
    assert (reading.metadata, reading.rest) == ({"tags": None}, {other: 7})


def test_rows_ask_for_companions_and_for_scopes() -> None:
    assert read(b__k=5).rest == {"b.k": 5}
    assert read(b__k=5, b__seed=1).params == {"seed": 1, "top_k": 5}
    assert read(b__n=2).rest == {"b.n": 2}
    assert read("b-scope", b__n=2).params == {"n": 2}


def test_what_a_fallback_would_have_said_of_another_type_of_run_is_kept() -> None:
    rows = (
        attr("run_type", "kind", via=readers.as_is, keep=True),
        attr("inputs.query", "q", via=readers.as_is, when=When(runs=("retriever",))),
        indexed("inputs.messages", "m.", via=list),
    )
    table = table_of((Convention(name="spare", spec="", fallback=True, rows=rows),))
    told = {"kind": "llm", "q": "who?", "m.0": "hi"}
    assert table.read("", told).rest == told


def test_a_fallback_speaks_only_where_nobody_knows_the_span() -> None:
    assert read(url="/x?key").inputs == {"url": "/x"}
    known = read(url="/x?key", b__kind="llm")
    assert (known.inputs, known.rest) == ({}, {"url": "/x", "b.kind": "llm"})
    owned = read(url="/x?key", b__in="hello")
    assert (owned.inputs, owned.rest) == ({"": "hello"}, {"url": "/x"})


def test_content_on_events_waits_for_content_on_the_span() -> None:
    table = table_of((A, B, LAST))
    said = (Event("a.said", {"a.out": "on an event"}), Event("other", {"a.out": "not ours"}))
    assert table.read("", {}, said).outputs == {"": "on an event"}
    assert table.read("", {"a.out": "on the span"}, said).outputs == {"": "on the span"}
    assert table.is_event_content("a.said", "a.out")
    assert not table.is_event_content("other", "a.out")


def flat(items: Any) -> Any:
    return [{"said": item} for item in items]


FLAT = Convention(
    name="flat",
    spec="",
    rows=(
        indexed("inputs.messages", "m.", via=flat),
        attr("outputs", "out", via=readers.as_is, when=When(runs=("llm",))),
        attr("outputs.messages", "raw", via=lambda v: v, when=When(at_least="o.")),
        indexed("outputs.messages", "o.", via=flat),
    ),
)
LATER = Convention(
    name="later",
    spec="",
    rows=(
        attr("run_type", "kind", via=readers.as_is, when=EARLY, keep=True),
        attr("provider", "first", via=readers.as_is, when=LATE),
        attr("provider", "second", via=readers.as_is),
        attr("inputs", "whole", via=readers.as_is, when=LATE),
        attr("params.n", "n", via=readers.as_is, when=When(unless=("m.",))),
        events("inputs.messages", "told", via=list),
    ),
)


def grow(*events: Event, **attributes: Any) -> Reading:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return table_of((FLAT, LATER)).read("", named, events)


def test_what_was_spread_over_attributes_is_read_at_once() -> None:
    parts = together("outputs.messages", "o.text", "o.calls", "o.files", via=dict)
    table = table_of((Convention(name="parts", spec="", rows=(parts,)),))
    reading = table.read("", {"o.calls": 2, "o.text": 1, "o.other": 3})
    assert reading.outputs == {"messages": {"o.text": 1, "o.calls": 2}}
    assert reading.rest == {"o.other": 3}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ([{"role": "assistant", "content": [{"type": "text", "text": "Paris."}]}], False),
        ([{"role": "assistant", "content": [{"type": "text", "text": "Rome."}]}], True),
        ([], True),
    ],
)
def test_an_output_that_repeats_the_last_message_is_left_out(said: list[Any], shown: bool) -> None:
    parts = {"messages": said, "output": "Paris."}
    assert ("output" in content(parts, "outputs")) is shown


def test_what_was_flattened_grows_back_in_order_and_without_gaps() -> None:
    told = {f"m__{n}__message__role": f"r{n}" for n in (10, 9, 2)}
    assert grow(**told).inputs["messages"] == [
        {"said": {"message": {"role": role}}} for role in ("r2", "r9", "r10")
    ]


HOSTILE = ["m.999999999.content", f"m.{'9' * 5000}.content", "m.-1.content", "m.x", "m.", "m.0.1.2"]


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_indices_allocate_nothing_and_lose_nothing(key: str) -> None:
    reading = grow(**{key.replace(".", "__"): "text"})
    assert ("text" in repr(reading.inputs)) != (reading.rest == {key: "text"})
    assert len(repr(reading.inputs)) < 200


def test_names_that_were_flattened_grow_back_on_spans_of_their_scope_only() -> None:
    here = When(scope=("there",))
    rows = (named("inputs", "raw.", via=dict, when=here),)
    table = table_of((Convention(name="raw", spec="", rows=rows),))
    told = {"raw.model": "m", "raw.usage.input": 1}
    assert table.read("there", told).inputs == {"": {"model": "m", "usage": {"input": 1}}}
    assert table.read("elsewhere", told).rest == told
    assert table.is_content("raw.model", "there")
    assert not table.is_content("raw.model", "elsewhere")


def test_what_a_reader_calls_blank_is_gone() -> None:
    rows = (prefix("metadata", "m.", via=lambda value: UNREADABLE if value else BLANK),)
    reading = table_of((Convention(name="b", spec="", rows=rows),)).read("", {"m.a": "", "m.b": 1})
    assert (reading.rest, reading.metadata) == ({"m.b": 1}, {})


def test_a_name_without_a_number_is_of_no_indexed_family() -> None:
    reading = grow(m__0__content="said", m__name="greeting", m__variable__city="Paris")
    assert reading.rest == {"m.name": "greeting", "m.variable.city": "Paris"}
    assert not table_of((FLAT,)).is_content("m.name")


def test_names_nest_only_so_deep() -> None:
    deep = "m.0." + ".".join("a" * 5000) + ".end"
    assert "text" in repr(table_of((FLAT,)).read("", {deep: "text", "m.0": 1}).inputs)


def test_a_value_beside_what_is_below_it_stays() -> None:
    for keys in (("m__0", "m__0__b"), ("m__0__b", "m__0")):
        [item] = grow(**dict.fromkeys(keys, "x")).inputs["messages"]
        assert item == {"said": {"": "x", "b": "x"}}


def test_turns_go_before_dialects() -> None:
    assert grow(first="a", second="b").fields["provider"] == "b"
    assert grow(whole="all", m__0="said").inputs == {"messages": [{"said": "said"}]}
    assert grow(whole="all").inputs == {"": "all"}


def test_rows_ask_for_a_type_of_run_and_for_absence() -> None:
    assert grow(out="x", kind="llm").outputs == {"": "x"}
    other = grow(out="x", kind="tool")
    assert (other.outputs, other.rest) == ({}, {"kind": "tool", "out": "x"})
    assert grow(n=1).params == {"n": 1}
    assert grow(n=1, m__0="x").rest == {"n": 1}


def test_a_raw_view_counts_if_it_has_as_much_as_the_flattened_one() -> None:
    raw = [{"content": ["a"]}, {"content": ["b"]}]
    assert grow(raw=raw, o__0="x", o__1="y").outputs == {"messages": raw}
    short = grow(raw=raw[:1], o__0="x", o__1="y")
    assert short.outputs == {"messages": [{"said": "x"}, {"said": "y"}]}
    assert short.rest == {}


def test_a_conversation_may_be_told_in_events() -> None:
    told = (Event("told", {"x": 1}), Event("other"), Event("told", {"x": 2}))
    assert grow(*told).inputs == {"messages": [("told", {"x": 1}), ("told", {"x": 2})]}
    assert table_of((FLAT, LATER)).is_event_content("told", "anything")


def test_whether_a_key_is_content_is_asked_of_every_table() -> None:
    table = table_of((A, B, LAST))
    content_keys = {"a.in", "a.out", "b.in", "b.out", "b.var.x", "url"}
    assert {key for key in (*content_keys, "a.seed", "b.kind", "x") if table.is_content(key)} == (
        content_keys
    )


def test_plans_are_forgotten_before_they_fill_the_memory() -> None:
    table = table_of((A,))
    for number in range(SHAPES + 10):
        table.read("", {f"key-{number}": 1})
    assert len(table._outlooks) <= SHAPES


def test_one_attribute_may_feed_several_fields() -> None:
    def split(value: Any) -> Any:
        return {"params.seed": value[0], "metadata.user_id": value[1]}

    table = table_of((Convention(name="c", spec="", rows=(spread("c", via=split),)),))
    reading = table.read("", {"c": (1, "u")})
    assert (reading.params, reading.metadata, reading.rest) == ({"seed": 1}, {"user_id": "u"}, {})


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.0, 5),
        ("5", 5),
        ("5.5", UNREADABLE),
        (True, UNREADABLE),
        (-1, UNREADABLE),
        (math.inf, UNREADABLE),
        ("1e400", UNREADABLE),
        ("9" * 5000, UNREADABLE),
        (2**70, 2**70),
    ],
)
def test_counts_are_read_leniently(value: Any, number: Any) -> None:
    assert readers.as_count(value) == number


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('{"a":1}', {"a": 1}),
        ('"2"', '"2"'),
        ("2", "2"),
        ('{"a":1', '{"a":1'),
        (("x",), ("x",)),
        ('["\\ud800"]', ["\ud800"]),
    ],
)
def test_json_is_taken_for_objects_and_lists_alone(value: Any, found: Any) -> None:
    assert from_json(value) == found


def test_nan_in_json_is_still_json() -> None:
    assert math.isnan(from_json('{"a": NaN}')["a"])


@pytest.mark.parametrize(
    "told",
    [
        {"text": "sha 12345678901234567890", "wei": 2**70},
        {"text": "x: 12345678901234567890, y", "n": 1},
        {"text": ["9" * 5_000, "id 123456789012345678901"], "n": [1, -(2**66)]},
        {"text": " ".join(f"a{10**20 + n}" for n in range(200)), "wei": 10**30},
    ],
)
def test_digits_in_a_text_are_no_number_and_hide_none(told: dict[str, Any]) -> None:
    for text in (
        json.dumps(told),
        json.dumps(told, separators=(",", ":")),
        json.dumps(told, indent=9),
    ):
        assert from_json(text) == told


@pytest.mark.parametrize("number", [10**18, 2**63, 2**64, -(2**63) - 1, 10**40])
def test_integers_of_any_length_in_json_keep_their_digits(number: int) -> None:
    assert from_json(f'{{"wei": {number}}}') == {"wei": number}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('"\\"{\\\\\\"a\\\\\\": 1}\\""', '"\\"{\\\\\\"a\\\\\\": 1}\\""'),
        ('"2"', '"2"'),
        ("2", "2"),
        ("{", "{"),
    ],
)
def test_json_in_json_is_undone_twice_and_for_objects_alone(value: str, found: Any) -> None:
    assert nested_json(value) == found


def test_usage_details_are_read_from_a_python_repr() -> None:
    assert readers.as_counts("{'audio': 7, 'cache_read': 64}") == {"audio": 7, "cache_read": 64}


def test_attachments_are_bytes_and_lead_to_no_file() -> None:
    given = '[{"name":"a.b","content":"aGk=","mime_type":"text/plain"},{"name":"x","path":"/etc"}]'
    assert attachments(given) == {
        "attachments": (Attachment("a_b", "text/plain", b"hi"),),
        "metadata.langsmith.attachments": [{"name": "x", "path": "/etc"}],
    }
    assert attachments("no") == {"metadata.langsmith.attachments": "no"}


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://h/p?x=y", "https://h/p?x=y"),
        ("https://u:p@h/p", "https://REDACTED@h/p"),
        ("https://h/?api_key=s3&x=1", "https://h/?api_key=REDACTED&x=1"),
        ("/cb?code=s3&state=1#access_token=s3", "/cb?code=REDACTED&state=1#access_token=REDACTED"),
        ("https://h/?X-Amz-Signature=s3&q=a?b", "https://h/?X-Amz-Signature=REDACTED&q=a?b"),
        ("https://h/?%74oken=s3", "https://h/?%74oken=REDACTED"),
        ("https://h/?zipcode=1&keyword=k", "https://h/?zipcode=1&keyword=k"),
    ],
)
def test_urls_lose_their_secrets(url: str, clean: str) -> None:
    assert clean_url(url) == clean


@pytest.mark.parametrize(
    ("statement", "clean"),
    [
        ("SELECT password FROM users", "SELECT password FROM users"),
        ("WHERE password = $1 AND key = 2", "WHERE password = $1 AND key = 2"),
        (
            "ALTER ROLE a WITH PASSWORD 's3''cret' LOGIN",
            "ALTER ROLE a WITH PASSWORD [redacted] LOGIN",
        ),
        ("CREATE USER a IDENTIFIED BY 's3cret'", "CREATE USER a IDENTIFIED BY [redacted]"),
        ('create user a identified with x as "s3', "create user a identified with x as [redacted]"),
        ("SET x = PASSWORD('s3cret')", "SET x = PASSWORD([redacted])"),
        ("AUTH me s3cret", "AUTH [redacted]"),
        ("ATTACH 'postgres://u:s3cret@h/d'", "ATTACH 'postgres://[redacted]@h/d'"),
        ("COPY t FROM 's3' CREDENTIALS 'x=y;secret_key=s3cret'", None),
        ("SELECT 1; " * 100 + "ALTER ROLE a WITH PASSWORD 's3cret'", None),
    ],
)
def test_statements_lose_their_passwords(statement: str, clean: str | None) -> None:
    for _ in range(2):
        found = clean_statement(statement)
        assert "s3cret" not in found
        assert clean is None or found == clean
    remembered = [repr(held) for held in vars(plain).values() if isinstance(held, set)]
    assert remembered
    assert "s3cret" not in "".join(remembered)


def test_statements_are_remembered_within_bounds() -> None:
    for number in range(1_000):
        assert clean_statement(f"SELECT {number}") == f"SELECT {number}"
    assert max(len(held) for held in vars(plain).values() if isinstance(held, set)) <= 256


@pytest.mark.parametrize(
    ("query", "clean"),
    [
        ("page=1&size=20", "page=1&size=20"),
        ("page=1&token=s3cret", "page=1&token=REDACTED"),
        ("api%5Fkey=s3cret&page=", "api%5Fkey=REDACTED&page="),
        ("token&page=1=2", "token&page=1=2"),
        ("token", "token"),
    ],
)
def test_queries_lose_the_values_of_secrets(query: str, clean: str) -> None:
    assert clean_query(query) == clean


def test_captured_headers_lose_their_credentials() -> None:
    secret = ("s3cret",)
    attributes = {
        "http.request.header.authorization": ("Bearer s3cret",),
        "http.request.header.x_api_key": secret,
        "http.request.header.x-request-id": ("7", "https://u:s3cret@h/"),
        "http.response.header.set-cookie": ("a=s3cret", "b=1"),
        "ai.request.headers.x.goog-api-key": "s3cret",
        "ai.request.headers.user-agent": "ai/6",
        "rpc.grpc.request.metadata.auth-token": secret,
        "db.connection_string": "Server=h;Uid=u;Pwd=s3cret",
        "messaging.url": "amqp://u:s3cret@h",
        "extra_headers": (
            '{"Authorization": "Bearer s3cret", "X-A": ["1"], "in": [{"api_key": "s3cret"}]}'
        ),
        "mlflow.spanType": '"LLM"',
        "llm.invocation_parameters": (
            '{"http": {"headers": {"cookie": "s3cret"}}, "api_key": "s3cret"}'
        ),
    }
    reading = TABLE.read("", attributes)
    told = {**reading.rest, **reading.metadata, **reading.params}
    assert "s3cret" not in str((told, reading.inputs, reading.outputs))
    assert told["http.request.header.x-request-id"] == ["7", "https://[redacted]@h/"]
    assert told["ai.request.headers.user-agent"] == "ai/6"
    assert told["extra_headers"]["X-A"] == ["1"]
    assert attributes.keys() - {"llm.invocation_parameters"} <= told.keys()


def told(**counts: int) -> Reading:
    reading = Reading.of({})
    for name, count in counts.items():
        reading.put(*home_of("usage." + name.replace("__", ".")), count)
    return reading


@pytest.mark.parametrize(
    ("counts", "totals"),
    [
        ({"input_tokens": 3, "output_tokens": 2}, (3, 2, 5)),
        ({"input_tokens": 3, "total_tokens": 5}, (3, 2, 5)),
        ({"output_tokens": 2, "total_tokens": 5}, (3, 2, 5)),
        (
            {"input_tokens": 3, "output_tokens": 2, "input_token_details__cache_read": 10},
            (13, 2, 15),
        ),
        ({"input_tokens": 184, "output_tokens": 30, "total_tokens": 150}, (120, 30, 150)),
        ({"input_tokens": 120, "output_tokens": 19, "total_tokens": 150}, (120, 19, 150)),
        (
            {
                "input_tokens": 120,
                "output_tokens": 19,
                "total_tokens": 150,
                "output_token_details__reasoning": 11,
            },
            (120, 30, 150),
        ),
        (
            {
                "input_tokens": 100,
                "output_tokens": 30,
                "total_tokens": 194,
                "input_token_details__cache_read": 64,
            },
            (164, 30, 194),
        ),
        (
            {
                "input_tokens": 20,
                "output_tokens": 30,
                "total_tokens": 50,
                "input_token_details__cache_read": 64,
                "input_token_details__cache_creation": 36,
            },
            (120, 30, 150),
        ),
        ({"input_tokens": 0, "output_tokens": 0}, (0, 0, 0)),
    ],
)
def test_totals_are_inclusive_and_complete(
    counts: dict[str, int], totals: tuple[int, int, int]
) -> None:
    found = usage(told(**counts), "llm")
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == totals


@pytest.mark.parametrize(
    ("provider", "written"), [("google_genai", 30), ("google_vertexai", 30), ("anthropic", 19)]
)
def test_only_of_gemini_the_rest_of_a_total_is_what_it_thought(provider: str, written: int) -> None:
    reading = told(input_tokens=120, output_tokens=19, total_tokens=150)
    reading.put(*home_of("provider"), provider)
    assert usage(reading, "llm")["output_tokens"] == written


def test_an_embedding_has_written_nothing_whatever_its_total() -> None:
    assert usage(told(input_tokens=5, total_tokens=9), "embedding")["output_tokens"] == 0


def test_details_of_zero_are_dropped() -> None:
    found = usage(told(input_tokens=3, input_token_details__audio=0), "llm")
    assert found == {"input_tokens": 3}


BLOCKS = [
    ({"type": "text", "content": "x"}, {"type": "text", "text": "x"}),
    ({"type": "text", "content": {"a": 1}}, {"type": "text", "text": '{"a":1}'}),
    ({"type": "reasoning", "content": "x"}, {"type": "reasoning", "text": "x"}),
    (
        {"type": "thinking", "thinking": "x", "signature": "s"},
        {"type": "reasoning", "text": "x", "extras": {"signature": "s"}},
    ),
    (
        {"type": "tool_call", "id": "1", "name": "f", "arguments": '"{\\"a\\":1}"'},
        {"type": "tool_call", "id": "1", "name": "f", "args": {"a": 1}},
    ),
    (
        {"type": "tool_call", "id": "1", "name": "f", "arguments": "Paris"},
        {"type": "tool_call", "id": "1", "name": "f", "args": {"__raw": "Paris"}},
    ),
    (
        {"type": "tool_call", "name": "f"},
        {"type": "tool_call", "id": None, "name": "f", "args": {}},
    ),
    (
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": b"hi"},
        {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
    ),
    (
        {"type": "uri", "modality": "image", "uri": "data:image/png;base64,aGk="},
        {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
    ),
    ({"type": "uri", "modality": "audio", "uri": "s3://x"}, {"type": "audio", "url": "s3://x"}),
    (
        {"type": "file", "modality": "document", "file_id": "f"},
        {"type": "file", "id": "f"},
    ),
    (
        {"type": "image_url", "image_url": {"url": "http://x", "detail": "low"}},
        {"type": "image", "url": "http://x", "extras": {"detail": "low"}},
    ),
    (
        {"type": "server_tool_call", "id": "1", "name": "web", "server_tool_call": {"q": 1}},
        {"type": "server_tool_call", "id": "1", "name": "web", "args": {"q": 1}},
    ),
    (
        {"type": "server_tool_call_response", "id": "1", "server_tool_call_response": {"r": 1}},
        {"type": "server_tool_result", "tool_call_id": "1", "output": {"r": 1}},
    ),
    (
        {"type": "refusal", "refusal": "no"},
        {"type": "text", "text": "no", "extras": {"refusal": True}},
    ),
    ({"type": "novel", "x": 1}, {"type": "non_standard", "value": {"type": "novel", "x": 1}}),
]


@pytest.mark.parametrize(("part", "block"), BLOCKS, ids=lambda part: str(part.get("type")))
def test_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    found = conversation.input_messages([{"role": "user", "parts": [part]}])
    assert found == [{"role": "user", "content": [block]}]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ai", "assistant"),
        ("model", "assistant"),
        ("human", "user"),
        ("developer", "system"),
        ("function", "tool"),
        ("critic", "critic"),
        (None, "user"),
        ("", "user"),
    ],
)
def test_roles_have_one_spelling(said: str | None, meant: str) -> None:
    [message] = conversation.input_messages([{"role": said, "content": "x"}])
    assert message == {"role": meant, "content": [{"type": "text", "text": "x"}]}


def test_tool_results_are_messages_of_their_own() -> None:
    """One for each result, before what the user said; ``"2"`` stays the text it is."""
    results = [
        {"type": "tool_call_response", "id": "1", "response": "2"},
        {"type": "tool_call_response", "id": "2", "result": {"a": 1}},
        {"type": "text", "content": "go on"},
    ]
    assert conversation.input_messages([{"role": "user", "parts": results}]) == [
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "2"}]},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": '{"a":1}'}]},
        {"role": "user", "content": [{"type": "text", "text": "go on"}]},
    ]


def test_openai_tool_calls_beside_the_content_are_blocks_too() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    [message] = conversation.output_messages([{"content": None, "tool_calls": [call]}])
    assert message == {
        "role": "assistant",
        "content": [{"type": "tool_call", "id": "1", "name": "f", "args": {"a": 1}}],
    }


def test_reasoning_on_its_own_joins_what_follows() -> None:
    items = [
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "ok"}],
            "finish_reason": "stop",
        },
    ]
    [message] = conversation.output_messages(items)
    assert [block["type"] for block in message["content"]] == ["reasoning", "text"]
    assert message["response_metadata"] == {"finish_reason": "stop"}


def test_instructions_lead_unless_the_messages_bring_their_own() -> None:
    system = conversation.instructions('[{"type":"text","content":"Be kind."}]')
    user = {"role": "user", "content": []}
    assert content({"system": system, "messages": [user]}, "inputs") == {"messages": [system, user]}
    own = {"role": "system", "content": []}
    assert content({"system": system, "messages": [own]}, "inputs") == {"messages": [own]}
    assert content({"system": system}, "inputs") == {"messages": [system]}


def image(data: str) -> dict[str, Any]:
    return {"type": "image", "base64": data, "mime_type": "image/png"}


def test_large_media_become_attachments_once() -> None:
    data = base64.b64encode(b"x" * 60_000).decode()
    said = {"messages": [{"role": "user", "content": [image(data), image("aGk="), image(data)]}]}
    found: dict[str, Attachment] = {}
    [message] = detached(said, found)["messages"]
    [attachment] = found.values()
    linked = {
        "type": "image",
        "mime_type": "image/png",
        "id": f"attachment://{attachment.name}",
    }
    assert message["content"] == [linked, image("aGk="), linked]
    assert (attachment.mime_type, attachment.data) == ("image/png", b"x" * 60_000)
    assert said["messages"][0]["content"][0] == image(data)


@pytest.mark.parametrize("odd", ["text", None, 5, {}, {"content": None}, {"content": [None]}])
def test_large_media_are_found_beside_what_is_no_message(odd: Any) -> None:
    data = base64.b64encode(b"x" * 60_000).decode()
    found: dict[str, Attachment] = {}
    said = {"messages": [odd, {"role": "user", "content": [odd, image(data)]}]}
    shown = detached(said, found)["messages"]
    assert (shown[0], shown[1]["content"][0], len(found)) == (odd, odd, 1)
    assert detached({"messages": [odd]}, {}) == {"messages": [odd]}


@pytest.mark.parametrize("data", ["!" * 70_000, "aGk="])
def test_media_that_are_small_or_no_base64_stay(data: str) -> None:
    said = {"messages": [{"role": "user", "content": [image(data)]}]}
    found: dict[str, Attachment] = {}
    assert (detached(said, found), found) == (said, {})


def test_truncated_messages_stay_the_text_they_are() -> None:
    cut = '[{"role":"user","pa'
    reading = TABLE.read("", {"gen_ai.input.messages": cut})
    assert content(reading.inputs, "inputs") == {"input": cut}
    assert reading.notes == (UNREAD,)


def test_tools_are_defined_as_openai_defines_them() -> None:
    nested = {"type": "function", "function": {"name": "f"}}
    given = [
        {"name": "f", "description": "d", "input_schema": {"type": "object"}},
        nested,
        {"type": "web_search", "name": "web"},
    ]
    assert tools.tool_definitions(given) == [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
        },
        nested,
        {"type": "web_search", "name": "web"},
    ]


@pytest.mark.parametrize(
    ("whole", "told"),
    [({"a": 1}, {"a": 1, "x": 2}), ("text", {"variables": "text", "x": 2}), (None, {"x": 2})],
)
def test_members_are_put_beside_the_whole_of_a_field_and_not_into_it(whole: Any, told: Any) -> None:
    before = repr(whole)
    for parts in (
        {"variables": whole, "variables.x": 2},
        {"variables.x": 2, "variables": whole},
    ):
        assert content(parts, "inputs") == {"variables": told}
    assert repr(whole) == before


def test_a_row_without_a_reader_is_read_as_its_field_wants() -> None:
    """The table of somebody who knows no reader yet, for attributes as people write them."""
    rows = (
        attr("run_type", "bot.kind", when=EARLY),
        attr("model.request", "bot.model"),
        attr("provider", "bot.provider"),
        attr("tags", "bot.tags"),
        attr("usage.input_tokens", "bot.tokens"),
        attr("inputs.messages", "bot.messages"),
        attr("inputs.topic", "bot.topic"),
        attr("outputs.messages", "bot.reply"),
    )
    reading = table_of((Convention(name="bot", spec="none", rows=rows),)).read(
        "",
        {
            "bot.kind": "LLM",
            "bot.model": "gpt-4o",
            "bot.provider": "OpenAI",
            "bot.tags": "a, b",
            "bot.tokens": "12",
            "bot.messages": '[{"role": "user", "content": "Hi"}]',
            "bot.topic": "greetings",
            "bot.reply": "Hello",
        },
    )
    text = [{"type": "text", "text": "Hi"}], [{"type": "text", "text": "Hello"}]
    assert reading.fields == {
        "run_type": "llm",
        "model.request": "gpt-4o",
        "provider": "openai",
        "tags": ("a", "b"),
    }
    assert reading.usage == {"input_tokens": 12}
    assert reading.inputs == {
        "messages": [{"role": "user", "content": text[0]}],
        "topic": "greetings",
    }
    assert reading.outputs == {"messages": [{"role": "assistant", "content": text[1]}]}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("input.query", "no field 'input.query'; did you mean 'inputs.query'?"),
        ("usage.inputtokens", "did you mean 'usage.input_tokens'?"),
        ("inputs.", "no field 'inputs.'"),
        ("zzz", "no field 'zzz'."),
    ],
)
def test_a_field_that_no_run_has_is_refused_with_the_nearest_that_it_has(
    field: str, said: str
) -> None:
    with pytest.raises(ValueError, match="Names of your own go below inputs") as refused:
        attr(field, "bot.x")
    assert said in str(refused.value)


def test_content_under_a_name_of_ones_own_can_be_hidden() -> None:
    mine = Convention(name="mine", spec="none", rows=(attr("inputs.topic", "bot.topic"),))
    assert table_of((mine,)).is_content("bot.topic")


@pytest.mark.parametrize("rows", [attr("name", "a"), (attr("name", "a"), "b"), None])
def test_rows_that_are_none_are_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match="rows of convention 'mine' must be a tuple"):
        Convention(name="mine", spec="none", rows=rows)


def test_our_own_tables_make_up_no_names() -> None:
    fields = {row.field for row in ROWS if row.field is not None}
    assert fields <= READERS.keys()
