"""Checks of the installed packages: versions, combinations that break, duplicates. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from otel_langsmith.doctor.situation import (
    Observations,
    Situation,
    error,
    listed,
    ok,
    warning,
)

OURS: Final = "otel-langsmith"
OLDEST_PYTHON: Final = (3, 10)

_RANGE: Final = re.compile(r"([\w.-]+)\s*((?:[<>]=?[\d.]+,?)+)$")
_BOUND: Final = re.compile(r"([<>]=?)([\d.]+)")
_PIN: Final = re.compile(r"(opentelemetry-[\w.-]+)\s*==\s*([\w.]+)$")
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)*")


def versions(situation: Situation) -> Observations:
    """Python and our own requirements, OpenTelemetry's api and sdk among them."""
    python = ".".join(map(str, situation.python))
    seen = []
    if situation.python < OLDEST_PYTHON:
        seen.append(error(f"Python {python} is too old", "use Python 3.10 or newer"))
    ours = situation.installed.get(OURS)
    for name, bounds in _ranges(ours.requires if ours else ()):
        found = situation.installed.get(name)
        if found is None or not _within(found.version, bounds):
            was = f"{name} {found.version}" if found else f"{name} is not installed"
            seen.append(error(f"{was}; {OURS} needs {bounds}", f'pip install "{name}{bounds}"'))
    api, sdk = (_version(situation, f"opentelemetry-{part}") for part in ("api", "sdk"))
    if api != sdk:
        remedy = f"pip install opentelemetry-api=={sdk} opentelemetry-sdk=={sdk}"
        seen.append(warning(f"opentelemetry-api {api} beside opentelemetry-sdk {sdk}", remedy))
    version = _version(situation, OURS)
    yield from seen or [ok(f"Python {python}, OpenTelemetry {sdk}, {OURS} {version}")]


def _version(situation: Situation, name: str) -> str:
    found = situation.installed.get(name)
    return found.version if found else "none"


def _ranges(requires: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The requirements that are a range and need no extra."""
    for requirement in requires:
        if match := _RANGE.fullmatch(requirement.strip()):
            yield match[1], match[2]


def _within(version: str, bounds: str) -> bool:
    return all(_holds(_numbers(version), *bound) for bound in _BOUND.findall(bounds))


def _holds(version: tuple[int, ...], relation: str, bound: str) -> bool:
    limit = _numbers(bound)
    size = max(len(version), len(limit))
    one, other = (part + (0,) * (size - len(part)) for part in (version, limit))
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[relation]


def _numbers(version: str) -> tuple[int, ...]:
    match = _NUMBERS.match(version)
    return tuple(map(int, match[0].split("."))) if match else ()


def packages(situation: Situation) -> Observations:
    """Combinations of packages that are known to break, and pins that are not kept."""
    seen = [*_broken(situation), *_unkept(situation)]
    yield from seen or [ok("no combination is known to break")]


def _broken(situation: Situation) -> Observations:
    httpx = situation.installed.get("httpx")
    instrumented = "opentelemetry-instrumentation-httpx" in situation.installed
    if httpx and instrumented and _numbers(httpx.version) >= (1,):
        yield error(
            f"httpx {httpx.version} makes its instrumentation raise, and "
            "opentelemetry-instrument then skips every instrumentation after it",
            'pip install "httpx<1"',
        )
    if situation.said("OTEL_PYTHON_CONTEXT").startswith("ddcontextvars"):
        yield warning(
            "OTEL_PYTHON_CONTEXT hands OpenTelemetry's context to ddtrace, which drops what our "
            "propagator puts there",
            "unset OTEL_PYTHON_CONTEXT, or expect traces to break between services",
        )


def _unkept(situation: Situation) -> Observations:
    """OpenTelemetry's packages pin each other exactly; nothing checks that when they run."""
    wanted: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for package in situation.installed.values():
        for match in filter(None, map(_PIN.match, package.requires)):
            found = situation.installed.get(match[1])
            if found is not None and found.version != match[2]:
                wanted[match[1], match[2]].append(package.name)
    for (name, version), packages in sorted(wanted.items()):
        yield warning(
            f"{', '.join(sorted(packages))} wants {name} {version}, "
            f"but {situation.installed[name].version} is installed",
            "install OpenTelemetry's packages of one release, in one pip command",
        )


def distro(situation: Situation) -> Observations:
    """Which distribution of OpenTelemetry ``opentelemetry-instrument`` takes."""
    seen = []
    for group, variable in (
        ("opentelemetry_distro", "OTEL_PYTHON_DISTRO"),
        ("opentelemetry_configurator", "OTEL_PYTHON_CONFIGURATOR"),
    ):
        names = sorted(situation.plugin_names(group))
        if len(names) > 1 and not situation.said(variable):
            found = f"{len(names)} packages want to configure OpenTelemetry: {', '.join(names)}"
            remedy = f"the first one found wins; choose with {variable}=<name>"
            seen.append(warning(f"{found} ({group})", remedy))
    names = sorted(situation.plugin_names("opentelemetry_distro"))
    none = "none installed; only opentelemetry-instrument needs one (opentelemetry-distro)"
    yield from seen or [ok(", ".join(names) or none)]


_ALIASES: Final[Mapping[str, str]] = {
    "botocore": "bedrock",
    "google-generativeai": "google-genai",
    "llamaindex": "llama-index",
    "mistral-ai": "mistralai",
    "vertex-ai": "vertexai",
}
_PREFIXES: Final = (
    "openinference-instrumentation-",
    "opentelemetry-instrumentation-genai-",
    "opentelemetry-instrumentation-",
)


def instrumentations(situation: Situation) -> Observations:
    """Whether one library is instrumented by several packages: each call becomes several runs."""
    disabled = set(listed(situation.said("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")))
    libraries: defaultdict[str, set[str]] = defaultdict(set)
    for plugin in situation.plugins:
        active = plugin.name not in disabled and "*" not in disabled
        if plugin.group == "opentelemetry_instrumentor" and active:
            libraries[_library(plugin.distribution)].add(plugin.distribution)
    double = {name: sorted(by) for name, by in sorted(libraries.items()) if len(by) > 1}
    for name, by in double.items():
        yield warning(
            f"{name} is instrumented by {' and '.join(by)}: each call is recorded {len(by)} times",
            f"pip uninstall {by[-1]}, or name it in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        )
    if not double:
        yield ok(", ".join(sorted(libraries)) or "none installed")


def _library(distribution: str) -> str:
    prefix = next((start for start in _PREFIXES if distribution.startswith(start)), "")
    name = distribution.removeprefix(prefix).removesuffix("-v2")
    return _ALIASES.get(name, name)
