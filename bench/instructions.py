"""Instructions per span, counted by valgrind: the one cost that repeats to a tenth of a per cent.

`baseline.json` keeps the counts for one interpreter and one set of packages; `slower` says what
costs more since, `worse` what costs more beside OTLP, whatever the versions.
``python -m bench.instructions`` prints the counts, ``--write`` keeps them.
"""

from __future__ import annotations

import argparse
import json
import random
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import exporters, pipelines, sink
from bench.callgrind import NOTHING, counts_of, execute
from bench.report import environment
from bench.workloads import LLM, WEB, Workload, finished, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.measure import Work

BASELINE: Final = Path(__file__).with_name("baseline.json")

TOLERANCE: Final = 0.10
"""A span may cost so much more than in the baseline."""

NOISE: Final = 0.001
"""So much of a count does not repeat. It is a fifth of what an idle processor costs beyond the SDK,
for that is the difference of two counts."""

RATIO_TOLERANCE: Final = 0.25
"""The same of OTLP, on other interpreters and versions, which move both."""

_SPANS: Final = 100
_WARM_UP: Final = 20


class Kept(NamedTuple):
    """Counts, and what they hold for."""

    environment: Mapping[str, str]
    instructions: Mapping[str, int]


class Case(NamedTuple):
    """What is executed, and the case that is all of it but what is to be counted."""

    prepare: Callable[[str], AbstractContextManager[Callable[[], Work]]]
    beyond: str = NOTHING


@contextmanager
def _exporting(
    url: str, *, opening: exporters.Opening, workload: Workload
) -> Iterator[Callable[[], Work]]:
    with opening(url) as contender:
        contender(finished(workload.traces(_WARM_UP)))()
        yield partial(exporters.prepared, contender, workload, _SPANS)


@contextmanager
def _starting_and_ending(url: str, *, name: str) -> Iterator[Callable[[], Work]]:
    """`start_span` and `end` of web spans while the worker sleeps."""
    with pipelines.PIPELINES[name](url, asleep=True) as pipeline:
        replay(pipeline.tracer, WEB.traces(_WARM_UP))
        pipeline.flush()
        yield lambda: partial(replay, pipeline.tracer, WEB.traces(_SPANS))


def _export(opening: exporters.Opening, workload: Workload) -> Case:
    return Case(partial(_exporting, opening=opening, workload=workload))


def _start_end(name: str, beyond: str = NOTHING) -> Case:
    return Case(partial(_starting_and_ending, name=name), beyond)


_SDK_ALONE: Final = "start and end, no processor"
_ZSTD: Final = partial(exporters.ours, compression="zstd")

CASES: Final[Mapping[str, Case]] = {
    "export LLM spans": _export(exporters.ours, LLM),
    "export LLM spans, zstd": _export(_ZSTD, LLM),
    "export LLM spans, OTLP": _export(exporters.otlp, LLM),
    "export web spans": _export(exporters.ours, WEB),
    "export web spans, OTLP": _export(exporters.otlp, WEB),
    _SDK_ALONE: _start_end(pipelines.NOBODY),
    "start and end": _start_end(pipelines.OURS_PIPELINE, _SDK_ALONE),
    "start and end, idle batch processor": _start_end(pipelines.IDLE, _SDK_ALONE),
}


_PEERS: Final = (
    ("export LLM spans", "export LLM spans, OTLP"),
    ("export web spans", "export web spans, OTLP"),
)


def counted() -> dict[str, int]:
    """Instructions per span of every case, in one process under valgrind."""
    with sink.running() as running:
        refs = counts_of("bench.instructions", CASES, running.url)
    return {name: (refs[name] - refs[case.beyond]) // _SPANS for name, case in CASES.items()}


def _child(url: str) -> None:
    random.seed(0)  # where the SDK takes its ids from
    with ExitStack() as stack:
        prepares = {name: stack.enter_context(case.prepare(url)) for name, case in CASES.items()}
        execute({name: prepare() for name, prepare in prepares.items()})


def kept() -> Kept:
    """The baseline of the repository."""
    read = json.loads(BASELINE.read_text(encoding="utf-8"))
    return Kept(read["environment"], read["instructions"])


def counted_with() -> dict[str, str]:
    """What the counts depend on: interpreter, machine and the packages that are executed."""
    return {name: value for name, value in environment().items() if name != "langsmith"}


def slower(found: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    """The cases that execute more than in the baseline, tolerance included."""
    return [
        f"{name}: {found[name]:,} instructions a span, {found[name] / count - 1:+.1%} of {count:,}"
        for name, count in before.items()
        if found[name] > count * (1 + TOLERANCE) + _noise(name, before)
    ]


def _noise(name: str, before: Mapping[str, int]) -> float:
    """What a count owes to that of the case beyond which it was counted."""
    return NOISE * before.get(CASES[name].beyond, 0) if name in CASES else 0.0


def worse(found: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    """The cases that execute more beside OTLP than in the baseline, tolerance included."""
    ratios = {
        name: (found[name] / found[otlp], before[name] / before[otlp]) for name, otlp in _PEERS
    }
    return [
        f"{name}: {now:.3f} of OTLP, once {then:.3f}"
        for name, (now, then) in ratios.items()
        if now > then * (1 + RATIO_TOLERANCE)
    ]


def main() -> None:
    """Count, print, and keep if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"keep the counts in {BASELINE.name}")
    parser.add_argument("--child", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(arguments.child)
    if not which("valgrind"):
        parser.error("valgrind is not installed")
    found = {"environment": counted_with(), "instructions": counted()}
    print(json.dumps(found, indent=1))
    if arguments.write:
        BASELINE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
