"""`forecast`: whatever a span holds, it is read as the interpreter reads it, and most spans so."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event
from support.captures import CAPTURES, load
from support.properties import examples
from unit.test_properties import scopes, spans
from unit.test_properties import told as happenings
from unit.test_table import TABLE, values

from otel_langsmith.conventions.interpreter import Interpreter, Reading, asking
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


def interpreted(table: Table, scope: str, attributes: Mapping[str, Any], events: Any) -> Reading:
    """What the interpreter itself says, value by value."""
    plan = table._planner.plan(scope, attributes)
    return Interpreter(attributes, events, asking(attributes)).interpret(plan)


def shown(reading: Reading) -> list[str]:
    """All of it: the order of fields says nothing, and NaN is itself."""
    return [repr(sorted(part.items()) if isinstance(part, dict) else part) for part in reading]


def check(scope: str, attributes: Mapping[str, Any], events: Any) -> None:
    read = TABLE.read(scope, attributes, events)
    assert shown(read) == shown(interpreted(TABLE, scope, attributes, events))


@given(scopes, spans, happenings, st.data())
@examples(200)
def test_a_shape_is_read_as_the_interpreter_reads_it(
    scope: str, attributes: dict[str, Any], told: list[Any], data: st.DataObject
) -> None:
    events = tuple(Event(name, held, 1) for name, held in told)
    check(scope, attributes, events)
    check(scope, {key: data.draw(values) for key in attributes}, events)


@given(st.sampled_from(CAPTURED), st.data())
@examples(300)
def test_captured_spans_with_other_values_are_read_as_the_interpreter_reads_them(
    captured: tuple[str, dict[str, Any], Any], data: st.DataObject
) -> None:
    scope, attributes, events = captured
    check(scope, attributes, events)
    other = data.draw(st.dictionaries(st.sampled_from([*attributes, "none"]), values, max_size=3))
    other.pop("none", None)
    check(scope, {**attributes, **other}, events)
    check(scope, attributes, events)
