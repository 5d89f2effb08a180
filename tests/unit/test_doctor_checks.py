"""Each check of the doctor as a table: what it is told → what it says. Nobody is asked anything."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.doctor import CHECKS, diagnose
from otel_langsmith.doctor.failures import failure_of
from otel_langsmith.doctor.situation import Canary, Distribution, Exchange, Plugin, Situation
from otel_langsmith.settings import resolve
from otel_langsmith.wire.reply import Reply

KEY = "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"
SERVICE_KEY = KEY.replace("_pt_", "_sk_")
SECRET = "t0p-s3cret-of-a-gateway"
WORKSPACE = "7f3b1a52-0000-4000-8000-00000000cafe"
RUN = "00000000-0000-0000-1111-222222222222"
NOW = datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=timezone.utc)
INFO = {
    "version": "0.13.0",
    "batch_ingest_config": {"size_limit": 100, "size_limit_bytes": 20_971_520},
    "instance_flags": {"zstd_compression_enabled": True, "gzip_body_enabled": True},
}
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}

Environ = dict[str, str]


def situation(environ: Environ, **known: Any) -> Situation:
    settings, problems = resolve({}, environ)
    return Situation(environ=environ, settings=settings, problems=problems, **known)


def said(check: str, found: Situation) -> list[tuple[str, str]]:
    """The verdicts of one check, each with all that is said, in one text."""
    return [
        (finding.verdict, f"{finding.found} → {finding.remedy}")
        for finding in diagnose(found)
        if finding.check == check
    ]


def only(check: str, found: Situation, verdict: str, *words: str) -> None:
    [(was, text)] = said(check, found)
    assert was == verdict, text
    assert [word for word in words if word not in text] == []


def exchange(
    status: int | None, body: Any = None, *, took_s: float = 0.02, **more: Any
) -> Exchange:
    text = body if isinstance(body, str) else json.dumps(body)
    return Exchange(
        Reply(status, more.get("headers", JSON), text, more.get("error", "")), NOW, took_s
    )


def packages(*texts: str) -> dict[str, Distribution]:
    """``name version requirement|requirement`` each."""
    rows = [(*text.split(" ", 2), "")[:3] for text in texts]
    return {
        name: Distribution(name, version, tuple(filter(None, requires.split("|"))))
        for name, version, requires in rows
    }


def plugins(group: str, *names: str) -> tuple[Plugin, ...]:
    """``name`` or ``name@distribution`` each."""
    pairs = [name.partition("@") for name in names]
    return tuple(Plugin(group, name, distribution or name) for name, _, distribution in pairs)


SELF_HOSTED = {"LANGSMITH_ENDPOINT": "https://smith.example.com/api"}
LOCAL = {"LANGSMITH_ENDPOINT": "http://127.0.0.1:1984"}

ACCOUNT = [
    ("settings", {}, "ok", ["every variable"]),
    ("settings", {"LANGSMITH_TIMEOUT": "soon"}, "error", ["LANGSMITH_TIMEOUT", "soon"]),
    (
        "settings",
        {"LANGSMITH_PROJECT": "a", "LANGCHAIN_PROJECT": "b"},
        "warning",
        ["LANGSMITH_PROJECT and LANGCHAIN_PROJECT differ"],
    ),
    ("settings", {"LANGSMITH_PROJECT": "a", "LANGCHAIN_PROJECT": '"a"'}, "ok", []),
    ("settings", {"LANGSMITH_API_URL": "x"}, "warning", ["LANGSMITH_ENDPOINT?"]),
    (
        "settings",
        {"OTEL_EXPORTER_LANGSMITH_ENDPONT": "x"},
        "warning",
        ["did you mean OTEL_EXPORTER_LANGSMITH_ENDPOINT?"],
    ),
    ("settings", {"OTEL_EXPORTER_LANGSMITH_QQQ": "x"}, "warning", ["nothing reads"]),
    ("key", {}, "error", ["LANGSMITH_API_KEY is not set", "settings page"]),
    ("key", LOCAL, "error", ["any text will do", "LANGSMITH_API_KEY=local"]),
    ("key", {"LANGSMITH_API_KEY": KEY}, "ok", ["personal access token"]),
    ("key", {"LANGCHAIN_API_KEY": SERVICE_KEY}, "ok", ["LANGCHAIN_API_KEY", "service key"]),
    ("key", {"LANGSMITH_API_KEY": KEY[:-15]}, "warning", ["copied whole"]),
    ("key", {"LANGSMITH_API_KEY": "ls__0123456789abcdef"}, "warning", ["old kind"]),
    ("key", {"LANGSMITH_API_KEY": "sk-ant-api03-0123"}, "error", ["Anthropic"]),
    ("key", {"LANGSMITH_API_KEY": "sk-proj-0123"}, "error", ["OpenAI"]),
    ("key", {"LANGSMITH_API_KEY": "sk-lf-0123"}, "error", ["Langfuse"]),
    ("key", {"LANGSMITH_API_KEY": f"Bearer {KEY}"}, "error", ["white space", "Bearer"]),
    ("key", {"LANGSMITH_API_KEY": "<your-api-key>"}, "error", ["placeholder"]),
    ("key", {"LANGSMITH_API_KEY": "your_langsmith_api_key"}, "error", ["placeholder"]),
    ("key", {"LANGSMITH_API_KEY": "${LANGSMITH_KEY}"}, "error", ["placeholder"]),
    ("key", {"LANGSMITH_API_KEY": "lsv2_pt_..."}, "error", ["placeholder"]),
    ("key", {"LANGSMITH_API_KEY": "clé"}, "error", ["LANGSMITH_API_KEY", "ASCII"]),
    ("key", {"LANGSMITH_API_KEY": "whatever"}, "warning", ["does not look like LangSmith's"]),
    ("key", {"LANGSMITH_API_KEY": "whatever", **SELF_HOSTED}, "ok", ["is set"]),
    ("key", {"LANGSMITH_API_KEY": "xxx", **LOCAL}, "ok", ["is set"]),
    ("key", {"LANGSMITH_HEADERS": f"x-api-key={SECRET}"}, "ok", ["extra headers"]),
    ("endpoint", {}, "ok", ["https://api.smith.langchain.com", "US"]),
    ("endpoint", {"LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com"}, "ok", ["EU"]),
    ("endpoint", {"LANGSMITH_ENDPOINT": "https://apac.api.smith.langchain.com"}, "ok", ["APAC"]),
    ("endpoint", {"LANGSMITH_ENDPOINT": "https://aws.api.smith.langchain.com"}, "ok", ["AWS"]),
    ("endpoint", SELF_HOSTED, "ok", ["self-hosted"]),
    ("endpoint", LOCAL, "ok", ["this machine"]),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "https://eu.smith.langchain.com"},
        "error",
        ["web page", "LANGSMITH_ENDPOINT=https://eu.api.smith.langchain.com"],
    ),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "https://smith.langchain.com/o/1/projects"},
        "error",
        ["=https://api.smith.langchain.com"],
    ),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "https://api.smith.langchain.com/otel/v1/traces"},
        "error",
        ["/otel/v1/traces", "LANGSMITH_ENDPOINT=https://api.smith.langchain.com"],
    ),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "https://smith.example.com/api/v1/runs"},
        "error",
        ["/runs", "=https://smith.example.com/api/v1"],
    ),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "http://smith.example.com/api"},
        "warning",
        ["in the clear", "=https://smith.example.com/api"],
    ),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": "https://us.api.smith.langchain.com"},
        "warning",
        ["no region", "https://apac.api.smith.langchain.com"],
    ),
    ("endpoint", {"LANGSMITH_ENDPOINT": "api.smith"}, "error", ["LANGSMITH_ENDPOINT", "scheme"]),
    (
        "endpoint",
        {"LANGSMITH_ENDPOINT": f"https://me:{SECRET}@smith.example.com"},
        "error",
        ["not shown", "leave out user"],
    ),
    ("workspace", {}, "ok", ["the key's own"]),
    ("workspace", {"LANGSMITH_API_KEY": SERVICE_KEY}, "ok", ["needs LANGSMITH_WORKSPACE_ID"]),
    ("workspace", {"LANGSMITH_WORKSPACE_ID": WORKSPACE}, "ok", [WORKSPACE]),
    ("workspace", {"LANGSMITH_WORKSPACE_ID": "mine"}, "error", ["UUID", "mine"]),
]


@pytest.mark.parametrize(("check", "environ", "verdict", "words"), ACCOUNT)
def test_what_can_be_said_before_anyone_is_asked(
    check: str, environ: Environ, verdict: str, words: list[str]
) -> None:
    only(check, situation(environ), verdict, *words)


ANSWERS = [
    (exchange(200, INFO), "ok", ["20 ms"]),
    (exchange(401, {}), "ok", ["only to a key"]),
    (exchange(403, {"error": "Forbidden"}), "ok", ["HTTP 403"]),
    (exchange(404, {"error": "Not Found"}), "warning", ["no /info", "/api/v1"]),
    (exchange(200, "<html>", headers=HTML), "error", ["web page", "/api/v1"]),
    (exchange(404, "<html>", headers=HTML), "error", ["web page"]),
    (exchange(200, "OK"), "error", ["not as LangSmith does"]),
    (exchange(200, [1]), "error", ["not as LangSmith does"]),
    (exchange(429, {}), "warning", ["quota"]),
    (exchange(503, {}), "error", ["fails (HTTP 503)", "wait"]),
    (
        exchange(301, headers={"location": f"https://me:{SECRET}@x.example:8443/a?key={SECRET}"}),
        "error",
        ["redirects to https://x.example:8443/a,"],
    ),
    (exchange(302, headers={"location": "http://[x"}), "error", ["somewhere else"]),
    (exchange(None, error="ConnectionError: Failed to resolve 'x'"), "error", ["DNS"]),
]


@pytest.mark.parametrize(("info", "verdict", "words"), ANSWERS)
def test_what_answers_is_named(info: Exchange, verdict: str, words: list[str]) -> None:
    only("connection", situation(SELF_HOSTED, info=info), verdict, *words)


@pytest.mark.parametrize("info", [exchange(404, {}), exchange(200, "<html>", headers=HTML)])
def test_the_address_that_works_is_the_remedy(info: Exchange) -> None:
    found = situation(SELF_HOSTED, info=info, elsewhere="https://smith.example.com/api/v1")
    only("connection", found, "error", "LANGSMITH_ENDPOINT=https://smith.example.com/api/v1")


FAILURES = [
    ("ProxyError: HTTPSConnectionPool(): (Caused by ProxyError('Cannot connect", "proxy"),
    ("ConnectionError: (Caused by NameResolutionError(\"Failed to resolve 'proxy.x'", "DNS"),
    ("SSLError: (Caused by SSLError('[SSL: CERTIFICATE_VERIFY_FAILED] certificate", "certificate"),
    ("SSLError: (Caused by SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER]", "not speak TLS"),
    ("SSLError: (Caused by SSLEOFError(8, '[SSL: UNEXPECTED_EOF_WHILE_READING]", "handshake"),
    ("ConnectionError: NewConnectionError('[Errno 111] Connection refused'", "refused"),
    ("ConnectionError: [Errno 101] Network is unreachable", "no route"),
    ("ConnectTimeout: HTTPConnectionPool(host='x', port=80): Max retries exceeded", "in time"),
    ("ReadTimeout: HTTPConnectionPool(host='x', port=80): Read timed out.", "in time"),
    ("ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end", "hung up"),
    ("ConnectionError: ('Connection aborted.', BadStatusLine('SSH-2.0", "hung up"),
    ("InvalidURL: Failed to parse: http://[x", "cannot be used"),
    ("InvalidHeader: Invalid leading whitespace, reserved character(s)", "header"),
    (f"Strange: {SECRET}", "Strange"),
]


@pytest.mark.parametrize(("text", "meaning"), FAILURES)
def test_a_failure_is_a_plain_sentence(text: str, meaning: str) -> None:
    sentence, remedy = failure_of(text)
    assert meaning in sentence
    assert remedy
    assert SECRET not in sentence


def info_with(**changes: Any) -> Exchange:
    return exchange(200, {**INFO, **changes})


@pytest.mark.parametrize(
    ("info", "environ", "verdict", "words"),
    [
        (info_with(), {}, "ok", ["0.13.0", "100 runs", "20 MiB", "zstd and gzip"]),
        (info_with(batch_ingest_config=None), {}, "ok", ["tells no limits"]),
        (info_with(instance_flags={}), {}, "ok", ["no compression"]),
        (
            info_with(instance_flags={}),
            {"LANGSMITH_COMPRESSION": "gzip"},
            "warning",
            ["takes gzip", "COMPRESSION=none"],
        ),
        (
            info_with(batch_ingest_config={"size_limit": 50}),
            {},
            "warning",
            ["OTEL_EXPORTER_LANGSMITH_MAX_BATCH_RUNS=50"],
        ),
        (
            info_with(batch_ingest_config={"size_limit_bytes": 1_000_000}),
            {},
            "warning",
            ["OTEL_EXPORTER_LANGSMITH_MAX_BATCH_BYTES=1000000"],
        ),
        (
            info_with(batch_ingest_config={"use_multipart_endpoint": False}),
            {},
            "warning",
            ["/runs/multipart"],
        ),
        (info_with(license_expiration_time="2025-01-01T00:00:00Z"), {}, "warning", ["licence"]),
        (info_with(license_expiration_time="2099-01-01T00:00:00"), {}, "ok", []),
        (info_with(license_expiration_time="never"), {}, "ok", []),
        (exchange(403), {}, "skipped", []),
        (None, {}, "skipped", []),
    ],
)
def test_what_the_server_takes_is_held_against_the_settings(
    info: Exchange | None, environ: Environ, verdict: str, words: list[str]
) -> None:
    only("server", situation(environ, info=info), verdict, *words)


UP = exchange(200, INFO)
FORBIDDEN = exchange(403, {"error": "Forbidden"})
NEEDS_WORKSPACE = exchange(403, {"error": "org_scoped_key_requires_workspace"})


@pytest.mark.parametrize(
    ("account", "environ", "verdict", "words"),
    [
        (exchange(200, []), {}, "ok", ["accepted"]),
        (FORBIDDEN, {}, "error", ["HTTP 403", "https://eu.api.smith.langchain.com"]),
        (
            FORBIDDEN,
            {"LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com"},
            "error",
            ["another region", "https://api.smith.langchain.com"],
        ),
        (FORBIDDEN, {"LANGSMITH_WORKSPACE_ID": WORKSPACE}, "error", ["LANGSMITH_WORKSPACE_ID"]),
        (exchange(401, {}), SELF_HOSTED, "error", ["cloud is not one of this server's"]),
        (NEEDS_WORKSPACE, {}, "error", ["several workspaces", "LANGSMITH_WORKSPACE_ID"]),
        (exchange(404, {}), {}, "skipped", ["HTTP 404"]),
        (exchange(418, {}), {}, "warning", ["HTTP 418"]),
        (exchange(500, {}), {}, "error", ["HTTP 500"]),
        (exchange(200, "<html>", headers=HTML), {}, "error", ["web page"]),
        (None, {}, "skipped", ["no usable key"]),
    ],
)
def test_whether_the_key_is_taken(
    account: Exchange | None, environ: Environ, verdict: str, words: list[str]
) -> None:
    only("account", situation(environ, info=UP, account=account), verdict, *words)


@pytest.mark.parametrize(
    ("skew_s", "took_s", "verdict", "words"),
    [
        (0, 0.1, "ok", []),
        (2, 0.1, "ok", []),
        (-2, 0.1, "ok", []),
        (5, 0.1, "warning", ["5 s ahead of"]),
        (-90, 0.1, "warning", ["90 s behind", "NTP"]),
        (4, 4.0, "ok", []),
    ],
)
def test_the_clock_is_held_against_the_servers(
    skew_s: float, took_s: float, verdict: str, words: list[str]
) -> None:
    theirs = NOW - timedelta(seconds=skew_s)
    headers = {**JSON, "date": format_datetime(theirs, usegmt=True)}
    found = situation({}, info=exchange(200, INFO, took_s=took_s, headers=headers))
    only("clock", found, verdict, *words)


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Nov 2026 12:00:00 GMT"])
def test_a_server_that_does_not_tell_the_time(date: str) -> None:
    only("clock", situation({}, info=exchange(200, INFO, headers={"date": date})), "skipped")


DELIVERED = Canary(RUN, Reply(202), Ledger(received=1, delivered=1))
LOST = Ledger(received=1, dropped={"http_403": 1})


@pytest.mark.parametrize(
    ("canary", "account", "verdict", "words"),
    [
        (DELIVERED, UP, "ok", [RUN, "'default'"]),
        (None, UP, "skipped", ["--no-canary"]),
        (None, None, "skipped", ["no usable key"]),
        (Canary("", None, Ledger()), UP, "error", ["OTEL_SDK_DISABLED"]),
        (Canary(RUN, Reply(403), LOST), UP, "error", ["the key is refused (HTTP 403)"]),
        (Canary(RUN, Reply(403), LOST), FORBIDDEN, "error", ["as well", "see account"]),
        (Canary(RUN, Reply(404), LOST), UP, "error", ["/runs/multipart"]),
        (Canary(RUN, Reply(422), LOST), UP, "error", ["HTTP 422"]),
        (Canary(RUN, Reply(503), LOST), UP, "error", ["HTTP 503", "wait"]),
        (Canary(RUN, Reply(200, HTML), LOST), UP, "error", ["web page"]),
        (Canary(RUN, Reply(None, error="ReadTimeout: "), LOST), UP, "error", ["in time"]),
        (Canary(RUN, None, LOST), UP, "error", ["never sent"]),
    ],
)
def test_what_became_of_the_run(
    canary: Canary | None, account: Exchange | None, verdict: str, words: list[str]
) -> None:
    only("canary", situation({}, info=UP, account=account, canary=canary), verdict, *words)


def test_a_key_that_may_send_but_not_read_is_no_problem() -> None:
    found = situation({}, info=UP, account=FORBIDDEN, canary=DELIVERED)
    only("account", found, "ok", "may send, but not read")


@pytest.mark.parametrize(
    ("read_back", "verdict", "words"),
    [
        (exchange(200, {"id": RUN, "trace_id": RUN}), "ok", ["own id"]),
        (exchange(200, {"id": WORKSPACE}), "warning", ["another id"]),
        (exchange(404, {}), "warning", ["cannot be read yet", "'default'"]),
        (FORBIDDEN, "skipped", ["HTTP 403"]),
        (exchange(405, {}), "skipped", ["HTTP 405"]),
        (exchange(None, error="ReadTimeout: x"), "warning", ["ReadTimeout"]),
        (None, "skipped", []),
    ],
)
def test_what_became_of_it_later(
    read_back: Exchange | None, verdict: str, words: list[str]
) -> None:
    canary = replace(DELIVERED, read_back=read_back)
    only("read-back", situation({}, canary=canary), verdict, *words)


OURS = "otel-langsmith 0.1.0 opentelemetry-sdk<2,>=1.42|click>=8.1; extra == 'local'"
API, SDK = "opentelemetry-api 1.45.1", "opentelemetry-sdk 1.45.1"
FLASK = "opentelemetry-instrumentation-flask 0.66b1 opentelemetry-semantic-conventions==0.66b1"
HTTPX = "opentelemetry-instrumentation-httpx 0.66b1"


@pytest.mark.parametrize(
    ("check", "installed", "verdict", "words"),
    [
        ("versions", [OURS, API, SDK], "ok", ["Python 3.10.0", "1.45.1", "0.1.0"]),
        (
            "versions",
            [OURS, "opentelemetry-api 1.41.0", "opentelemetry-sdk 1.41.0"],
            "error",
            ["opentelemetry-sdk 1.41.0", "<2,>=1.42"],
        ),
        (
            "versions",
            [OURS, "opentelemetry-api 2.0", "opentelemetry-sdk 2.0"],
            "error",
            ["opentelemetry-sdk 2.0"],
        ),
        ("versions", [OURS], "error", ["opentelemetry-sdk is not installed"]),
        ("versions", [OURS, "opentelemetry-api 1.44.0", SDK], "warning", ["beside"]),
        ("packages", [API, SDK], "ok", []),
        ("packages", ["httpx 0.28.1", HTTPX], "ok", []),
        ("packages", ["httpx 1.0.dev6"], "ok", []),
        ("packages", ["httpx 1.0.dev6", HTTPX], "error", ["1.0.dev6", "httpx<1"]),
        ("packages", [FLASK, "opentelemetry-semantic-conventions 0.66b1"], "ok", []),
        ("packages", [FLASK], "ok", []),
        (
            "packages",
            [FLASK, "opentelemetry-semantic-conventions 0.66b2"],
            "warning",
            ["flask wants opentelemetry-semantic-conventions 0.66b1", "0.66b2 is installed"],
        ),
        ("native-tracing", [], "ok", ["not installed"]),
    ],
)
def test_what_is_installed(
    check: str, installed: list[str], verdict: str, words: list[str]
) -> None:
    only(check, situation({}, installed=packages(*installed)), verdict, *words)


def test_an_old_python_is_named() -> None:
    found = situation({}, python=(3, 9, 7), installed=packages(OURS, API, SDK))
    only("versions", found, "error", "Python 3.9.7")


PROPAGATORS = plugins("opentelemetry_propagator", "tracecontext", "baggage", "b3", "langsmith")
EXPORTERS = plugins("opentelemetry_traces_exporter", "langsmith", "otlp_proto_grpc")
DISTROS = plugins("opentelemetry_distro", "distro", "other_distro")
OPENAI = plugins(
    "opentelemetry_instrumentor",
    "openai@opentelemetry-instrumentation-genai-openai",
    "openai_oi@openinference-instrumentation-openai",
    "flask@opentelemetry-instrumentation-flask",
)
LANGSMITH = "langsmith 0.14.17"
UTIL = "opentelemetry-util-genai 1.3b0"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"

AROUND = [
    ("distro", {}, "ok", ["none installed"], []),
    ("distro", {"OTEL_PYTHON_DISTRO": "distro"}, "ok", ["distro"], DISTROS),
    ("distro", {}, "warning", ["distro, other_distro", "OTEL_PYTHON_DISTRO="], DISTROS),
    ("exporter", {}, "ok", ["OTEL_TRACES_EXPORTER=langsmith"], EXPORTERS),
    ("exporter", {"OTEL_TRACES_EXPORTER": "langsmith, otlp"}, "ok", ["langsmith,otlp"], EXPORTERS),
    ("exporter", {"OTEL_TRACES_EXPORTER": "otlp"}, "warning", ["leaves langsmith out"], EXPORTERS),
    ("exporter", {"OTEL_TRACES_EXPORTER": "none"}, "warning", ["leaves langsmith out"], EXPORTERS),
    ("exporter", {"OTEL_CONFIG_FILE": "otel.yaml"}, "ok", ["OTEL_CONFIG_FILE"], EXPORTERS),
    ("propagators", {}, "ok", ["OTEL_PROPAGATORS=tracecontext,baggage,langsmith"], PROPAGATORS),
    (
        "propagators",
        {"OTEL_PROPAGATORS": "tracecontext, baggage, langsmith"},
        "ok",
        ["tracecontext,baggage,langsmith"],
        PROPAGATORS,
    ),
    ("propagators", {"OTEL_PROPAGATORS": "langsmith"}, "ok", [], PROPAGATORS),
    (
        "propagators",
        {"OTEL_PROPAGATORS": "tracecontext,b3"},
        "warning",
        ["leaves langsmith out", "=tracecontext,b3,langsmith"],
        PROPAGATORS,
    ),
    (
        "propagators",
        {"OTEL_PROPAGATORS": "langsmith,tracecontext,baggage"},
        "warning",
        ["before tracecontext and baggage", "=tracecontext,baggage,langsmith"],
        PROPAGATORS,
    ),
    (
        "propagators",
        {"OTEL_PROPAGATORS": "tracecontext,langsmith,b3"},
        "warning",
        ["not last, but before b3", "=tracecontext,b3,langsmith"],
        PROPAGATORS,
    ),
    ("propagators", {"OTEL_PROPAGATORS": "none"}, "error", ["none"], PROPAGATORS),
    (
        "propagators",
        {"OTEL_PROPAGATORS": "tracecontext,LangSmith"},
        "error",
        ["names LangSmith", "write langsmith"],
        PROPAGATORS,
    ),
    ("propagators", {"OTEL_PROPAGATORS": "jaeger"}, "error", ["b3, baggage"], PROPAGATORS),
    ("propagators", {"OTEL_PROPAGATORS": KEY}, "error", ["not shown"], PROPAGATORS),
    ("native-tracing", {}, "ok", ["off"], []),
    ("native-tracing", {"LANGSMITH_TRACING": "True"}, "ok", ["off"], []),
    ("native-tracing", {"LANGSMITH_TRACING": "true"}, "warning", ["LANGSMITH_TRACING=true"], []),
    (
        "native-tracing",
        {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "false"},
        "ok",
        ["off"],
        [],
    ),
    ("native-tracing", {"LANGCHAIN_TRACING_V2": "true"}, "warning", ["LANGCHAIN_TRACING_V2"], []),
    (
        "native-tracing",
        {"LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "1"},
        "warning",
        ["unset LANGSMITH_OTEL_ENABLED", "twice"],
        [],
    ),
    (
        "native-tracing",
        {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "hybrid"},
        "warning",
        ["unset LANGSMITH_TRACING_MODE", "twice"],
        [],
    ),
    (
        "native-tracing",
        {"LANGSMITH_TRACING": "true", "LANGCHAIN_OTEL_ONLY": "1", "LANGSMITH_OTEL_ENABLED": "1"},
        "warning",
        ["under other ids", "unset LANGCHAIN_OTEL_ONLY", "missing its parent"],
        [],
    ),
    (
        "native-tracing",
        {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_TRACING_MODE": "LangSmith",
            "LANGSMITH_OTEL_ENABLED": "1",
        },
        "warning",
        ["traces this process as well"],
        [],
    ),
    ("second-exporter", {}, "ok", [], []),
    ("second-exporter", {OTLP: "https://collector.example.com"}, "ok", [], []),
    ("second-exporter", {OTLP: "http://[x"}, "ok", [], []),
    (
        "second-exporter",
        {OTLP: "https://eu.api.smith.langchain.com/otel"},
        "warning",
        [f"unset {OTLP}", "twice"],
        [],
    ),
    (
        "second-exporter",
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://smith.example.com/otel", **SELF_HOSTED},
        "warning",
        ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        [],
    ),
    (
        "second-exporter",
        {OTLP: "https://api.smith.langchain.com/otel", "OTEL_TRACES_EXPORTER": "langsmith"},
        "ok",
        ["leaves otlp out"],
        [],
    ),
    (
        "second-exporter",
        {OTLP: "https://api.smith.langchain.com/otel", "OTEL_TRACES_EXPORTER": "otlp,langsmith"},
        "warning",
        ["twice"],
        [],
    ),
    ("instrumentations", {}, "ok", ["none installed"], []),
    ("instrumentations", {}, "ok", ["flask"], OPENAI[2:]),
    (
        "instrumentations",
        {},
        "warning",
        ["openinference-instrumentation-openai", "recorded 2 times"],
        OPENAI,
    ),
    ("instrumentations", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai"}, "ok", [], OPENAI),
    ("instrumentations", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}, "ok", [], OPENAI),
    ("content", {}, "ok", ["not captured", f"{CAPTURE}=span_only"], []),
    ("content", {CAPTURE: "SPAN_ONLY"}, "ok", ["span_only"], []),
    ("content", {CAPTURE: "event_only"}, "ok", ["log events"], []),
    ("content", {CAPTURE: "false"}, "ok", ["not captured"], []),
    ("packages", {"OTEL_PYTHON_CONTEXT": "ddcontextvars_context"}, "warning", ["ddtrace"], []),
]


@pytest.mark.parametrize(("check", "environ", "verdict", "words", "plugged"), AROUND)
def test_what_else_is_around(
    check: str, environ: Environ, verdict: str, words: list[str], plugged: tuple[Plugin, ...]
) -> None:
    installed = packages(LANGSMITH, UTIL)
    found = situation(environ, installed=installed, plugins=tuple(plugged))
    only(check, found, verdict, *words)


def test_nothing_that_captures_content_is_nothing_to_say() -> None:
    only("content", situation({}), "skipped")


@pytest.mark.parametrize(
    "environ",
    [
        {"TRACELOOP_TRACE_CONTENT": "false"},
        {"OPENINFERENCE_HIDE_INPUTS": "true"},
        {"LANGSMITH_HIDE_OUTPUTS": "true"},
    ],
)
def test_what_withholds_content_is_a_hint(environ: Environ) -> None:
    only("content", situation(environ), "ok", "withholds content")


def test_what_the_distro_wants_beside_traces_must_be_there() -> None:
    """Its defaults are OTLP for all signals, and one that is missing costs the others."""
    chosen = {"OTEL_TRACES_EXPORTER": "langsmith"}
    distro = EXPORTERS + plugins("opentelemetry_distro", "distro")
    verdicts, texts = zip(*said("exporter", situation(chosen, plugins=distro)), strict=True)
    assert verdicts == ("error", "error", "ok")
    assert "OTEL_METRICS_EXPORTER=none" in texts[0]
    assert "OTEL_LOGS_EXPORTER=none" in texts[1]

    none = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    only("exporter", situation({**chosen, **none}, plugins=distro), "ok")
    otlp = [
        *plugins("opentelemetry_metrics_exporter", "otlp_proto_grpc"),
        *plugins("opentelemetry_logs_exporter", "otlp_proto_grpc"),
    ]
    only("exporter", situation(chosen, plugins=(*distro, *otlp)), "ok")


@pytest.mark.parametrize(
    ("environ", "verdicts", "words"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, ["error", "ok"], ["OTEL_SDK_DISABLED"]),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, ["warning", "ok"], ["always_off"]),
        ({"OTEL_TRACES_EXPORTER": "LangSmith"}, ["error", "warning"], ["write langsmith"]),
        (
            {
                "OTEL_TRACES_EXPORTER": "langsmith,otlp",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            ["error", "ok"],
            ["names otlp, which is not installed"],
        ),
        (
            {"OTEL_TRACES_EXPORTER": "langsmith", "OTEL_METRICS_EXPORTER": "prometheus"},
            ["error", "ok"],
            ["OTEL_METRICS_EXPORTER names prometheus", "OTEL_METRICS_EXPORTER=none"],
        ),
    ],
)
def test_one_check_may_find_several_things(
    environ: Environ, verdicts: list[str], words: list[str]
) -> None:
    seen = said("exporter", situation(environ, plugins=EXPORTERS))
    assert [verdict for verdict, _ in seen] == verdicts
    assert [word for word in words if word not in seen[0][1]] == []


def test_every_check_has_something_to_say() -> None:
    checks = [finding.check for finding in diagnose(situation({}))]
    assert list(dict.fromkeys(checks)) == [name for name, _ in CHECKS]


NAMES = (
    *("LANGSMITH_API_KEY", "LANGSMITH_ENDPOINT", "LANGSMITH_WORKSPACE_ID", "LANGSMITH_HEADERS"),
    *("LANGSMITH_TIMEOUT", "LANGSMITH_COMPRESSION", "OTEL_PROPAGATORS", "OTEL_TRACES_EXPORTER"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_PYTHON_DISTRO", CAPTURE),
    *("LANGSMITH_TRACING", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "LANGSMITH_HIDE_INPUTS"),
)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)), st.text(max_size=80))
def test_nothing_that_is_said_makes_a_check_fail(environ: Environ, text: str) -> None:
    reply = exchange(200, text, headers={"date": text, "location": text})
    canary = Canary(RUN, reply.reply, Ledger(received=1, delivered=1), reply)
    diagnose(situation(environ, info=reply, account=reply, canary=canary, plugins=PROPAGATORS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [KEY, f"https://me:{KEY}@host/{KEY}", f"x-api-key={KEY}"])
def test_a_key_in_the_wrong_variable_is_not_repeated(name: str, text: str) -> None:
    findings = diagnose(situation({name: text}, installed=packages(LANGSMITH, UTIL)))
    assert KEY not in str(findings)


def test_a_server_that_repeats_the_key_is_not_quoted() -> None:
    environ = {"LANGSMITH_API_KEY": KEY, "LANGSMITH_HEADERS": f"x-gateway={SECRET}"}
    info = info_with(version=f"{SECRET} {KEY}")
    moved = exchange(302, headers={"location": f"https://x/{KEY}/{SECRET}"})
    for found in (situation(environ, info=info), situation(environ, info=moved, account=moved)):
        assert KEY[:40] not in str(diagnose(found))
        assert SECRET not in str(diagnose(found))
        assert SECRET not in repr(found)
