"""A trace as a tree for the terminal: `StoredRun`s in, a rich renderable out.

Runs hold untrusted text. It is only ever shown through `rich.text.Text`, which knows no markup,
and after `printable` took out what a terminal would obey.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from otel_langsmith.receiver import StoredRun
from otel_langsmith.receiver.instants import duration

COLOURS: Final[Mapping[str, str]] = {
    "llm": "magenta",
    "chain": "blue",
    "tool": "yellow",
    "retriever": "cyan",
    "embedding": "green",
    "prompt": "white",
    "parser": "white",
}

_HOLDERS: Final = ("content", "text", "page_content", "tool_calls")
"""Members that hold the text of a message, a block or a document, the most telling first."""

_LONE: Final = frozenset({"input", "output", "query", "documents"})
"""Names that say nothing beside a lone value; ``order_id`` would."""

_ITEMS: Final = 20  # more blocks or documents than one line can show

_DEEPEST: Final = 16
"""Runs below this depth are drawn at it, or a deep tree would leave its text no room."""


def trace_tree(runs: Sequence[StoredRun], *, previews: bool = True) -> Group:
    """The tree of one trace's runs, given parents first, as a store returns them.

    A run whose parent is not among them stands at the top. ``previews`` adds a dim line with what
    went in and what came out.
    """
    top = Tree("", hide_root=True)
    places: dict[str, tuple[Tree, int]] = {}
    for run in runs:
        branch, depth = places.get(run.parent_run_id or "", (top, 0))
        below = branch.add(_label(run, previews=previews))
        places[run.id] = (below, depth + 1) if depth < _DEEPEST else (branch, depth)
    return Group(top)


def printable(value: object) -> str:
    """The value as one line of text that a terminal only prints: no escapes, no overrides.

    White space becomes a space. Control characters, invisible format characters (which can reorder
    what is seen) and lone surrogates become ``U+FFFD``.
    """
    return "".join(_harmless(character) for character in str(value))


def tokens(usage: Mapping[str, Any] | None) -> str:
    """Tokens in and out, and the shares that were cached or thought: ``368→208 tokens (…)``.

    Nothing comes out of an embedding, so there it is one number.
    """
    if not usage:
        return ""
    details = [
        f"{count:,} {word}"
        for word, count in (
            ("cached", _count(usage, "input_token_details", "cache_read")),
            ("reasoning", _count(usage, "output_token_details", "reasoning")),
        )
        if count
    ]
    shares = f" ({', '.join(details)})" if details else ""
    out = _count(usage, "output_tokens")
    return f"{_count(usage, 'input_tokens'):,}{f'→{out:,}' if out else ''} tokens{shares}"


def _harmless(character: str) -> str:
    if character in "\t\n\r\v\f" or unicodedata.category(character) in {"Zl", "Zp"}:
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _OBEYED else character


_OBEYED: Final = frozenset({"Cc", "Cf", "Cs"})
"""Unicode categories that a terminal acts upon or cannot encode."""


def _label(run: StoredRun, *, previews: bool) -> Group:
    lines = [_headline(run)]
    if run.error is not None:
        lines.append(_cut("✗ " + printable(_first_line(run.error)), "red"))
    if previews and (preview := _preview(run)):
        lines.append(_cut(preview, "dim"))
    return Group(*lines)


def _headline(run: StoredRun) -> Text:
    """Type badge, name, duration, tokens: the line that every run has."""
    line = Text()
    line.append(
        f" {printable(run.run_type):<9} ", style=f"{COLOURS.get(run.run_type, 'white')} reverse"
    )
    line.append(" " + printable(run.name), style="bold red" if run.error is not None else "bold")
    line.append("  " + duration(run.start_time, run.end_time), style="cyan")
    if count := tokens(run.usage):
        line.append("  " + count, style="green")
    return line


def _cut(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _first_line(error: str) -> str:
    """What went wrong, without the traceback that may follow it."""
    return error.strip().partition("\n")[0]


def _preview(run: StoredRun) -> str:
    """What went in and what came out, as far as either is known."""
    return " → ".join(filter(None, (gist(run.inputs, 70), gist(run.outputs, 200))))


def gist(content: object, characters: int) -> str:
    """What a reader wants to know first of inputs or outputs, in one line of at most so long.

    The text of the last message, the tools it calls, the documents found; else the JSON.
    """
    text = _words(content, layers=8)
    return printable(text if len(text) <= characters else text[: characters - 1] + "…")


def _words(content: object, layers: int = 8) -> str:
    """The content without the wrappers that say nothing, as many layers of them as allowed."""
    if isinstance(content, str) or not content:
        return content if isinstance(content, str) else ""
    if layers and (inner := _within(content)):
        return _words(inner, layers - 1)
    match content:
        case {"function": {"name": name}} | {"type": "tool_call", "name": name}:
            return f"calls {name}"
        case [{}, *_] as items if layers:
            return " · ".join(_words(item, layers - 1) for item in items[:_ITEMS])
    return json.dumps(content, ensure_ascii=False, default=str)


def _within(content: object) -> object:
    """What a wrapper holds; None for content that is no wrapper, or an empty one."""
    match content:
        case {"messages": [*_, last]}:
            return last
        case {**members} if len(members) == 1 and _LONE.issuperset(members):
            return next(iter(members.values()))
        case {**members}:
            return next(filter(None, map(members.get, _HOLDERS)), None)
    return None


def _count(usage: Mapping[str, Any], *path: str) -> int:
    """The integer at a path, or 0: usage comes from the wire and may hold anything."""
    value: object = usage
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) else 0
