"""What agent frameworks say of their models, tools, retrievers and agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from instrumented.script import ANSWER, USAGE
from support.programs import Traced, needs

needs(
    "flask",
    "langchain_openai",
    "langgraph",
    "openinference.instrumentation.langchain",
    "openinference.instrumentation.openai",
    "openinference.instrumentation.smolagents",
    "pydantic_ai",
    "smolagents",
    "uvicorn",
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_langsmith.receiver import StoredRun

QUESTION = "How warm is Paris?"

# The spans that are model calls, in each program.
MODELS = {
    "langchain_rag": "ChatOpenAI",
    "langgraph_agent": "ChatOpenAI",
    "pydantic_ai_agent": "chat gpt-4o-mini",
    "smolagents_agent": "OpenAIModel.generate",
}


each = pytest.mark.parametrize("program", MODELS)
"""Once for each program."""


def said(content: Any) -> list[tuple[str, list[str]]]:
    """Role and blocks of each message, each block as the words, or the call, that it is."""
    return [
        (message["role"], [block.get("text") or called(block) for block in message["content"]])
        for message in (content or {}).get("messages", [])
    ]


def called(block: dict[str, Any]) -> str:
    assert block["type"] == "tool_call", block
    return f"{block['name']}({json.dumps(block['args'])}) {block['id']}"


CALLS = [
    'get_weather({"city": "Paris"}) call_get_weather',
    'get_time({"city": "Paris"}) call_get_time',
]
ANSWERED = [("assistant", [ANSWER])]


def models(tree: Traced, program: str) -> list[StoredRun]:
    return tree.of(MODELS[program])


# ── Models ───────────────────────────────────────────────────────────────────────────────────────


@each
def test_the_last_answer_is_the_models(program: str, traced: Callable[..., Traced]) -> None:
    last = models(traced(program), program)[-1]
    wanted = (
        [("assistant", [f'final_answer({{"answer": "{ANSWER}"}}) call_final_answer'])]
        if program == "smolagents_agent"
        else ANSWERED
    )
    assert said(last.outputs) == wanted


@each
def test_model_calls_cost_what_they_cost(program: str, traced: Callable[..., Traced]) -> None:
    """Smolagents counts neither what was cached nor what was thought."""
    details = program != "smolagents_agent"
    wanted = {name: n for name, n in USAGE.items() if details or isinstance(n, int)}
    found = models(traced(program), program)
    assert [run.metadata.get("usage_metadata") for run in found] == [wanted] * len(found)


@each
def test_nothing_else_costs_anything(program: str, traced: Callable[..., Traced]) -> None:
    """Agents repeat the sum of their models: counted there too, every token would count twice."""
    tree = traced(program)
    others = [run for run in tree.runs if run not in models(tree, program)]
    assert [run.name for run in others if run.usage] == []


@each
def test_models_go_by_their_names_in_the_price_table(
    program: str, traced: Callable[..., Traced]
) -> None:
    for run in models(traced(program), program):
        assert run.metadata.get("ls_provider") == "openai"
        assert run.metadata.get("ls_model_name") == "gpt-4o-mini"
        assert run.metadata.get("ls_model_type") == "chat"


@each
def test_what_was_said_is_nowhere_but_in_inputs_and_outputs(
    program: str, traced: Callable[..., Traced]
) -> None:
    for run in traced(program).runs:
        kept = str(run.metadata)
        assert not [words for words in (QUESTION, ANSWER, "mild") if words in kept]


@pytest.mark.parametrize("program", ["langgraph_agent", "pydantic_ai_agent", "smolagents_agent"])
def test_hidden_content_does_not_leave_the_process(
    program: str, traced: Callable[..., Traced]
) -> None:
    hidden = {"LANGSMITH_HIDE_INPUTS": "true", "LANGSMITH_HIDE_OUTPUTS": "true"}
    told = traced(program, **hidden).text
    assert not [words for words in (QUESTION, ANSWER, "Paris", "21 degrees") if words in told]


def test_a_call_that_two_instrumentations_saw_is_counted_once(
    traced: Callable[..., Traced],
) -> None:
    tree = traced("langchain_twice")
    assert sorted(run.run_type for run in tree.of("ChatOpenAI", "ChatCompletion")) == [
        "chain",
        "llm",
    ]
    assert [run.total_tokens for run in tree.runs if run.usage] == [150]


# ── LangChain and LangGraph ──────────────────────────────────────────────────────────────────────


def test_a_retriever_shows_its_query_and_its_documents(traced: Callable[..., Traced]) -> None:
    """OpenInference's own keys for documents have no id; its raw output has."""
    run = traced("langchain_rag").one("Almanac")
    assert run.inputs == {"query": QUESTION}
    assert run.outputs == {
        "documents": [
            {
                "page_content": "Paris is mild.",
                "type": "Document",
                "metadata": {"source": "almanac", "score": 0.9, "id": "doc-1"},
            },
            {
                "page_content": "Rome is warm.",
                "type": "Document",
                "metadata": {"source": "almanac", "score": 0.4, "id": "doc-2"},
            },
        ]
    }


def test_a_prompt_shows_its_variables_and_its_messages(traced: Callable[..., Traced]) -> None:
    run = traced("langchain_rag").one("ChatPromptTemplate")
    assert "context" in (run.inputs or {})
    assert [role for role, _ in said(run.outputs)] == ["system", "user"]
    assert said(run.outputs)[1] == ("user", [QUESTION])


def test_a_chain_shows_what_went_in_and_came_out(traced: Callable[..., Traced]) -> None:
    run = traced("langchain_rag").one("almanac")
    assert run.inputs == {"input": QUESTION}
    assert run.outputs == {"output": ANSWER}


def test_a_chains_model_shows_its_parameters(traced: Callable[..., Traced]) -> None:
    run = traced("langchain_rag").one("ChatOpenAI")
    assert [role for role, _ in said(run.inputs)] == ["system", "user"]
    assert run.extra.get("invocation_params", {}).get("temperature") == 0.2
    assert run.metadata.get("ls_temperature") == 0.2


@pytest.mark.parametrize("program", ["langchain_rag", "langgraph_agent"])
def test_every_run_of_a_thread_is_in_it(program: str, traced: Callable[..., Traced]) -> None:
    for run in traced(program).runs:
        assert run.metadata["thread_id"] == "thread-1"


def test_every_run_of_a_user_is_theirs(traced: Callable[..., Traced]) -> None:
    for run in traced("langchain_rag").runs:
        assert run.metadata.get("user_id") == "user-1"


def test_a_graph_shows_its_messages(traced: Callable[..., Traced]) -> None:
    run = traced("langgraph_agent").one("weather")
    assert said(run.inputs) == [("user", [QUESTION])]
    roles = ["user", "assistant", "tool", "tool", "assistant"]
    assert [role for role, _ in said(run.outputs)] == roles
    assert said(run.outputs)[1] == ("assistant", CALLS)


def test_a_graphs_model_is_told_what_the_tools_said(traced: Callable[..., Traced]) -> None:
    first, second = traced("langgraph_agent").of("ChatOpenAI")
    assert said(first.inputs) == [("user", [QUESTION])]
    assert said(first.outputs) == [("assistant", CALLS)]
    assert said(second.inputs)[:3] == [
        ("user", [QUESTION]),
        ("assistant", CALLS),
        ("tool", ["21 degrees in Paris"]),
    ]
    results = (second.inputs or {})["messages"][2:]
    assert [message["tool_call_id"] for message in results] == ["call_get_weather", "call_get_time"]


def test_a_graphs_model_shows_its_tools(traced: Callable[..., Traced]) -> None:
    run = traced("langgraph_agent").of("ChatOpenAI")[0]
    tools = run.extra.get("invocation_params", {}).get("tools", [])
    assert [tool["function"]["name"] for tool in tools] == ["get_weather", "get_time"]


def test_a_graphs_runs_say_which_node_they_are(traced: Callable[..., Traced]) -> None:
    tree = traced("langgraph_agent")
    for span in ("think", "tools"):
        for run in tree.of(span):
            assert run.metadata.get("langgraph_node") == span


def test_a_graphs_tool_shows_what_it_was_given_and_gave(traced: Callable[..., Traced]) -> None:
    """OpenInference collapses a single argument to its value."""
    run = traced("langgraph_agent").one("get_weather")
    assert run.inputs == {"input": "Paris"}
    assert "21 degrees in Paris" in str(run.outputs)


def test_a_graphs_tool_that_failed_says_so(traced: Callable[..., Traced]) -> None:
    """Its error was handled, so the graph itself has not failed."""
    tree = traced("langgraph_agent")
    failed = tree.one("get_time").error or ""
    assert failed.startswith("TimeoutError: no clock in Paris\n\nTraceback")
    assert [run.name for run in tree.runs if run.error] == ["get_time"]


# ── Pydantic AI ──────────────────────────────────────────────────────────────────────────────────


def test_an_agents_model_is_told_what_the_tools_said(traced: Callable[..., Traced]) -> None:
    first, second = traced("pydantic_ai_agent").of("chat gpt-4o-mini")
    told = [("system", ["Use the tools."]), ("user", [QUESTION])]
    assert said(first.inputs) == told
    assert said(first.outputs) == [("assistant", CALLS)]
    assert said(second.inputs) == [
        *told,
        ("assistant", CALLS),
        ("tool", ['{"city":"Paris","weather":"21 degrees"}']),
        ("tool", ["no clock in Paris"]),
    ]


def test_an_agents_tools_show_what_they_were_given_and_gave(traced: Callable[..., Traced]) -> None:
    run = traced("pydantic_ai_agent").one("execute_tool get_weather")
    assert run.inputs == {"city": "Paris"}
    assert run.outputs == {"city": "Paris", "weather": "21 degrees"}
    assert run.metadata["tool_call_id"] == "call_get_weather"


def test_an_agents_tool_that_failed_says_so(traced: Callable[..., Traced]) -> None:
    tree = traced("pydantic_ai_agent")
    failed = tree.one("execute_tool get_time").error or ""
    assert failed.startswith("pydantic_ai.exceptions.ToolRetryError: no clock in Paris\n")
    assert [run.name for run in tree.runs if run.error] == ["get_time"]


def test_an_agent_shows_its_question_and_its_answer(traced: Callable[..., Traced]) -> None:
    run = traced("pydantic_ai_agent").one("invoke_agent weather")
    assert said(run.inputs) == [("system", ["Use the tools."]), ("user", [QUESTION])]
    assert ANSWER in str(run.outputs)


def test_an_agents_model_says_why_it_ended_in_one_word_of_ours(
    traced: Callable[..., Traced],
) -> None:
    first, second = traced("pydantic_ai_agent").of("chat gpt-4o-mini")
    assert first.metadata.get("finish_reasons") == ["tool_calls"]
    assert second.metadata.get("finish_reasons") == ["stop"]


def test_every_run_of_an_agent_is_in_one_thread(traced: Callable[..., Traced]) -> None:
    runs = traced("pydantic_ai_agent").runs
    assert len({run.metadata["thread_id"] for run in runs}) == 1


# ── Smolagents ───────────────────────────────────────────────────────────────────────────────────


def test_a_smolagent_shows_its_task_and_its_answer(traced: Callable[..., Traced]) -> None:
    run = traced("smolagents_agent").one("weather.run")
    assert (run.inputs or {}).get("task") == QUESTION
    assert run.outputs == {"output": ANSWER}


def test_a_smolagents_model_is_told_what_to_do(traced: Callable[..., Traced]) -> None:
    """The flattened messages, for the raw request is Python reprs."""
    first, _ = traced("smolagents_agent").of("OpenAIModel.generate")
    assert [role for role, _ in said(first.inputs)] == ["system", "user"]
    (_, [instructions]), user = said(first.inputs)
    assert instructions.startswith("You are an expert assistant")
    assert user == ("user", [f"New task:\n{QUESTION}"])
    assert said(first.outputs) == [("assistant", CALLS[:1])]


def test_a_smolagents_tool_shows_what_it_was_given_and_gave(traced: Callable[..., Traced]) -> None:
    run = traced("smolagents_agent").one("SimpleTool")
    assert (run.inputs or {}).get("kwargs", run.inputs) == {"city": "Paris"}
    assert run.outputs == {"output": "21 degrees in Paris"}
