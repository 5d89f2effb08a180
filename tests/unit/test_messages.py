"""`conventions.messages`: what most messages look like is read on a short way, to the same end."""

import json
import sys
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_langsmith.conventions.compose import content
from otel_langsmith.conventions.media import detached
from otel_langsmith.conventions.messages import input_messages, output_messages
from otel_langsmith.conventions.readers import Raw, Thin
from otel_langsmith.run import Texts, are_texts
from otel_langsmith.wire.json import dumps, dumps_all, plain

NOBODY_KNOWS: dict[str, Any] = {"x_nobody_knows": None}
"""A member that says nothing, and leads off the short ways, which know what they leave out."""

texts = st.sampled_from(["", "Hi", '{"type":"tool_use","id":"a"}', "[{", "fc_0"])
LONG = 2**70 + 1  # a float of it would not be equal to it
odd = st.sampled_from([None, 0, 1.5, LONG, True, [], {}, ["x", LONG], {"type": "text"}])
roles = st.sampled_from(["user", "assistant", "system", "tool", "ai", "model", "developer"])
ids = st.sampled_from(["a", "b", "fc_0", "", None, 7])

parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "content": texts | odd}),
    st.fixed_dictionaries({"type": st.just("text"), "text": texts | odd}),
    st.fixed_dictionaries({"type": st.just("reasoning"), "content": texts | odd}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_call"),
            "id": ids,
            "name": texts | odd,
            "arguments": texts | odd | st.just({"city": "P"}),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("tool_call_response"), "id": ids, "response": texts | odd}
    ),
)
reasons = {"finish_reason": texts | odd}
messages = st.one_of(
    st.fixed_dictionaries(
        {"role": roles | texts | odd, "parts": st.lists(parts | odd, max_size=3) | texts | odd},
        optional=reasons,
    ),
    st.fixed_dictionaries(
        {"role": roles | texts | odd, "content": texts | odd | st.lists(parts, max_size=3)},
        optional=reasons,
    ),
)


def the_long_way(message: dict[str, Any]) -> dict[str, Any]:
    """The same message, of which each part, and itself, says one thing more.

    Parts that are kept whole, as they are not understood, stay as they are; of a tool's all are.
    """
    said = message.get("parts")
    if isinstance(said, list) and (message["role"] != "tool" or all(map(_tells, said))):
        said = [{**part, **NOBODY_KNOWS} if _tells(part) else part for part in said]
    return {**message, **({"parts": said} if "parts" in message else {}), **NOBODY_KNOWS}


def _tells(part: Any) -> bool:
    return isinstance(part, dict) and any(
        part.get(name) not in (None, "") for name in ("content", "text", "name", "response")
    )


def shown(found: Any) -> str:
    """What was read, with the order of its members, as it is sent."""
    kind = "list" if isinstance(found, Texts) else type(found).__name__
    value = found.value if isinstance(found, (Thin, Raw)) else found
    return f"{kind} {json.dumps(value)}"


@given(st.lists(messages, max_size=4))
@example([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
@example([{"role": "assistant", "content": "Hi", "finish_reason": "stop"}] * 2)
@example([{"role": "tool", "parts": [None, {"type": "text", "content": "Hi"}]}])
def test_the_short_ways_lead_where_the_long_ones_do(items: list[dict[str, Any]]) -> None:
    longer = [the_long_way(item) for item in items]
    before = json.dumps(items)
    assert shown(input_messages(items)) == shown(input_messages(longer))
    assert shown(output_messages(items)) == shown(output_messages(longer))
    assert json.dumps(items) == before


@given(st.lists(messages, max_size=4))
@example([{"role": "user", "content": "a\0b"}, {"role": "user", "content": "Hi"}])
@example([{"role": "assistant", "content": "Hi", "finish_reason": "\0"}])
@example([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}] * 2)
def test_in_mere_texts_there_is_nothing_that_a_closer_look_would_find(
    items: list[dict[str, Any]],
) -> None:
    found = input_messages(items)
    if isinstance(found, Texts):
        side = {"messages": found}
        assert are_texts(side)
        assert dumps(side) == dumps_all([side])[0] == orjson.dumps(side)
        assert plain(side) == side
        assert detached(content(side, "inputs"), {}) is side


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([{"role": "user", "content": "Hi"}], Texts),
        ([{"role": "user", "content": "a\0b"}], list),
        ([{"role": "assistant", "content": "Hi", "finish_reason": "stop\0"}], list),
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], list),
        ([], Thin),
    ],
)
def test_most_messages_are_mere_texts(items: list[dict[str, Any]], kind: type) -> None:
    assert type(input_messages(items)) is type(input_messages(json.dumps(items))) is kind


@given(st.lists(messages, max_size=4))
@example([{"role": "user", "content": "Hi"}, {"role": "tool", "content": "Hi", "id": LONG}])
@example([{"role": "assistant", "content": "Hi", "finish_reason": LONG}])
def test_json_is_read_to_the_last_digit(items: list[dict[str, Any]]) -> None:
    assert shown(input_messages(json.dumps(items))) == shown(input_messages(items))
    if items:
        assert shown(output_messages(json.dumps(items[0]))) == shown(output_messages(items[:1]))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="json parses as deep as orjson by then")
def test_a_long_number_nested_too_deep_to_be_kept_leaves_the_text_as_it_is() -> None:
    text = "[" * 1010 + str(LONG) + "]" * 1010
    assert input_messages(text) == Raw(text)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"parts": [{"content": "Hi", "type": "text"}], "role": "ai", "finish_reason": "stop"},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hi"}],
                "response_metadata": {"finish_reason": "stop"},
            },
        ),
        (
            {"role": "developer", "content": "Hi", "finish_reason": ""},
            {"role": "system", "content": [{"type": "text", "text": "Hi"}]},
        ),
    ],
)
def test_the_plainest_messages(item: dict[str, Any], message: dict[str, Any]) -> None:
    assert input_messages([item]) == [message]


@pytest.mark.parametrize("answer", [{"answer": 42}, {"index": 0, "message": {"a": 1}}, {"id": "a"}])
def test_an_object_that_is_no_message_is_shown_as_it_is(answer: dict[str, Any]) -> None:
    found = {"role": "assistant", "content": [{"type": "non_standard", "value": answer}]}
    assert output_messages(json.dumps(answer)) == [found]
    said = {"role": "user", "content": "Hi"}
    assert output_messages([said, answer])[1:] == [found]


@pytest.mark.parametrize(
    "empty", [{}, {"role": "user"}, {"content": ""}, {"finish_reason": "stop"}]
)
def test_a_message_without_words_has_nothing_in_it(empty: dict[str, Any]) -> None:
    assert isinstance(input_messages([empty]), Thin)
