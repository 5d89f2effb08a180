"""OpenTelemetry spans as LangSmith runs."""

from typing import TYPE_CHECKING

from otel_langsmith import deferral
from otel_langsmith.version import __version__

if TYPE_CHECKING:
    from otel_langsmith.delivery.ledger import Ledger
    from otel_langsmith.errors import ConfigurationError, OtelLangSmithError
    from otel_langsmith.exporter import LangSmithSpanExporter
    from otel_langsmith.feedback import run_id
    from otel_langsmith.log_processor import LangSmithLogRecordProcessor
    from otel_langsmith.processor import LangSmithSpanProcessor
    from otel_langsmith.propagator import LangSmithPropagator
    from otel_langsmith.serverless import flush_on_return
    from otel_langsmith.setup import configure
else:
    # each loads when it is asked for: opentelemetry-instrument loads hooks in every process
    _HOMES = {
        "ConfigurationError": "otel_langsmith.errors",
        "LangSmithLogRecordProcessor": "otel_langsmith.log_processor",
        "LangSmithPropagator": "otel_langsmith.propagator",
        "LangSmithSpanExporter": "otel_langsmith.exporter",
        "LangSmithSpanProcessor": "otel_langsmith.processor",
        "Ledger": "otel_langsmith.delivery.ledger",
        "OtelLangSmithError": "otel_langsmith.errors",
        "configure": "otel_langsmith.setup",
        "flush_on_return": "otel_langsmith.serverless",
        "run_id": "otel_langsmith.feedback",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(deferral.deferred(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


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
