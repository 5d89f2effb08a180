"""Teach otel-langsmith the attributes of your own instrumentation, and keep its secrets.

Run `otel-langsmith serve` in another terminal, set the variables that it prints, then this.
"""

from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor
from otel_langsmith.conventions import EARLY, Convention, attr, constant, from_json, prefix
from otel_langsmith.redact import secrets

PLANNER = Convention(
    name="planner",
    spec="https://wiki.example.com/planner-telemetry",
    rows=(
        attr("run_type", "planner.question", via=constant("retriever"), keep=True, when=EARLY),
        attr("inputs.query", "planner.question"),
        attr("outputs", "planner.plan", via=from_json),
        attr("metadata.thread_id", "planner.conversation"),
        prefix("metadata", "planner.tag."),
    ),
)

processor = LangSmithSpanProcessor(conventions=[PLANNER], redact=secrets)
provider = TracerProvider()
provider.add_span_processor(processor)

with provider.get_tracer("planner").start_as_current_span("plan") as span:
    span.set_attribute("planner.question", "How do I get to Paris? My password is password=hunter2")
    span.set_attribute("planner.plan", '{"steps": ["train", "walk"]}')
    span.set_attribute("planner.conversation", "thread-1")
    span.set_attribute("planner.tag.team", "travel")

provider.shutdown()
print(processor.ledger())
