"""Real sockets, real faults: no export outlasts its timeout, and what can arrive does."""

import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from support import faulty_server as faults
from support.delivery import give_time
from support.faulty_server import Fault, faulty_server
from support.spans import span

from otel_langsmith import LangSmithSpanExporter

pytestmark = pytest.mark.programs

MEMORY = Path(__file__).parent / "support" / "black_hole.py"

TIMEOUT_S = 0.3
SLOW_MACHINE_S = 20.0
"""Much more than any machine takes, and much less than a fault that is waited for."""

FAULTS = {
    "reset at once": faults.reset_at_once,
    "reset mid-body": faults.reset_mid_body,
    "reset after the request": faults.reset_after_request,
    "reset mid-status": faults.reset_mid_status,
    "stall": faults.stall,
    "stall after the request": faults.stall_after_request,
    "drip": faults.drip,
    "500": faults.answer(500),
    "503 with a web page": faults.answer(503, "Content-Type: text/html"),
    "429": faults.answer(429),
    "403": faults.answer(403),
    "half a refusal": faults.half_a_refusal,
    "moved": faults.answer(301, "Location: https://127.0.0.1:1/", "Content-Type: text/html"),
    "a redirect": faults.answer(302, "Location: http://127.0.0.1:1/"),
    "a login page": faults.answer(200, "Content-Type: text/html"),
    "404": faults.answer(404),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_bounded_and_costs_nothing_once_it_is_over(fault: Fault) -> None:
    with faulty_server(fault) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k", timeout=TIMEOUT_S)
        began = time.monotonic()
        exporter.export([span(1), span(2)])
        exporter.export([span(3)])
        assert time.monotonic() - began < 2 * TIMEOUT_S + SLOW_MACHINE_S
        assert exporter.ledger().queued == 3
        server.healed.set()
        give_time(exporter._pipeline)
        exporter.shutdown(60_000)
        assert exporter.ledger().delivered == 3


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_shutdown_keeps_its_timeout_and_counts_what_is_lost(fault: Fault) -> None:
    with faulty_server(fault) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k", timeout=TIMEOUT_S)
        exporter.export([span(1), span(2)])
        began = time.monotonic()
        exporter.shutdown(200)
        assert time.monotonic() - began < 0.2 + SLOW_MACHINE_S
        assert exporter.ledger().lost == 2


def test_a_certificate_that_nobody_trusts_is_an_outage() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(faults.CERTIFICATE)
    with faulty_server(faults.stall, tls) as server, requests.Session() as session:
        server.healed.set()
        session.trust_env = False
        exporter = LangSmithSpanExporter(
            endpoint=server.url, api_key="k", timeout=TIMEOUT_S, session=session
        )
        exporter.export([span(1)])
        assert exporter.ledger().queued == 1
        session.verify = faults.CERTIFICATE
        give_time(exporter._pipeline)
        assert exporter.force_flush(60_000)
        exporter.shutdown()


OUT_OF_REACH = {
    "TLS that stalls": (faults.stall, "https://127.0.0.1:"),
    "no TLS there": (faults.answer(400), "https://127.0.0.1:"),
    "no such name": (faults.stall, "http://langsmith.invalid:"),
}


@pytest.mark.parametrize(("fault", "host"), OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_what_is_out_of_reach_is_an_outage_too(fault: Fault, host: str) -> None:
    with faulty_server(fault) as server:
        url = host + server.url.rpartition(":")[2]
        exporter = LangSmithSpanExporter(endpoint=url, api_key="k", timeout=TIMEOUT_S)
        began = time.monotonic()
        exporter.export([span(1)])
        assert exporter.ledger().queued == 1
        exporter.shutdown(200)
        assert time.monotonic() - began < SLOW_MACHINE_S + 10  # a name server takes its own time
        assert exporter.ledger().lost == 1


def test_a_reply_that_lies_about_its_length_is_a_reply_all_the_same() -> None:
    lie = b"HTTP/1.1 202 Accepted\r\nContent-Length: 999\r\n\r\n{}"
    with faulty_server(lambda connection: connection.sendall(lie)) as server:
        exporter = LangSmithSpanExporter(endpoint=server.url, api_key="k")
        exporter.export([span(1)])
        assert exporter.ledger().delivered == 1


@pytest.mark.parametrize("face", ["processor", "exporter"])
@pytest.mark.parametrize(
    "offered", [30_000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_black_hole_costs_little_memory(face: str, offered: int) -> None:
    """With the defaults. OpenTelemetry's own queue, in front of the exporter, drops most."""
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, MEMORY, face, str(offered)], capture_output=True, text=True, check=True
    )
    rise_mib, received, accounted = map(int, done.stdout.split())
    assert received == accounted
    assert received == offered or face == "exporter"
    assert rise_mib <= 96
