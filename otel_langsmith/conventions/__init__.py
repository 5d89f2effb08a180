"""The dialects of span attributes, in order of precedence; and what a dialect is made of.

A dialect is a `Convention`: a table of rows (`attr`, `together`, `spread`, `prefix`, `indexed`,
`named`, `event`, `events`), each of which says which attribute feeds which field of a run.
`READERS` has the fields, and how each is read unless a row says otherwise. Our dialects are in
`dialects`, a module each; CONTRIBUTING.md explains how to write one. Provisional: names may change.
"""

from typing import Final

from otel_langsmith.conventions.dialects.agentops import AGENTOPS
from otel_langsmith.conventions.dialects.anthropic import ANTHROPIC
from otel_langsmith.conventions.dialects.autogen import AUTOGEN
from otel_langsmith.conventions.dialects.bare import BARE
from otel_langsmith.conventions.dialects.braintrust import BRAINTRUST
from otel_langsmith.conventions.dialects.crewai import CREWAI
from otel_langsmith.conventions.dialects.gen_ai import GEN_AI
from otel_langsmith.conventions.dialects.genkit import GENKIT
from otel_langsmith.conventions.dialects.google_adk import GOOGLE_ADK
from otel_langsmith.conventions.dialects.haystack import HAYSTACK
from otel_langsmith.conventions.dialects.honeyhive import HONEYHIVE
from otel_langsmith.conventions.dialects.judgeval import JUDGEVAL
from otel_langsmith.conventions.dialects.laminar import LAMINAR
from otel_langsmith.conventions.dialects.langfuse import LANGFUSE
from otel_langsmith.conventions.dialects.langsmith import LANGSMITH
from otel_langsmith.conventions.dialects.langtrace import LANGTRACE
from otel_langsmith.conventions.dialects.langwatch import LANGWATCH
from otel_langsmith.conventions.dialects.litellm import LITELLM
from otel_langsmith.conventions.dialects.livekit import LIVEKIT
from otel_langsmith.conventions.dialects.llama_index import LLAMA_INDEX
from otel_langsmith.conventions.dialects.logfire import LOGFIRE
from otel_langsmith.conventions.dialects.mastra import MASTRA
from otel_langsmith.conventions.dialects.mcp import MCP
from otel_langsmith.conventions.dialects.microsoft import MICROSOFT
from otel_langsmith.conventions.dialects.mirascope import MIRASCOPE
from otel_langsmith.conventions.dialects.mlflow import MLFLOW
from otel_langsmith.conventions.dialects.nemo import NEMO
from otel_langsmith.conventions.dialects.openinference import OPENINFERENCE
from otel_langsmith.conventions.dialects.openlit import OPENLIT
from otel_langsmith.conventions.dialects.pipecat import PIPECAT
from otel_langsmith.conventions.dialects.plain import PLAIN
from otel_langsmith.conventions.dialects.promptflow import PROMPTFLOW
from otel_langsmith.conventions.dialects.pydantic_ai import PYDANTIC_AI
from otel_langsmith.conventions.dialects.strands import STRANDS
from otel_langsmith.conventions.dialects.traceai import TRACEAI
from otel_langsmith.conventions.dialects.traceloop import TRACELOOP
from otel_langsmith.conventions.dialects.vercel_ai import VERCEL_AI
from otel_langsmith.conventions.fields import READERS
from otel_langsmith.conventions.json import from_json
from otel_langsmith.conventions.readers import (
    BLANK,
    UNREADABLE,
    as_bool,
    as_count,
    as_float,
    as_object,
    as_tags,
    as_text,
    as_texts,
    constant,
    one_of,
    picked,
)
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
from otel_langsmith.conventions.table import table_of

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
    "READERS",
    "UNREADABLE",
    "Convention",
    "Row",
    "When",
    "as_bool",
    "as_count",
    "as_float",
    "as_object",
    "as_tags",
    "as_text",
    "as_texts",
    "attr",
    "constant",
    "event",
    "events",
    "from_json",
    "indexed",
    "named",
    "one_of",
    "picked",
    "prefix",
    "spread",
    "table_of",
    "together",
]
