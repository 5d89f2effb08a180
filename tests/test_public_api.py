"""What is public is what `__all__` says, and the constructors are the settings."""

import ast
import inspect
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType

import pytest

import otel_langsmith
from otel_langsmith import conventions, redact
from otel_langsmith.hooks import pre_instrument
from otel_langsmith.settings import SETTINGS, Face, Settings

PUBLIC = [
    "ConfigurationError",
    "LangSmithLogRecordProcessor",
    "LangSmithPropagator",
    "LangSmithSpanExporter",
    "LangSmithSpanProcessor",
    "Ledger",
    "OtelLangSmithError",
    "__version__",
    "configure",
    "flush_on_return",
    "run_id",
]
"""The promise: growing it is a minor release, shrinking it a major one."""


def names_of(source: str) -> list[str]:
    """The names a module makes available to type checkers, submodules it imports left out."""
    namespace: dict[str, object] = {}
    exec(source.replace("if TYPE_CHECKING", "if True"), namespace)
    return sorted(
        name
        for name, value in namespace.items()
        if not (isinstance(value, ModuleType) or name == "TYPE_CHECKING")
        and (not name.startswith("_") or name == "__version__")
    )


def source() -> str:
    return Path(otel_langsmith.__file__).read_text(encoding="utf-8")


def test_all_is_the_truth() -> None:
    assert sorted(otel_langsmith.__all__) == sorted(PUBLIC)
    assert names_of(source()) == sorted(PUBLIC)
    assert all(hasattr(otel_langsmith, name) for name in PUBLIC)


def test_each_name_loads_when_it_is_asked_for_from_where_type_checkers_see_it() -> None:
    homes = {
        alias.name: node.module
        for node in ast.walk(ast.parse(source()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name not in ("TYPE_CHECKING", "__version__", "deferral")
    }
    assert homes == otel_langsmith._HOMES
    assert {*PUBLIC} <= {*dir(otel_langsmith)}
    assert not hasattr(otel_langsmith, "nothing")


def test_a_planted_public_name_is_caught() -> None:
    planted = source() + "\nfrom otel_langsmith.run import Run\ndef helper(): ...\nLEVEL = 1\n"
    assert set(names_of(planted)) - set(PUBLIC) == {"Run", "helper", "LEVEL"}


@pytest.mark.parametrize(
    ("faces", "constructor"),
    [
        ({"exporter", "processor"}, otel_langsmith.LangSmithSpanExporter),
        ({"processor"}, otel_langsmith.LangSmithSpanProcessor),
        ({"propagator"}, otel_langsmith.LangSmithPropagator),
    ],
)
def test_each_keyword_is_a_setting_and_documented(faces: set[Face], constructor: type) -> None:
    signature = inspect.signature(constructor)
    rows = [row for row in SETTINGS if faces & {*row.faces}]
    assert [*signature.parameters] == [row.keyword for row in rows]
    assert all(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values())
    doc = inspect.getdoc(constructor) or ""
    assert all(f"\n    {row.keyword}: " in doc for row in rows)


def test_each_setting_is_a_row_and_each_row_a_setting() -> None:
    assert [*Settings.__slots__] == [row.keyword for row in SETTINGS]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    assert name == "__version__" or inspect.getdoc(getattr(otel_langsmith, name))


@pytest.mark.parametrize("module", [conventions, redact], ids=lambda module: module.__name__)
def test_what_the_open_modules_offer_is_there_and_documented(module: ModuleType) -> None:
    assert sorted(module.__all__, key=str.lower) == sorted(set(module.__all__), key=str.lower)
    offered = [getattr(module, name) for name in module.__all__]
    assert all(inspect.getdoc(one) for one in offered if inspect.isroutine(one))


def test_the_versions_agree() -> None:
    assert version("otel-langsmith") == otel_langsmith.__version__
    changelog = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{otel_langsmith.__version__}]" in changelog


def test_opentelemetry_finds_the_exporter_by_name() -> None:
    (found,) = entry_points(group="opentelemetry_traces_exporter", name="langsmith")
    assert found.load() is otel_langsmith.LangSmithSpanExporter


def test_opentelemetry_finds_the_propagator_by_name() -> None:
    (found,) = entry_points(group="opentelemetry_propagator", name="langsmith")
    assert found.load() is otel_langsmith.LangSmithPropagator


def test_opentelemetry_finds_the_hook() -> None:
    (found,) = entry_points(group="opentelemetry_pre_instrument", name="langsmith")
    assert found.load() is pre_instrument


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(otel_langsmith.__file__).parent / "py.typed").exists()
