"""The local LangSmith: a strict stand-in for its ingest API, on an embedded SQLite file.

It refuses what LangSmith refuses, so that a dry run against it means something. Needs the ``local``
extra. Spec: https://docs.langchain.com/langsmith/run-data-format
"""

from otel_langsmith.receiver.app import create_app
from otel_langsmith.receiver.server import Receiver
from otel_langsmith.receiver.store import Store
from otel_langsmith.receiver.stored import StoredRun, TraceSummary

__all__ = ["Receiver", "Store", "StoredRun", "TraceSummary", "create_app"]
