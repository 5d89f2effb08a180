"""A handler as AWS Lambda calls it: the process may be frozen as soon as it returned.

Run `otel-langsmith serve` in another terminal, set the variables that it prints, then this.
"""

from opentelemetry import trace

import otel_langsmith

otel_langsmith.configure(live=False)
tracer = trace.get_tracer("example")


@otel_langsmith.flush_on_return
@tracer.start_as_current_span("handler")
def handler(event: dict[str, str], context: object) -> str:
    """Greets; its spans are delivered before it returns, within the time that is left."""
    del context
    return f"Hello {event['name']}"


class Context:
    """What Lambda hands over, as far as it matters here."""

    def get_remaining_time_in_millis(self) -> int:
        """As if the function's timeout were 3 s."""
        return 3_000


if __name__ == "__main__":
    print(handler({"name": "Ada"}, Context()))
