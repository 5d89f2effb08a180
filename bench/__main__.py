"""``python -m bench``: everything in about a quarter of an hour, ``--quick`` in about a minute."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import application, exporting, footprint, report, sink
from bench.measure import FULL, QUICK, TINY, Effort, Result, pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EXPERIMENTS: Final[Mapping[str, Callable[[sink.Sink, Effort], Iterable[Result]]]] = {
    "export": exporting.exporting,
    "depth": exporting.depths,
    "size": exporting.sizes,
    "start-end": application.starting_and_ending,
    "pipeline": application.whole,
    "late": application.lateness,
    "import": footprint.imports,
    "open": footprint.open_spans,
    "peak": footprint.peaks,
}


def main() -> None:
    """Measure, print, and write what was asked for."""
    arguments = _arguments()
    gc.freeze()  # what is loaded by now is nobody's to traverse
    results = list(_measured(arguments.experiments, arguments.effort))
    found = {result.key: result for result in results}
    tables = {
        "environment": _how(arguments.effort),
        "goals": report.summary(found),
        "details": report.details(results),
    }
    print("\n\n".join((tables["details"], tables["goals"], tables["environment"])))
    if arguments.json:
        arguments.json.write_text(report.as_json(results), encoding="utf-8")
    if arguments.document:
        filled = report.filled(arguments.document.read_text(encoding="utf-8"), tables)
        arguments.document.write_text(filled, encoding="utf-8")


def _how(effort: Effort) -> str:
    """What the numbers hold for, and how sure they are."""
    held = ", ".join(f"{name} {value}" for name, value in report.environment().items())
    return f"{effort.rounds} rounds of {effort.spans:,} spans and more; {held}"


def _measured(names: Iterable[str], effort: Effort) -> Iterable[Result]:
    with sink.running(pin()) as running:
        for name in names:
            began = time.monotonic()
            yield from EXPERIMENTS[name](running, effort)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = list(EXPERIMENTS)
    parser.add_argument("experiments", nargs="*", default=names, metavar="|".join(names))
    for flag, effort, what in (
        ("--quick", QUICK, "few rounds of few spans: a minute, for a first look"),
        ("--tiny", TINY, "one round of next to nothing: whether everything runs"),
    ):
        parser.add_argument(flag, dest="effort", action="store_const", const=effort, help=what)
    parser.add_argument("--json", type=Path, help="write every round of everything to this file")
    parser.add_argument("--document", type=Path, help="fill the tables of this Markdown file")
    parser.set_defaults(effort=FULL)
    arguments = parser.parse_args()
    if unknown := set(arguments.experiments) - set(names):
        parser.error(f"no experiment {', '.join(unknown)}; there are {', '.join(names)}")
    return arguments


if __name__ == "__main__":
    main()
