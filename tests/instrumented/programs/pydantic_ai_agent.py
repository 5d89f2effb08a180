"""A Pydantic AI agent, which traces itself."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent, ModelRetry

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
Agent.instrument_all()

agent = Agent("openai-chat:gpt-4o-mini", name="weather", instructions="Use the tools.")


@agent.tool_plain
def get_weather(city: str) -> dict[str, str]:
    """The weather of a city."""
    return {"city": city, "weather": "21 degrees"}


@agent.tool_plain
def get_time(city: str) -> str:
    """The time in a city."""
    raise ModelRetry(f"no clock in {city}")


agent.run_sync("How warm is Paris?")
