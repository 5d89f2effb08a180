"""OpenTelemetry's metrics of exporters, ``otel.sdk.exporter.*``, if the settings ask for them.

Spec: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
"""

from __future__ import annotations

import logging
import threading
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from otel_langsmith.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Counter, Histogram, MeterProvider, UpDownCounter

    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.reply import Reply

COMPONENT: Final = "langsmith_span_exporter"

_log: Final = logging.getLogger("otel_langsmith")

_ports: Final = {"http": 80, "https": 443}
_numbers: Final = count()


class Telemetry:
    """Counts spans and times requests; does nothing unless the settings ask for it.

    The instruments are made at the first use, by whoever delivers then: a provider that raises
    costs no application its start, and one whose lock was held at a fork does not hang the child.
    """

    def __init__(self, settings: Settings) -> None:
        self._given = settings.meter_provider
        self._lock = threading.Lock()
        self._instruments: _Instruments | None = None
        if not self._given:
            return
        where = urlsplit(settings.endpoint or "")
        number = f"{COMPONENT}/{next(_numbers)}"
        self._attributes: dict[str, str | int] = {
            "otel.component.type": COMPONENT,
            "otel.component.name": number,
            "server.address": where.hostname or "",
            "server.port": where.port or _ports.get(where.scheme, 0),
        }

    def began(self, spans: int) -> None:
        """So many spans are being sent."""
        if (instruments := self._made()) is not None:
            _tell(instruments.inflight.add, spans, self._attributes)

    def ended(self, spans: int, took_s: float, reply: Reply, error: str) -> None:
        """They no longer are; ``error`` is empty if LangSmith took them."""
        if (instruments := self._made()) is None:
            return
        _tell(instruments.inflight.add, -spans, self._attributes)
        told: dict[str, str | int] = {"error.type": error} if error else {}
        if reply.status is not None:
            told["http.response.status_code"] = reply.status
        _tell(instruments.duration.record, took_s, {**self._attributes, **told})

    def settled(self, spans: int, error: str = "") -> None:
        """LangSmith has so many spans, or they are lost for the reason that the ledger names."""
        if spans and (instruments := self._made()) is not None:
            told = {"error.type": error} if error else {}
            _tell(instruments.exported.add, spans, {**self._attributes, **told})

    def _made(self) -> _Instruments | None:
        """The instruments; None if nobody wants them, or the provider has none to give."""
        if self._given and self._instruments is None:
            with self._lock:
                self._make()
        return self._instruments

    def _make(self) -> None:
        """Make them, unless another thread was faster."""
        if self._given and self._instruments is None:
            try:
                self._instruments = _instruments(self._given)
            except Exception as error:  # noqa: BLE001 - a provider may be anybody's
                self._given = None
                kind = type(error).__name__
                _log.warning(
                    "meter_provider makes no instruments, so there are no exporter metrics: %s",
                    kind,
                )


class _Instruments(NamedTuple):
    inflight: UpDownCounter
    exported: Counter
    duration: Histogram


def _instruments(given: MeterProvider | bool | None) -> _Instruments:
    from opentelemetry.metrics import get_meter  # noqa: PLC0415 - only if wanted

    provider = None if isinstance(given, bool) else given
    meter = get_meter("otel_langsmith", __version__, provider)
    return _Instruments(
        meter.create_up_down_counter(
            "otel.sdk.exporter.span.inflight", "{span}", "Spans that are being sent"
        ),
        meter.create_counter(
            "otel.sdk.exporter.span.exported", "{span}", "Spans whose fate is known"
        ),
        meter.create_histogram(
            "otel.sdk.exporter.operation.duration", "s", "Requests, their repetitions included"
        ),
    )


def _tell(write: Callable[..., None], amount: float, attributes: dict[str, str | int]) -> None:
    """Write to an instrument that may be anybody's: no run is lost for one that raises."""
    try:
        write(amount, attributes)
    except Exception:  # noqa: BLE001 - see above
        _log.debug("a metric cannot be written", exc_info=True)
