"""OpenAI's package under OpenInference (Arize Phoenix)."""

from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from trip import plan_a_trip

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

plan_a_trip()
