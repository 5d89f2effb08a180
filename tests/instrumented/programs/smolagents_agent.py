"""A smolagents agent under OpenInference."""

from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from smolagents import OpenAIModel, ToolCallingAgent, tool

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
SmolagentsInstrumentor().instrument()


@tool
def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Its name.
    """
    return f"21 degrees in {city}"


agent = ToolCallingAgent(tools=[get_weather], model=OpenAIModel("gpt-4o-mini"), name="weather")
agent.run("How warm is Paris?")
