"""Spans that have nothing to do with models: HTTP, databases, RPC, messaging; old names and new.

A fallback: its content is shown as inputs and outputs only where no other dialect knows the span.
Values are cleaned of credentials: those in URLs, queries, headers and statements.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from otel_langsmith.conventions.readers import UNREADABLE, as_text
from otel_langsmith.conventions.rows import Convention, attr, named, prefix, spread
from otel_langsmith.credentials import MARK, is_secret, without_credentials

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
    parameters = text.split("&")
    for parameter in parameters:
        if _is_secret(parameter.partition("=")[0]):
            return "&".join(map(_clean_parameter, parameters))
    return text  # as most are: to put it together again costs twice as much as to look


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


def _is_secret(name: str) -> bool:
    """Whether a parameter is named like a secret; to search costs 10,000 instructions."""
    return _known(name) if len(name) <= _REMEMBERED else _says_secret(name)


def _says_secret(name: str) -> bool:
    return _SECRET.search(unquote(name)) is not None


_known: Final = lru_cache(maxsize=1024)(_says_secret)
_REMEMBERED: Final = 128
"""Characters of a name worth keeping in memory; an attacker chooses those of a query."""


def clean_statement(value: Any) -> Any:
    """A statement without the passwords that it sets or signs in with, and without keys."""
    text = as_text(value)
    if text is UNREADABLE:
        return text
    if text in _HARMLESS:
        return text
    shown = _without_passwords(text)
    if shown == text and len(text) <= _SHORT:
        if len(_HARMLESS) >= _FEW:
            _HARMLESS.clear()
        _HARMLESS.add(text)
    return shown


def _without_passwords(text: str) -> str:
    if any(map(text.lower().__contains__, _SIGNS_IN)):
        return without_credentials(_PASSWORD.sub(rf"\1\2{MARK}", text))
    return text


_HARMLESS: Final[set[str]] = set()
"""Statements that were looked at and are shown as they are; the others are not to stay in memory.
Programs say the same few again and again, and to know one costs a tenth of a look at it."""
_FEW: Final = 256
_SHORT: Final = 512
"""So many of them, and of so many characters."""

_SIGNS_IN: Final = ("://", "auth", "cred", "identified", "key", "pass", "pwd", "secret", "token")
"""To look for them so costs a tenth of what one regular expression for all of them does."""
_PASSWORD: Final = re.compile(
    r"(\bpassword\s{0,8}\(?\s{0,8}|\bidentified\s{1,8}(?:with\s{1,8}\S{1,64}\s{1,8})?(?:by|as)\s{1,8})"
    r"(?:'(?:[^']|'')*'?|\"[^\"]*\"?)"
    r"|(\A\s{0,8}auth\s{1,8}).+",  # Redis
    re.IGNORECASE | re.DOTALL,
)


def clean_connection(key: str) -> Callable[[Any], Any]:
    """A reader of the address of a server, under its own name, without the password in it."""

    def read(value: Any) -> Any:
        text = as_text(value)
        return text if text is UNREADABLE else {f"metadata.{key}": without_credentials(text)}

    return read


def headers(start: str) -> Callable[[Any], Any]:
    """A reader of captured headers, under their own names, without the credentials in them."""
    return lambda found: {
        f"metadata.{start}{name}": MARK if _is_credential(name) else _clean(value)
        for name, value in _named(found)
    }


HEADERS: Final = (
    "http.request.header.",
    "http.response.header.",
    "ai.request.headers.",
    "ai.response.headers.",
    "rpc.grpc.request.metadata.",
    "rpc.grpc.response.metadata.",
    "rpc.request.metadata.",
    "rpc.response.metadata.",
)
"""How the names begin under which headers are captured, if somebody wants them to be."""


def _named(found: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """The values with their whole names, where a dot made two of one."""
    for name, value in found.items():
        whole = f"{start}.{name}" if start and name else start or name
        if isinstance(value, dict):
            yield from _named(value, whole)
        else:
            yield whole, value


def _is_credential(name: str) -> bool:
    return is_secret(name) or _is_secret(name)


def _clean(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    return without_credentials(value) if isinstance(value, str) else value


def host_of(value: Any) -> Any:
    """The host that a URL names, without its port."""
    found = _HOST.match(value) if isinstance(value, str) else None
    return found[1] if found else UNREADABLE


CONNECTIONS: Final = ("db.connection_string", "messaging.url")

PLAIN: Final = Convention(
    name="plain",
    spec=(
        "https://github.com/open-telemetry/semantic-conventions v1.41 (http, db, rpc, messaging) "
        "and the names of v1.20 that instrumentations still write by default"
    ),
    fallback=True,
    rows=(
        *(named(None, start, via=headers(start)) for start in HEADERS),
        *(spread(key, via=clean_connection(key)) for key in CONNECTIONS),
        # A client's span is called by its method alone (semconv http); a run wants to say whom.
        attr("name.method", "http.request.method", "http.method", keep=True),
        attr("name.target", "http.route", "server.address", "net.peer.name", keep=True),
        attr("name.target", "url.full", "http.url", via=host_of, keep=True),
        attr("error.code", "http.response.status_code", "http.status_code", keep=True),
        attr("inputs.method", "http.request.method", "http.method", "rpc.method"),
        attr("inputs.url", "url.full", "http.url", via=clean_url),
        attr("inputs.route", "http.route"),
        attr("inputs.path", "url.path", "http.target", via=clean_url),
        attr("inputs.query", "url.query", via=clean_query),
        attr("inputs.service", "rpc.service"),
        attr("inputs.statement", "db.query.text", "db.statement", via=clean_statement),
        attr(
            "inputs.operation",
            "db.operation.name",
            "db.operation",
            "messaging.operation.name",
            "messaging.operation.type",
            "messaging.operation",
        ),
        attr("inputs.database", "db.namespace", "db.name"),
        prefix("inputs.parameters", "db.query.parameter."),
        prefix("inputs.parameters", "db.operation.parameter."),
        attr("inputs.collection", "db.collection.name", "db.sql.table"),
        attr("inputs.destination", "messaging.destination.name", "messaging.destination"),
        attr(
            "outputs.status_code",
            "http.response.status_code",
            "http.status_code",
            "db.response.status_code",
            "rpc.response.status_code",
            "rpc.grpc.status_code",
        ),
        attr("outputs.rows", "db.response.returned_rows"),
    ),
)
