"""An MCP client, which traces itself, of a server that is a process of its own."""

import asyncio
import os
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters, stdio_client
from mcp.client import stdio
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "client"}))
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)

stdio.PROCESS_TERMINATION_TIMEOUT = 60  # in two seconds a busy machine ends no server


async def main() -> None:
    program = str(Path(__file__).parent / "mcp_server.py")
    server = StdioServerParameters(command=sys.executable, args=[program], env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        with trace.get_tracer("client").start_as_current_span("homework"):
            await client.list_tools()
            await client.call_tool("add", {"a": 2, "b": 3})
            await client.call_tool("divide", {"a": 2, "b": 0})
            await client.read_resource("sums://pi")


asyncio.run(main())
