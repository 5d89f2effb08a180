"""The house of DESIGN: reading order is dependency order, and the middle is pure."""

import ast
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import otel_langsmith

PACKAGE = Path(otel_langsmith.__file__).parent

ORDER = (
    # words
    "version",
    "errors",
    "run",
    # rules: pure
    "identity",
    "settings",
    "lineage",
    "assembly",
    "redact",
    "conventions.readers",
    "conventions.messages",
    "conventions.table",
    "conventions.langsmith",
    "conventions.gen_ai",
    "conventions.plain",
    "conventions",
    "translate",
    "wire",
    "wire.json",
    "wire.parts",
    "wire.multipart",
    "wire.compress",
    "wire.batch",
    "wire.reply",
    # shell: clock, threads, sockets
    "delivery",
    "delivery.transport",
    "delivery.ledger",
    "delivery.sender",
    # faces
    "pipeline",
    "exporter",
    "",  # the package itself: the public names
    # programs
    "receiver",
    "tree",
    "demo",
    "commands",
    "cli",
)
"""Every module of the package; each may import only those before it."""

PURE = ORDER[: ORDER.index("delivery")]

OUTSIDE_WORLD = frozenset(
    "asyncio concurrent http logging multiprocessing os pathlib queue random requests secrets"
    " shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib3".split()
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


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether the import stands inside a function."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    yield f"{child.module}.{alias.name}", inside
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, inside or function)

    return walk(tree, inside=False)


def own(name: str, known: Iterable[str]) -> str | None:
    """The module of ours that an import names, if any."""
    below = name.removeprefix("otel_langsmith").removeprefix(".")
    if not name.startswith("otel_langsmith"):
        return None
    known = set(known)
    while below and below not in known:
        below = below.rpartition(".")[0]
    return below


def place(name: str) -> int:
    """Where a module stands in the order; a room may be one entry for all its modules."""
    while name and name not in ORDER:
        name = name.rpartition(".")[0]
    return ORDER.index(name)


def faults(package: Path) -> list[str]:
    """Everything in a package that breaks the rules of the house."""
    found = modules(package)
    return [
        f"{name or '__init__'}: {fault}"
        for name, path in found.items()
        for fault in faults_of(name, path.read_text(encoding="utf-8"), found)
    ]


def faults_of(name: str, source: str, known: Iterable[str]) -> Iterator[str]:
    tree = ast.parse(source)
    if name and not any(name == entry or name.startswith(f"{entry}.") for entry in ORDER if entry):
        yield "is not in the order"
        return
    if name.rpartition(".")[2] in FORBIDDEN_NAMES:
        yield "has a name that says nothing"
    if len(source.splitlines()) > MAX_MODULE_LINES:
        yield f"has more than {MAX_MODULE_LINES} lines"
    for imported, inside in imports(tree):
        ours = own(imported, known)
        if ours is not None and inside:
            yield f"imports {imported} inside a function"
        if ours is not None and ours != name and place(ours) > place(name):
            yield f"imports {ours}, which comes later"
        if name in PURE and imported.split(".")[0] in OUTSIDE_WORLD and not inside:
            yield f"is pure, yet imports {imported}"
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
            for imported, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
            if (ours := own(imported, found)) not in (None, name)
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
        ("redact", "import socket", "is pure"),
        ("wire.batch", "from time import monotonic", "is pure"),
        ("exporter", "def f():\n    from otel_langsmith.run import Run", "inside a function"),
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
