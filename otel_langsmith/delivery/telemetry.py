"""What OpenTelemetry wants to know of every exporter, under its names, for who asked for it.

Spec: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
"""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otel_langsmith.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.reply import Reply

COMPONENT: Final = "langsmith_span_exporter"

_log: Final = logging.getLogger("otel_langsmith")

_ports: Final = {"http": 80, "https": 443}
_numbers: Final = count()


class Telemetry:
    """Counts spans and times requests; costs nothing unless the settings want it."""

    def __init__(self, settings: Settings) -> None:
        self._meter = _meter(settings)
        if self._meter is None:
            return
        where = urlsplit(settings.endpoint or "")
        number = f"{COMPONENT}/{next(_numbers)}"
        self._attributes: dict[str, str | int] = {
            "otel.component.type": COMPONENT,
            "otel.component.name": number,
            "server.address": where.hostname or "",
            "server.port": where.port or _ports.get(where.scheme, 0),
        }
        self._inflight = self._meter.create_up_down_counter(
            "otel.sdk.exporter.span.inflight", "{span}", "Spans that are being sent"
        )
        self._exported = self._meter.create_counter(
            "otel.sdk.exporter.span.exported", "{span}", "Spans whose fate is known"
        )
        self._duration = self._meter.create_histogram(
            "otel.sdk.exporter.operation.duration", "s", "Requests, their repetitions included"
        )

    def began(self, spans: int) -> None:
        """So many spans are being sent."""
        if self._meter is not None:
            _tell(self._inflight.add, spans, self._attributes)

    def ended(self, spans: int, took_s: float, reply: Reply, error: str) -> None:
        """They no longer are; ``error`` is empty if LangSmith took them."""
        if self._meter is None:
            return
        _tell(self._inflight.add, -spans, self._attributes)
        told: dict[str, str | int] = {"error.type": error} if error else {}
        if reply.status is not None:
            told["http.response.status_code"] = reply.status
        _tell(self._duration.record, took_s, {**self._attributes, **told})

    def settled(self, spans: int, error: str = "") -> None:
        """LangSmith has so many spans, or they are lost for the reason that the ledger names."""
        if self._meter is not None and spans:
            told = {"error.type": error} if error else {}
            _tell(self._exported.add, spans, {**self._attributes, **told})


def _tell(write: Callable[..., None], amount: float, attributes: dict[str, str | int]) -> None:
    """Write to an instrument that may be anybody's: no run is lost for one that raises."""
    try:
        write(amount, attributes)
    except Exception:  # noqa: BLE001 - see above
        _log.debug("a metric cannot be written", exc_info=True)


def _meter(settings: Settings) -> Meter | None:
    """The meter to write to; None if nobody wants to know."""
    if not settings.meter_provider:
        return None
    from opentelemetry.metrics import get_meter  # noqa: PLC0415 - only if wanted

    given = None if settings.meter_provider is True else settings.meter_provider
    return get_meter("otel_langsmith", __version__, given)
