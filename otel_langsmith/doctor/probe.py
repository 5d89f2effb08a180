"""Collects what the checks look at: from this Python, from the server, and with one run.

The only part of the doctor that touches the world. It decides nothing but whom to ask next.
"""

import importlib
import platform
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib.metadata import distributions, entry_points
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from otel_langsmith.delivery.clock import SystemClock
from otel_langsmith.delivery.server import USER_AGENT, headers_of
from otel_langsmith.delivery.transport import HttpTransport, Request, Transport
from otel_langsmith.doctor.account import KEY_HEADERS, key
from otel_langsmith.doctor.server import answers, document
from otel_langsmith.doctor.situation import Canary, Distribution, Exchange, Plugin, Situation
from otel_langsmith.feedback import run_id
from otel_langsmith.keys import destinations
from otel_langsmith.pipeline import Pipeline
from otel_langsmith.settings import Settings, resolve
from otel_langsmith.version import __version__
from otel_langsmith.wire.reply import Reply

CANARY: Final = "otel-langsmith doctor"
"""What the run that is sent is called."""

READ_BACK_S: Final = 5.0
"""How long LangSmith may take to file a run before the doctor stops looking for it."""

_GROUPS: Final = (
    "opentelemetry_distro",
    "opentelemetry_configurator",
    "opentelemetry_instrumentor",
    "opentelemetry_propagator",
    "opentelemetry_traces_exporter",
    "opentelemetry_metrics_exporter",
    "opentelemetry_logs_exporter",
)
_ATTRIBUTES: Final = {
    "langsmith.span.kind": "chain",
    "langsmith.span.tags": "otel-langsmith-doctor",
    "langsmith.metadata.sent_by": f"otel-langsmith doctor {__version__}",
    "langsmith.metadata.python": platform.python_version(),
}
_MOST_NEIGHBOURS: Final = 5
_FIRST_PAUSE_S: Final = 0.2


def examine(environ: Mapping[str, str], *, timeout_s: float, send: bool) -> Situation:
    """Everything that the checks look at.

    Args:
        environ: Like ``os.environ``. That the SDK reads some variables itself is not changed.
        timeout_s: Seconds that one request may take.
        send: Whether to send a run.
    """
    settings, problems = resolve({}, environ)
    each = destinations(settings)
    situation = Situation(
        environ=environ,
        settings=each[0],
        problems=problems,
        python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
        installed=_installed(),
        plugins=tuple(_plugins()),
    )
    asked = []
    for one in each:
        with Line(one, timeout_s) as line:
            asked.append(line.asked(replace(situation, settings=one), send=send))
    return replace(asked[0], others=tuple(asked[1:]))


def _installed() -> Mapping[str, Distribution]:
    """What is installed, by name; what lies earlier on the path shadows what lies later."""
    found: dict[str, Distribution] = {}
    for one in distributions():
        about = one.metadata  # is parsed anew at each look
        if "Name" in about and "Version" in about:  # a broken one lacks them
            name = _normal(about["Name"])
            requires = about.get_all("Requires-Dist") or one.requires or ()
            found.setdefault(name, Distribution(name, about["Version"], tuple(requires)))
    return found


def _plugins() -> Iterator[Plugin]:
    points = entry_points()  # reads all there are, whatever group is asked for
    for group in _GROUPS:
        for point in points.select(group=group):
            yield Plugin(group, point.name, _normal(point.dist.name) if point.dist else "")


def _normal(name: str) -> str:
    """The name in the one form in which names are compared.

    Spec: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


class Line:
    """A connection to the LangSmith of the settings, to ask it this and that."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._transport = HttpTransport()

    def __enter__(self) -> "Line":  # noqa: PYI034 - typing.Self needs Python 3.11
        # Takes 80 ms, which would count as the server's.
        importlib.import_module("requests")
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def asked(self, situation: Situation, *, send: bool) -> Situation:
        """The situation with what was answered.

        The key is shown only to who may be LangSmith, and not if it seems to be another's.
        """
        endpoint = self._settings.endpoint
        if endpoint is None:
            return situation
        info = self._get(f"{endpoint}/info")
        situation = replace(situation, info=info)
        if document(info.reply) is None and info.reply.status is not None:
            situation = replace(situation, elsewhere=self._elsewhere(endpoint))
        usable = all(seen.verdict != "error" for seen in key(situation))
        if not answers(info.reply) or situation.elsewhere or not usable:
            return situation
        account = self._get(f"{endpoint}/sessions?limit=1", headers_of(self._settings))
        situation = replace(situation, account=account)
        return replace(situation, canary=self._canary()) if send else situation

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Exchange:
        plain = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        request = Request("GET", url, {**plain, **(headers or self._public())}, b"")
        began_s = time.monotonic()
        reply = self._transport.send(request, self._timeout_s)
        took_s = time.monotonic() - began_s
        return Exchange(reply, datetime.now(timezone.utc) - timedelta(seconds=took_s / 2), took_s)

    def _public(self) -> Mapping[str, str]:
        """The headers a gateway may want, without those that LangSmith takes for credentials."""
        said = self._settings.headers.items()
        return {name: value for name, value in said if name.lower() not in KEY_HEADERS}

    def _elsewhere(self, endpoint: str) -> str | None:
        """The first address of the same host that answers as LangSmith."""
        for address in _neighbours(endpoint):
            if _is_langsmith(self._get(f"{address}/info").reply):
                return address
        return None

    def _canary(self) -> Canary:
        """One run, through all that a run of an application goes through."""
        sent_id, spans = _span()
        witness = _Witness(self._transport)
        settings = replace(self._settings, timeout=self._timeout_s, endpoints=())
        pipeline = Pipeline(settings, lambda: witness, SystemClock())
        pipeline.export(spans)
        pipeline.close(0)
        sent = Canary(sent_id, witness.last, pipeline.ledger())
        return replace(sent, read_back=self._read(sent_id)) if sent.ledger.delivered else sent

    def _read(self, sent_id: str) -> Exchange:
        """The run as LangSmith tells it; asked for again while it is not filed yet."""
        url = f"{self._settings.endpoint}/runs/{sent_id}"
        pause_s, until_s = _FIRST_PAUSE_S, time.monotonic() + min(READ_BACK_S, self._timeout_s)
        while True:
            exchange = self._get(url, headers_of(self._settings))
            unfiled = exchange.reply.status == 404  # noqa: PLR2004
            if not unfiled or time.monotonic() + pause_s > until_s:
                return exchange
            time.sleep(pause_s)
            pause_s *= 2


class _Witness:
    """A transport that remembers the last reply."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self.last: Reply | None = None

    def send(self, request: Request, timeout_s: float) -> Reply:
        reply = self._transport.send(request, timeout_s)
        with self._lock:
            self.last = reply
        return reply

    def close(self) -> None:
        self._transport.close()

    def hang_up(self) -> None:
        self._transport.hang_up()


def _span() -> tuple[str, list[ReadableSpan]]:
    """An ended span of the real SDK and the id of its run; nothing where the SDK makes none."""
    try:
        provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    except ValueError:  # a limit in the environment that is none
        return "", []
    tracer = provider.get_tracer("otel_langsmith.doctor", __version__)
    span = tracer.start_span(CANARY, Context(), attributes=_ATTRIBUTES)
    span.end()
    return (str(run_id(span)), [span]) if isinstance(span, ReadableSpan) else ("", [])


def _neighbours(endpoint: str) -> list[str]:
    """What the endpoint may have been meant to be: less of its path, or a self-hosted prefix."""
    parts = urlsplit(endpoint)
    segments = parts.path.split("/")
    shorter = ["/".join(segments[:count]) for count in range(len(segments) - 1, 0, -1)]
    paths = dict.fromkeys([*shorter, "/api", "/api/v1"])
    addresses = [f"{parts.scheme}://{parts.netloc}{path}" for path in paths]
    return [address for address in addresses[-_MOST_NEIGHBOURS:] if address != endpoint]


def _is_langsmith(reply: Reply) -> bool:
    told = document(reply)
    return told is not None and "version" in told
