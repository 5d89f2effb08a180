"""The dialects of span attributes, and who goes before whom. Provisional."""

from typing import Final

from otel_langsmith.conventions.gen_ai import GEN_AI
from otel_langsmith.conventions.langsmith import LANGSMITH
from otel_langsmith.conventions.plain import PLAIN
from otel_langsmith.conventions.readers import UNREADABLE
from otel_langsmith.conventions.table import Convention, Row, attr, event, prefix, spread, table_of

CONVENTIONS: Final[tuple[Convention, ...]] = (
    LANGSMITH,
    GEN_AI,
    PLAIN,
)
"""In order of precedence, which is a decision and therefore written by hand."""

__all__ = [
    "CONVENTIONS",
    "UNREADABLE",
    "Convention",
    "Row",
    "attr",
    "event",
    "prefix",
    "spread",
    "table_of",
]
