"""What a setting may say to a server: readers, each of which raises ValueError with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from otel_langsmith.identity import uuid_text

QUOTES: Final = " \t\r\n\"'"
"""What is left out around a value: shells and files leave it there."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""https://www.rfc-editor.org/rfc/rfc9110#name-tokens"""

_HEADERS_FORM: Final = "it must be a mapping, or text like name=value,name2=value2"


def text(value: object) -> str:
    """Text in one line."""
    said = str(value).strip(QUOTES)
    if not said.isprintable():
        raise ValueError("it may not hold control characters")
    return said


def header_text(value: object) -> str:
    """What may stand in a header."""
    said = text(value)
    if not said.isascii():
        raise ValueError("it travels in an HTTP header, so it must be plain ASCII")
    return said


def url(value: object) -> str:
    """A URL to which a path can be appended."""
    said = text(value).rstrip("/")
    parts = urlsplit(said)
    unusable = not parts.hostname or " " in said or parts.port == 0  # ``port`` raises, too
    if unusable or parts.scheme not in ("http", "https"):
        raise ValueError("a URL needs its scheme and host, e.g. https://api.smith.langchain.com")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("leave out user, query and fragment; the key goes into api_key")
    return said


def uuid(value: object) -> str:
    """A workspace's UUID in its usual form."""
    said = uuid_text(text(value))
    if said is None:
        raise ValueError("it must be the workspace's UUID, from LangSmith's settings page")
    return said


def headers(value: object) -> Mapping[str, str]:
    """Headers by name."""
    pairs = dict(_header_pairs(value)) if isinstance(value, str) else value
    if not isinstance(pairs, Mapping):
        raise ValueError(_HEADERS_FORM)  # noqa: TRY004 - every reader raises the one kind
    return {_header_name(name): header_text(said) for name, said in pairs.items()}


def session(value: Any) -> object:
    """A ``requests.Session``, or what behaves like one."""
    if not callable(getattr(value, "request", None)):
        raise ValueError("it must be a requests.Session")  # noqa: TRY004
    return value


def _header_name(value: object) -> str:
    name = str(value).strip()
    if not _TOKEN.fullmatch(name):
        raise ValueError("the name of a header is made of letters, digits and hyphens")
    return name


def _header_pairs(said: str) -> Iterator[tuple[str, str]]:
    """As ``OTEL_EXPORTER_OTLP_HEADERS`` is written, percent-encoded.

    Not ``opentelemetry.util.re.parse_env_headers``: that logs a malformed header, value and all.
    """
    for member in filter(str.strip, said.split(",")):
        name, equals, value = member.partition("=")
        if not equals or not name.strip():
            raise ValueError(_HEADERS_FORM)
        yield unquote(name).strip().lower(), unquote(value).strip()
