"""A LangGraph agent under OpenInference: a model that calls tools until it can answer."""

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
LangChainInstrumentor().instrument()


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


@tool
def get_time(city: str) -> str:
    """The time in a city."""
    raise TimeoutError(f"no clock in {city}")


tools = [get_weather, get_time]
model = ChatOpenAI(model="gpt-4o-mini").bind_tools(tools)


def think(state: MessagesState) -> dict:
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode(tools, handle_tool_errors=True))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition)
graph.add_edge("tools", "think")
graph.compile(name="weather").invoke(
    {"messages": [("user", "How warm is Paris?")]},
    config={"configurable": {"thread_id": "thread-1"}, "max_concurrency": 1},
)
