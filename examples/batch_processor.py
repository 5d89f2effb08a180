"""Add LangSmith to an OpenTelemetry set-up that exists already.

Run `otel-langsmith serve` in another terminal, set the variables that it prints, then this.
"""

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_langsmith import LangSmithSpanExporter

provider = TracerProvider(resource=Resource({"service.name": "example"}))
trace.set_tracer_provider(provider)

exporter = LangSmithSpanExporter()  # endpoint, key and project come from LANGSMITH_*
provider.add_span_processor(BatchSpanProcessor(exporter))

tracer = trace.get_tracer("example")
with tracer.start_as_current_span("answer") as answer:
    answer.set_attribute("langsmith.metadata.customer", "Ada")
    with tracer.start_as_current_span("chat small-model") as chat:
        chat.set_attribute("gen_ai.operation.name", "chat")
        chat.set_attribute("gen_ai.provider.name", "openai")
        chat.set_attribute("gen_ai.request.model", "small-model")
        chat.set_attribute(
            "gen_ai.input.messages", '[{"role":"user","parts":[{"type":"text","content":"Hi!"}]}]'
        )
        chat.set_attribute("gen_ai.usage.input_tokens", 2)

provider.shutdown()
print(exporter.ledger())
