"""Python's reprs of objects, as ``json.dumps(default=str)`` leaves them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import examples

from otel_langsmith.conventions.reprs import from_object_repr, from_repr


def named(name: str, members: Mapping[str, Any]) -> Any:
    return {name: dict(members)}


CLASSES = ("T", "Text", "Said", "Tool")

READ = {
    "Text(text='It\\'s 21')": {"Text": {"text": "It's 21"}},
    "Said(_role=<Role.USER: 'user'>, parts=[Text(text='a=<b')])": {
        "Said": {"_role": "user", "parts": [{"Text": {"text": "a=<b"}}]}
    },
    "Tool(name='t', f=<function go.<locals>.t at 0x7f61>, n=-1.5)": {
        "Tool": {"name": "t", "f": None, "n": -1.5}
    },
    "Text(text='f=<f at 0x7f61>', more=\"r=<R.U: 'u'>\", role=<R.U: 'u'>)": {
        "Text": {"text": "f=<f at 0x7f61>", "more": "r=<R.U: 'u'>", "role": "u"}
    },
    "{'calls': (Call(args={'city': 'Paris'}),), 'n': None}": {
        "calls": [{"Call": {"args": {"city": "Paris"}}}],
        "n": None,
    },
    '{"messages": ["Text(text=\'Hi\')", "mere words"], "k": {"v": "Text(text=\'Ho\')"}}': {
        "messages": [{"Text": {"text": "Hi"}}, "mere words"],
        "k": {"v": {"Text": {"text": "Ho"}}},
    },
    '{"replies": ["{\'a\': 1}", "[1]"]}': {"replies": ["{'a': 1}", "[1]"]},
}

LEFT = (
    "mere words",
    "Text(id=36691f, content: 'no repr')",
    "Other(text='of no class that we look for')",
    "Text('without its name')",
    "Text(text=open('x'))",
    "Text(text=[i for i in 'abc'])",
    "Text(text='cut",
    "[" * 10_000,
    "Text(text=" + "-" * 10_000 + "1)",
    "Text(text='" + "a" * 20_000 + "')",
    "Text(a=" + "<" * 16_000,
    "Text(a=" + "=<" * 8_000,
    "Text(a='" + "\\'" * 8_000,
)


@pytest.mark.parametrize("text", READ)
def test_objects_are_what_they_were_made_of(text: str) -> None:
    assert from_object_repr(text, named, CLASSES) == READ[text]


@pytest.mark.parametrize("text", LEFT)
def test_what_is_no_such_repr_stays_as_it_is(text: str) -> None:
    assert from_object_repr(text, named, CLASSES) == text


def test_a_repr_of_what_python_cannot_make_stays_as_it_is() -> None:
    assert from_repr("{[]: 1}") == "{[]: 1}"


@given(st.text(alphabet="T(a=1'<>.: [{,)}-\\\"", max_size=60))
@examples(100)
def test_no_text_is_too_odd(text: str) -> None:
    from_object_repr("T(a=" + text, named, CLASSES)
