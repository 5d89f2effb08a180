"""`conventions.results`: which call a tool answered."""

from typing import Any

import pytest

from otel_langsmith.conventions.messages import input_messages


def said(*items: dict[str, Any]) -> list[tuple[Any, Any]]:
    """The ids of calls and of results, in the order in which they were said."""
    return [
        (block["type"], block["id"]) if message["role"] == "assistant" else ("result", answered)
        for message in input_messages(list(items))
        for block in message["content"]
        for answered in [message.get("tool_call_id")]
    ]


def calls(*ids_and_names: tuple[str | None, str]) -> dict[str, Any]:
    parts = [{"type": "tool_call", "id": one, "name": name} for one, name in ids_and_names]
    return {"role": "assistant", "parts": parts}


def result(**beside: str) -> dict[str, Any]:
    return {"role": "tool", "content": "21C", **beside}


@pytest.mark.parametrize(
    ("items", "ids"),
    [
        # by the tool's name, as Google has it, in whatever order
        (
            [calls(("a", "f"), ("b", "g")), result(name="g"), result(name="f")],
            ["a", "b", "b", "a"],
        ),
        # in the order of the calls, where nothing tells
        ([calls(("a", "f"), ("b", "g")), result(), result()], ["a", "b", "a", "b"]),
        # the item's id gives way to the one that the result has
        ([calls(("fc_0", "f")), result(tool_call_id="call_0")], ["call_0", "call_0"]),
        # a result of what was called before the conversation's first message is left alone
        ([calls(("a", "f")), result(tool_call_id="z")], ["a", "z"]),
        ([calls(("a", "f")), result(name="z")], ["a", None]),
        # nobody makes up an id
        ([calls((None, "f")), result(name="f")], [None, None]),
        ([result(), calls(("a", "f"))], [None, "a"]),
    ],
)
def test_results_find_their_calls(items: list[dict[str, Any]], ids: list[str | None]) -> None:
    assert [one for _, one in said(*items)] == ids


def test_a_call_that_stands_in_the_text_too_is_told_once() -> None:
    text = '{"id": "a", "input": {}, "name": "f", "type": "tool_use"}'
    parts = [{"type": "text", "content": text}, *calls(("a", "f"))["parts"]]
    assert said({"role": "assistant", "parts": parts}) == [("tool_call", "a")]
    other = [{"type": "text", "content": text}, *calls(("b", "f"))["parts"]]
    [message] = input_messages([{"role": "assistant", "parts": other}])
    assert [block["type"] for block in message["content"]] == ["text", "tool_call"]


def test_sources_of_a_text_stay_with_it() -> None:
    source = [{"type": "url_citation", "url": "https://example.com"}]
    part = {"type": "output_text", "text": "Paris", "annotations": source, "logprobs": []}
    [message] = input_messages([{"role": "assistant", "content": [part]}])
    assert message["content"] == [{"type": "text", "text": "Paris", "annotations": source}]
