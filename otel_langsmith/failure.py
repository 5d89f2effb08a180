"""Whether and why a span failed → the error of a run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.trace import Status, StatusCode

from otel_langsmith.conventions.interpreter import SpanEvent

_EXCEPTION: Final = "exception"
ERROR: Final = StatusCode.ERROR  # looked up once: see `provenance`
EXCEPTION_KEYS: Final = frozenset(
    ("exception.type", "exception.message", "exception.stacktrace", "exception.escaped")
)


class Failure(NamedTuple):
    """Why a run failed: in full, in a word, and the event that said so."""

    text: str | None = None
    kind: str | None = None
    cause: SpanEvent | None = None


SOUND: Final = Failure()


def failure_of(status: Status, fields: Mapping[str, Any], events: Sequence[SpanEvent]) -> Failure:
    """Whether and why the run failed; the status decides.

    A third of failed spans have no exception event, and exception events sit on spans that did not
    fail (genai.md §0.4). Of several events the last is the one that got out.
    """
    failed = status.status_code is ERROR or "error.stated" in fields
    if not failed and "error.from_events" not in fields:
        return SOUND
    for event in reversed(events):
        attributes = event.attributes or {}
        text = _exception(attributes) if event.name == _EXCEPTION else ""
        if text:
            kind = attributes.get("exception.type")
            if "error.from_events" in fields and kind == "Exception":
                return _of_run(text.removeprefix("Exception: "), event)
            return Failure(text, str(kind) if kind else None, event)
    if not failed:
        return SOUND
    return _described(status.description, fields)


def _of_run(text: str, event: SpanEvent) -> Failure:
    """The error of a run, which LangSmith's SDK wraps in an exception of its own."""
    kind = _CLASS.match(text)
    return Failure(text.rstrip(), kind[0] if kind else None, event)


_CLASS: Final = re.compile(r"[A-Za-z_][\w.]{0,127}(?=[(:])", re.ASCII)


def _exception(attributes: Mapping[str, Any]) -> str:
    """``type: message``, a blank line, the stack trace; which may begin with all that itself."""
    said = (attributes.get("exception.type"), attributes.get("exception.message"))
    head = ": ".join(str(part) for part in said if part)
    trace = str(attributes.get("exception.stacktrace") or "")
    return trace if trace.startswith(head) else f"{head}\n\n{trace}".rstrip()


def _described(description: str | None, fields: Mapping[str, Any]) -> Failure:
    """The best words for a failure of which no exception tells."""
    description = description or fields.get("error.message")
    kind, code = fields.get("error.type"), fields.get("error.code")
    status = f"HTTP {code}" if code is not None else ""
    if description:
        said = f"{kind}: {description}" if kind and kind not in description else description
    elif kind and status and kind != str(code):
        said = f"{kind} ({status})"
    else:
        said = status or kind or "status ERROR, without a description"
    return Failure(said, kind or status or None)
