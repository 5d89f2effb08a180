"""Tool definitions, arguments and results → OpenAI's form, which LangSmith renders."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from otel_langsmith.conventions.json import from_json, nested_json, unquoted
from otel_langsmith.conventions.reprs import from_repr
from otel_langsmith.run import Json

_REMEMBERED: Final = 16_384
"""Characters of tool definitions worth keeping in memory."""

_SCHEMAS: Final = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parameters_json_schema",
    "parametersJsonSchema",
    "json_schema",
)
"""Names of the arguments' schema: OpenAI's, Anthropic's, Bedrock's and MCP's, Google's."""


def arguments(value: Any) -> Any:
    """A tool's arguments: the dict of a JSON text or a Python repr; anything else as it is."""
    found = nested_json(value)
    if isinstance(found, str) and found.startswith(("{'", '{"')):
        spelt = from_repr(found)
        return spelt if isinstance(spelt, dict) else found
    return found


def result(value: Any) -> Any:
    """A tool's result: the value of a JSON object, list or string; anything else as it is."""
    return from_json(unquoted(value))


def tool_definitions(value: Any) -> Any:
    """Tool definitions in OpenAI's form; a provider's built-in tools as they are."""
    if type(value) is str and len(value) <= _REMEMBERED:
        return _of_text(value)
    return _definitions(value)


@lru_cache(maxsize=64)
def _of_text(text: str) -> Any:
    """Cached: every call of a model repeats the same definitions. Runs never change them."""
    return _definitions(text)


def _definitions(value: Any) -> Any:
    found = from_json(value)
    if not isinstance(found, (list, tuple)):
        return found
    return [tool for item in found for tool in _defined(nested_json(item))]


def _defined(tool: Any) -> Iterator[Json]:
    """One definition, or the several that Google puts into one."""
    if not isinstance(tool, dict):
        yield tool
        return
    declared = tool.get("function_declarations") or tool.get("functionDeclarations")
    if isinstance(declared, (list, tuple)):
        for item in declared:
            yield from _defined(item)
        return
    inner = tool.get("toolSpec")
    yield _definition(inner if isinstance(inner, dict) else tool)


def _definition(tool: Mapping[str, Any]) -> Json:
    if "function" in tool or not tool.get("name"):
        return tool
    if tool.get("type") not in (None, "function", "custom"):
        return tool
    function = _without(tool, ("type", *_SCHEMAS))
    schema = next((from_json(tool[name]) for name in _SCHEMAS if tool.get(name)), None)
    if isinstance(schema, dict) and schema.keys() == {"json"}:  # Bedrock's
        schema = schema["json"]
    if schema is not None:
        function["parameters"] = schema
    return {"type": "function", "function": function}


def _without(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in names}
