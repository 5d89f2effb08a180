"""OpenTelemetry spans as LangSmith runs."""

from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.errors import ConfigurationError, OtelLangSmithError
from otel_langsmith.exporter import LangSmithSpanExporter
from otel_langsmith.feedback import run_id
from otel_langsmith.log_processor import LangSmithLogRecordProcessor
from otel_langsmith.processor import LangSmithSpanProcessor
from otel_langsmith.propagator import LangSmithPropagator
from otel_langsmith.serverless import flush_on_return
from otel_langsmith.setup import configure
from otel_langsmith.version import __version__

__all__ = [
    "ConfigurationError",
    "LangSmithLogRecordProcessor",
    "LangSmithPropagator",
    "LangSmithSpanExporter",
    "LangSmithSpanProcessor",
    "Ledger",
    "OtelLangSmithError",
    "__version__",
    "configure",
    "flush_on_return",
    "run_id",
]
