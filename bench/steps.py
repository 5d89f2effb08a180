"""Which step of an export executes how many instructions a span, by valgrind.

``python -m bench.steps`` prints the table, ``--document`` fills it into a Markdown file. Each step
is counted by itself, on what the steps before have made of fresh spans.
"""

from __future__ import annotations

import argparse
import random
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from bench import exporters, sink
from bench.callgrind import NOTHING, counts_of, execute
from bench.report import filled
from bench.runs import json_texts
from bench.workloads import LLM, WEB, Workload, finished
from otel_langsmith.assembly import Assembly, Bounds, Placed
from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.conventions.long_numbers import rounded_json
from otel_langsmith.delivery.transport import HttpTransport, Request
from otel_langsmith.encoder import Encoder
from otel_langsmith.log_events import NOTHING as UNLOGGED
from otel_langsmith.provenance import about, frame_of
from otel_langsmith.settings import resolve
from otel_langsmith.translate import translate
from otel_langsmith.twice import Twice
from otel_langsmith.wire import multipart
from otel_langsmith.wire.batch import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from otel_langsmith.run import Run
    from otel_langsmith.wire.batch import Batch

    Doing: TypeAlias = Callable[[], object]

_SPANS: Final = 100
"""As many as go into one request."""

_TABLE: Final = table_of(CONVENTIONS)
_AMPLE: Final = 2**30

WHOLE: Final = "all of it"
REST: Final = "what lies between them, and the accounts"

STEPS: Final[Mapping[str, str]] = {
    "finding its place: run id, lineage, dotted order": "place",
    "reading it by the tables, content included": "read",
    "of which: JSON parsed": "json",
    "the rest of a run: properties of the span, name, sides, error, metadata": "rest",
    "of which: what OpenTelemetry knows of it beside attributes and events": "about",
    "whether another span told of the same call": "twice",
    "parts: JSON, searched for NUL and NaN, and checked by LangSmith's rules": "parts",
    "one body of many parts, with a header each": "body",
    "the request itself": "request",
}
"""The rows of the table, and the steps that they tell of."""

_APART: Final = ("place", "read", "rest", "twice", "parts", "body", "request")
"""Those of which none is part of another."""


def _placed(spans: Iterable[ReadableSpan]) -> Sequence[Placed]:
    return Assembly(Bounds(_AMPLE, _AMPLE, _AMPLE)).add(spans, 0.0)


def _runs(placed: Iterable[Placed]) -> list[tuple[Placed, Run]]:
    return [
        (
            one,
            translate(one.span, one.lineage, project="p", table=_TABLE, attributes=one.attributes),
        )
        for one in placed
    ]


def _read(placed: Iterable[Placed]) -> None:
    for one in placed:
        _TABLE.read("bench", one.attributes or {}, tuple(one.span.events))


def _parsed(texts: Iterable[str]) -> None:
    for text in texts:
        rounded_json(text)


def _about(placed: Iterable[Placed]) -> None:
    for one in placed:
        frame_of(one.span)
        about(one.span, one.lineage)


def _told_apart(runs: Sequence[tuple[Placed, Run]], twice: Twice) -> None:
    for _ in twice.once((runs,)):
        pass


def _body(made: Sequence[Batch]) -> bytes:
    (one,) = made
    return multipart.encode(one.instructions(), "a" * 32).data


def stations(url: str, workload: Workload) -> Iterator[tuple[str, Doing]]:
    """Each step with what it needs; the first spans of each warm it up."""
    settings, _ = resolve({"api_key": "any", "endpoint": url}, {})
    encoder = Encoder(settings, lambda _: repeat(UNLOGGED))
    twice, transport = Twice(), HttpTransport()

    def spans() -> list[ReadableSpan]:
        return finished(workload.traces(_SPANS))[::-1]

    def encoded() -> Sequence[Batch]:
        told = encoder.encode(_runs(_placed(spans())))
        return [*batches([sent for _, sent, _ in told], max_runs=_SPANS, max_bytes=_AMPLE)]

    headers = {"Content-Type": "multipart/form-data; boundary=" + "a" * 32}
    body = _body(encoded())
    send = partial(transport.send, Request("POST", f"{url}/runs/multipart", headers, body), 10.0)
    makers: Mapping[str, Callable[[], Doing]] = {
        "place": lambda: partial(_placed, spans()),
        "read": lambda: partial(_read, _placed(spans())),
        "json": lambda: partial(
            _parsed, json_texts(one.attributes or {} for one in _placed(spans()))
        ),
        "translate": lambda: partial(_runs, _placed(spans())),
        "about": lambda: partial(_about, _placed(spans())),
        "twice": lambda: partial(_told_apart, _runs(_placed(spans())), twice),
        "parts": lambda: partial(encoder.encode, _runs(_placed(spans()))),
        "body": lambda: partial(_body, encoded()),
        "request": lambda: send,
    }
    for name, make in makers.items():
        make()()
        yield f"{workload.key} {name}", make()


def _child(url: str) -> None:
    random.seed(0)
    with exporters.ours(url) as export:
        works: dict[str, Doing] = {}
        for workload in _WORKLOADS:
            export(finished(workload.traces(20)))()
            works |= stations(url, workload)
            works[f"{workload.key} {WHOLE}"] = exporters.prepared(export, workload, _SPANS)
        execute(works)


_WORKLOADS: Final = (LLM, WEB)
STATIONS: Final = (
    *("place", "read", "json", "translate", "about", "twice", "parts", "body", "request"),
)
"""In the order in which the child executes them."""


def counted() -> Mapping[str, int]:
    """Instructions a span of every step of every workload, and of all of them together."""
    names = [f"{one.key} {step}" for one in _WORKLOADS for step in (*STATIONS, WHOLE)]
    with sink.running() as running:
        refs = counts_of("bench.steps", names, running.url)
    found = {name: (refs[name] - refs[NOTHING]) // _SPANS for name in names}
    rest = {
        f"{one.key} rest": found[f"{one.key} translate"] - found[f"{one.key} read"]
        for one in _WORKLOADS
    }
    return {**found, **rest}


def table(found: Mapping[str, int]) -> str:
    """The counts as a Markdown table, to the thousand; the last row but one is what is left."""
    rows = [("", *(one.title.partition(" of ")[0] for one in _WORKLOADS))]
    rows += [
        (title, *(_thousands(found[f"{one.key} {step}"]) for one in _WORKLOADS))
        for title, step in STEPS.items()
    ]
    left = [
        found[f"{one.key} {WHOLE}"] - sum(found[f"{one.key} {step}"] for step in _APART)
        for one in _WORKLOADS
    ]
    whole = [found[f"{one.key} {WHOLE}"] for one in _WORKLOADS]
    rows += [(REST, *map(_thousands, left)), (WHOLE, *map(_thousands, whole))]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "| --- | ---: | ---: |", *lines[1:]])


def _thousands(count: int) -> str:
    """Of next to nothing the difference of two counts may be less than nothing."""
    return f"{max(0, round(count, -3)):,}"


def main() -> None:
    """Count, print, and fill a document if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--document", type=Path, help="fill the table of this Markdown file")
    parser.add_argument("--child", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(arguments.child)
    made = table(counted())
    print(made)
    if arguments.document:
        text = arguments.document.read_text(encoding="utf-8")
        arguments.document.write_text(filled(text, {"steps": made}), encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
