"""An MCP server on stdin and stdout, which traces itself."""

from mcp.server import MCPServer
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "sums"}))
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)

server = MCPServer("sums")


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    with trace.get_tracer("sums").start_as_current_span("carry"):
        return a + b


@server.tool()
def divide(a: int, b: int) -> float:
    """The quotient of two numbers."""
    return a / b


@server.resource("sums://pi")
def pi() -> str:
    """The first digits of pi."""
    return "3.14"


server.run("stdio")
provider.shutdown()
