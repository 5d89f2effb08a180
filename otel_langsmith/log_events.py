"""Log records with GenAI content → the events of their spans.

OpenTelemetry moves GenAI content from span events to log records, which carry the span's ids; most
come before their span ends (genai.md §0.3). Pure: the caller brings the time and the lock.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry._logs import LogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags, get_current_span

from otel_langsmith.conventions.json import from_json

SpanKey: TypeAlias = tuple[int, int]

LOG_LATE: Final = "log_late"
"""A log record came after its span's run was sent; a run is patched once, so it is left out."""

LOG_UNJOINED: Final = "log_unjoined"
"""A log record was dropped: its span was never sent, or too many records waited."""

MOST_RECORDS: Final = 65_536
MOST_BYTES: Final = 64 * 2**20
MAX_AGE_S: Final = 3_600.0
"""How many records wait for their spans, how much content, and how long the oldest."""

_FAMILY: Final = "gen_ai."
_DETAILS: Final = "gen_ai.client.inference.operation.details"
_EXCEPTION: Final = "gen_ai.client.operation.exception"
_SLOT: Final = "_otel_langsmith_log_events"
_BODILY: Final = (".message", ".choice")
"""Ends of event names that are empty without a body: content was not captured."""

_NOT_SAID: Final = ("event.name", "code.")
_DEEPEST: Final = 32
_OVERHEAD_BYTES: Final = 256


class Joined(NamedTuple):
    """What was logged for a span: attributes that it lacks, and events."""

    attributes: Mapping[str, Any]
    events: tuple[Event, ...]


NOTHING: Final = Joined({}, ())


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait: records, bytes of content, seconds."""

    records: int = MOST_RECORDS
    bytes: int = MOST_BYTES
    age_s: float = MAX_AGE_S


@dataclass(slots=True)
class _Waiting:
    since_s: float
    events: list[Event] = field(default_factory=list)
    bytes: int = 0


class LogEvents:
    """Events that wait for their spans to end, within `Bounds`; beyond, the oldest are dropped.

    What was joined to a span is kept on its context, so that each of several exporters finds it
    there for as long as the span lives.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: OrderedDict[SpanKey, _Waiting] = OrderedDict()
        self._records = self._bytes = 0
        self.used = False  # whether there ever was anything to join
        self.notes: list[str] = []

    def __len__(self) -> int:
        """How many records wait."""
        return self._records

    def hear(self, record: LogRecord, now_s: float) -> None:
        """Keep what a record says of a model call, if it belongs to a span that is sampled."""
        name = name_of(record)
        if name is None or not (record.trace_flags or 0) & TraceFlags.SAMPLED:
            return
        key = (record.trace_id or 0, record.span_id or 0)
        context = get_current_span(record.context).get_span_context()
        if (context.trace_id, context.span_id) == key and hasattr(context, _SLOT):
            self._note(LOG_LATE)
        elif all(key):
            self._keep(key, *event_of(name, record), now_s)

    def joined_to(self, span: ReadableSpan) -> Joined:
        """What was logged for a span, but for what it has as events or attributes of its own.

        A span that has ended is told once and for all: what comes later is late.
        """
        context = span.context
        if context is None:
            return NOTHING
        found = getattr(context, _SLOT, None)
        if found is None:
            found = self._found(context, ended=span.end_time is not None)
        return _joined(found, span) if found else NOTHING

    def _found(self, context: SpanContext, *, ended: bool) -> tuple[Event, ...]:
        key = (context.trace_id, context.span_id)
        waiting = self._waiting.get(key)
        found = tuple(waiting.events) if waiting else ()
        if ended:
            self._drop(key)
            _hang(context, found)
        return found

    def _keep(self, key: SpanKey, event: Event, size: int, now_s: float) -> None:
        self.used = True
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(now_s)
        waiting.events.append(event)
        waiting.bytes += size
        self._records += 1
        self._bytes += size
        while self._waiting and self._is_too_much(now_s):
            self._note(LOG_UNJOINED, self._drop(next(iter(self._waiting))))

    def _is_too_much(self, now_s: float) -> bool:
        oldest = next(iter(self._waiting.values()))
        return (
            self._records > self._bounds.records
            or self._bytes > self._bounds.bytes
            or now_s - oldest.since_s > self._bounds.age_s
        )

    def _drop(self, key: SpanKey) -> int:
        """How many records of this span no longer wait."""
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return 0
        self._records -= len(waiting.events)
        self._bytes -= waiting.bytes
        return len(waiting.events)

    def _note(self, note: str, times: int = 1) -> None:
        room = max(0, self._bounds.records - len(self.notes))
        self.notes += [note] * min(times, room)


def name_of(record: LogRecord) -> str | None:
    """What kind of event a record is, if it has something to tell of a model call.

    Semantic Kernel and Pydantic AI write the name as an attribute, as it was before OpenTelemetry's
    log records had a place for it.
    """
    name = record.event_name or (record.attributes or {}).get("event.name")
    if not (isinstance(name, str) and name.startswith(_FAMILY)):
        return None
    return None if record.body is None and name.endswith(_BODILY) else name


def event_of(name: str, record: LogRecord) -> tuple[Event, int]:
    """A record as the span event it stands for, and roughly its bytes.

    Its body says by keys what an event says by attributes; Semantic Kernel writes it as JSON. It is
    copied, for it may hold the application's own lists.
    """
    body = record.body
    said = from_json(body) if isinstance(body, str) else body
    if not isinstance(said, Mapping):
        said = {} if said is None or said == "" else {"content": said}
    attributes = {
        key: value
        for key, value in (record.attributes or {}).items()
        if not key.startswith(_NOT_SAID)
    }
    copied, size = _weighed({**attributes, **said}, _DEEPEST)
    at_ns = record.timestamp or record.observed_timestamp
    return Event("exception" if name == _EXCEPTION else name, copied, at_ns), size + _OVERHEAD_BYTES


def _joined(found: Sequence[Event], span: ReadableSpan) -> Joined:
    """The records of whole calls have a span's attributes, of which the last is the most complete.

    Others are events, unless the span has such events itself.
    """
    attributes: dict[str, Any] = {}
    for event in found:
        if event.name == _DETAILS:
            attributes.update(event.attributes or {})
    own = {event.name for event in span.events} | {_DETAILS}
    lacking = attributes.keys() - (span.attributes or {}).keys()
    return Joined(
        {key: value for key, value in attributes.items() if key in lacking},
        tuple(event for event in found if event.name not in own),
    )


def _weighed(value: Any, depth: int) -> tuple[Any, int]:
    """A value with no container that anybody else may change, and roughly its bytes."""
    if isinstance(value, (str, bytes)):
        return value, len(value)
    if depth and isinstance(value, Mapping):
        parts = {str(key): _weighed(part, depth - 1) for key, part in value.items()}
        size = sum(len(key) + part[1] for key, part in parts.items())
        return {key: part[0] for key, part in parts.items()}, size
    if depth and isinstance(value, Sequence):
        items = [_weighed(item, depth - 1) for item in value]
        return [item[0] for item in items], sum(item[1] for item in items)
    return value, 16


def _hang(context: SpanContext, events: tuple[Event, ...]) -> None:
    """Keep them on the very object that all exporters see; see `tracking.hang`."""
    try:
        object.__setattr__(context, _SLOT, events)
    except AttributeError:
        return
