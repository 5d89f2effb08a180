"""Finished spans in any order → spans whose ancestors are known.

For the exporter that sees no span starts. Children end before their parents, so a span waits here
until the lineage of its parent is decided. Pure: the caller brings the time and the lock.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from otel_langsmith.lineage import ORPHANED, Lineage, attributes_of, claimed, of_span
from otel_langsmith.presence import Presence
from otel_langsmith.tracking import find, hang

SpanKey: TypeAlias = tuple[int, int]
"""A span's trace id and span id; contexts themselves cannot be hashed."""

REMEMBERED: Final = 16_384
"""Beyond so many placed spans, the older half is forgotten. They are remembered for contexts that
lost what was hung on them, and to recognise spans that come twice."""

REMEMBERED_BYTES: Final = 16 * 2**20
"""The same of so much text: at a depth of 1,000, a dotted order takes 59 KB."""

_DEEPEST_WEIGHED: Final = 64
"""Nesting beyond this is not looked into: it is rare, and Python's stack is not endless."""

_SPAN_BYTES: Final = 3_072
"""What the SDK's span takes without any content, with its place in a tree; seen by tracemalloc."""

_EVENT_BYTES: Final = 640
"""The same of an event; a link takes about as much."""

_ENTRY_BYTES: Final = 40
"""An attribute's place in a dict; its name is most often one text for all spans."""

_GOLDEN: Final = 0.618_033_988_749_895
_LOOKS: Final = tuple(number * _GOLDEN % 1 < 1 / 8 for number in range(4_001))
"""Which spans are weighed: spread so that it coincides with few patterns of an application."""

_SLOT_BYTES: Final = 8
_FLAT: Final = frozenset((str, bool, int, float, bytes))


class Placed(NamedTuple):
    """A span whose place in its tree is decided."""

    span: ReadableSpan
    lineage: Lineage
    presence: Presence | None = None
    attributes: Mapping[str, Any] | None = None
    """Those of the span, if they were read to place it: each look at them costs."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how long: spans, bytes of memory, seconds."""

    spans: int
    bytes: int
    age_s: float


class _Siblings(NamedTuple):
    """Spans that wait for the same parent, in order.

    Their attributes are read when they are placed: a copy would be cold by then, and take memory.
    """

    parent: SpanKey
    spans: dict[SpanKey, ReadableSpan]


_Held: TypeAlias = tuple[SpanKey, int, float]
"""A waiting span's parent, bytes, and since when: nothing that the garbage collector follows, for
20,000 objects more made it walk through all there are, at 7 µs a span."""

_Ready: TypeAlias = tuple[Mapping[SpanKey, ReadableSpan], Lineage | None, tuple[str, ...]]
"""Spans that wait no longer, the lineage above them and what is to be noted of theirs."""

_tuple_of: Final = tuple.__new__
"""Makes a named tuple at half the price of its own ``__new__``, which is Python code."""


def _raised(error: Exception) -> None:
    raise error


class Assembly:
    """Holds spans until the lineage of their parents is known, oldest first, within `Bounds`.

    A remote parent never comes here, so its child is placed at once. Beyond a bound the oldest
    waiting tree is given up as orphaned: its topmost span becomes the root of a trace of its own.

    Args:
        bounds: How many spans may be held, of how much memory, for how long.
        claims: Whether a span names a remote parent of which only the id is known.
        lost: Called with the exception for each span that cannot be placed; it costs no other.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        claims: bool = False,
        lost: Callable[[Exception], None] = _raised,
    ) -> None:
        self._bounds = bounds
        self._claims = claims
        self._lost = lost
        # ordered by hand: the front of a plain dict that loses its front is found in linear time
        self._held: OrderedDict[SpanKey, _Held] = OrderedDict()
        self._held_bytes = 0
        self._looks = cycle(_LOOKS)
        self._estimated_bytes = bounds.bytes // 5
        self._typical_bytes = 0
        self._waiting: dict[SpanKey, _Siblings] = {}
        self._decided: dict[SpanKey, Lineage] = {}
        self._decided_bytes = 0
        self.doubles = 0

    def __len__(self) -> int:
        """How many spans wait."""
        return len(self._held)

    def add(self, spans: Iterable[ReadableSpan], now_s: float) -> list[Placed]:
        """Every span that can be placed now, each after its parent; the others wait.

        One that came before, as far as that is remembered, is left out and counted.
        """
        placed: list[Placed] = []
        decided, held, waiting = self._decided, self._held, self._waiting
        latest: SpanContext | None = None  # siblings come one after the other, so what is asked
        above: Lineage | None = None  # of their parent is asked once
        siblings: _Siblings | None = None
        for span in spans:
            try:
                context, parent = span.context, span.parent
                key = (-id(span), 0) if context is None else (context.trace_id, context.span_id)
                if key in decided or (held and key in held):
                    self.doubles += 1
                    continue
                if parent is not latest:
                    above, siblings = self._at(parent)
                    latest = parent
                if siblings is None:
                    placed.append(self._place(span, context, key, above))
                    if waiting and key in waiting:
                        self._release(self._ready(key), placed)
                else:
                    held[key] = (siblings.parent, self._weighed(span), now_s)
                    if not siblings.spans:
                        waiting[siblings.parent] = siblings
                    siblings.spans[key] = span
            except Exception as error:  # noqa: BLE001 - one bad span must not cost others
                self._lost(error)
        while held and self._exceeded(now_s):
            self._give_up_oldest(placed)
        self._forget(placed)
        return placed

    def _forget(self, placed: Sequence[Placed]) -> None:
        """Older halves of what was decided, until the rest is not too much; one span is weighed."""
        if placed:
            typical = placed[len(placed) // 2].lineage.dotted_order
            self._decided_bytes += len(placed) * len(typical)
        while len(self._decided) > REMEMBERED or self._decided_bytes > REMEMBERED_BYTES:
            half = islice(self._decided.items(), len(self._decided) // 2, None)
            self._decided, self._decided_bytes = dict(half), self._decided_bytes // 2

    def drain(self) -> list[Placed]:
        """Everything that waits, oldest tree first; nothing waits afterwards."""
        placed: list[Placed] = []
        while self._held:
            self._give_up_oldest(placed)
        return placed

    def _at(self, parent: SpanContext | None) -> tuple[Lineage | None, _Siblings | None]:
        """The parent's lineage or, while that is unknown, the spans that wait for it already."""
        if parent is None:
            return None, None
        key = (parent.trace_id, parent.span_id)
        above = find(parent) or self._decided.get(key)
        if above is not None or parent.is_remote:
            return above, None
        return None, self._waiting.get(key) or _Siblings(key, {})

    def _place(
        self,
        span: ReadableSpan,
        context: SpanContext | None,
        key: SpanKey,
        above: Lineage | None,
        notes: tuple[str, ...] = (),
    ) -> Placed:
        """Decide a span's lineage, for good."""
        if self._claims:
            above = claimed(span, above)
        attributes = attributes_of(span)
        lineage = of_span(key[1], span.start_time or 0, above, attributes, notes)
        if context is not None:
            hang(context, lineage)
            self._decided[key] = lineage
        return _tuple_of(Placed, (span, lineage, None, attributes))

    def _weighed(self, span: ReadableSpan) -> int:
        """Bytes of a span that waits from now on.

        To weigh it would cost more than all else here, so one in eight or so is; what that takes
        stands for those after it, too. Each is when a fifth of the bound is taken, so that an
        estimate goes for no more.
        """
        if next(self._looks) or self._held_bytes > self._estimated_bytes:
            self._typical_bytes = memory_of(span)
        self._held_bytes += self._typical_bytes
        return self._typical_bytes

    def _ready(self, key: SpanKey) -> _Ready:
        """What waits for the decided span of that key."""
        return self._waiting.pop(key).spans, self._decided[key], ()

    def _release(self, first: _Ready, placed: list[Placed]) -> None:
        """Place what waits no longer, then whatever waited for that, level by level."""
        held, waiting = self._held, self._waiting
        ready = [first]
        for spans, above, notes in ready:
            for key, span in spans.items():
                _, weight, _ = held.pop(key)
                self._held_bytes -= weight
                try:
                    placed.append(self._place(span, span.context, key, above, notes))
                except Exception as error:  # noqa: BLE001 - as in `add`
                    self._lost(error)
                    continue
                if waiting and key in waiting:
                    ready.append(self._ready(key))

    def _exceeded(self, now_s: float) -> bool:
        _, _, since_s = next(iter(self._held.values()))
        return (
            len(self._held) > self._bounds.spans
            or self._held_bytes > self._bounds.bytes
            or now_s - since_s > self._bounds.age_s
        )

    def _give_up_oldest(self, placed: list[Placed]) -> None:
        """Place the tree around the oldest span as one trace: what hangs together stays so."""
        key = self._topmost(next(iter(self._held)))
        parent, weight, _ = self._held[key]
        siblings = self._waiting.get(parent)
        if siblings is None or key not in siblings.spans:
            # a Ctrl-C broke off its release: it is gone, and who counts what waits will see it
            del self._held[key]
            self._held_bytes -= weight
            return
        span = siblings.spans.pop(key)
        if not siblings.spans:
            del self._waiting[parent]
        self._release(({key: span}, None, (ORPHANED,)), placed)

    def _topmost(self, key: SpanKey) -> SpanKey:
        """The highest ancestor that waits too; a cycle of parents ends where it began."""
        climbed = {key}
        while (above := self._held[key][0]) in self._held and above not in climbed:
            climbed.add(above)
            key = above
        return key


def memory_of(span: ReadableSpan, attributes: Mapping[str, Any] | None = None) -> int:
    """About how many bytes of memory a span takes, of what tracemalloc sees two thirds or more.

    ``attributes`` are the span's, if somebody has read them already.
    """
    own = attributes_of(span) if attributes is None else attributes
    events, links = span.events, span.links
    try:
        memory = _SPAN_BYTES + _bytes_of(own)
        if events or links:  # as few have
            said = [*(event.attributes for event in events), *(link.attributes for link in links)]
            memory += sum(_EVENT_BYTES + _memory_of(attributes) for attributes in said)
    except Exception:  # noqa: BLE001 - a class has another __sizeof__; an estimate costs no span
        return _SPAN_BYTES + sum(map(_memory_if_any, own.values()))
    return memory


def _memory_if_any(value: object) -> int:
    try:
        return _memory_of(value)
    except Exception:  # noqa: BLE001 - as in `memory_of`
        return 0


def _bytes_of(attributes: Mapping[str, Any]) -> int:
    """The same of its attributes, most of which are no lists: those are looked into once more.

    (A comprehension calls a method for half of what ``map`` and a ``methodcaller`` take.)
    """
    values = attributes.values()
    contents: int = sum([value.__sizeof__() for value in values])
    if not _FLAT.issuperset(map(type, values)):
        nested = [value for value in values if type(value) not in _FLAT]
        contents += sum([_memory_of(value) - value.__sizeof__() for value in nested])
    return _ENTRY_BYTES * len(attributes) + contents


def _memory_of(value: object, depth: int = 0) -> int:
    """Bytes of an attribute value, nested or not; text that is not ASCII takes up to four each."""
    if type(value) in _FLAT or depth >= _DEEPEST_WEIGHED:
        return value.__sizeof__()
    if isinstance(value, (list, tuple)):
        return sum([_SLOT_BYTES + _memory_of(item, depth + 1) for item in value])
    if isinstance(value, Mapping):
        return sum([_ENTRY_BYTES + _memory_of(item, depth + 1) for item in value.values()])
    return value.__sizeof__()
