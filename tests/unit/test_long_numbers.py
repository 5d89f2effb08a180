"""Integers that orjson would round are found, and digits in texts are not taken for them."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.long_numbers import has_long_number

rows = st.integers(10**17, 10**21).map(str)
noise = st.sampled_from(['"', "\\", '\\"', ": ", ",", "[", "-", "x", " ", "é"])
texts = st.lists(rows | noise, max_size=9).map("".join)
leaves = st.integers(-(10**20), 10**20) | texts | st.sampled_from((None, 0.1 + 0.2, 1e300))
objects = st.dictionaries(texts, leaves, max_size=5)
values = objects | st.lists(leaves | st.lists(leaves, max_size=5) | objects)
spacings = st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (0, None), (3, None)])


@given(values, spacings)
def test_what_is_read_is_what_was_written(value: Any, spacing: tuple[Any, Any]) -> None:
    indent, separators = spacing
    text = json.dumps(value, indent=indent, separators=separators)
    assert from_json(text) == value
    if not has_long_number(text.encode()):
        assert orjson.loads(text) == value


NUMBER, ROW = 2**70 + 1, "1" * 25  # a float of the number would not be equal to it


@pytest.mark.parametrize("often", [1, 63, 64, 65, 500])
@pytest.mark.parametrize("within", ["{}", ", {},", ': "{}', "\\{}", ': {}\\"', "[{}]"])
def test_one_number_is_found_after_many_rows_of_digits(within: str, often: int) -> None:
    text = within.format(ROW)
    for value in ([text] * often, {text + str(number): [] for number in range(often)}):
        assert from_json(json.dumps([value, 1, NUMBER])) == [value, 1, NUMBER]
        assert from_json(json.dumps([NUMBER, value])) == [NUMBER, value]
        assert from_json(json.dumps(value)) == value


@pytest.mark.parametrize("before", range(20))
@pytest.mark.parametrize("digits", [19, 20, 21, 40])
def test_a_number_is_found_wherever_it_begins(before: int, digits: int) -> None:
    found = has_long_number(json.dumps(["x" * before, -int("9" * digits), "y"]).encode())
    assert found
    assert has_long_number(json.dumps([before, int("9" * digits)]).encode()) == (digits > 19)


@pytest.mark.parametrize("spaces", range(56, 68))
@pytest.mark.parametrize("key", ["a", "a\\", "a\\\\", 'a"', 'a\\"'])
def test_a_number_is_found_however_far_the_quote_before_it(key: str, spaces: int) -> None:
    text = json.dumps({key: NUMBER}).replace(": ", ":" + " " * spaces)
    assert from_json(text) == {key: NUMBER}


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "1234567890123456789012"}',
        '{"text": "ids: 1234567890123456789012, and [1234567890123456789012]"}',
        '{"json": "{\\"id\\": 1234567890123456789012}"}',
        '["\\\\\\": 1234567890123456789012"]',
        '{"id": 1234567890123456789}',
        "[0.1234567890123456789012]",
    ],
)
def test_most_rows_of_digits_are_left_to_the_quicker_parser(text: str) -> None:
    assert not has_long_number(text.encode())
    assert orjson.loads(text) == json.loads(text)
