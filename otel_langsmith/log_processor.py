"""`LangSmithLogRecordProcessor`: GenAI content that is logged belongs to a span's run."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from opentelemetry._logs import get_logger_provider
from opentelemetry.sdk._logs import LogRecordProcessor

from otel_langsmith.joining import JOINED

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord

_log: Final = logging.getLogger("otel_langsmith")


class LangSmithLogRecordProcessor(LogRecordProcessor):
    """Adds the content of GenAI log events to the runs of their spans.

        logger_provider.add_log_record_processor(LangSmithLogRecordProcessor())

    Many instrumentations log prompts and answers as events named ``gen_ai.…`` instead of putting
    them on the span. Such events wait in memory until their span ends: at most 65,536 of them,
    64 MiB and one hour. Then whichever LangSmith exporter or processor of this process sends the
    span reads them as span events, and hides them as its settings say. Other records are ignored.

    An event that comes after its run was sent is left out; `Ledger.noted` counts it as
    ``log_late``. One whose span was never sent is counted as ``log_unjoined``.
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep the event until its span ends; never raises, does no I/O."""
        try:
            JOINED.hear(log_record.log_record)
        except Exception as error:  # noqa: BLE001 - the application must not suffer for what it logs
            _log.debug("a log record cannot be joined to its span: %s", type(error).__name__)

    def shutdown(self) -> None:
        """Nothing to do: what waits belongs to spans that have not ended."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - OpenTelemetry's
        """True: nothing waits here that could be sent."""
        return True


def join_logs() -> bool:
    """Whether the events of the global logger provider are joined to runs from now on.

    False if there is none that takes processors. None is made: an application that sets one later
    would find its place taken.
    """
    provider = get_logger_provider()
    add = getattr(provider, "add_log_record_processor", None)
    if add is None:
        return False
    with _lock:
        if provider not in _joined:
            add(LangSmithLogRecordProcessor())
            _joined.add(provider)
    return True


_joined: Final[WeakSet[object]] = WeakSet()
_lock: Final = threading.Lock()
