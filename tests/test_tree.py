"""The terminal tree: what it shows, and that a run's text cannot command the terminal."""

from __future__ import annotations

import io
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

pytest.importorskip("rich")
pytest.importorskip("starlette")

from rich.console import Console

from otel_langsmith.receiver import StoredRun
from otel_langsmith.receiver.instants import duration
from otel_langsmith.tree import gist, printable, tokens, trace_tree

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)

HOSTILE = (
    "[bold red]markup[/] [link=http://evil.example]x[/link] [/nonsense]",
    "\x1b[2J\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mC1 escape\x85",
    "\u202ereordered\u2066 \x00\x08\x7f",
    "two\nlines\rover\tthere and",
    "\ud800 lone",
    ":smile: {0} %s $HOME",
)


def run(number: int, parent: int | None = None, **fields: Any) -> StoredRun:
    stated = {
        "name": f"run {number}",
        "run_type": "chain",
        "start_time": NOON,
        "end_time": NOON + timedelta(milliseconds=250),
        "inputs": None,
        "outputs": None,
        "error": None,
        "extra": {},
        **fields,
    }
    return StoredRun(
        id=f"00000000-0000-0000-0000-{number:012}",
        trace_id="00000000-0000-0000-0000-000000000001",
        parent_run_id=None if parent is None else f"00000000-0000-0000-0000-{parent:012}",
        dotted_order="",
        events=(),
        tags=(),
        serialized=None,
        session_name="demo",
        session_id=None,
        reference_example_id=None,
        attachments={},
        **stated,
    )


def printed(*runs: StoredRun, colour: bool = False, width: int = 100, **options: Any) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(trace_tree(runs, **options))
    return out.getvalue()


def test_children_stand_under_their_parents() -> None:
    lines = printed(run(1), run(2, 1), run(3, 2), run(4, 1)).splitlines()
    columns = [line.index("run ") for line in lines]
    assert columns[0] < columns[1] < columns[2]
    assert columns[3] == columns[1]


def test_a_run_whose_parent_is_missing_stands_at_the_top() -> None:
    first, second = printed(run(1), run(3, 2)).splitlines()
    assert first.index("run") == second.index("run")


def test_a_model_run_shows_type_duration_and_tokens() -> None:
    usage = {
        "input_tokens": 1368,
        "output_tokens": 208,
        "input_token_details": {"cache_read": 192},
        "output_token_details": {"reasoning": 128},
    }
    model = run(1, name="chat", run_type="llm", extra={"metadata": {"usage_metadata": usage}})
    line = " ".join(printed(model).split())
    assert line == "llm chat 250 ms 1,368→208 tokens (192 cached, 128 reasoning)"


def test_an_error_is_one_red_line_without_its_traceback() -> None:
    failed = run(1, error="TimeoutError: too late\n\nTraceback (most recent call last):\n  File")
    text = printed(failed, colour=True)
    assert "\x1b[31m✗ TimeoutError: too late" in text
    assert "Traceback" not in text


def test_an_empty_error_is_still_an_error() -> None:
    assert "✗" in printed(run(1, error=""))


def test_previews_are_one_line_and_can_be_left_out() -> None:
    talk = run(1, inputs={"input": "Why?\n" * 99}, outputs={"output": "Because."})
    assert len(printed(talk).splitlines()) == 2
    assert "Because." in printed(talk, width=200)
    assert len(printed(talk, previews=False).splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_run_reaches_the_terminal_as_text_only(text: str) -> None:
    """No escape, no control character, no reordering mark, no markup, and never an exception."""
    seen = printed(
        run(1, name=text, error=text, inputs={text: text}, outputs={"output": text}), width=400
    )
    unwanted = [c for c in seen if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c != "\n"]
    assert unwanted == []
    assert len(seen.splitlines()) == 3
    assert printable(text) in seen
    seen.encode()


def test_markup_is_shown_as_it_is_written() -> None:
    name = "[bold red]markup[/]"
    assert name in printed(run(1, name=name))


def test_a_very_deep_tree_is_drawn() -> None:
    """A thousand generations neither overflow the stack nor push the text off the screen."""
    runs = [run(1), *(run(number, number - 1) for number in range(2, 1001))]
    text = printed(*runs, width=120)
    assert "run 1000  250 ms" in text


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "0.0 ms"),
        (0.25, "0.2 ms"),
        (999, "999 ms"),
        (999.6, "1.00 s"),
        (59_990, "59.99 s"),
        (59_996, "1 min 00 s"),
        (36_000_000, "600 min 00 s"),
        (9.97, "10 ms"),
        (-5, "-5.0 ms"),
    ],
)
def test_durations_read_in_the_unit_that_fits(milliseconds: float, expected: str) -> None:
    assert duration(NOON, NOON + timedelta(milliseconds=milliseconds)) == expected


def test_a_run_without_an_end_is_running() -> None:
    assert duration(NOON, None) == "running"


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"input_tokens": "many"}, {"input_token_details": 7}, {"output_tokens": 2.5}],
)
def test_usage_from_the_wire_may_be_anything(usage: Any) -> None:
    assert tokens(usage) in {"", "0 tokens"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        ({}, ""),
        ({"input": "hello"}, "hello"),
        ({"messages": [{"role": "user", "content": "first"}, {"content": "last"}]}, "last"),
        ({"messages": [{"content": [{"type": "text", "text": "block"}]}]}, "block"),
        (
            {"messages": [{"content": "", "tool_calls": [{"type": "tool_call", "name": "a"}]}]},
            "calls a",
        ),
        ({"messages": [{"tool_calls": [{"function": {"name": "a"}}]}]}, "calls a"),
        ({"content": [{"type": "tool_call", "name": n} for n in "ab"]}, "calls a · calls b"),
        ({"documents": [{"page_content": "x"}, {"page_content": "y"}]}, "x · y"),
        ({"order_id": "1042"}, '{"order_id": "1042"}'),
        ({"output": 200}, "200"),
        ({"input": [1, {"a": 2}]}, '[1, {"a": 2}]'),
        ({"a": 1, "b": "ü"}, '{"a": 1, "b": "ü"}'),
        ({"input": "x" * 50}, "x" * 19 + "…"),
    ],
)
def test_the_gist_of_content_is_what_one_would_read_first(content: Any, expected: str) -> None:
    assert gist(content, 20) == expected
