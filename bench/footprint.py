"""What has to be seen from a fresh process: imports, open spans, peaks of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from bench.contenders import LANGSMITH_CREATE, OTLP, OTLP_GZIP, OURS, OURS_ZSTD
from bench.measure import Result, rotated
from bench.pipelines import IDLE, NOBODY, OURS_PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.measure import Effort
    from bench.sink import Sink

CPU_MS: Final = "ms CPU beyond the OTel SDK"
MODULES: Final = "modules beyond the OTel SDK"
UNWANTED_MODULES: Final = "modules of HTTP, `local` and langsmith"
PEAK: Final = "MB of peak memory growth"
OPEN_CPU: Final = "µs CPU/span"
OPEN_KB: Final = "KB per open span"

OPEN_SPANS: Final = (1_000, 10_000, 100_000, 1_000_000)

_SDK: Final = "import opentelemetry.sdk.trace.export"
_IMPORTS: Final = {
    OURS: "import otel_langsmith",
    f"{OURS}, names": (
        "from otel_langsmith import"
        " LangSmithPropagator, LangSmithSpanExporter, LangSmithSpanProcessor, configure"
    ),
    f"{OURS}, constructed": (
        "from otel_langsmith import LangSmithPropagator, LangSmithSpanProcessor\n"
        "LangSmithPropagator(), LangSmithSpanProcessor(api_key='any')"
    ),
    f"{OURS}, first send": (
        "from otel_langsmith import LangSmithSpanExporter as Exporter\n"
        "import requests, requests_toolbelt, zstandard\n"
        "Exporter(endpoint='http://127.0.0.1:9', api_key='any').export([])"
    ),
    OTLP: "import opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "langsmith": "from langsmith import Client",
}
_UNWANTED: Final = ("requests", "urllib3", "requests_toolbelt", "langsmith", "starlette", "uvicorn")
_PROGRAM: Final = """
import json, sys, time
{sdk}
modules, began = set(sys.modules), time.process_time()
{statement}
spent = time.process_time() - began
new = set(sys.modules) - modules
print(json.dumps([spent * 1000, len(new), len(new & {unwanted})]))
"""


def imports(sink: Sink, effort: Effort) -> Iterable[Result]:  # noqa: ARG001 - sends nothing
    """CPU and modules of an import when the OTel SDK is there already.

    Modules are compiled before, as those of an installed package are.
    """
    taken: dict[str, list[list[float]]] = {name: [] for name in _IMPORTS}
    with TemporaryDirectory() as compiled:
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
        for turn in range(-1, effort.processes):
            for name in rotated(list(_IMPORTS), turn):
                program = _PROGRAM.format(
                    sdk=_SDK, statement=_IMPORTS[name], unwanted=set(_UNWANTED)
                )
                answer = _answer("-c", program, environ=environ)
                if turn >= 0:
                    taken[name].append(answer)
    for place, (key, unit) in enumerate(
        (("import", CPU_MS), ("modules", MODULES), ("unwanted", UNWANTED_MODULES))
    ):
        series = {name: [values[place] for values in turns] for name, turns in taken.items()}
        yield Result(key, "import", unit, series)


def open_spans(sink: Sink, effort: Effort) -> Iterable[Result]:
    """Memory of a span that is open, and the cost of starting and ending one beside them."""
    cpu: dict[str, list[float]] = {}
    kilobytes: dict[str, list[float]] = {}
    for name in (NOBODY, IDLE, OURS_PIPELINE):
        found = _child(sink, "open", name, str(effort.most_open))
        for count, (microseconds, kilobyte) in found.items():
            cpu[beside(name, int(count))] = [microseconds]
            kilobytes[beside(name, int(count))] = [kilobyte]
    yield Result("open", "start and end beside open spans", OPEN_CPU, cpu)
    yield Result("open memory", "open spans", OPEN_KB, kilobytes)


def beside(name: str, count: int) -> str:
    """The label of a measurement with so many spans open."""
    return f"{name}, {count:,} open"


def peaks(sink: Sink, effort: Effort) -> Iterable[Result]:
    """By how much the peak of resident memory grows while large contents are exported."""
    series: dict[str, list[float]] = {}
    for _ in range(max(1, effort.rounds // 3)):
        for name in (OURS, OURS_ZSTD, OTLP, OTLP_GZIP, LANGSMITH_CREATE):
            grown = _child(sink, "peak", name, str(60 // effort.divisor))
            series.setdefault(name, []).append(grown["megabytes"])
    yield Result("peak", "export: contents of 1 MB", PEAK, series)


def _child(sink: Sink, *arguments: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = _answer("-m", "bench.child", sink.url, *arguments)
    return answer


def _answer(*arguments: str, environ: Mapping[str, str] | None = None) -> Any:
    """What a fresh interpreter prints, as JSON."""
    return json.loads(subprocess.check_output([sys.executable, *arguments], env=environ))
