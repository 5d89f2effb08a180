"""How many instructions a piece of work executes, counted by valgrind in a process of its own.

The process warms up first and makes all that its works need, for valgrind makes everything fifty
times slower; then one work after the other is counted.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

NOTHING: Final = "nothing"
"""What counting itself takes."""

_TOTALS: Final = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_VALGRIND: Final = ("--tool=callgrind", "--instr-atstart=no")


def counts_of(module: str, names: Iterable[str], url: str) -> dict[str, int]:
    """The instructions of each work that ``python -m module --child url`` has `execute`, in order.

    `NOTHING` is among them.
    """
    with TemporaryDirectory() as folder:
        dumps = Path(folder, "counts")
        command = ["valgrind", *_VALGRIND, f"--callgrind-out-file={dumps}"]
        _run([*command, sys.executable, "-m", module, "--child", url])
        return {
            name: _total(dumps.with_name(f"{dumps.name}.{number}"))
            for number, name in enumerate((NOTHING, *names), 1)
        }


def execute(works: Mapping[str, Callable[[], object]]) -> None:
    """Do each work between two commands to the valgrind around this process, which ends then."""
    gc.collect()
    gc.disable()
    _tell_valgrind("instrumentation", "on")
    for name, work in {NOTHING: _nothing, **works}.items():
        _tell_valgrind("zero")
        work()
        _tell_valgrind("dump", name)
    os._exit(0)  # nothing is to be undone


def _tell_valgrind(*words: str) -> None:
    """Without pipes, for reading them would be counted, now in more steps and now in fewer."""
    command = ["vgdb", f"--pid={os.getpid()}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _nothing() -> None:
    """Execute nothing."""


def _total(dump: Path) -> int:
    found = _TOTALS.search(dump.read_text(encoding="utf-8"))
    if not found:
        raise LookupError(f"{dump} has no totals; is this valgrind's format?")
    return int(found[1])


def _run(command: Sequence[str]) -> None:
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr}")
