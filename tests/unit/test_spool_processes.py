"""The spool among real processes, killed at any moment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked"),
]


def processes(*arguments: object, timeout_s: float = 200) -> dict[str, int]:
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(TESTS / "support" / "spool_processes.py"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize(
    "rounds", [50, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_kill_at_any_moment_loses_nothing_that_was_added(tmp_path: Path, rounds: int) -> None:
    seen = processes("kill", tmp_path, rounds, 6, timeout_s=600)
    assert min(seen["added"], seen["settled"], seen["opened"]) >= rounds // 2, seen


def test_no_run_is_taken_by_two_processes(tmp_path: Path) -> None:
    processes("share", tmp_path)


def test_a_forked_child_leaves_its_parents_spool_alone(tmp_path: Path) -> None:
    processes("fork", tmp_path)
