"""Finished spans in any order → spans whose ancestors are known.

For the exporter that sees no span starts. Children end before their parents, so a span waits here
until the lineage of its parent is decided. Pure: the caller brings the time and the lock.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from otel_langsmith.lineage import ORPHANED, Lineage, attributes_of, claimed, of_span
from otel_langsmith.presence import Presence
from otel_langsmith.tracking import find, hang

SpanKey: TypeAlias = tuple[int, int]
"""A span's trace id and span id; contexts themselves cannot be hashed."""

REMEMBERED: Final = 16_384
"""How many decided spans are remembered by id, for contexts that lost what was hung on them."""

_DEEPEST_WEIGHED: Final = 64
"""Nesting beyond this is not looked into: it is rare, and Python's stack is not endless."""

_SPAN_BYTES: Final = 3_072
"""What the SDK's span takes without any content, with its place in a tree; seen by tracemalloc."""

_EVENT_BYTES: Final = 640
"""The same of an event; a link takes about as much."""

_SLOT_BYTES: Final = 8
_NUMBER_BYTES: Final = 28


class Placed(NamedTuple):
    """A span whose place in its tree is decided."""

    span: ReadableSpan
    lineage: Lineage
    presence: Presence | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how long: spans, bytes of memory, seconds."""

    spans: int
    bytes: int
    age_s: float


class _Held(NamedTuple):
    span: ReadableSpan
    parent: SpanKey
    bytes: int
    since_s: float


class Assembly:
    """Spans that wait for their parents, oldest first, within `Bounds`.

    A remote parent never comes here, so its child is decided at once. Beyond a bound the oldest
    waiting tree is given up as orphaned: its topmost span becomes the root of a trace of its own.
    With ``claims``, a remote parent that nothing is known of is claimed by its id.
    """

    def __init__(self, bounds: Bounds, *, claims: bool = False) -> None:
        self._bounds = bounds
        self._claims = claims
        # ordered by hand: the front of a plain dict that loses its front is found in linear time
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._held_bytes = 0
        self._serial = 0
        self._by_key: dict[SpanKey, int] = {}
        self._waiting: dict[SpanKey, dict[int, None]] = {}
        self._decided: OrderedDict[SpanKey, Lineage] = OrderedDict()

    def __len__(self) -> int:
        """How many spans wait."""
        return len(self._held)

    def knows(self, span: ReadableSpan) -> bool:
        """Whether the span came before: it waits, or was placed and is still remembered."""
        context = span.context
        key = None if context is None else _key(context)
        return key in self._decided or key in self._by_key

    def add(self, spans: Iterable[ReadableSpan], now_s: float) -> list[Placed]:
        """Every span that can be placed now, each after its parent; the others wait."""
        placed: list[Placed] = []
        for span in spans:
            parent = span.parent
            above = parent and self._lineage_at(parent)
            if parent is None or above is not None or parent.is_remote:
                self._place(span, above, placed)
            else:
                self._hold(span, _key(parent), now_s)
        while self._held and self._exceeded(now_s):
            self._give_up_oldest(placed)
        return placed

    def drain(self) -> list[Placed]:
        """Everything that waits, oldest tree first; nothing waits afterwards."""
        placed: list[Placed] = []
        while self._held:
            self._give_up_oldest(placed)
        return placed

    def _lineage_at(self, parent: SpanContext) -> Lineage | None:
        return find(parent) or self._decided.get(_key(parent))

    def _place(
        self, span: ReadableSpan, parent: Lineage | None, placed: list[Placed], *notes: str
    ) -> None:
        """Add the span to ``placed``, then whatever waited for it, level by level."""
        ready = [(span, parent, notes)]
        for span_, parent_, notes_ in ready:
            above = claimed(span_, parent_) if self._claims else parent_
            context = span_.context
            span_id = 0 if context is None else context.span_id
            start_ns = span_.start_time or 0
            lineage = of_span(span_id, start_ns, above, attributes_of(span_), notes_)
            placed.append(Placed(span_, lineage))
            if context is None:
                continue
            hang(context, lineage)
            key = (context.trace_id, span_id)
            self._remember(key, lineage)
            if key in self._waiting:
                children = self._waiting.pop(key)
                ready.extend((self._release(serial), lineage, ()) for serial in children)

    def _remember(self, key: SpanKey, lineage: Lineage) -> None:
        self._decided[key] = lineage
        if len(self._decided) > REMEMBERED:
            self._decided.popitem(last=False)

    def _hold(self, span: ReadableSpan, parent: SpanKey, now_s: float) -> None:
        held = _Held(span, parent, memory_of(span), now_s)
        self._serial += 1
        self._held[self._serial] = held
        self._held_bytes += held.bytes
        self._waiting.setdefault(held.parent, {})[self._serial] = None
        if span.context is not None:
            self._by_key[_key(span.context)] = self._serial

    def _release(self, serial: int) -> ReadableSpan:
        held = self._held.pop(serial)
        self._held_bytes -= held.bytes
        if held.span.context is not None:
            self._by_key.pop(_key(held.span.context), None)
        return held.span

    def _exceeded(self, now_s: float) -> bool:
        oldest = next(iter(self._held.values()))
        return (
            len(self._held) > self._bounds.spans
            or self._held_bytes > self._bounds.bytes
            or now_s - oldest.since_s > self._bounds.age_s
        )

    def _give_up_oldest(self, placed: list[Placed]) -> None:
        """Place the tree around the oldest span as one trace: what hangs together stays so."""
        serial = self._topmost(next(iter(self._held)))
        siblings = self._waiting[self._held[serial].parent]
        del siblings[serial]
        if not siblings:
            del self._waiting[self._held[serial].parent]
        self._place(self._release(serial), None, placed, ORPHANED)

    def _topmost(self, serial: int) -> int:
        """The highest ancestor that waits too; a cycle of parents ends where it began."""
        climbed = {serial}
        while (above := self._by_key.get(self._held[serial].parent)) is not None:
            if above in climbed:
                break
            climbed.add(above)
            serial = above
        return serial


def _key(context: SpanContext) -> SpanKey:
    return context.trace_id, context.span_id


def memory_of(span: ReadableSpan) -> int:
    """About how many bytes of memory a span takes, of what tracemalloc sees two thirds or more."""
    events = sum(_EVENT_BYTES + _memory_of(event.attributes) for event in span.events)
    links = sum(_EVENT_BYTES + _memory_of(link.attributes) for link in span.links)
    return _SPAN_BYTES + _memory_of(attributes_of(span)) + events + links


def _memory_of(value: object, depth: int = 0) -> int:
    """Bytes of an attribute value, nested or not; text that is not ASCII takes up to four each."""
    if isinstance(value, (str, bytes)):
        return value.__sizeof__()
    if depth < _DEEPEST_WEIGHED and isinstance(value, Mapping):
        size = 0
        for key, item in value.items():  # a key is most often one of all spans: its slot counts
            text = item if type(item) is str else None  # as most are
            own = _memory_of(item, depth + 1) if text is None else text.__sizeof__()
            size += len(key) + _SLOT_BYTES + own
        return size
    if depth < _DEEPEST_WEIGHED and isinstance(value, (list, tuple)):
        return sum(_SLOT_BYTES + _memory_of(item, depth + 1) for item in value)
    return _NUMBER_BYTES
