"""What is suspicious about runs, whoever's spans they were: for captures that nobody has read yet.

A fault is a word and where it was found. None of them proves a loss; each is a reason to look.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from otel_langsmith.run import Run

ROLES = frozenset(("system", "user", "assistant", "tool"))
BLOCKS = frozenset(
    (
        *("text", "reasoning", "tool_call", "server_tool_call", "server_tool_result"),
        *("image", "audio", "video", "file"),
    )
)
MODEL_RUNS = ("llm", "embedding")
SHORT = 16
"""Characters below which a text may well occur twice."""

TABLED = re.compile(
    r"gen_ai\.(input|output|prompt\.\d|completion|request\.(model|temp|top|max|stop|seed)"
    r"|usage\.(input|output|prompt|completion|total)_tokens|tool\.(call|definitions)|system_inst)"
    r"|llm\.(input_m|output_m|token_count|invocation|tools|prompts|choices)"
    r"|(input|output)\.value|ai\.(prompt|values?\b|embedding|response\.(text|toolCalls|reasoning))"
    r"|traceloop\.entity\.(input|output)|mlflow\.span(Inputs|Outputs)"
    r"|langfuse\.observation\.(input|output|usage)|braintrust\.(input|output|metrics)"
)
"""Attributes that a table knows, and that are among the metadata if it could not read them."""

NOTHING = ("", "{}", "[]", (), [], -1)
"""What some write where nothing was asked for, and no table reads."""

SAID = re.compile(
    r"""["'](parts|tool_calls|page_content)["']\s*:\s*[\["']|["']role["']\s*:\s*["'][a-z]"""
)


PROSE = 12
"""Characters of a text with a space in it that somebody would miss."""


class Fault(NamedTuple):
    """What is suspicious, in which run, and what it looks like."""

    kind: str
    run: str
    what: str


def faults(runs: Sequence[Run]) -> Iterator[Fault]:
    """All that is suspicious about the runs of one capture."""
    for run in runs:
        for kind, what in _of_run(run):
            yield Fault(kind, run.name, what)
    yield from _of_trees(runs)


def lost(said: Iterable[tuple[str, Any]], run: Run) -> Iterator[Fault]:
    """What was said under these names and is nowhere in the run: words, that is, not numbers.

    Python's reprs, and error reports, are told in other words.
    """
    shown = "\0".join(_leaves([getattr(run, name) for name in _SHOWN]))
    for key, value in said:
        for text in _leaves(value):
            if len(text) > PROSE and " " in text and text[0] not in "{[<" and text not in shown:
                yield Fault("lost", run.name, f"{key}: {text[:60]}")


_SHOWN = ("name", "inputs", "outputs", "error", "events", "tags", "metadata", "invocation_params")


def _leaves(value: Any) -> Iterator[str]:
    """The texts in a value, and in the JSON that some of them are."""
    if isinstance(value, str):
        try:
            found = json.loads(value) if value[:1] in ("{", "[", '"') else value
        except ValueError:
            found = value
        if found == value:
            yield value
        else:
            yield from _leaves(found)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)


def _of_run(run: Run) -> Iterator[tuple[str, str]]:
    if run.run_type in MODEL_RUNS:
        yield from _of_call(run)
    if run.run_type == "tool" and not (run.inputs or run.outputs):
        yield "tool without content", ""
    yield from _of_metadata(run)
    for side in (run.inputs, run.outputs or {}):
        yield from _of_side(side)


def _of_call(run: Run) -> Iterator[tuple[str, str]]:
    told = run.metadata
    if not run.inputs:
        yield "call without inputs", ""
    if not run.outputs and not run.error:
        yield "call without outputs", ""
    if not (told.get("ls_model_name") and told.get("ls_provider")):
        yield "call without model", str(told.get("ls_model_name"))
    usage = told.get("usage_metadata")
    if usage:
        yield from _of_usage(usage)
    elif not run.error:
        yield "call without usage", ""
    if run.run_type == "llm":
        for name, side in (("inputs", run.inputs), ("outputs", run.outputs)):
            if side and "messages" not in side:
                yield "call without messages", f"{name}: {', '.join(side)}"


def _of_usage(usage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    if read is None or written is None or usage.get("total_tokens") != read + written:
        yield "total is no sum", str(usage)
        return
    cached = ("cache_read", "cache_creation", "ephemeral_5m_input_tokens")
    kinds = ("text", "audio", "image", "video")
    for total, details in ((read, "input_token_details"), (written, "output_token_details")):
        parts = usage.get(details, {})
        for names in (cached, kinds, ("reasoning", "audio", "text")):
            if sum(parts.get(name, 0) for name in names) > total:
                yield "details exceed their total", str(parts)


def _of_metadata(run: Run) -> Iterator[tuple[str, str]]:
    for key, value in run.metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, default=repr)
        if TABLED.match(key):
            if value not in NOTHING:
                yield "unread attribute", key
        elif SAID.search(text):
            yield "content in metadata", key
        elif any(said in text for said in _texts(run) if len(said) > SHORT):
            yield "content twice", key


def _texts(run: Run) -> Iterator[str]:
    for side in (run.inputs, run.outputs or {}):
        for message in _messages(side):
            for block in message["content"]:
                if block.get("type") == "text" and isinstance(block.get("text"), str):
                    yield block["text"]


def _messages(side: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = side.get("messages")
    listed = found if isinstance(found, list) else []
    return [one for one in listed if isinstance(one, dict) and isinstance(one.get("content"), list)]


def _of_side(side: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    found = side.get("messages", [])
    if not isinstance(found, list) or len(_messages(side)) != len(found):
        yield "messages of another form", str(found)[:80]
        return
    called = {block["id"] for block in _blocks(found) if block["type"] == "tool_call"}
    for message in found:
        yield from _of_message(message, called)


def _blocks(found: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (block for message in found for block in message["content"])


def _of_message(message: Mapping[str, Any], called: set[Any]) -> Iterator[tuple[str, str]]:
    role, content = message.get("role"), message["content"]
    if role not in ROLES:
        yield "unknown role", str(role)
    if not content:
        yield "empty message", str(role)
    answered = message.get("tool_call_id")
    if role == "tool" and answered is None:
        yield "result of no call", ""
    if role == "tool" and answered is not None and called and answered not in called:
        yield "result of another call", str(answered)
    texts = [block["text"] for block in content if block["type"] == "text"]
    if len({*texts}) < len(texts):
        yield "text twice", texts[0][:40]
    for block in content:
        yield from _of_block(block)


def _of_block(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if block["type"] not in BLOCKS:
        yield "unknown block", str(block)[:80]
    elif block["type"] == "tool_call":
        if not (block["id"] and block["name"]):
            yield "call without id", str(block["name"])
        if "__raw" in block["args"]:
            yield "unread arguments", str(block["args"])[:80]
    elif block["type"] == "text" and SAID.search(block["text"][:200]):
        yield "content in text", block["text"][:80]


def _of_trees(runs: Sequence[Run]) -> Iterator[Fault]:
    by_id = {run.id: run for run in runs}
    for run in runs:
        parent = by_id.get(run.parent_run_id or "")
        for name in ("thread_id", "user_id"):
            if parent and name in parent.metadata and name not in run.metadata:
                yield Fault("thread is torn", run.name, name)
    paying = {above for run in runs if run.run_type in MODEL_RUNS for above in _above(run)}
    for run in runs:
        if "aggregated_usage" in run.metadata and run.id not in paying:
            yield Fault("tokens of no call", run.name, "")


def _above(run: Run) -> list[str]:
    return [segment[-36:] for segment in run.dotted_order.split(".")[:-1]]
