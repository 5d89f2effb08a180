"""What the README says is what happens. `pytest --regen` writes its generated parts anew."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_langsmith
from otel_langsmith.receiver import Receiver
from otel_langsmith.settings import PREFIXES, SETTINGS, Setting

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

MAX_LINES_TO_PYTHON = 25
MAX_WORDS_TO_PYTHON = 60
MEASURED = re.compile(r"[\d.]+ (?:ms|s)\b|127\.0\.0\.1:\d+")


def section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


def generated(
    name: str, text: str, request: pytest.FixtureRequest, same: Callable[[str], str]
) -> None:
    """The README's part ``name`` is ``text``, apart from what ``same`` takes for equal."""
    readme = README.read_text(encoding="utf-8")
    if request.config.getoption("--regen"):
        README.write_text(section(name).sub(lambda _: text, readme), encoding="utf-8")
        return
    (found,) = section(name).findall(readme)
    assert same(found) == same(text)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block(words: str) -> str:
    """The one block of Python that holds ``words``."""
    (found,) = [text for text in blocks("python") if words in text]
    return found


def settings_table() -> str:
    rows = [
        f"| {code(row.keyword)}{taken_by(row)} | {shown(row)} "
        f"| {', '.join(map(code, (*row.suffixes, *row.also)))} | {row.doc} |"
        for row in SETTINGS
    ]
    head = ["| keyword | default | variable | |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def taken_by(row: Setting) -> str:
    """Whose keyword it is, where it is not everybody's who sends."""
    return "" if "exporter" in row.faces else f" ({', '.join(row.faces)})"


def code(text: object) -> str:
    return f"`{text}`"


def shown(row: Setting) -> str:
    """The default as a reader wants it."""
    default = row.default
    if default is None or default == {}:
        return ""
    if row.keyword.endswith("_bytes") and isinstance(default, int):
        return f"{default / 2**20:g} MiB"
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return f"{default:,g}"
    return code(default).lower()


def test_python_comes_early_and_after_few_words() -> None:
    before, python, _ = README.read_text(encoding="utf-8").partition("```python")
    assert python
    assert len(before.splitlines()) < MAX_LINES_TO_PYTHON
    assert len(before.split()) <= MAX_WORDS_TO_PYTHON


def test_the_settings_are_all_there(request: pytest.FixtureRequest) -> None:
    generated("settings", settings_table(), request, str.strip)
    prefixes = " or ".join(map(code, PREFIXES))
    assert prefixes in README.read_text(encoding="utf-8").replace("\n", " ")


def test_the_demo_prints_what_the_readme_shows(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("openai")
    done = subprocess.run(
        [sys.executable, "-m", "otel_langsmith.cli", "demo"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1"},
        timeout=200,
    )
    lines = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
    generated("demo", f"```text\n{lines}\n```\n", request, lambda text: MEASURED.sub("#", text))


def test_the_first_python_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    first = blocks("python")[0]
    with Receiver() as receiver:
        exec(first.replace("http://127.0.0.1:1984", receiver.url), {})
        (run,) = receiver.store.runs()
    assert (run.name, run.run_type) == ("hello", "tool")
    assert capsys.readouterr().out == "1 delivered\n"


def test_the_second_python_joins_a_provider_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider()
    with Receiver() as receiver:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", receiver.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "any")
        without_provider = [text for text in blocks("python") if "BatchSpanProcessor" in text][1]
        exec(without_provider, {"provider": provider})
        provider.get_tracer("mine").start_span("span").end()
        provider.shutdown()
        assert len(receiver.store.runs()) == 1


ONE_SPAN = "__import__('opentelemetry.trace').trace.get_tracer('t').start_span('one').end()"


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("otel_langsmith.configure()", ONE_SPAN),
        ("flush_on_return", f"handler({ONE_SPAN}, 'context'); os._exit(0)"),
    ],
    ids=["one line", "a handler"],
)
def test_nothing_more_is_needed(words: str, then: str) -> None:
    """Not even an end of the process that anybody hears of, in the handler's case."""
    with Receiver() as receiver:
        done = subprocess.run(
            [sys.executable, "-c", f"import os\n{block(words)}\n{then}"],
            check=True,
            capture_output=True,
            env={**os.environ, "LANGSMITH_ENDPOINT": receiver.url, "LANGSMITH_API_KEY": "any"},
            timeout=200,
        )
        assert done.stderr == b""
        assert [run.name for run in receiver.store.runs()] == ["one"]


def test_the_file_is_the_examples() -> None:
    assert blocks("yaml") == [(ROOT / "examples" / "zero_code" / "otel.yaml").read_text("utf-8")]


def test_the_processor_joins_as_the_readme_says(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider()
    with Receiver() as receiver:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", receiver.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "any")
        exec(block("span_filter="), {"provider": provider})
        tracer = provider.get_tracer("mine")
        with tracer.start_as_current_span("request"), tracer.start_as_current_span("noise"):
            chat = {"gen_ai.operation.name": "chat"}
            tracer.start_span("chat", attributes=chat).end()
        provider.shutdown()
        (trace,) = receiver.store.traces()
        assert [run.name for run in receiver.store.trace(trace.trace_id)] == ["request", "chat"]


def test_logs_are_joined_as_the_readme_says() -> None:
    code = (
        block("LangSmithLogRecordProcessor")
        + """
from opentelemetry.sdk.trace import TracerProvider
from otel_langsmith.joining import JOINED
with TracerProvider().get_tracer("mine").start_as_current_span("chat") as span:
    logger_provider.get_logger("theirs").emit(body="hi", event_name="gen_ai.user.message")
print(*(event.name for event in JOINED.joined_to(span).events))
"""
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "gen_ai.user.message\n"


def test_the_propagator_joins_as_the_readme_says() -> None:
    code = block("CompositePropagator") + "\nprint(sorted(get_global_textmap().fields))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "['baggage', 'langsmith-trace', 'traceparent', 'tracestate']\n"


def test_a_convention_joins_as_the_readme_says(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block for block in blocks("python") if "Convention(" in block]
    provider = TracerProvider()
    with Receiver() as receiver:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", receiver.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "any")
        names: dict[str, Any] = {}
        exec(code, names)
        provider.add_span_processor(SimpleSpanProcessor(names["exporter"]))
        told = {
            "planner.step": "ask",
            "planner.model": "gpt-4o",
            "planner.tokens.in": "12",
            "planner.tokens.out": 3,
            "planner.conversation": "thread-1",
            "planner.prompt": "password=hunter2",
            "planner.city": "Paris",
            "planner.answer": '[{"role": "assistant", "content": "Hi"}]',
        }
        provider.get_tracer("mine").start_span("plan", attributes=told).end()
        provider.shutdown()
        (run,) = receiver.store.runs()
    asked, answered = (
        [{"role": role, "content": [{"type": "text", "text": text}]}]
        for role, text in (("user", "password=[redacted]"), ("assistant", "Hi"))
    )
    assert run.run_type == "llm"
    assert run.inputs == {"messages": asked, "city": "Paris"}
    assert run.outputs == {"messages": answered}
    assert run.metadata["thread_id"] == "thread-1"
    assert run.metadata["usage_metadata"]["total_tokens"] == 15


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_every_example_runs_clean(example: Path) -> None:
    with Receiver() as receiver:
        done = subprocess.run(
            [sys.executable, example],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "LANGSMITH_ENDPOINT": receiver.url, "LANGSMITH_API_KEY": "any"},
            timeout=200,
        )
        assert done.stderr == ""
        assert receiver.store.runs()
        assert all(status in (200, 202) for *_, status, _ in receiver.store.requests())


def test_the_sources_name_no_machine() -> None:
    """No path of a developer's machine and no registry's host is in what we publish."""
    forbidden = re.compile(r"/(?:root|work|home)/|pypi\.org|registry\.npmjs|deb\.debian")
    published = [*Path(otel_langsmith.__file__).parent.rglob("*"), *ROOT.glob("*.*")]
    found = [
        path
        for path in published
        if path.suffix in {".py", ".toml", ".md", ".html", ".txt"}
        and forbidden.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
