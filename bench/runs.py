"""Finished spans → run dicts as an application of LangSmith's SDK would hold them, ready to send.

They are the floor's input (`orjson.dumps` of them is the least that can be done) and what the SDK
is given: neither pays for any translation, which our exporter does.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


RunType: TypeAlias = Literal["chain", "llm", "tool"]


class Run(TypedDict):
    """A finished run, times as datetimes and content as JSON values."""

    id: UUID
    trace_id: UUID
    parent_run_id: UUID | None
    dotted_order: str
    name: str
    run_type: RunType
    start_time: datetime
    end_time: datetime
    error: str | None
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    extra: dict[str, Any]


_RUN_TYPES: Final[dict[str, RunType]] = {"chat": "llm", "execute_tool": "tool"}
_INPUTS: Final = {"gen_ai.input.messages": "messages", "gen_ai.tool.call.arguments": "input"}
_OUTPUTS: Final = {"gen_ai.output.messages": "messages", "gen_ai.tool.call.result": "output"}


def ready_runs(spans: Sequence[ReadableSpan]) -> list[Run]:
    """The runs of whole traces, in the order in which they started."""
    placed: dict[int, Run] = {}
    for span in reversed(spans):  # a parent ends after its children
        placed[_context(span).span_id] = _run(span, placed)
    return list(placed.values())


def json_texts(attributes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What looks like JSON among these attributes, as the tables' readers find it."""
    values = (value for one in attributes for value in one.values())
    return [value for value in values if isinstance(value, str) and value[:1] in ("{", "[")]


def _context(span: ReadableSpan) -> Any:
    context = span.context
    assert context is not None
    return context


def _run(span: ReadableSpan, placed: dict[int, Run]) -> Run:
    attributes = dict(span.attributes or {})
    parent = placed.get(span.parent.span_id) if span.parent else None
    run_id = UUID(int=_context(span).span_id)
    start = _instant(span.start_time)
    segment = f"{start:%Y%m%dT%H%M%S%fZ}{run_id}"
    return Run(
        id=run_id,
        trace_id=parent["trace_id"] if parent else run_id,
        parent_run_id=parent["id"] if parent else None,
        dotted_order=f"{parent['dotted_order']}.{segment}" if parent else segment,
        name=span.name,
        run_type=_RUN_TYPES.get(str(attributes.get("gen_ai.operation.name")), "chain"),
        start_time=start,
        end_time=_instant(span.end_time),
        error=span.status.description,
        inputs=_content(attributes, _INPUTS),
        outputs=_content(attributes, _OUTPUTS),
        extra={"metadata": {**span.resource.attributes, **attributes}},
    )


def _instant(time_ns: int | None) -> datetime:
    return datetime.fromtimestamp((time_ns or 0) / 1e9, timezone.utc)


def _content(attributes: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    """The content among the attributes, which leaves them."""
    return {
        field: json.loads(attributes.pop(name))
        for name, field in fields.items()
        if name in attributes
    }
