"""One model call that two instrumentations see: LangChain's, and that of the package beneath."""

from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
LangChainInstrumentor().instrument()
OpenAIInstrumentor().instrument()

with trace.get_tracer("ask").start_as_current_span("ask"):
    ChatOpenAI(model="gpt-4o-mini").invoke("How warm is Paris?")
