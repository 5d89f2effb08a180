"""The dialects of span attributes, and who goes before whom. Provisional.

A dialect is a table of rows (`attr`, `together`, `spread`, `prefix`, `indexed`, `named`, `event`,
`events`) in a module of its own; CONTRIBUTING.md tells how to add one. What the rows have in common
(readers, messages, raw payloads, tools, documents) is in the modules before them; who wins is
decided in `table`.
"""

from typing import Final

from otel_langsmith.conventions.agentops import AGENTOPS
from otel_langsmith.conventions.anthropic import ANTHROPIC
from otel_langsmith.conventions.autogen import AUTOGEN
from otel_langsmith.conventions.bare import BARE
from otel_langsmith.conventions.braintrust import BRAINTRUST
from otel_langsmith.conventions.crewai import CREWAI
from otel_langsmith.conventions.gen_ai import GEN_AI
from otel_langsmith.conventions.genkit import GENKIT
from otel_langsmith.conventions.google_adk import GOOGLE_ADK
from otel_langsmith.conventions.haystack import HAYSTACK
from otel_langsmith.conventions.honeyhive import HONEYHIVE
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.judgeval import JUDGEVAL
from otel_langsmith.conventions.laminar import LAMINAR
from otel_langsmith.conventions.langfuse import LANGFUSE
from otel_langsmith.conventions.langsmith import LANGSMITH
from otel_langsmith.conventions.langtrace import LANGTRACE
from otel_langsmith.conventions.langwatch import LANGWATCH
from otel_langsmith.conventions.litellm import LITELLM
from otel_langsmith.conventions.livekit import LIVEKIT
from otel_langsmith.conventions.llama_index import LLAMA_INDEX
from otel_langsmith.conventions.logfire import LOGFIRE
from otel_langsmith.conventions.mastra import MASTRA
from otel_langsmith.conventions.mcp import MCP
from otel_langsmith.conventions.microsoft import MICROSOFT
from otel_langsmith.conventions.mirascope import MIRASCOPE
from otel_langsmith.conventions.mlflow import MLFLOW
from otel_langsmith.conventions.nemo import NEMO
from otel_langsmith.conventions.openinference import OPENINFERENCE
from otel_langsmith.conventions.openlit import OPENLIT
from otel_langsmith.conventions.pipecat import PIPECAT
from otel_langsmith.conventions.plain import PLAIN
from otel_langsmith.conventions.promptflow import PROMPTFLOW
from otel_langsmith.conventions.pydantic_ai import PYDANTIC_AI
from otel_langsmith.conventions.readers import BLANK, UNREADABLE, constant
from otel_langsmith.conventions.rows import (
    EARLY,
    LATE,
    Convention,
    Row,
    When,
    attr,
    event,
    events,
    indexed,
    named,
    prefix,
    spread,
    together,
)
from otel_langsmith.conventions.strands import STRANDS
from otel_langsmith.conventions.table import table_of
from otel_langsmith.conventions.traceai import TRACEAI
from otel_langsmith.conventions.traceloop import TRACELOOP
from otel_langsmith.conventions.vercel_ai import VERCEL_AI

CONVENTIONS: Final[tuple[Convention, ...]] = (
    LANGSMITH,
    GEN_AI,
    ANTHROPIC,
    LITELLM,
    OPENINFERENCE,
    TRACEAI,
    TRACELOOP,
    MCP,
    OPENLIT,
    HAYSTACK,
    PYDANTIC_AI,
    LOGFIRE,
    VERCEL_AI,
    GOOGLE_ADK,
    STRANDS,
    MICROSOFT,
    LANGFUSE,
    MLFLOW,
    BRAINTRUST,
    GENKIT,
    LAMINAR,
    LANGWATCH,
    LANGTRACE,
    JUDGEVAL,
    HONEYHIVE,
    PROMPTFLOW,
    MIRASCOPE,
    NEMO,
    AGENTOPS,
    MASTRA,
    LLAMA_INDEX,
    LIVEKIT,
    PIPECAT,
    CREWAI,
    AUTOGEN,
    BARE,
    PLAIN,
)
"""In order of precedence, which is a decision and therefore written by hand."""

__all__ = [
    "BLANK",
    "CONVENTIONS",
    "EARLY",
    "LATE",
    "UNREADABLE",
    "Convention",
    "Row",
    "When",
    "attr",
    "constant",
    "event",
    "events",
    "from_json",
    "indexed",
    "named",
    "prefix",
    "spread",
    "table_of",
    "together",
]
