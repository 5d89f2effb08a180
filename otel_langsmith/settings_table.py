"""Every setting, one row each: its keyword, its names in the environment, what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from otel_langsmith.endpoints import as_endpoints, usable_endpoints
from otel_langsmith.spellings import (
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
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Face: TypeAlias = Literal["exporter", "processor", "propagator"]

US_CLOUD: Final = "https://api.smith.langchain.com"
"""Where runs go unless told otherwise."""

PREFIXES: Final = ("OTEL_EXPORTER_LANGSMITH_", "LANGSMITH_", "LANGCHAIN_")
"""Where the environment says a setting, first match wins."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        keyword: The argument's name.
        read: Turns what was given into the value, or raises ValueError with the remedy.
        default: The value if nothing was given.
        doc: What it means, in a sentence.
        suffixes: Complete each of `PREFIXES` to a variable's name; none means argument only.
        fallback: The value if a variable is unusable, for the application must live on. It is the
            default unless that is the unsafe choice: a misspelt endpoint must not send the runs of
            a self-hosted LangSmith to the public one.
        salvage: Makes the fallback of the unusable text instead.
        secret: Whether the value may not be shown.
        also: Further variables, OpenTelemetry's own, that are read last.
        faces: Which classes obey it. (The exporter's constructor takes the processor's as well, for
            the processor that zero-code set-up puts in its place.)
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
        "Seconds one `export`, or one request of the processor, may take, retries included.",
        ("TIMEOUT",),
    ),
    Setting(
        "headers", as_headers, {},
        "Extra request headers; a mapping, or `name=value,…`.", ("HEADERS",), secret=True,
    ),
    Setting("session", as_session, None, "Your own `requests.Session` (proxies, certificates)."),
    Setting(
        "hide_inputs", as_flag, False,
        "Withhold inputs, and whatever may repeat them.", ("HIDE_INPUTS",), fallback=True,
    ),
    Setting(
        "hide_outputs", as_flag, False,
        "Withhold outputs, and whatever may repeat them.", ("HIDE_OUTPUTS",), fallback=True,
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
        "Your own attribute conventions; they go before the built-in ones.",
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
        "Most memory for runs that wait to be sent, compressed.", ("MAX_BACKLOG_BYTES",),
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
        "Gets the metrics `otel.sdk.exporter.*`; the variable, if `true`, chooses the global one.",
        also=("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",),
    ),
    Setting(
        "max_held_spans", as_number(int, 0, 10_000_000), 50_000,
        "Most spans that are held until their parents end.", ("MAX_HELD_SPANS",),
    ),
    Setting(
        "max_held_bytes", as_number(int, 0, 2**40), 96 * _MiB,
        "Most memory for spans that are held.", ("MAX_HELD_BYTES",),
    ),
    Setting(
        "max_held_seconds", as_number(float, 0, 7 * 86_400), 3600.0,
        "Seconds after which a held span begins a trace of its own.", ("MAX_HELD_SECONDS",),
    ),
    Setting(
        "remote_parent", one_of("root", "parent"), "root",
        "A remote parent whose run is unknown: begin a trace (`root`) or name it still (`parent`).",
        ("REMOTE_PARENT",), faces=("exporter", "processor", "propagator"),
    ),
    Setting(
        "spool_dir", as_text, None,
        "Directory for runs that cannot be delivered now; without it they wait in memory.",
        ("SPOOL_DIR",),
    ),
    Setting(
        "spool_max_bytes", as_number(int, 0, 2**50), 512 * _MiB,
        "Most bytes in that directory; beyond, the oldest runs are dropped.", ("SPOOL_MAX_BYTES",),
    ),
    Setting(
        "spool_max_age_seconds", as_number(float, 1, 3650 * 86_400), 7 * 86_400.0,
        "Seconds after which a run in it is dropped.", ("SPOOL_MAX_AGE_SECONDS",),
    ),
    Setting(
        "spool_fsync", as_flag, False,
        "Sync each write, so that runs in it outlive a power cut, too.", ("SPOOL_FSYNC",),
    ),
    Setting(
        "span_filter", as_span_filter, "all",
        "Which spans become runs: `all`, `genai`, `genai+root`, or a callable on a span.",
        ("SPAN_FILTER",), faces=("processor",),
    ),
    Setting(
        "live", as_flag, True,
        "Show runs while their spans are open.", ("LIVE",), faces=("processor",),
    ),
    Setting(
        "schedule_delay_millis", as_number(float, 1, 3_600_000), 1000.0,
        "Milliseconds between two deliveries.", ("SCHEDULE_DELAY",),
        also=("OTEL_BSP_SCHEDULE_DELAY",), faces=("processor",),
    ),
    Setting(
        "max_queue_size", as_number(int, 1, 10_000_000), 16_384,
        "Most ended spans that wait to be sent; fewer if they take more than 2 KiB on average.",
        ("MAX_QUEUE_SIZE",),
        also=("OTEL_BSP_MAX_QUEUE_SIZE",), faces=("processor",),
    ),
    Setting(
        "inbound", one_of("continue", "link", "ignore"), "continue",
        "If a caller names a LangSmith trace: `continue` it, `link` to it, or `ignore` it.",
        ("INBOUND",), fallback="ignore", faces=("propagator",),
    ),
    Setting(
        "accept_project", as_flag, True,
        "Use the project that a caller names.",
        ("ACCEPT_PROJECT",), fallback=False, faces=("propagator",),
    ),
    Setting(
        "accept_metadata", as_flag, True,
        "Add the metadata that a caller sends.",
        ("ACCEPT_METADATA",), fallback=False, faces=("propagator",),
    ),
    Setting(
        "accept_tags", as_flag, True,
        "Add the tags that a caller sends.",
        ("ACCEPT_TAGS",), fallback=False, faces=("propagator",),
    ),
)  # fmt: skip
