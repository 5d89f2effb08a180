"""The web pages: the list of traces, and one trace as a tree.

Nothing in them is executable: no script, no external resource, every value escaped by the template
engine, and a Content-Security-Policy that would stop what slipped through.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from otel_langsmith.receiver.conversation import Turn, turns
from otel_langsmith.receiver.instants import duration
from otel_langsmith.receiver.store import ReceivedRequest, Store
from otel_langsmith.receiver.stored import StoredRun
from otel_langsmith.run import Json

TRACES_SHOWN: Final = 200
RUNS_SHOWN: Final = 500
FIELD_CHARS: Final = 20_000
PAGE_CHARS: Final = 3_000_000
DEEPEST_INDENT: Final = 16
_REFUSALS_SHOWN: Final = 10
_IMAGE_BYTES: Final = 512 * 1024
_IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_OPENED: Final = 50  # runs with an error beyond this many stay folded
_BAR_WIDTH: Final = 1000  # the units the timeline is drawn in
_FIRST_REFUSAL: Final = 400
_SMALL_NUMBER: Final = re.compile("[0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Content:
    """One foldable field of a run: pretty JSON or plain text, perhaps cut."""

    title: str
    text: str
    cut: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """An attachment; ``source`` is a data URL, for small raster images only."""

    name: str
    mime_type: str
    size: int
    source: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One run in the tree. ``offset`` and ``width`` place its bar on the timeline."""

    run: StoredRun
    is_open: bool
    indent: int
    duration: str
    offset: int
    width: int
    turns: Sequence[Turn]
    contents: Sequence[Content]
    files: Sequence[File]


def routes(store: Store) -> list[Route]:
    """``GET /`` and ``GET /traces/{trace_id}``. They run in threads and may take their time."""

    def listing(request: Request) -> HTMLResponse:
        project = request.query_params.get("project")
        summaries = store.traces(limit=TRACES_SHOWN + 1, project=project)
        log = store.requests()
        return _html(
            "traces.html",
            traces=summaries[:TRACES_SHOWN],
            more=len(summaries) > TRACES_SHOWN,
            shown=TRACES_SHOWN,
            project=project,
            projects=store.projects(),
            url=str(request.base_url).rstrip("/"),
            accepted=sum(_is_ingest(line) and line.status < _FIRST_REFUSAL for line in log),
            refusals=[
                line for line in reversed(log) if _is_ingest(line) and line.status >= _FIRST_REFUSAL
            ],
            refusals_shown=_REFUSALS_SHOWN,
        )

    def tree(request: Request) -> HTMLResponse:
        trace_id = request.path_params["trace_id"]
        try:
            runs = store.trace(trace_id)
        except LookupError as error:
            return _html("missing.html", status=404, text=str(error))
        if not runs:
            return _html("missing.html", status=404, text=f"There is no trace {trace_id[:80]}.")
        return _html("trace.html", **_tree(runs, _skip(request, len(runs))))

    return [Route("/", listing), Route("/traces/{trace_id}", tree)]


def _tree(runs: Sequence[StoredRun], skip: int) -> dict[str, Json]:
    shown = runs[skip : skip + RUNS_SHOWN]
    root = runs[0]
    return {
        "root": root,
        "duration": duration(root.start_time, root.end_time),
        "rows": list(_rows(shown, *_span(runs))),
        "count": len(runs),
        "tokens": sum(
            run.total_tokens or 0 for run in runs if run.run_type in {"llm", "embedding"}
        ),
        "errors": sum(run.status == "error" for run in runs),
        "first": skip + 1,
        "last": skip + len(shown),
        "previous": None if skip == 0 else max(0, skip - RUNS_SHOWN),
        "next": skip + RUNS_SHOWN if skip + RUNS_SHOWN < len(runs) else None,
        "bar_width": _BAR_WIDTH,
        "field_chars": FIELD_CHARS,
    }


def _rows(runs: Sequence[StoredRun], start: datetime | None, whole: timedelta) -> Iterator[Row]:
    room = PAGE_CHARS
    for position, run in enumerate(runs):
        contents = []
        for content in _contents(run, room):
            room -= len(content.text)
            contents.append(content)
        offset, width = _bar(run, start, whole)
        yield Row(
            run=run,
            is_open=run.depth == 0 or (run.error is not None and position < _OPENED),
            indent=min(run.depth, DEEPEST_INDENT),
            duration=duration(run.start_time, run.end_time),
            offset=offset,
            width=width,
            turns=turns(run) if room > 0 else (),
            contents=contents,
            files=_files(run, room),
        )


def _contents(run: StoredRun, room: int) -> Iterator[Content]:
    if run.error is not None:
        yield _cut("Error", run.error, room, is_open=True)
    rest = {key: value for key, value in run.extra.items() if key != "metadata"}
    fields: tuple[tuple[str, Json], ...] = (
        ("Inputs", run.inputs),
        ("Outputs", run.outputs),
        ("Metadata", run.metadata),
        ("Events", run.events),
        ("Extra", rest),
        ("Serialized", run.serialized),
    )
    for title, value in fields:
        if value:
            yield _cut(title, orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), room)


def _cut(title: str, text: str, room: int, *, is_open: bool = False) -> Content:
    limit = max(0, min(FIELD_CHARS, room))
    return Content(title, text[:limit], cut=len(text) > limit, is_open=is_open)


def _files(run: StoredRun, room: int) -> list[File]:
    return [
        File(name, mime_type, len(data), _image(mime_type, data, room))
        for name, (mime_type, data) in run.attachments.items()
    ]


def _image(mime_type: str, data: bytes, room: int) -> str | None:
    kind = mime_type.partition(";")[0].strip().lower()
    if kind not in _IMAGE_TYPES or len(data) > _IMAGE_BYTES or room <= 0:
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _span(runs: Sequence[StoredRun]) -> tuple[datetime | None, timedelta]:
    starts = [run.start_time for run in runs if run.start_time is not None]
    if not starts:
        return None, timedelta(0)
    ends = [run.end_time for run in runs if run.end_time is not None]
    return min(starts), max([*ends, *starts]) - min(starts)


def _bar(run: StoredRun, start: datetime | None, whole: timedelta) -> tuple[int, int]:
    if start is None or run.start_time is None or not whole:
        return 0, _BAR_WIDTH
    offset = int((run.start_time - start) / whole * _BAR_WIDTH)
    took = whole if run.end_time is None else run.end_time - run.start_time
    width = int(took / whole * _BAR_WIDTH)
    return offset, max(4, min(width, _BAR_WIDTH - offset))


def _skip(request: Request, count: int) -> int:
    text = request.query_params.get("skip", "")
    return min(int(text), count - 1) if _SMALL_NUMBER.fullmatch(text) else 0


def _is_ingest(line: ReceivedRequest) -> bool:
    return line.method in {"POST", "PATCH"}


def _when(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}"


def _query(**values: str | int | None) -> str:
    return "?" + urlencode({key: value for key, value in values.items() if value is not None})


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("otel_langsmith.receiver"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(duration=duration, query=_query)
_ENVIRONMENT.filters["when"] = _when

_STYLE: Final = _ENVIRONMENT.get_template("style.css").render()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ENVIRONMENT.globals["style"] = _STYLE
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _html(template: str, *, status: int = 200, **values: Json) -> HTMLResponse:
    text = _ENVIRONMENT.get_template(template).render(values)
    return HTMLResponse(text, status, headers=dict(_HEADERS))
