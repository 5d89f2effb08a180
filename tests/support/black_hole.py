"""A program that offers spans to a server which never answers: MiB its memory rose, and its ledger.

Usage: black_hole.py (processor | exporter) SPANS
"""

import random
import resource
import socket
import sys
import time

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer, set_span_in_context

from otel_langsmith import LangSmithSpanExporter, LangSmithSpanProcessor

TRACE = 5
WORDS = [random.randbytes(36).hex() for _ in range(10_000)]
"""So many that hardly anything is said twice: content that shrinks to half at the most."""


def offer(tracer: Tracer, spans: int) -> None:
    """Traces of five spans with ten attributes each."""
    for _ in range(spans // TRACE):
        root = tracer.start_span("root", attributes=attributes())
        within = set_span_in_context(root)
        for _ in range(TRACE - 1):
            tracer.start_span("span", context=within, attributes=attributes()).end()
        root.end()


def attributes() -> dict[str, str]:
    return {f"gen_ai.key.{n}": random.choice(WORDS) for n in range(10)}


def opened(
    face: str, url: str
) -> tuple[LangSmithSpanProcessor | LangSmithSpanExporter, SpanProcessor]:
    """Where the ledger is, and what the provider is given."""
    if face == "processor":
        processor = LangSmithSpanProcessor(endpoint=url, api_key="k", timeout=0.05)
        return processor, processor
    exporter = LangSmithSpanExporter(endpoint=url, api_key="k", timeout=0.05)
    return exporter, BatchSpanProcessor(exporter)


def main(face: str, offered: int) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        ours, processor = opened(face, f"http://127.0.0.1:{hole.getsockname()[1]}")
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("black hole")
        offer(tracer, TRACE)
        processor.force_flush(1000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        offer(tracer, offered - TRACE)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ours.shutdown(500)
        while (ledger := ours.ledger()).queued:  # the worker is giving up what it had in hand
            time.sleep(0.05)
        print((after - before) // 1024, ledger.received, ledger.lost + ledger.delivered)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
