"""What no exporter of this kind can spare, beside OTLP's exporter and the whole of ours.

``python -m bench.least`` prints the table, ``--document`` fills it into a Markdown file. Whoever
looks at spans by their public properties, understands their messages, and sends with requests'
connections a hundred runs at a time does at least this: reads each property once, parses what is
JSON, dumps inputs, outputs and metadata that here somebody else has made, and sends their bytes.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from bench import sink
from bench.contenders import OTLP, OURS
from bench.exporters import otlp, ours, prepared
from bench.measure import FULL, MICROSECONDS, Effort, compare, pin
from bench.report import filled
from bench.runs import Run, json_texts, ready_runs
from bench.workloads import LLM, WEB, finished
from otel_langsmith.delivery.transport import HttpTransport, Request
from otel_langsmith.lineage import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from bench.exporters import Contender, Opening
    from bench.measure import Work

LOOKED_AT: Final = "public properties"
PARSED: Final = "JSON parsed"
DUMPED: Final = "JSON dumped"
SENT: Final = "sent"
LEAST: Final = (LOOKED_AT, PARSED, DUMPED, SENT)

_RUNS: Final = 100
"""Of one request."""


def _look_at(spans: Sequence[ReadableSpan]) -> None:
    for span in spans:
        context, status = span.context, span.status
        _ = context and (context.trace_id, context.span_id, context.trace_state)
        attributes_of(span)
        _ = (status.status_code, status.description, span.name, span.parent, span.kind)
        _ = (span.start_time, span.end_time, span.events, span.links)
        _ = (span.dropped_attributes, span.dropped_events, span.dropped_links)
        _ = (span.resource, span.instrumentation_scope)


def _parse(texts: Sequence[str]) -> None:
    for text in texts:
        orjson.loads(text.encode())


def _dump(runs: Sequence[Run]) -> None:
    for run in runs:
        orjson.dumps(run["inputs"])
        orjson.dumps(run["outputs"])
        orjson.dumps(run["extra"])


def _send(transport: HttpTransport, requests: Sequence[Request]) -> None:
    for request in requests:
        transport.send(request, 10.0)


@contextmanager
def _sending(url: str) -> Iterator[Contender]:
    transport = HttpTransport()

    def prepare(spans: Sequence[ReadableSpan]) -> Work:
        bodies = [orjson.dumps(run) for run in ready_runs(spans)]
        joined = [b"".join(bodies[at : at + _RUNS]) for at in range(0, len(bodies), _RUNS)]
        requests = [Request("POST", f"{url}/runs/multipart", {}, body) for body in joined]
        return partial(_send, transport, requests)

    yield prepare
    transport.close()


def _opened(prepare: Contender) -> Opening:
    @contextmanager
    def opening(url: str) -> Iterator[Contender]:  # noqa: ARG001 - sends nothing
        yield prepare

    return opening


CONTENDERS: Final[Mapping[str, Opening]] = {
    LOOKED_AT: _opened(lambda spans: partial(_look_at, spans)),
    PARSED: _opened(
        lambda spans: partial(_parse, json_texts(span.attributes or {} for span in spans))
    ),
    DUMPED: _opened(lambda spans: partial(_dump, ready_runs(spans))),
    SENT: _sending,
    OURS: ours,
    OTLP: otlp,
}


def measured(url: str, effort: Effort) -> Mapping[str, Mapping[str, float]]:
    """Of each workload the median of each contender, in microseconds of CPU a span."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(one(url)) for name, one in CONTENDERS.items()}
        found = {}
        for workload in (LLM, WEB):
            contenders = {
                name: partial(prepared, one, workload, effort.spans) for name, one in opened.items()
            }
            per = MICROSECONDS / len(finished(workload.traces(effort.spans)))
            series = compare(contenders, rounds=effort.rounds, per=per)
            found[workload.title.partition(" of ")[0]] = {
                name: statistics.median(values) for name, values in series.items()
            }
    return found


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Microseconds a span, and what they are of OTLP's."""
    lines = [f"| µs CPU/span | {' | '.join(found)} |", f"| --- |{' ---: |' * len(found)}"]
    for name in (*LEAST, "all that", OURS, OTLP):
        cells = []
        for one in found.values():
            cost = one[name] if name in one else sum(one[part] for part in LEAST)
            cells.append(f"{cost:.1f} ({cost / one[OTLP]:.2f} of OTLP)")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and fill a document if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.least", description=__doc__)
    parser.add_argument("--document", type=Path, help="fill the table of this Markdown file")
    arguments = parser.parse_args()
    with sink.running(pin()) as running:
        made = table(measured(running.url, FULL))
    print(made)
    if arguments.document:
        text = arguments.document.read_text(encoding="utf-8")
        arguments.document.write_text(filled(text, {"least": made}), encoding="utf-8")


if __name__ == "__main__":
    main()
