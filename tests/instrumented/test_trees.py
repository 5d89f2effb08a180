"""The whole tree of each program: whose child each run is, what it is called, and its type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.programs import Traced, named_of, needs, span_of

needs(
    "fastapi",
    "flask",
    "langchain_openai",
    "langgraph",
    "mcp",
    "openai",
    "openinference.instrumentation.langchain",
    "openinference.instrumentation.openai",
    "openinference.instrumentation.smolagents",
    "opentelemetry.instrumentation.fastapi",
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.sqlalchemy",
    "pydantic_ai",
    "smolagents",
    "uvicorn",
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Type and name of each run, and in parentheses the name of its span where that is another.
TREES = {
    "openai_openinference": """
chain trip
  llm ChatCompletion
  chain look up
  chain look up
  llm ChatCompletion
  embedding CreateEmbeddings
  llm Response
  llm Response
  llm ChatCompletion
""",
    "openai_official": """
chain trip
  llm chat gpt-4o-mini
  chain look up
  chain look up
  llm chat gpt-4o-mini
  embedding embeddings text-embedding-3-small
  llm chat gpt-5-mini
  llm chat gpt-5-mini
  llm chat gpt-broke
""",
    "openai_traceloop": """
chain trip
  llm openai.chat
  chain look up
  chain look up
  llm openai.chat
  embedding openai.embeddings
  llm openai.response
  llm openai.response
  llm openai.chat
""",
    "langchain_rag": """
chain almanac
  chain RunnableParallel<context,question>
    retriever Almanac
    chain RunnablePassthrough
  prompt ChatPromptTemplate
  llm ChatOpenAI
  chain StrOutputParser
""",
    "langgraph_agent": """
chain weather
  chain think
    llm ChatOpenAI
    chain tools_condition
  chain tools
    tool get_weather
    tool get_time
  chain think
    llm ChatOpenAI
    chain tools_condition
""",
    "pydantic_ai_agent": """
chain weather (invoke_agent weather)
  llm chat gpt-4o-mini
  tool get_weather (execute_tool get_weather)
  tool get_time (execute_tool get_time)
  llm chat gpt-4o-mini
""",
    "smolagents_agent": """
chain weather.run
  chain Step 1
    llm OpenAIModel.generate
    tool get_weather (SimpleTool)
  chain Step 2
    llm OpenAIModel.generate
    tool final_answer (FinalAnswerTool)
""",
    # The handshake comes before the first span of the client's own.
    "mcp_client": """
chain MCP send server/discover
  chain server/discover
chain homework
  chain MCP send tools/list
    chain tools/list
  tool MCP send tools/call add
    tool add (tools/call add)
      chain carry
  tool MCP send tools/call divide
    tool divide (tools/call divide)
  chain MCP send resources/read
    chain resources/read
""",
    "web": """
chain checkout
  chain GET 127.0.0.1 (GET)
    chain GET /orders/{order_id}
      chain connect
      chain select
      chain GET 127.0.0.1 (GET)
        chain GET /prices
  chain GET 127.0.0.1 (GET)
    chain GET /orders/{order_id}
      chain connect
      chain select
  chain GET 127.0.0.1 (GET)
    chain GET /prices
""",
}


@pytest.mark.parametrize("program", TREES)
def test_every_run_hangs_at_its_place(program: str, traced: Callable[..., Traced]) -> None:
    assert traced(program).drawn(span_of) == "\n".join(map(span_name, lines(program)))


def lines(program: str) -> list[str]:
    return TREES[program].strip().splitlines()


def span_name(line: str) -> str:
    """``  tool add (tools/call add)`` → the indentation and ``tools/call add``."""
    indent, name, span = re.fullmatch(r"( *)\w+ (.*?)(?: \((.*)\))?", line).groups()
    return indent + (span or name)


@pytest.mark.parametrize("program", TREES)
def test_every_run_has_its_type_and_name(program: str, traced: Callable[..., Traced]) -> None:
    assert traced(program).drawn(named_of) == "\n".join(lines(program))
