"""What ``opentelemetry-instrument`` calls after it set up the SDK and before it loads the rest.

It is called wherever this package is installed, so it does nothing unless LangSmith was chosen; and
what it raised would cost the application all of its instrumentation (opentelemetry.md §5.4).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from otel_langsmith.deferral import deferred, is_loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_langsmith import exporter, setup
else:
    exporter = deferred("otel_langsmith.exporter")
    setup = deferred("otel_langsmith.setup")

_log: Final = logging.getLogger("otel_langsmith")


def pre_instrument() -> None:
    """Put a processor in the place of each exporter that was chosen as ``langsmith``.

    The processor sees spans start, which exact lineage needs; OpenTelemetry knows exporters by name
    but no processors. Each span is sent once, whatever is called how often.
    """
    try:
        provider = setup.global_provider() if is_loaded(exporter) else None
        if provider is not None:
            for processor in exporter.successors():
                setup.join(provider, processor, {})
                _speak_up()
    except Exception:  # noqa: BLE001 - see above
        _log.exception(
            "LangSmithSpanProcessor cannot take the exporter's place; please report this"
        )


def _speak_up() -> None:
    if not any(isinstance(handler, LastResort) for handler in _log.handlers):
        _log.addHandler(LastResort(logging.WARNING))


class LastResort(logging.Handler):
    """Writes warnings to stderr unless the application has a handler, as `logging.lastResort` does.

    OpenTelemetry's own handlers do not count: they export records, most likely to where nobody
    looks for traces that fail to arrive, and they silence ``lastResort``.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message, unless a handler of the application's gets it."""
        if logging.lastResort is not None and all(map(_is_opentelemetry, self._others())):
            logging.lastResort.emit(record)

    def _others(self) -> Iterator[logging.Handler]:
        logger: logging.Logger | None = _log
        while logger is not None:
            yield from (handler for handler in logger.handlers if handler is not self)
            logger = logger.parent if logger.propagate else None


def _is_opentelemetry(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("opentelemetry.")
