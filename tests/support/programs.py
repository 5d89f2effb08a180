"""Instrumented programs, each a process of its own against a model of ours, and their runs."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import otel_langsmith
from otel_langsmith.receiver import Receiver, StoredRun

PROGRAMS = Path(__file__).parent.parent / "instrumented" / "programs"

SETTINGS = {
    "LANGSMITH_API_KEY": "local",
    "OPENAI_API_KEY": "none",
    "OTEL_PROPAGATORS": "tracecontext,baggage,langsmith",
    # Without these two the official instrumentation leaves prompts and answers out.
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
}


def needs(*modules: str) -> None:
    """Leave out the test module unless all of these are installed; imports none of them."""
    missing = [module for module in modules if not _is_here(module)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def named_of(run: StoredRun) -> str:
    """A run's type and name, and the name of its span where that is another."""
    span = run.metadata.get("otel.span.name")
    return f"{run.run_type} {run.name}" + (f" ({span})" if span else "")


def span_of(run: StoredRun) -> str:
    """The name of a run's span."""
    return str(run.metadata.get("otel.span.name", run.name))


@dataclass(frozen=True)
class Traced:
    """The runs that a program made, each followed by what hangs beneath it, in order of start."""

    runs: Sequence[StoredRun]

    def drawn(self, line: Callable[[StoredRun], str]) -> str:
        """One line a run, children indented beneath their parents."""
        return "\n".join("  " * run.depth + line(run) for run in self.runs)

    def of(self, *spans: str) -> list[StoredRun]:
        """The runs of the spans of these names."""
        return [run for run in self.runs if span_of(run) in spans]

    def one(self, span: str) -> StoredRun:
        """The only run of a span of this name."""
        [run] = self.of(span)
        return run

    @property
    def text(self) -> str:
        """All that was stored, to look for what must not be in it."""
        return json.dumps([vars_of(run) for run in self.runs], default=str, ensure_ascii=False)


def vars_of(run: StoredRun) -> dict[str, object]:
    """A run's content, by field."""
    return {
        name: getattr(run, name)
        for name in ("name", "inputs", "outputs", "error", "events", "tags", "extra", "serialized")
    }


def trace(program: str, model_url: str, settings: Mapping[str, str]) -> Traced:
    """Run a program to its end, and see that each of its runs arrived, ended and has its parent."""
    with Receiver(requests_per_minute=1_000_000) as receiver:
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / f"{program}.py")],
            env={**_environ(receiver.url, model_url), **settings},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        runs = sorted(receiver.store.runs(), key=lambda run: run.dotted_order)
        refused = [line for line in receiver.store.requests() if line.status >= 400]
    assert refused == []
    ids = {run.id for run in runs}
    assert [run.name for run in runs if run.end_time is None] == []
    assert [run.name for run in runs if run.parent_run_id not in {None, *ids}] == []
    return Traced(runs)


def _environ(langsmith_url: str, model_url: str) -> dict[str, str]:
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANGSMITH_", "LANGCHAIN_", "OPENAI_", "OTEL_"))
    }
    return {
        **ours,
        **SETTINGS,
        # Where the tests found the package, the programs find it too.
        "PYTHONPATH": str(Path(otel_langsmith.__file__).parent.parent),
        "LANGSMITH_ENDPOINT": langsmith_url,
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "NO_PROXY": "127.0.0.1",
    }
