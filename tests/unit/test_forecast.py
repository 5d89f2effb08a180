"""`forecast`: whatever a span holds, it is read as the interpreter would; most are not by it."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event
from support.captures import CAPTURES, load
from support.properties import examples
from unit.test_properties import scopes, spans
from unit.test_properties import told as happenings
from unit.test_table import TABLE, values

from otel_langsmith.conventions import (
    Convention,
    attr,
    constant,
    indexed,
    prefix,
    readers,
    spread,
)
from otel_langsmith.conventions.forecast import FORECASTS, MIXTURES
from otel_langsmith.conventions.interpreter import Interpreter, Reading, Traits, asking, traits_of
from otel_langsmith.conventions.outlook import Outlook
from otel_langsmith.conventions.rows import EARLY, Row, When
from otel_langsmith.conventions.table import Table
from otel_langsmith.lineage import attributes_of

CAPTURED = [
    (
        span.instrumentation_scope.name if span.instrumentation_scope else "",
        attributes_of(span),
        tuple(span.events),
    )
    for path in CAPTURES
    for span in load(path)
]


def interpreted(
    table: Table, scope: str, attributes: Mapping[str, Any], events: Any = ()
) -> Reading:
    """What the interpreter itself says, value by value."""
    plan = table._planner.plan(scope, attributes)
    return Interpreter(attributes, events, asking(attributes)).interpret(plan)


def is_foreseen(table: Table, scope: str, attributes: Mapping[str, Any], events: Any = ()) -> bool:
    """Whether the table reads the span without its interpreter."""
    ran = []
    previous = sys.getprofile()
    sys.setprofile(lambda frame, what, _: ran.append(frame.f_code) if what == "call" else None)
    try:
        table.read(scope, attributes, events)
    finally:
        sys.setprofile(previous)
    return Interpreter.interpret.__code__ not in ran


def shown(reading: Reading) -> list[str]:
    """All of it: the order of fields says nothing, and NaN is itself."""
    return [repr(sorted(part.items()) if isinstance(part, dict) else part) for part in reading]


def check(scope: str, attributes: Mapping[str, Any], events: Any) -> None:
    read = TABLE.read(scope, attributes, events)
    assert shown(read) == shown(interpreted(TABLE, scope, attributes, events))
    assert read.traits == traits_of(read)


@given(scopes, spans, happenings, st.data())
@examples(100)
def test_a_shape_is_read_as_the_interpreter_reads_it(
    scope: str, attributes: dict[str, Any], told: list[Any], data: st.DataObject
) -> None:
    events = tuple(Event(name, held, 1) for name, held in told)
    check(scope, attributes, events)
    check(scope, {key: data.draw(values) for key in attributes}, events)


@given(st.sampled_from(CAPTURED), st.data())
@examples(200)
def test_captured_spans_with_other_values_are_read_as_the_interpreter_reads_them(
    captured: tuple[str, dict[str, Any], Any], data: st.DataObject
) -> None:
    scope, attributes, events = captured
    check(scope, attributes, events)
    other = data.draw(st.dictionaries(st.sampled_from([*attributes, "none"]), values, max_size=3))
    other.pop("none", None)
    check(scope, {**attributes, **other}, events)
    check(scope, attributes, events)


def test_most_captured_spans_are_foreseen() -> None:
    for captured in CAPTURED:
        TABLE.read(*captured)
    foreseen = sum(is_foreseen(TABLE, *captured) for captured in CAPTURED)
    assert foreseen > len(CAPTURED) * 0.8


MANY = Table(
    (
        Convention(
            name="many",
            spec="",
            rows=(
                attr("run_type", "kind", via=readers.one_of({"a": "llm", "b": "tool"})),
                spread("several", via=readers.as_object, when=EARLY),
                attr("provider", "provider", via=readers.as_text),
                attr("params.seed", "seed", "old.seed", via=readers.as_count),
                attr("tags", "tags", via=readers.as_tags),
                attr("tags", "more.tags", via=readers.as_tags),
                prefix("metadata", "m.", via=readers.as_id),
                attr("inputs", "in", via=readers.as_is, when=When(runs=("llm",))),
                attr("outputs.messages", "out", via=list, when=When(at_least="o.")),
                indexed("outputs.messages", "o.", via=list),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("attributes", "foreseen"),
    [
        ({"provider": "p", "seed": 3, "other": 1.5}, True),
        ({"provider": "", "seed": "3"}, True),
        ({"provider": None, "seed": -1}, True),
        ({"kind": "a", "in": "text"}, True),
        ({"kind": "b", "in": "text"}, True),
        ({"kind": ["a"], "in": "text"}, False),
        ({"kind": "c" * 65, "in": "text"}, False),
        ({"kind": "a", "in": ""}, False),
        ({"kind": "a", "in": 0}, True),
        ({"kind": "a", "in": b""}, False),
        ({"kind": "", "seed": 3}, True),
        ({"kind": "a", "seed": 3, "m.a": "None"}, True),
        ({"seed": 0}, True),
        ({"seed": True}, True),
        ({"provider": ["p"], "seed": 2.0}, True),
        ({"seed": 3, "old.seed": 3}, True),
        ({"seed": 3, "old.seed": 4}, False),
        ({"seed": "x", "old.seed": 4}, True),
        ({"tags": "a, b", "more.tags": ("b", "c")}, False),
        ({"tags": "a, b", "more.tags": ()}, True),
        ({"m.a": "said", "m.b": "None", "m.c": 7}, True),
        ({"several": {"params.seed": 1, "provider": "q"}, "seed": 1}, True),
        ({"several": {"params.seed": 2, "provider": "q"}, "seed": 1}, False),
        ({"several": "{}", "seed": 1}, True),
        ({"several": "none", "seed": 1}, True),
        ({"out": [{"role": "user"}], "o.0": 1}, True),
        ({"out": [{"role": "user"}], "o.0": 1, "o.1": 2}, False),
        ({"out": [0], "o.2": 1}, False),
        ({}, True),
    ],
)
def test_what_decides_is_looked_at_whatever_was_foreseen(
    attributes: dict[str, Any], foreseen: bool
) -> None:
    for _ in range(2):
        assert shown(MANY.read("", attributes)) == shown(interpreted(MANY, "", attributes))
    assert is_foreseen(MANY, "", attributes) is foreseen


@given(st.lists(st.dictionaries(st.just("of"), values, max_size=1), min_size=20, max_size=40))
@examples(50)
def test_spans_of_one_shape_are_read_alike_whoever_came_before(seen: list[dict[str, Any]]) -> None:
    """What is remembered of the types of values is bounded, and of no consequence."""
    outlook = Outlook(MANY._planner.plan("", ["seed", "provider", "kind", "in"]))
    for told in seen:
        attributes = dict.fromkeys(("seed", "provider", "in"), told.get("of", 0)) | {"kind": "a"}
        assert shown(outlook.read(attributes, ())) == shown(interpreted(MANY, "", attributes))
    for forecast in outlook._forecasts.values():
        assert not forecast or len(forecast._whose) <= MIXTURES


def test_of_one_shape_there_are_so_many_forecasts_and_no_more() -> None:
    plan = MANY._planner.plan("", ["kind", "seed"])
    outlook = Outlook(plan)
    for number in range(3 * FORECASTS):
        reading = outlook.read({"kind": f"kind-{number}", "seed": 1}, ())
        assert reading.params == {"seed": 1}
    assert len(outlook._forecasts) == FORECASTS
    for number in range(2**FORECASTS):
        silent = {f"m.{place}": "" if number >> place & 1 else "x" for place in range(FORECASTS)}
        assert len(MANY.read("", silent).metadata) == FORECASTS - number.bit_count()
    [outlook] = (held for shape, held in MANY._outlooks.items() if shape == ("", *silent))
    assert outlook._horizon.room == 0
    assert len(outlook._forecasts[""]._others) < FORECASTS


@pytest.mark.parametrize(
    "names", [["x" * 100_000], [f"params.{number}" for number in range(100)]], ids=("long", "many")
)
def test_what_anybody_may_write_is_not_remembered(names: list[str]) -> None:
    outlook = Outlook(MANY._planner.plan("", ["several"]))
    attributes = {"several": dict.fromkeys(names, 1)}
    for _ in range(2):
        read = outlook.read(attributes, ())
        assert shown(read) == shown(interpreted(MANY, "", attributes))
    assert not outlook._forecasts


def test_no_reading_shares_what_can_be_changed() -> None:
    attributes = {"kind": "a", "provider": "p", "m.a": "x", "other": 1}
    first = MANY.read("", attributes)
    for part in first:
        if isinstance(part, dict):
            part["more"] = 1
    assert shown(MANY.read("", attributes)) == shown(interpreted(MANY, "", attributes))


class Undecided:
    """As an array of NumPy's is, on spans made by hand: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError


def test_no_value_is_asked_whether_it_is_true_unless_it_must_know() -> None:
    rows = (
        attr("name", "name", via=readers.as_is),
        attr("metadata.response_id", "id", via=readers.as_is),
        attr("inputs.input", "in", via=readers.as_is),
    )
    table = Table((Convention(name="raw", spec="", rows=rows),))
    for content in ("text", Undecided(), "", Undecided(), "text"):
        attributes = {"name": "n", "id": Undecided(), "in": content}
        assert shown(table.read("", attributes)) == shown(interpreted(table, "", attributes))


SEVERAL_TIMES = Table(
    (
        Convention(
            name="several times",
            spec="",
            rows=(
                spread("of", via=readers.as_object, when=EARLY),
                spread("of", via=readers.as_object),
                spread("more", via=readers.as_object),
                attr("inputs.whole", "more", via=readers.as_object, when=When(given=("whole",))),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("attributes", "foreseen"),
    [
        ({"of": {"params.seed": 1}, "more": {"name": "n"}}, True),
        ({"of": {"params.seed": 1}, "more": {"name": "n"}, "whole": True}, False),
    ],
)
def test_several_fields_may_be_read_from_one_attribute_twice(
    attributes: dict[str, Any], foreseen: bool
) -> None:
    for _ in range(2):
        read = SEVERAL_TIMES.read("", attributes)
        assert shown(read) == shown(interpreted(SEVERAL_TIMES, "", attributes))
    assert is_foreseen(SEVERAL_TIMES, "", attributes) is foreseen


@pytest.mark.parametrize(
    "content",
    [
        attr("outputs", "answer", via=constant({"k": 1}), when=When(at_least="p.")),
        attr("inputs", "kind", via=readers.as_text, when=When(at_least="p.")),
    ],
)
def test_content_that_is_known_is_counted_at_once(content: Row) -> None:
    """As a constant is, and a word that tells kinds of spans apart."""
    rows = (attr("run_type", "kind", via=readers.as_text), content)
    table = Table((Convention(name="mine", spec="", rows=rows),))
    attributes = {"answer": "x", "kind": "llm", "p.0.role": "user"}
    assert shown(table.read("", attributes)) == shown(interpreted(table, "", attributes))


@pytest.mark.parametrize(
    ("attributes", "traits"),
    [
        ({"other": 1}, Traits()),
        ({"kind": "a"}, Traits("llm", is_modelled=True)),
        ({"kind": "b", "out": [{}]}, Traits("tool", is_plain=False)),
        ({"provider": "p", "tags": "a"}, Traits(is_modelled=True, says_more=True)),
        (
            {"several": {"usage.input_tokens": 0, "name": "n", "model.request": "m"}},
            Traits(is_counted=True, is_modelled=True, is_named=True),
        ),
        ({"several": {"run_type": "of its own"}}, Traits()),
    ],
)
def test_traits_are_told_by_names(attributes: dict[str, Any], traits: Traits) -> None:
    assert MANY.read("", attributes).traits == traits
    assert Reading.of({}).traits == traits_of(Reading.of({})) == Traits()
