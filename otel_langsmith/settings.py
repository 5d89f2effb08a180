"""Every setting, one row each: its keyword, its names in the environment, what it may be.

`resolve` is the whole mechanism: argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` →
``LANGCHAIN_*`` → default. Blank means unset. Pure: the environment is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from otel_langsmith.endpoints import Endpoint, as_endpoints, usable_endpoints
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.spellings import (
    SECRET,
    as_compression,
    as_conventions,
    as_flag,
    as_header,
    as_headers,
    as_meter_provider,
    as_number,
    as_redact,
    as_session,
    as_span_filter,
    as_text,
    as_url,
    as_uuid,
    is_blank,
    one_of,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests
    from opentelemetry.metrics import MeterProvider

    from otel_langsmith.conventions import Convention
    from otel_langsmith.redact import Redact
    from otel_langsmith.selection import SpanFilter

Coding: TypeAlias = Literal["none", "gzip", "zstd"]
Compression: TypeAlias = Literal["auto", "none", "gzip", "zstd"]
Face: TypeAlias = Literal["exporter", "processor", "propagator"]
Inbound: TypeAlias = Literal["continue", "link", "ignore"]
Mode: TypeAlias = Literal["multipart", "basic"]
RemoteParent: TypeAlias = Literal["root", "parent"]

US_CLOUD: Final = "https://api.smith.langchain.com"
"""Where runs go unless told otherwise."""

PREFIXES: Final = ("OTEL_EXPORTER_LANGSMITH_", "LANGSMITH_", "LANGCHAIN_")
"""Where the environment says a setting, first match wins."""


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


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: ``read`` turns what was said into the value, or raises ValueError with the remedy.

    ``suffixes`` complete each of `PREFIXES` to a variable's name; none means argument only. After
    those come ``also``, OpenTelemetry's own variables. ``faces`` are who obeys it; the exporter
    takes the processor's keywords too, for the one that zero-code set-up puts in its place.
    ``fallback`` is taken when the environment holds an unusable value and the host must live on;
    it is the default unless that would be the unsafe choice: a misspelt endpoint must not send the
    runs of a self-hosted LangSmith to the public one. ``salvage`` makes it of the value instead.
    """

    keyword: str
    read: Callable[[Any], object]
    default: object
    doc: str
    suffixes: tuple[str, ...] = ()
    fallback: object = ...
    salvage: Callable[[str], object] | None = None
    secret: bool = False
    also: tuple[str, ...] = ()
    faces: tuple[Face, ...] = ("exporter", "processor")

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that say this setting, first match wins."""
        ours = tuple(prefix + suffix for suffix in self.suffixes for prefix in PREFIXES)
        return ours + self.also


_MiB: Final = 2**20

SETTINGS: Final = (
    Setting(
        "endpoint", as_url, US_CLOUD,
        "Where LangSmith is; a path prefix is kept.", ("ENDPOINT",), fallback=None,
    ),
    Setting(
        "endpoints", as_endpoints, (),
        "Several LangSmiths instead: a list of `{api_url, api_key}`, or `{url: key}`.",
        ("RUNS_ENDPOINTS",), salvage=usable_endpoints, secret=True,
    ),
    Setting(
        "api_key", as_header, None,
        "LangSmith API key. Without one, runs are dropped and counted.", ("API_KEY",), secret=True,
    ),
    Setting(
        "workspace_id", as_uuid, None,
        "Workspace for keys that span several; sent as `x-tenant-id`.", ("WORKSPACE_ID",),
    ),
    Setting(
        "project", as_text, "default",
        "The LangSmith project; created when unknown.", ("PROJECT", "SESSION"),
        faces=("exporter", "processor", "propagator"),
    ),
    Setting(
        "mode", one_of("multipart", "basic"), "multipart",
        "`multipart`, or `basic`: one plain `POST` or `PATCH /runs` for each run.", ("MODE",),
    ),
    Setting(
        "compression", as_compression, "auto",
        "`auto` (what LangSmith offers and is installed), `none`, `gzip` or `zstd`.",
        ("COMPRESSION",),
    ),
    Setting(
        "timeout", as_number(float, 0.001, 600), 10.0,
        "Seconds one `export` may take in all, retries included.", ("TIMEOUT",),
    ),
    Setting(
        "headers", as_headers, {},
        "Extra request headers; a mapping, or `name=value,…`.", ("HEADERS",), secret=True,
    ),
    Setting("session", as_session, None, "Your own `requests.Session` (proxies, certificates)."),
    Setting(
        "hide_inputs", as_flag, False,
        "Withhold inputs, and all that may repeat them.", ("HIDE_INPUTS",), fallback=True,
    ),
    Setting(
        "hide_outputs", as_flag, False,
        "Withhold outputs, and all that may repeat them.", ("HIDE_OUTPUTS",), fallback=True,
    ),
    Setting(
        "hide_metadata", as_flag, False,
        "Withhold metadata other than ids, models and tokens.", ("HIDE_METADATA",), fallback=True,
    ),
    Setting(
        "redact", as_redact, None,
        "A callable on a run's content, e.g. `secrets`; if it fails, the content is withheld.",
    ),
    Setting(
        "conventions", as_conventions, (),
        "Your own dialects of attributes; they go before ours.",
    ),
    Setting(
        "max_batch_runs", as_number(int, 1, 10_000), 100,
        "Most runs in one request.", ("MAX_BATCH_RUNS",),
    ),
    Setting(
        "max_batch_bytes", as_number(int, 1024, 2**31), 20 * _MiB,
        "Most bytes in one request, before compression.", ("MAX_BATCH_BYTES",),
    ),
    Setting(
        "max_backlog_bytes", as_number(int, 0, 2**40), 48 * _MiB,
        "Most memory of runs, compressed, that wait to be sent.", ("MAX_BACKLOG_BYTES",),
    ),
    Setting(
        "max_trace_runs", as_number(int, 1, 10_000_000), 25_000,
        "Most runs of one trace; LangSmith takes no more.", ("MAX_TRACE_RUNS",),
    ),
    Setting(
        "max_requests_per_minute", as_number(int, 1, 10_000_000), None,
        "Most requests in a minute; the others wait.", ("MAX_REQUESTS_PER_MINUTE",),
    ),
    Setting(
        "max_events_per_hour", as_number(int, 1, 2**40), None,
        "Most posts and patches of runs in an hour; the others wait.", ("MAX_EVENTS_PER_HOUR",),
    ),
    Setting(
        "max_bytes_per_hour", as_number(int, 1024, 2**50), None,
        "Most bytes of runs in an hour, before compression.", ("MAX_BYTES_PER_HOUR",),
    ),
    Setting(
        "meter_provider", as_meter_provider, None,
        "Where to count what is exported, as `otel.sdk.exporter.*`; the variable wants the global.",
        also=("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",),
    ),
    Setting(
        "max_held_spans", as_number(int, 0, 10_000_000), 50_000,
        "Most spans that wait for their parents.", ("MAX_HELD_SPANS",),
    ),
    Setting(
        "max_held_bytes", as_number(int, 0, 2**40), 96 * _MiB,
        "Most memory of spans that wait for their parents.", ("MAX_HELD_BYTES",),
    ),
    Setting(
        "max_held_seconds", as_number(float, 0, 7 * 86_400), 3600.0,
        "Longest that a span waits for its parents.", ("MAX_HELD_SECONDS",),
    ),
    Setting(
        "remote_parent", one_of("root", "parent"), "root",
        "Of a span whose caller tells no run: begin a trace (`root`) or claim it (`parent`).",
        ("REMOTE_PARENT",), faces=("exporter", "processor", "propagator"),
    ),
    Setting(
        "spool_dir", as_text, None,
        "Where runs wait that LangSmith does not take now; without it, in memory.", ("SPOOL_DIR",),
    ),
    Setting(
        "spool_max_bytes", as_number(int, 0, 2**50), 512 * _MiB,
        "Most bytes that wait there; the oldest runs go first.", ("SPOOL_MAX_BYTES",),
    ),
    Setting(
        "spool_max_age_seconds", as_number(float, 1, 3650 * 86_400), 7 * 86_400.0,
        "Longest that a run waits there.", ("SPOOL_MAX_AGE_SECONDS",),
    ),
    Setting(
        "spool_fsync", as_flag, False,
        "Make what waits there outlive a power cut, not only the process.", ("SPOOL_FSYNC",),
    ),
    Setting(
        "span_filter", as_span_filter, "all",
        "Which spans become runs: `all`, `genai`, `genai+root`, or a callable on a span.",
        ("SPAN_FILTER",), faces=("processor",),
    ),
    Setting(
        "live", as_flag, True,
        "Show runs while their spans are still open.", ("LIVE",), faces=("processor",),
    ),
    Setting(
        "schedule_delay_millis", as_number(float, 1, 3_600_000), 1000.0,
        "Longest wait of an ended span before it is sent.", ("SCHEDULE_DELAY",),
        also=("OTEL_BSP_SCHEDULE_DELAY",), faces=("processor",),
    ),
    Setting(
        "max_queue_size", as_number(int, 1, 10_000_000), 16_384,
        "Most ended spans that wait, on average of 2 KiB.", ("MAX_QUEUE_SIZE",),
        also=("OTEL_BSP_MAX_QUEUE_SIZE",), faces=("processor",),
    ),
    Setting(
        "inbound", one_of("continue", "link", "ignore"), "continue",
        "What a caller's lineage is good for: `continue` its trace, `link` to it, or `ignore` it.",
        ("INBOUND",), fallback="ignore", faces=("propagator",),
    ),
    Setting(
        "accept_project", as_flag, True,
        "Take the project that a caller names.",
        ("ACCEPT_PROJECT",), fallback=False, faces=("propagator",),
    ),
    Setting(
        "accept_metadata", as_flag, True,
        "Take the metadata that a caller sends.",
        ("ACCEPT_METADATA",), fallback=False, faces=("propagator",),
    ),
    Setting(
        "accept_tags", as_flag, True,
        "Take the tags that a caller sends.",
        ("ACCEPT_TAGS",), fallback=False, faces=("propagator",),
    ),
)  # fmt: skip


def resolve(
    arguments: Mapping[str, object], environ: Mapping[str, str], face: Face | None = None
) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and what is wrong with the environment: one sentence per unusable value.

    An argument is the programmer's and raises; a variable is the operator's, who must not be
    punished with a dead application, so it is named here and replaced by the fallback.

    Args:
        arguments: Values by keyword; None and blank text count as unset.
        environ: Like ``os.environ``.
        face: Whose rows to look at, the others keeping their defaults; None looks at all.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for row in SETTINGS:
        if face and face not in row.faces:
            values[row.keyword] = row.default
            continue
        said = arguments.get(row.keyword)
        if not is_blank(said):
            values[row.keyword] = _read(row, row.keyword, said)
            continue
        try:
            values[row.keyword] = _from_environ(row, environ)
        except ConfigurationError as error:
            values[row.keyword] = fallback = _instead(row, environ)
            told = fallback if isinstance(fallback, tuple) else (repr(fallback),)
            how = "without it" if fallback is None else f"with {', '.join(map(str, told))}"
            problems.append(f"{error} (going on {how})")
    if face != "propagator":
        problems += _reconciled(values, arguments, environ)
    return Settings(**values), tuple(problems)


def _reconciled(
    values: dict[str, Any], arguments: Mapping[str, object], environ: Mapping[str, str]
) -> Iterator[str]:
    """Let one of ``endpoint`` and ``endpoints`` count: the one that is said more specifically.

    LangSmith's SDK does not start if the environment says both.
    """
    one, several = (
        _level(row, arguments, environ) for row in SETTINGS if row.suffixes in _EXCLUSIVE
    )
    if one == several == _ARGUMENT:
        raise ConfigurationError("endpoint and endpoints are both given: leave out one of them")
    if one < several:
        values["endpoints"] = ()
    elif one == several < _UNSAID and values["endpoints"]:
        yield (
            "LANGSMITH_ENDPOINT and LANGSMITH_RUNS_ENDPOINTS are both set: unset one of them "
            "(going on with LANGSMITH_RUNS_ENDPOINTS)"
        )


_EXCLUSIVE: Final = (("ENDPOINT",), ("RUNS_ENDPOINTS",))
_ARGUMENT: Final = 0
_UNSAID: Final = 3


def _level(row: Setting, arguments: Mapping[str, object], environ: Mapping[str, str]) -> int:
    """Where a setting is said: as an argument, to us, or to LangSmith's clients in general."""
    if not is_blank(arguments.get(row.keyword)):
        return _ARGUMENT
    said = next((name for name in row.variables if not is_blank(environ.get(name))), None)
    if said is None:
        return _UNSAID
    return 1 if said.startswith(PREFIXES[0]) else 2


def _from_environ(row: Setting, environ: Mapping[str, str]) -> object:
    for name in row.variables:
        if not is_blank(said := environ.get(name)):
            return _read(row, name, said)
    return row.default


def _instead(row: Setting, environ: Mapping[str, str]) -> object:
    """What to take for a variable that cannot be used."""
    if row.salvage is not None:
        said = (environ.get(name) for name in row.variables)
        return row.salvage(next(text for text in said if text and not is_blank(text)))
    return row.default if row.fallback is ... else row.fallback


def _read(row: Setting, name: str, said: object) -> object:
    try:
        return row.read(said)
    except ValueError as error:
        told = SECRET if row.secret else shown(said)
        raise ConfigurationError(f"{name} is {told}: {error}") from None
