"""A program that offers spans to a server which never answers: MiB its memory rose, and its ledger.

Usage: black_hole.py SPANS
"""

import resource
import socket
import sys
import time

from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

ATTRIBUTES = {f"gen_ai.key.{n}": f"value {n} " * 8 for n in range(10)}


MOST_QUEUED = 4096
"""Spans are the SDK's, some 5 KiB each, and as many as wait may be in the worker's hands."""


def main(offered: int) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        processor = LangSmithSpanProcessor(
            endpoint=f"http://127.0.0.1:{hole.getsockname()[1]}",
            api_key="k",
            timeout=0.5,
            max_queue_size=MOST_QUEUED,
        )
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("black hole")
        tracer.start_span("first", attributes=ATTRIBUTES).end()
        processor.force_flush(1000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(offered - 1):
            tracer.start_span("span", attributes=ATTRIBUTES).end()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        processor.shutdown(500)
        while (ledger := processor.ledger()).queued:  # the worker is giving up what it had in hand
            time.sleep(0.05)
        print((after - before) // 1024, ledger.received, ledger.lost + ledger.delivered)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
