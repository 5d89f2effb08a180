"""Checks of OpenTelemetry's and LangSmith's variables for tracing. Pure."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from otel_langsmith.doctor.account import REGIONS
from otel_langsmith.doctor.situation import (
    TRUE,
    Observations,
    Situation,
    error,
    listed,
    ok,
    skipped,
    warning,
)

_NAME: Final = re.compile(r"[A-Za-z][\w.-]{0,29}")

_W3C: Final = frozenset({"tracecontext", "baggage"})
"""They overwrite the headers that they write, so what is to add to these comes after them."""

_PROTOCOLS: Final[Mapping[str, str]] = {
    "grpc": "otlp_proto_grpc",
    "http/protobuf": "otlp_proto_http",
}
"""What the exporter ``otlp`` is called, by its protocol; ``opentelemetry-distro`` wants gRPC."""


def exporter(situation: Situation) -> Observations:
    """What the environment says about exporting; code can add ours whatever it says."""
    yield from _spans(situation)
    names = listed(situation.said("OTEL_TRACES_EXPORTER"))
    if situation.said("OTEL_CONFIG_FILE"):
        yield ok("OTEL_CONFIG_FILE is set; it replaces most of OpenTelemetry's variables")
    elif names:
        yield from _named(situation, names)
    else:
        yield ok(
            "OTEL_TRACES_EXPORTER is not set",
            "under opentelemetry-instrument, set OTEL_TRACES_EXPORTER=langsmith",
        )


def _spans(situation: Situation) -> Observations:
    """Variables because of which no span is made or sampled."""
    if situation.said("OTEL_SDK_DISABLED").lower() == "true":
        yield error("OTEL_SDK_DISABLED is true: no spans are made", "unset OTEL_SDK_DISABLED")
    sampler = situation.said("OTEL_TRACES_SAMPLER")
    if sampler in ("always_off", "parentbased_always_off"):
        yield warning(
            f"OTEL_TRACES_SAMPLER is {sampler}: no trace begins here",
            "unset it, unless all your traces begin elsewhere",
        )


def _named(situation: Situation, names: list[str]) -> Observations:
    """Exporters in ``OTEL_TRACES_EXPORTER``: whether they are installed, and ours is among them."""
    known, unknown = _known(situation, "TRACES", names)
    for name in unknown:
        found = f"OTEL_TRACES_EXPORTER names {_shown(name)}, which is not installed"
        yield error(f"{found}: opentelemetry-instrument gives up", _nearest(name, known))
    yield from _other_signals(situation)
    if "langsmith" in names and "none" not in names:
        yield ok(f"OTEL_TRACES_EXPORTER={','.join(map(_shown, names))}")
    else:
        yield warning(
            "OTEL_TRACES_EXPORTER leaves langsmith out",
            "set OTEL_TRACES_EXPORTER=langsmith, unless your code adds the exporter or processor",
        )


def _other_signals(situation: Situation) -> Observations:
    """Exporters of metrics and logs that are missing: they cost the spans, too."""
    default = "otlp" if "distro" in situation.plugin_names("opentelemetry_distro") else ""
    for signal in ("METRICS", "LOGS"):
        variable = f"OTEL_{signal}_EXPORTER"
        said = situation.said(variable)
        _, unknown = _known(situation, signal, listed(said or default))
        for name in unknown:
            how = "names" if said else "is not set, which for opentelemetry-distro means"
            found = f"{variable} {how} {_shown(name)}, which is not installed"
            yield error(
                f"{found}: opentelemetry-instrument gives up, and sends no spans either",
                f"set {variable}=none, or pip install opentelemetry-exporter-otlp",
            )


def _known(situation: Situation, signal: str, names: list[str]) -> tuple[frozenset[str], list[str]]:
    """The exporters of a signal that there are, and which of ``names`` are none of them."""
    there = situation.plugin_names(f"opentelemetry_{signal.lower()}_exporter") | {"none"}
    protocol = situation.said(
        f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    if _PROTOCOLS.get(protocol or "grpc") in there:
        there |= {"otlp"}
    return there, [name for name in names if name not in there]


def _nearest(name: str, known: frozenset[str]) -> str:
    same = next((one for one in known if one.lower() == name.lower()), None)
    return f"write {same}" if same else f"known here: {', '.join(sorted(known))}"


def _shown(name: str) -> str:
    """A name as it was said; what may be a secret put into the wrong variable is not repeated."""
    plain = _NAME.fullmatch(name) and not name.startswith(("lsv2_", "ls__", "sk-"))
    return name if plain else "something (not shown, it may be a secret)"


def propagators(situation: Situation) -> Observations:
    """Whether ``langsmith`` is among them, and last; code can set others whatever is said here."""
    said = situation.said("OTEL_PROPAGATORS")
    names = listed(said)
    if not said:
        yield ok(
            "OTEL_PROPAGATORS is not set: tracecontext,baggage",
            "to join services, set OTEL_PROPAGATORS=tracecontext,baggage,langsmith",
        )
    elif "none" in names:
        yield error(
            "OTEL_PROPAGATORS holds none: no header is read or written, web frameworks may fail",
            "set OTEL_PROPAGATORS=tracecontext,baggage,langsmith",
        )
    else:
        known = situation.plugin_names("opentelemetry_propagator")
        unknown = [name for name in names if name not in known]
        for name in unknown:
            found = f"OTEL_PROPAGATORS names {_shown(name)}, which is not installed"
            yield error(
                f"{found}: programs fail as they import OpenTelemetry", _nearest(name, known)
            )
        yield from _ordered(names) if not unknown else ()


def _ordered(names: list[str]) -> Observations:
    last = ",".join([*(name for name in names if name != "langsmith"), "langsmith"])
    after = names[names.index("langsmith") + 1 :] if "langsmith" in names else []
    overwriting = [name for name in after if name in _W3C]
    if "langsmith" not in names:
        found = "OTEL_PROPAGATORS leaves langsmith out: services are not joined"
        yield warning(found, f"set OTEL_PROPAGATORS={last}")
    elif overwriting:
        found = f"langsmith comes before {' and '.join(overwriting)}, which overwrites its headers"
        yield warning(found, f"set OTEL_PROPAGATORS={last}")
    elif after:
        found = f"langsmith is not last, but before {' and '.join(after)}"
        yield warning(found, f"set OTEL_PROPAGATORS={last}")
    else:
        yield ok(f"OTEL_PROPAGATORS={','.join(names)}")


def native_tracing(situation: Situation) -> Observations:
    """Whether LangSmith's own SDK traces the same process: what both see arrives twice."""
    if "langsmith" not in situation.installed:
        yield ok("LangSmith's own SDK is not installed")
        return
    switch = _native_switch(situation)
    mode, variable = _native_mode(situation)
    if switch is None:
        yield ok("LangSmith's own tracing is off")
    elif mode in _MODES:
        found, otherwise = _MODES[mode]
        yield warning(
            f"{switch} and {variable} are on: LangSmith's SDK {found}",
            f"unset {variable}, or {otherwise}",
        )
    else:
        yield warning(
            f"{switch}=true: LangSmith's SDK traces this process as well",
            f"unset {switch}, unless it traces other code than OpenTelemetry's instrumentations do",
        )


_MODES: Final[Mapping[str, tuple[str, str]]] = {
    "hybrid": ("sends runs, and spans of them", "those runs arrive twice"),
    "otel": (
        "makes spans of its runs, under other ids",
        "what hangs under the headers of such a run is missing its parent",
    ),
}
"""What LangSmith's SDK does besides, or instead of, sending its runs, and what comes of it."""

_MODE_SAYERS: Final = (("TRACING_MODE", ""), ("OTEL_ONLY", "otel"), ("OTEL_ENABLED", "hybrid"))
"""In the order in which the SDK asks; the first names the mode, the others turn theirs on."""


def _native_mode(situation: Situation) -> tuple[str, str]:
    """How the SDK sends its runs, and the variable that says so; blank if none does."""
    for suffix, mode in _MODE_SAYERS:
        names = (f"LANGSMITH_{suffix}", f"LANGCHAIN_{suffix}")
        name = next(filter(situation.said, names), "")
        said = situation.said(name).lower()
        if said and (not mode or said in TRUE):
            return mode or said, name
    return "", ""


def _native_switch(situation: Situation) -> str | None:
    """The variable that turns it on: only the very word ``true`` does, ``_V2`` goes first."""
    for suffix in ("TRACING_V2", "TRACING"):
        for name in (f"LANGSMITH_{suffix}", f"LANGCHAIN_{suffix}"):
            if said := situation.said(name):
                return name if said == "true" else None
    return None


def second_exporter(situation: Situation) -> Observations:
    """Whether OTLP goes to LangSmith, too."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    said = next((name for name in names if situation.said(name)), None)
    exporters = listed(situation.said("OTEL_TRACES_EXPORTER"))
    each = [one.settings.endpoint for one in (situation, *situation.others)]
    if said is None or not any(_is_langsmith(situation.said(said), url) for url in each):
        yield ok("no OTLP goes to LangSmith")
    elif exporters and not any(name.startswith("otlp") for name in exporters):
        yield ok(f"{said} points at LangSmith, but OTEL_TRACES_EXPORTER leaves otlp out")
    else:
        yield warning(
            f"{said} points at LangSmith: every span would arrive twice",
            f"unset {said}, or take otlp out of OTEL_TRACES_EXPORTER",
        )


def _is_langsmith(address: str, endpoint: str | None) -> bool:
    host, ours = _origin(address), _origin(endpoint or "")
    return host[0] in REGIONS or (host == ours and host[0] != "")


def _origin(address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "", None
    return parts.hostname or "", port


_CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED: Final = TRUE | {"span_only", "span_and_event"}
_CAPTURERS: Final = ("opentelemetry-util-genai", "opentelemetry-instrumentation-openai-v2")

_HIDERS: Final = (
    ("TRACELOOP_TRACE_CONTENT", frozenset({"false", "0", "no", "off"})),
    ("OPENINFERENCE_HIDE_INPUTS", TRUE),
    ("OPENINFERENCE_HIDE_OUTPUTS", TRUE),
    ("OPENINFERENCE_HIDE_INPUT_MESSAGES", TRUE),
    ("OPENINFERENCE_HIDE_OUTPUT_MESSAGES", TRUE),
)


def content(situation: Situation) -> Observations:
    """Whether prompts and answers are captured; not to is a choice, so this only hints."""
    settings = situation.settings
    off = [name for name, words in _HIDERS if situation.said(name).lower() in words]
    hides = {"hide_inputs": settings.hide_inputs, "hide_outputs": settings.hide_outputs}
    off += [name for name, hidden in hides.items() if hidden]
    for name in off:
        yield ok(f"{name} withholds content", "unset it if prompts and answers are missed")
    if not any(name in situation.installed for name in _CAPTURERS):
        if not off:
            yield skipped("no instrumentation is installed that asks before it captures content")
        return
    said = situation.said(_CAPTURE).lower()
    if said in _CAPTURED:
        yield ok(f"{_CAPTURE}={said}")
    elif said == "event_only":
        yield ok("content goes to log events, not to spans", f"set {_CAPTURE}=span_only")
    else:
        yield ok("prompts and answers are not captured", f"to see them, set {_CAPTURE}=span_only")
