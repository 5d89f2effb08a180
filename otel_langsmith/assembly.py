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
    key: SpanKey | None
    parent: SpanKey | None
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
        self._by_key: dict[SpanKey | None, int] = {}
        self._waiting: dict[SpanKey | None, dict[int, None]] = {}
        self._decided: OrderedDict[SpanKey | None, Lineage] = OrderedDict()
        self.doubles = 0

    def __len__(self) -> int:
        """How many spans wait."""
        return len(self._held)

    def add(self, spans: Iterable[ReadableSpan], now_s: float) -> list[Placed]:
        """Every span that can be placed now, each after its parent; the others wait.

        One that came before, as far as that is remembered, is left out and counted.
        """
        placed: list[Placed] = []
        for span in spans:
            key = _key(span.context)
            if key in self._decided or key in self._by_key:
                self.doubles += 1
                continue
            parent = span.parent
            above = None if parent is None else find(parent) or self._decided.get(_key(parent))
            if parent is None or above is not None or parent.is_remote:
                self._place(span, key, above, placed)
            else:
                self._hold(span, key, _key(parent), now_s)
        while self._held and self._exceeded(now_s):
            self._give_up_oldest(placed)
        return placed

    def drain(self) -> list[Placed]:
        """Everything that waits, oldest tree first; nothing waits afterwards."""
        placed: list[Placed] = []
        while self._held:
            self._give_up_oldest(placed)
        return placed

    def _place(
        self,
        span: ReadableSpan,
        key: SpanKey | None,
        parent: Lineage | None,
        placed: list[Placed],
        *notes: str,
    ) -> None:
        """Add the span to ``placed``, then whatever waited for it, level by level."""
        ready = [(span, key, parent, notes)]
        for span_, key_, parent_, notes_ in ready:
            above = claimed(span_, parent_) if self._claims else parent_
            start_ns, attributes = span_.start_time or 0, attributes_of(span_)
            span_id = 0 if key_ is None else key_[1]
            lineage = of_span(span_id, start_ns, above, attributes, notes_)
            placed.append(Placed(span_, lineage))
            context = span_.context
            if context is None or key_ is None:
                continue
            hang(context, lineage)
            self._decided[key_] = lineage
            if len(self._decided) > REMEMBERED:
                self._decided.popitem(last=False)
            if key_ in self._waiting:
                children = self._waiting.pop(key_)
                ready.extend((*self._release(serial), lineage, ()) for serial in children)

    def _hold(
        self, span: ReadableSpan, key: SpanKey | None, parent: SpanKey | None, now_s: float
    ) -> None:
        held = _Held(span, key, parent, memory_of(span), now_s)
        self._serial += 1
        self._held[self._serial] = held
        self._held_bytes += held.bytes
        self._waiting.setdefault(held.parent, {})[self._serial] = None
        if key is not None:
            self._by_key[key] = self._serial

    def _release(self, serial: int) -> tuple[ReadableSpan, SpanKey | None]:
        held = self._held.pop(serial)
        self._held_bytes -= held.bytes
        if held.key is not None:
            self._by_key.pop(held.key, None)
        return held.span, held.key

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
        self._place(*self._release(serial), None, placed, ORPHANED)

    def _topmost(self, serial: int) -> int:
        """The highest ancestor that waits too; a cycle of parents ends where it began."""
        climbed = {serial}
        while (above := self._by_key.get(self._held[serial].parent)) is not None:
            if above in climbed:
                break
            climbed.add(above)
            serial = above
        return serial


def _key(context: SpanContext | None) -> SpanKey | None:
    return None if context is None else (context.trace_id, context.span_id)


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
