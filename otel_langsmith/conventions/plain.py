"""Spans that have nothing to do with models: HTTP, databases, RPC, messaging, old names and new.

A fallback: what it says is shown as inputs and outputs only where no dialect knows the span.
"""

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from otel_langsmith.conventions.readers import UNREADABLE, as_count, as_text
from otel_langsmith.conventions.rows import Convention, attr, prefix

REDACTED: Final = "REDACTED"
"""The word OpenTelemetry prescribes in place of credentials in a URL."""

_USERINFO: Final = re.compile(r"//[^/?#]*@")
_HOST: Final = re.compile(r"\w+://(?:[^/?#@]*@)?(\[[\w:.]+\]|[\w.-]{1,255})")
_SUSPECT: Final = re.compile(
    "%|auth|code|cred|jwt|key|pass|pwd|secret|sess|sig|token", re.IGNORECASE
)
"""A wider net for whole URLs: most hold none of these, and need not be taken apart."""

_SECRET: Final = re.compile(
    r"\bcode\b|accesskey|auth|credential|jwt|key\b|passw|pwd|secret|session|\bsig|token",
    re.IGNORECASE,
)


def clean_query(value: Any) -> Any:
    """A query string without the values of parameters that are named like secrets."""
    text = as_text(value)
    if text is UNREADABLE or "=" not in text:
        return text
    return "&".join(map(_clean_parameter, text.split("&")))


def clean_url(value: Any) -> Any:
    """A URL, or a part of one, without user info and without secrets in query or fragment.

    Spec: https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/ (url.full)
    """
    text = as_text(value)
    if text is UNREADABLE:
        return text
    text = _USERINFO.sub(f"//{REDACTED}@", text) if "@" in text else text
    if "=" not in text or not _SUSPECT.search(text):
        return text
    pieces = re.split(r"([?#])", text)
    return pieces[0] + "".join(
        piece if piece in ("", "?", "#") else clean_query(piece) for piece in pieces[1:]
    )


def _clean_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={REDACTED}" if equals and _is_secret(name) else parameter


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    """Whether a parameter is named like a secret; to search costs 10,000 instructions."""
    return _SECRET.search(unquote(name)) is not None


def host_of(value: Any) -> Any:
    """The host that a URL names, without its port."""
    found = _HOST.match(value) if isinstance(value, str) else None
    return found[1] if found else UNREADABLE


PLAIN: Final = Convention(
    name="plain",
    spec=(
        "https://github.com/open-telemetry/semantic-conventions v1.41 (http, db, rpc, messaging) "
        "and the names of v1.20 that instrumentations still write by default"
    ),
    fallback=True,
    rows=(
        # A client's span is called by its method alone (semconv http); a run wants to say whom.
        attr("name.method", "http.request.method", "http.method", via=as_text, keep=True),
        attr(
            "name.target", "http.route", "server.address", "net.peer.name", via=as_text, keep=True
        ),
        attr("name.target", "url.full", "http.url", via=host_of, keep=True),
        attr("error.code", "http.response.status_code", "http.status_code", keep=True),
        attr("inputs.method", "http.request.method", "http.method", "rpc.method", via=as_text),
        attr("inputs.url", "url.full", "http.url", via=clean_url),
        attr("inputs.route", "http.route", via=as_text),
        attr("inputs.path", "url.path", "http.target", via=clean_url),
        attr("inputs.query", "url.query", via=clean_query),
        attr("inputs.service", "rpc.service", via=as_text),
        attr("inputs.statement", "db.query.text", "db.statement", via=as_text),
        attr(
            "inputs.operation",
            "db.operation.name",
            "db.operation",
            "messaging.operation.name",
            "messaging.operation.type",
            "messaging.operation",
            via=as_text,
        ),
        attr("inputs.database", "db.namespace", "db.name", via=as_text),
        prefix("inputs.parameters", "db.query.parameter."),
        prefix("inputs.parameters", "db.operation.parameter."),
        attr("inputs.collection", "db.collection.name", "db.sql.table", via=as_text),
        attr(
            "inputs.destination",
            "messaging.destination.name",
            "messaging.destination",
            via=as_text,
        ),
        attr(
            "outputs.status_code",
            "http.response.status_code",
            "http.status_code",
            "db.response.status_code",
            "rpc.response.status_code",
            "rpc.grpc.status_code",
        ),
        attr("outputs.rows", "db.response.returned_rows", via=as_count),
    ),
)
