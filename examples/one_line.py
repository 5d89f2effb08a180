"""One line sets everything up, or joins what is set up already.

Run `otel-langsmith serve` in another terminal, set the variables that it prints, then this.
"""

from opentelemetry import trace

import otel_langsmith

otel_langsmith.configure(project="examples")

tracer = trace.get_tracer("example")
with tracer.start_as_current_span("answer") as answer:
    answer.set_attribute("langsmith.metadata.customer", "Ada")
    with tracer.start_as_current_span("look up") as tool:
        tool.set_attribute("langsmith.span.kind", "tool")
