"""LangChain's messages, as its serialisers write them → the members that `items` knows."""

from typing import Any, Final

from otel_langsmith.conventions.blocks import Part

_CONSTRUCTORS: Final = {
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "HumanMessage": "user",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
LANGCHAIN: Final = {
    **{word: word for word in ("ai", "human", "system", "tool", "function", "chat")},
    **_CONSTRUCTORS,
}
"""LangChain's types of messages, and its classes, each with the role."""


def of_langchain(item: Part) -> Part | None:
    """The members of a message that is an ``lc`` constructor, or a type and its data; else None.

    ``tool_calls`` are the parsed ones; the raw ones in ``additional_kwargs`` repeat them.
    """
    kind = item.get("type")
    inner = item.get("kwargs" if kind == "constructor" else "data")
    if kind == "constructor":
        name = item.get("id")
        word = name[-1] if isinstance(name, (list, tuple)) and name else None
        role = _CONSTRUCTORS.get(str(word))
    elif isinstance(kind, str) and kind in LANGCHAIN:
        role = LANGCHAIN[kind]
        inner = inner if isinstance(inner, dict) else item
    else:
        return None
    if role is None or not isinstance(inner, dict) or "content" not in inner:
        return None
    more = inner.get("additional_kwargs")
    about = inner.get("response_metadata")
    return {
        "reasoning_content": more.get("reasoning_content") if isinstance(more, dict) else None,
        "refusal": more.get("refusal") if isinstance(more, dict) else None,
        "finish_reason": about.get("finish_reason") if isinstance(about, dict) else None,
        **inner,
        "role": role,
    }


def is_pair(item: Any) -> bool:
    """Whether this is LangChain's short form of a message, such as ``("user", "Hi")``."""
    return (
        isinstance(item, (list, tuple))
        and len(item) == 2  # noqa: PLR2004
        and all(isinstance(part, str) for part in item)
        and item[0] in _SHORT
    )


_SHORT: Final = frozenset(("ai", "assistant", "developer", "human", "system", "user"))
