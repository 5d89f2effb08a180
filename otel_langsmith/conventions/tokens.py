"""Usage objects of providers and frameworks → LangSmith's token counts.

One table for all of them: no two providers use one name for two things.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_langsmith.conventions.json import at_path
from otel_langsmith.conventions.readers import UNREADABLE, as_count, as_object
from otel_langsmith.conventions.rows import Reader

_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "usage.input_tokens": (
        "input_tokens",
        "prompt_tokens",
        "inputTokens",
        "promptTokens",
        "prompt_token_count",
        "promptTokenCount",
    ),
    "usage.output_tokens": (
        "output_tokens",
        "completion_tokens",
        "outputTokens",
        "completionTokens",
        "candidates_token_count",
        "candidatesTokenCount",
    ),
    "usage.total_tokens": (
        "total_tokens",
        "totalTokens",
        "total_token_count",
        "totalTokenCount",
        "tokens",
    ),
    "usage.input_token_details.cache_read": (
        "cache_read_input_tokens",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "input_token_details.cache_read",
        "prompt_cached_tokens",
        "cacheReadInputTokens",
        "cached_content_token_count",
        "cachedContentTokenCount",
        "cachedContentTokens",
    ),
    "usage.input_token_details.cache_creation": (
        "cache_creation_input_tokens",
        "input_token_details.cache_creation",
        "prompt_cache_creation_tokens",
        "cacheWriteInputTokens",
    ),
    "usage.input_token_details.ephemeral_5m_input_tokens": (
        "cache_creation.ephemeral_5m_input_tokens",
        "input_token_details.ephemeral_5m_input_tokens",
        "prompt_cache_creation_5m_tokens",
    ),
    "usage.input_token_details.ephemeral_1h_input_tokens": (
        "cache_creation.ephemeral_1h_input_tokens",
        "input_token_details.ephemeral_1h_input_tokens",
        "prompt_cache_creation_1h_tokens",
        "cache_creation_input_tokens_above_1hr",
    ),
    "usage.input_token_details.audio": (
        "prompt_tokens_details.audio_tokens",
        "input_tokens_details.audio_tokens",
        "input_token_details.audio",
        "prompt_audio_tokens",
    ),
    "usage.output_token_details.audio": (
        "completion_tokens_details.audio_tokens",
        "output_tokens_details.audio_tokens",
        "output_token_details.audio",
        "completion_audio_tokens",
    ),
    "usage.output_token_details.reasoning": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_token_details.reasoning",
        "completion_reasoning_tokens",
        "reasoning_tokens",
        "thoughts_token_count",
        "thoughtsTokenCount",
        "thoughtsTokens",
    ),
    "usage.output_token_details.image": ("completion_image_tokens",),
}

_SPLIT: Final = {
    field: tuple(tuple(path.split(".")) for path in paths) for field, paths in _PATHS.items()
}
_KNOWN: Final = frozenset(path for paths in _SPLIT.values() for path in paths)


def counts(found: Mapping[str, Any]) -> dict[str, int]:
    """The tokens that a usage object counts, by field."""
    fields = {field: _first(found, paths) for field, paths in _SPLIT.items()}
    return {field: count for field, count in fields.items() if count is not UNREADABLE}


def usage(name: str) -> Reader:
    """A reader for `spread`, of a usage object or its JSON; metadata by this name has the rest."""

    def read(value: Any) -> Any:
        found = as_object(value)
        if found is UNREADABLE:
            return found
        fields: dict[str, Any] = counts(found)
        rest = dict(_rest(found, ()))
        return {**fields, f"metadata.{name}": rest} if rest else fields

    return read


def _first(found: Mapping[str, Any], paths: tuple[tuple[str, ...], ...]) -> Any:
    for path in paths:
        count = as_count(at_path(found, path))
        if count is not UNREADABLE:
            return count
    return UNREADABLE


def _rest(found: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The members that count no tokens of ours and are not zero, by their dotted paths."""
    for name, part in found.items():
        path = (*above, str(name))
        if isinstance(part, dict) and not above:
            yield from _rest(part, path)
        elif part and path not in _KNOWN:
            yield ".".join(path), part
