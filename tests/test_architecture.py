"""The house of DESIGN: reading order is dependency order, and the middle is pure."""

import ast
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import otel_langsmith

PACKAGE = Path(otel_langsmith.__file__).parent

ORDER = (
    # the words
    "version",
    "errors",
    "run",
    "presence",
    # the rules, pure
    "identity",
    "baggage",
    "headers",
    "carrier",
    "credentials",
    "w3c",
    "selection",
    "lineage",
    "tracking",
    "assembly",
    "portions",
    "live",
    "conventions.long_numbers",
    "conventions.json",
    "conventions.reprs",
    "conventions.readers",
    "conventions.blocks",
    "conventions.results",
    "conventions.langchain_messages",
    "conventions.items",
    "conventions.messages",
    "conventions.message_events",
    "conventions.tools",
    "conventions.payloads",
    "conventions.retrieval",
    "conventions.models",
    "conventions.kinds",
    "conventions.fields",
    "conventions.rows",
    "conventions.tokens",
    "conventions.flattened",
    "conventions.plan",
    "conventions.interpreter",
    "conventions.foresight",
    "conventions.getters",
    "conventions.forecast",
    "conventions.outlook",
    "conventions.table",
    "conventions.dialects",
    "conventions.dialects.langsmith",
    "conventions.dialects.gen_ai",
    "conventions.dialects.anthropic",
    "conventions.dialects.litellm",
    "conventions.dialects.openinference",
    "conventions.dialects.traceai",
    "conventions.dialects.traceloop",
    "conventions.dialects.mcp",
    "conventions.dialects.openlit",
    "conventions.dialects.haystack",
    "conventions.dialects.pydantic_ai",
    "conventions.dialects.logfire",
    "conventions.dialects.vercel_ai",
    "conventions.dialects.google_adk",
    "conventions.dialects.strands",
    "conventions.dialects.microsoft",
    "conventions.dialects.langfuse",
    "conventions.dialects.mlflow",
    "conventions.dialects.braintrust",
    "conventions.dialects.genkit",
    "conventions.dialects.laminar",
    "conventions.dialects.langwatch",
    "conventions.dialects.langtrace",
    "conventions.dialects.judgeval",
    "conventions.dialects.honeyhive",
    "conventions.dialects.promptflow",
    "conventions.dialects.mirascope",
    "conventions.dialects.nemo",
    "conventions.dialects.llama_index",
    "conventions.dialects.livekit",
    "conventions.dialects.mastra",
    "conventions.dialects.pipecat",
    "conventions.dialects.agentops",
    "conventions.dialects.crewai",
    "conventions.dialects.autogen",
    "conventions.dialects.bare",
    "conventions.dialects.plain",
    "conventions",
    "conventions.media",
    "conventions.compose",
    "failure",
    "provenance",
    "log_events",
    "translate",
    "calls",
    "twice",
    "wire",
    "wire.json",
    "hiding",
    "redact",
    "spellings",
    "endpoints",
    "settings_table",
    "settings",
    "keys",
    "scales",
    "wire.parts",
    "wire.shorten",
    "wire.multipart",
    "wire.compress",
    "wire.basic",
    "wire.batch",
    "wire.reply",
    "wire.info",
    "wire.isolate",
    "wire.readdress",
    "encoder",
    # the shell, with clock, threads and sockets
    "deferral",
    "bugs",
    "forks",
    "delivery",
    "delivery.clock",
    "delivery.thread",
    "delivery.connections",
    "delivery.transport",
    "delivery.ledger",
    "delivery.books",
    "delivery.backlog",
    "delivery.disk",
    "delivery.records",
    "delivery.segment_files",
    "delivery.lease",
    "delivery.journal",
    "delivery.segment",
    "delivery.disk_reports",
    "delivery.spool",
    "delivery.destination",
    "delivery.dead_letters",
    "delivery.traces",
    "delivery.patience",
    "delivery.gate",
    "delivery.quota",
    "delivery.reports",
    "delivery.telemetry",
    "delivery.server",
    "delivery.outbox",
    "delivery.outcome",
    "delivery.attempts",
    "delivery.sender",
    "delivery.lane",
    "delivery.worker",
    "delivery.routes",
    "exits",
    "joining",
    "admission",
    # faces
    "pipeline",
    "processor",
    "exporter",
    "log_processor",
    "propagation",
    "propagator",
    "feedback",
    "setup",
    "serverless",
    "",  # the package itself: the public names
    # programs
    "hooks",
    "receiver.refusal",
    "receiver.strict_json",
    "receiver.instants",
    "receiver.dotted_order",
    "receiver.rules",
    "receiver.inflate",
    "receiver.multipart",
    "receiver.ingest",
    "receiver.stored",
    "receiver.store",
    "receiver.conversation",
    "receiver.page",
    "receiver.reading",
    "receiver.app",
    "receiver.server",
    "receiver",
    "demo",
    "demo.serving",
    "demo.fake_model",
    "demo.service",
    "demo.agent",
    "demo.program",
    "tree",
    "doctor.situation",
    "doctor.account",
    "doctor.failures",
    "doctor.server",
    "doctor.packages",
    "doctor.tracing",
    "doctor.probe",
    "doctor",
    "doctor.report",
    "envelopes",
    "spooling",
    "replaying",
    "commands.console",
    "commands.database",
    "commands.receiving",
    "commands.serve",
    "commands.demo",
    "commands.show",
    "commands.doctor",
    "commands.spool",
    "commands",
    "cli",
)
"""Every module of the package; each may import only those before it."""

PURE = (
    *ORDER[: ORDER.index("deferral")],
    *ORDER[ORDER.index("doctor.situation") : ORDER.index("doctor.probe")],
)

OUTSIDE_WORLD = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "queue", "signal", "subprocess", "threading"),
        *("http", "requests", "socket", "ssl", "urllib3"),
        *("os", "pathlib", "shutil", "sqlite3", "sys", "tempfile"),
        *("logging", "random", "secrets", "time"),
    }
)

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_MEDIAN_LINES = 8
FORBIDDEN_NAMES = ("utils", "helpers", "common", "misc")


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name below it."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


class Import(NamedTuple):
    name: str
    in_function: bool
    for_types_only: bool
    deferred: bool = False


def imports(node: ast.AST, *, inside: bool = False, typing: bool = False) -> Iterator[Import]:
    """Every import below a node, deferred or not, and where it stands."""
    for child in ast.iter_child_nodes(node):
        if (name := deferred_by(child)) is not None:
            yield Import(name, inside, for_types_only=False, deferred=True)
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, inside, typing) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = "." * child.level + (child.module or "")
            names = [f"{source}.{alias.name}" for alias in child.names]
            yield from (Import(name, inside, typing) for name in names)
        function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        guard = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        yield from imports(child, inside=inside or function, typing=typing or guard)


def deferred_by(node: ast.AST) -> str | None:
    """The module that ``deferred("its name")`` stands for."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "deferred"):
        return None
    (argument,) = node.args
    return argument.value if isinstance(argument, ast.Constant) else None


def own(name: str, known: Iterable[str]) -> str | None:
    """The module of ours that an import names, if any."""
    below = name.removeprefix("otel_langsmith").removeprefix(".")
    if not name.startswith("otel_langsmith"):
        return None
    known = set(known)
    while below and below not in known:
        below = below.rpartition(".")[0]
    return below


def faults(package: Path) -> list[str]:
    """Everything in a package that breaks the rules of the house."""
    found = modules(package)
    return [
        f"{name or '__init__'}: {fault}"
        for name, path in found.items()
        for fault in faults_of(name, path.read_text(encoding="utf-8"), found)
    ]


def faults_of(name: str, source: str, known: Iterable[str]) -> Iterator[str]:
    """The rules one module breaks; ``known`` are the modules there are."""
    tree = ast.parse(source)
    if name.rpartition(".")[2] in FORBIDDEN_NAMES:
        yield "has a name that says nothing"
    if name not in ORDER:
        yield "is not in the order"
        return
    if len(source.splitlines()) > MAX_MODULE_LINES:
        yield f"has more than {MAX_MODULE_LINES} lines"
    found = [*imports(tree)]
    typed = {imported.name for imported in found if imported.for_types_only}
    for imported in found:
        if imported.deferred and imported.name not in typed:
            yield f"defers {imported.name} and does not tell type checkers"
        if imported.name.startswith("."):
            yield f"imports {imported.name} by a relative path"
        ours = own(imported.name, known)
        if ours is not None and imported.in_function:
            yield f"imports {imported.name} inside a function"
        if ours in ORDER and ours != name and ORDER.index(ours) > ORDER.index(name):
            yield f"imports {ours}, which comes later"
        outside = imported.name.split(".")[0] in OUTSIDE_WORLD
        if name in PURE and outside and not imported.for_types_only:
            yield f"is pure, yet imports {imported.name}"
    yield from (
        f"{function} has {lines} lines"
        for function, lines in functions(tree)
        if lines > MAX_FUNCTION_LINES
    )


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function and its length in lines, without docstring and signature."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            last = node.end_lineno or node.lineno
            yield node.name, last - body[0].lineno + 1 if body else 0


def edges(package: Path) -> dict[str, set[str]]:
    """Which module imports which, inside functions too."""
    found = modules(package)
    return {
        name: {
            ours
            for imported in imports(ast.parse(path.read_text(encoding="utf-8")))
            if (ours := own(imported.name, found)) not in (None, name)
        }
        for name, path in found.items()
    }


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules that cannot be put in any order, because they import each other."""
    left = {name: set(targets) & set(graph) for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & set(left)]:
        for name in free:
            del left[name]
    return sorted(left)


def test_every_module_keeps_the_rules_of_the_house() -> None:
    assert faults(PACKAGE) == []


def test_the_order_names_only_what_is_there() -> None:
    assert [*ORDER] == sorted(modules(PACKAGE), key=ORDER.index)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle(edges(PACKAGE)) == []


def test_functions_are_short() -> None:
    lengths = [
        lines
        for path in modules(PACKAGE).values()
        for _, lines in functions(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert statistics.median(lengths) <= MAX_MEDIAN_LINES


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("identity", "from otel_langsmith.exporter import X", "comes later"),
        ("identity", "import otel_langsmith.exporter", "comes later"),
        ("identity", "from .exporter import X", "relative path"),
        ("identity", "from . import exporter", "relative path"),
        ("redact", "import socket", "is pure"),
        ("redact", "def f():\n    import socket", "is pure"),
        ("wire.batch", "from time import monotonic", "is pure"),
        ("exporter", "def f():\n    from otel_langsmith.run import Run", "inside a function"),
        ("identity", 'x = deferred("otel_langsmith.exporter")', "comes later"),
        ("redact", 'x = deferred("requests")', "is pure"),
        ("exporter", 'def f():\n    deferred("otel_langsmith.run")', "inside a function"),
        ("exporter", 'run = deferred("otel_langsmith.run")', "does not tell type checkers"),
        ("wire.utils", "", "says nothing"),
        ("helpers", "", "not in the order"),
        ("run", "\n" * 401, "more than 400 lines"),
        ("run", "def f():\n" + "    pass\n" * 61, "f has 61 lines"),
    ],
)
def test_a_planted_violation_is_caught(module: str, source: str, fault: str) -> None:
    known = {**modules(PACKAGE), module: Path()}
    assert any(fault in found for found in faults_of(module, source, known))


def test_a_planted_cycle_is_caught() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert {"b", "c"} <= set(cycle(graph))
