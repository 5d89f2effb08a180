"""What is traced beneath and around models: MCP between two processes, and a web service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.programs import Traced, needs

needs(
    "fastapi",
    "flask",
    "mcp",
    "opentelemetry.instrumentation.fastapi",
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.instrumentation.sqlalchemy",
    "uvicorn",
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_langsmith.receiver import StoredRun

# ── MCP ──────────────────────────────────────────────────────────────────────────────────────────


def test_client_and_server_of_mcp_are_two_services_in_one_trace(
    traced: Callable[..., Traced],
) -> None:
    tree = traced("mcp_client")
    (top,) = tree.of("homework")
    beneath = [run for run in tree.runs if run.trace_id == top.id]
    assert len(beneath) == 10
    assert {run.metadata["service.name"] for run in beneath} == {"client", "sums"}
    assert {run.project for run in tree.runs} == {"default"}


def test_a_tool_beyond_mcp_is_called_by_its_name(traced: Callable[..., Traced]) -> None:
    run = traced("mcp_client").one("tools/call add")
    assert (run.run_type, run.name) == ("tool", "add")
    assert run.metadata["otel.span.kind"] == "SERVER"
    assert run.metadata["mcp.method.name"] == "tools/call"
    assert run.metadata["service.name"] == "sums"


def test_a_call_through_mcp_is_a_tool_on_the_clients_side_too(
    traced: Callable[..., Traced],
) -> None:
    run = traced("mcp_client").one("MCP send tools/call add")
    assert run.run_type == "tool"


def test_a_tool_that_failed_beyond_mcp_says_so(traced: Callable[..., Traced]) -> None:
    """MCP's SDK writes no message, and its client sees the failure as a result."""
    tree = traced("mcp_client")
    assert tree.one("tools/call divide").error == "tool_error"
    assert [run.name for run in tree.runs if run.error] == ["divide"]


# ── FastAPI, HTTPX, SQLAlchemy ───────────────────────────────────────────────────────────────────

GENERATIONS = {"old names": "", "stable names": "http,database"}


@pytest.fixture(params=GENERATIONS)
def web(request: pytest.FixtureRequest, traced: Callable[..., Traced]) -> Traced:
    """The runs of the web service, with attributes of either generation."""
    chosen = GENERATIONS[request.param]
    return traced("web", OTEL_SEMCONV_STABILITY_OPT_IN=chosen)


def url(run: StoredRun) -> str:
    """The URL that a client asked for, without the port."""
    return str((run.inputs or {})["url"]).partition("127.0.0.1:")[2].partition("/")[2]


def test_both_generations_make_one_tree(traced: Callable[..., Traced]) -> None:
    old, stable = (
        traced("web", OTEL_SEMCONV_STABILITY_OPT_IN=chosen).drawn(lambda run: run.name)
        for chosen in GENERATIONS.values()
    )
    assert old == stable


def test_a_client_shows_what_it_asked_for_and_got(web: Traced) -> None:
    runs = web.of("GET")
    assert [(run.inputs or {})["method"] for run in runs] == ["GET"] * 4
    assert [url(run) for run in runs] == [
        "orders/7",
        "prices?item=lamp&api_key=REDACTED",
        "orders/8",
        "prices?item=sofa",
    ]
    assert [run.outputs for run in runs] == [{"status_code": n} for n in (200, 200, 404, 500)]


def test_a_server_shows_its_route_and_its_status(web: Traced) -> None:
    runs = web.of("GET /orders/{order_id}")
    assert [(run.inputs or {})["route"] for run in runs] == ["/orders/{order_id}"] * 2
    assert [(run.inputs or {})["path"] for run in runs] == ["/orders/7", "/orders/8"]
    assert [run.outputs for run in runs] == [{"status_code": 200}, {"status_code": 404}]


def test_a_statement_is_shown_without_its_parameters(web: Traced) -> None:
    for run in web.of("select"):
        assert run.inputs == {
            "statement": "select item from orders where id = ?",
            "operation": "select",
        }


def test_a_refusal_fails_the_client_and_a_crash_the_server_too(web: Traced) -> None:
    failed = {(run.name, run.depth): run.error or "" for run in web.runs if run.error}
    assert failed.pop(("GET /prices", 2)).startswith("KeyError: 'sofa'\n\nTraceback")
    assert failed == {("GET 127.0.0.1", 1): "HTTP 500"}
    assert [run.error for run in web.of("GET")] == [None, None, "HTTP 404", "HTTP 500"]


def test_a_key_in_a_query_does_not_leave_the_process(web: Traced) -> None:
    assert "hunter2" not in web.text
    assert "api_key" in web.text
