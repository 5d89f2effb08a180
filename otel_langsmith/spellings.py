"""Readers of settings: what was given → the value, or ValueError with the remedy."""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from otel_langsmith.identity import uuid_text
from otel_langsmith.selection import PRESETS

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""https://www.rfc-editor.org/rfc/rfc9110#name-tokens"""
_HEADERS_FORM: Final = "it must be a mapping, or text like name=value,name2=value2"
QUOTES: Final = " \t\r\n\"'"

_LIKE_A_SECRET: Final = re.compile(r"[@?]|ls(v2)?_|[\w-]{20}")
"""User info or a query in a URL, LangSmith's own prefixes, or any long token."""

SECRET: Final = "not shown, it may be a secret"  # noqa: S105 - the words that stand for one


def is_blank(said: object) -> bool:
    """Whether this counts as unset."""
    return said is None or (isinstance(said, str) and not said.strip(QUOTES))


def shown(said: object) -> str:
    """The value for an error message, unless it may be a secret: keys get pasted anywhere."""
    try:
        text = repr(said)
    except ValueError:  # an integer of too many digits
        return f"a {type(said).__name__} too long to show"
    return SECRET if _LIKE_A_SECRET.search(text) else text[:200]


def as_text(value: object) -> str:
    """A text that can be shown, without the quotes that people paste along."""
    text = str(value).strip(QUOTES)
    if not text.isprintable():
        raise ValueError("it may not hold control characters")
    return text


def as_header(value: object) -> str:
    """A text that can stand in an HTTP header."""
    text = as_text(value)
    if not text.isascii():
        raise ValueError("it travels in an HTTP header, so it must be plain ASCII")
    return text


def _header_name(value: object) -> str:
    name = str(value).strip()
    if not _TOKEN.fullmatch(name):
        raise ValueError("the name of a header is made of letters, digits and hyphens")
    return name


def as_url(value: object) -> str:
    """The base of a URL, without user, query and fragment."""
    text = as_text(value).rstrip("/")
    parts = urlsplit(text)
    unusable = not parts.hostname or " " in text or parts.port == 0  # ``port`` raises, too
    if unusable or parts.scheme not in ("http", "https"):
        raise ValueError("a URL needs its scheme and host, e.g. https://api.smith.langchain.com")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("leave out user, query and fragment; the key goes into api_key")
    return text


def as_uuid(value: object) -> str:
    """A UUID, dashed and in lower case."""
    text = uuid_text(as_text(value))
    if text is None:
        raise ValueError("it must be the workspace's UUID, from LangSmith's settings page")
    return text


def as_compression(value: object) -> str:
    """How bodies are compressed, if that can be done here."""
    text = as_text(value).lower()
    if text not in ("auto", "none", "gzip", "zstd"):
        raise ValueError("it must be one of auto, none, gzip, zstd")
    if text == "zstd" and find_spec("zstandard") is None:
        raise ValueError('it needs zstandard: pip install "otel-langsmith[zstd]"')
    return text


def as_span_filter(value: object) -> object:
    """A preset's name, or a callable on a span."""
    if callable(value):
        return value
    text = as_text(value).lower()
    if text not in PRESETS:
        raise ValueError(f"it must be one of {', '.join(PRESETS)}, or a callable on a span")
    return text


def one_of(*words: str) -> Callable[[Any], object]:
    """A reader of one of these words, whatever its case."""

    def read(value: Any) -> object:
        text = as_text(value).lower()
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return read


def as_flag(value: object) -> bool:
    """A truth value, as people write it."""
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError("it must be true or false")
    return text in _TRUE


def as_number(kind: type[int | float], least: float, most: float) -> Callable[[Any], object]:
    """A reader of a number of this kind, both ends included."""

    def read(value: Any) -> object:
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        exact = number == value or isinstance(value, str)
        if isinstance(value, bool) or number is None or not (exact and least <= number <= most):
            raise ValueError(f"it must be a number from {least:g} to {most:g}")
        return number

    return read


def as_meter_provider(value: Any) -> object:
    """A provider of meters, or whether the global one is wanted."""
    return value if callable(getattr(value, "get_meter", None)) else as_flag(value)


def as_headers(value: object) -> Mapping[str, str]:
    """Header names and values, as a mapping or as text."""
    pairs = dict(_header_pairs(value)) if isinstance(value, str) else value
    if not isinstance(pairs, Mapping):
        raise ValueError(_HEADERS_FORM)  # noqa: TRY004 - every reader raises the one kind
    return {_header_name(name): as_header(text) for name, text in pairs.items()}


def _header_pairs(text: str) -> Iterator[tuple[str, str]]:
    """As ``OTEL_EXPORTER_OTLP_HEADERS`` is written, percent-encoded.

    Not ``opentelemetry.util.re.parse_env_headers``: that logs a malformed header, value and all.
    """
    for member in filter(str.strip, text.split(",")):
        name, equals, value = member.partition("=")
        if not equals or not name.strip():
            raise ValueError(_HEADERS_FORM)
        yield unquote(name).strip().lower(), unquote(value).strip()


def as_session(value: Any) -> object:
    """Something that sends requests."""
    if not callable(getattr(value, "request", None)):
        raise ValueError("it must be a requests.Session")  # noqa: TRY004
    return value


def as_redact(value: object) -> object:
    """A callable on a run's content."""
    if not callable(value):
        raise ValueError("it must be a callable on a run's content")  # noqa: TRY004
    return value


def as_conventions(value: Any) -> object:
    """One or several conventions, no two of one name."""
    found = (value,) if _is_convention(value) else value
    if not isinstance(found, (list, tuple)) or not all(map(_is_convention, found)):
        raise ValueError("it must be a Convention, or a list of them")
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ValueError("its conventions need different names")
    return tuple(found)


def _is_convention(value: Any) -> bool:
    """By its members: the propagator reads settings too, and must not load all that makes runs."""
    name, rows = getattr(value, "name", None), getattr(value, "rows", None)
    return isinstance(name, str) and isinstance(rows, tuple)
