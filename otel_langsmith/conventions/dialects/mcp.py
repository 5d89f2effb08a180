"""``mcp.*``: calls over the Model Context Protocol, seen by its client or by its server.

One call is two runs of type ``tool``, the server's within the client's. Arguments and results are
in ``gen_ai.*``, if they are captured at all: MCP's own SDK captures none.
"""

from typing import Final

from otel_langsmith.conventions import kinds
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import one_of
from otel_langsmith.conventions.rows import Convention, attr, prefix, spread

METHODS: Final = {
    "tools/call": kinds.TOOL,
    "prompts/get": kinds.PROMPT,
}
"""All others (discover, list, read, notify) are steps on the way."""

MCP: Final = Convention(
    name="mcp",
    spec=(
        "https://github.com/open-telemetry/semantic-conventions-genai docs/gen-ai/mcp.md "
        "as of November 2026, and mcp 2.3"
    ),
    rows=(
        spread("mcp.method.name", via=one_of(METHODS, kinds.CHAIN), keep=True),
        # Names from before there was a specification: MCP's C# SDK's, Sentry's and OpenLIT's.
        attr("tool.name", "mcp.tool.name", keep=True),
        prefix("inputs", "mcp.request.argument.", via=from_json),
        attr("inputs", "mcp.tool.arguments", "mcp.params", via=from_json),
        attr("outputs", "mcp.tool.result", "mcp.tool.result.content", "mcp.result", via=from_json),
    ),
)
