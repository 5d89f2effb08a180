"""The settings of an exporter, processor or propagator: their values, and where these come from.

Argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` → ``LANGCHAIN_*`` → default. Blank means
unset. Pure: the environment is handed in. What there is to set is in `settings_table`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from otel_langsmith.errors import ConfigurationError
from otel_langsmith.settings_table import PREFIXES, SETTINGS, US_CLOUD, Face, Setting
from otel_langsmith.spellings import SECRET, is_blank, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests
    from opentelemetry.metrics import MeterProvider

    from otel_langsmith.conventions import Convention
    from otel_langsmith.endpoints import Endpoint
    from otel_langsmith.redact import Redact
    from otel_langsmith.selection import SpanFilter

__all__ = [
    "PREFIXES",
    "SETTINGS",
    "US_CLOUD",
    "Coding",
    "Compression",
    "Face",
    "Inbound",
    "Mode",
    "RemoteParent",
    "Setting",
    "Settings",
    "resolve",
]

Coding: TypeAlias = Literal["none", "gzip", "zstd"]
Compression: TypeAlias = Literal["auto", "none", "gzip", "zstd"]
Inbound: TypeAlias = Literal["continue", "link", "ignore"]
Mode: TypeAlias = Literal["multipart", "basic"]
RemoteParent: TypeAlias = Literal["root", "parent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one exporter, resolved and valid. Secrets are left out of its ``repr``."""

    endpoint: str | None
    endpoints: tuple[Endpoint, ...] | None
    api_key: str | None = field(repr=False)
    workspace_id: str | None
    project: str
    mode: Mode
    compression: Compression
    timeout: float
    headers: Mapping[str, str] = field(repr=False)
    session: requests.Session | None = field(repr=False)
    hide_inputs: bool
    hide_outputs: bool
    hide_metadata: bool
    redact: Redact | None
    conventions: tuple[Convention, ...]
    max_batch_runs: int
    max_batch_bytes: int
    max_backlog_bytes: int
    max_trace_runs: int
    max_requests_per_minute: int | None
    max_events_per_hour: int | None
    max_bytes_per_hour: int | None
    meter_provider: MeterProvider | bool | None
    max_held_spans: int
    max_held_bytes: int
    max_held_seconds: float
    remote_parent: RemoteParent
    spool_dir: str | None
    spool_max_bytes: int
    spool_max_age_seconds: float
    spool_fsync: bool
    span_filter: SpanFilter
    live: bool
    schedule_delay_millis: float
    max_queue_size: int
    inbound: Inbound
    accept_project: bool
    accept_metadata: bool
    accept_tags: bool


def resolve(
    arguments: Mapping[str, object], environ: Mapping[str, str], face: Face | None = None
) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and what is wrong with the environment: one sentence per unusable variable.

    An unusable argument is the programmer's mistake and raises. An unusable variable is the
    operator's, and must not keep the application from starting: it is replaced by the fallback.

    Args:
        arguments: Values by keyword; None and blank text count as unset.
        environ: Like ``os.environ``.
        face: Whose settings to read, the others keeping their defaults; None reads all.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for row in SETTINGS:
        given = arguments.get(row.keyword)
        if face and face not in row.faces:
            values[row.keyword] = row.default
        elif not is_blank(given):
            values[row.keyword] = _read(row, row.keyword, given)
        else:
            try:
                values[row.keyword] = _from_environ(row, environ)
            except ConfigurationError as error:
                values[row.keyword] = fallback = _fallback(row, environ)
                problems.append(f"{error} (going on {_in_words(fallback)})")
    if face != "propagator":
        problems += _reconciled(values, arguments, environ)
    return Settings(**values), tuple(problems)


def _from_environ(row: Setting, environ: Mapping[str, str]) -> object:
    for name in row.variables:
        if not is_blank(given := environ.get(name)):
            return _read(row, name, given)
    return row.default


def _read(row: Setting, name: str, given: object) -> object:
    try:
        return row.read(given)
    except ValueError as error:
        value = SECRET if row.secret else shown(given)
        raise ConfigurationError(f"{name} is {value}: {error}") from None


def _fallback(row: Setting, environ: Mapping[str, str]) -> object:
    """The value in place of a variable that cannot be used."""
    if row.salvage is not None:
        given = (environ.get(name) for name in row.variables)
        return row.salvage(next(text for text in given if text and not is_blank(text)))
    return row.default if row.fallback is ... else row.fallback


def _in_words(fallback: object) -> str:
    if fallback is None:
        return "without it"
    values = fallback if isinstance(fallback, tuple) else (repr(fallback),)
    return f"with {', '.join(map(str, values))}"


class _Source(IntEnum):
    """Where a setting was given, the more specific first."""

    ARGUMENT = 0
    OURS = 1
    """A variable that only this package reads."""
    LANGSMITHS = 2
    """A variable that LangSmith's SDK reads, too."""
    DEFAULT = 3


_ENDPOINT: Final = next(row for row in SETTINGS if row.keyword == "endpoint")
_ENDPOINTS: Final = next(row for row in SETTINGS if row.keyword == "endpoints")


def _reconciled(
    values: dict[str, Any], arguments: Mapping[str, object], environ: Mapping[str, str]
) -> Iterator[str]:
    """Let one of ``endpoint`` and ``endpoints`` count: the one that was given more specifically.

    LangSmith's SDK does not start if the environment has both.
    """
    one, several = (_source(row, arguments, environ) for row in (_ENDPOINT, _ENDPOINTS))
    if one == several == _Source.ARGUMENT:
        raise ConfigurationError("endpoint and endpoints are both given: leave out one of them")
    if one < several:
        values["endpoints"] = ()
    elif one == several < _Source.DEFAULT and values["endpoints"]:
        yield (
            "LANGSMITH_ENDPOINT and LANGSMITH_RUNS_ENDPOINTS are both set: unset one of them "
            "(going on with LANGSMITH_RUNS_ENDPOINTS)"
        )


def _source(row: Setting, arguments: Mapping[str, object], environ: Mapping[str, str]) -> _Source:
    if not is_blank(arguments.get(row.keyword)):
        return _Source.ARGUMENT
    found = next((name for name in row.variables if not is_blank(environ.get(name))), None)
    if found is None:
        return _Source.DEFAULT
    return _Source.OURS if found.startswith(PREFIXES[0]) else _Source.LANGSMITHS
