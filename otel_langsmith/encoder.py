"""A span at its place → the encoded run that tells of it: translated, hidden, checked, in parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from operator import attrgetter
from typing import Final, TypeAlias, TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.assembly import Placed
from otel_langsmith.conventions import CONVENTIONS
from otel_langsmith.lineage import Lineage
from otel_langsmith.live import Opened, as_opening
from otel_langsmith.log_events import Joined
from otel_langsmith.presence import Presence
from otel_langsmith.redact import Guard, Hiding
from otel_langsmith.run import JsonObject, Run
from otel_langsmith.settings import Settings
from otel_langsmith.translate import translate
from otel_langsmith.twice import Twice
from otel_langsmith.wire.batch import EncodedRun, Moment
from otel_langsmith.wire.parts import fault_of, parts_of, parts_of_closing, place_of
from otel_langsmith.wire.shorten import ATTACHMENTS_LEFT_OUT

Encoded: TypeAlias = tuple[Run, EncodedRun, str | None]
"""A run, as values and as it will be sent, and why LangSmith would refuse it, if it would."""

Lost: TypeAlias = Callable[[Exception], None]
"""Hears of a span that cannot be told, which is a bug of ours."""

_END: Final[Moment] = "end"

_claimed: Final = attrgetter("lineage.claimed")
_attachments: Final = attrgetter("attachments")

_T = TypeVar("_T")
_Made = TypeVar("_Made")


class Encoder:
    """Encodes runs as the settings want it.

    Whatever a span says of itself raises nothing here, but for bugs of ours. ``joined`` tells what
    was logged for spans instead of being put on them.

    A block of spans goes through each step as a whole, from one function in C to the next: that
    spares 200 of the bytecodes that a span costs.
    """

    def __init__(
        self, settings: Settings, joined: Callable[[Sequence[ReadableSpan]], Iterable[Joined]]
    ) -> None:
        self._joined = joined
        self._twice = Twice()
        self._basic = settings.mode == "basic"
        conventions = (*settings.conventions, *CONVENTIONS)
        self._translate = partial(translate, project=settings.project, conventions=conventions)
        guard = Guard(
            Hiding(settings.hide_inputs, settings.hide_outputs, settings.hide_metadata),
            settings.redact,
        )
        self._guard = None if guard == Guard() else guard

    def travels_alone(self, lineage: Lineage) -> bool:
        """Whether a run goes as plain REST: all do, or only those whose place the server tells."""
        return self._basic or lineage.claimed

    def alone(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """Those that go as plain REST."""
        if self._basic:
            return placed
        return [one for one in placed if _claimed(one)] if any(map(_claimed, placed)) else ()

    def in_order(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """The same runs, parents first if the server finds a run's place by its parent."""
        if self.alone(placed):
            return sorted(placed, key=lambda one: one.lineage.dotted_order)
        return placed

    def read(self, blocks: Iterable[Sequence[Placed]], lost: Lost) -> Iterable[tuple[Placed, Run]]:
        """The runs of spans that have ended, each model call counted once, nothing hidden yet."""
        read = chain.from_iterable(_each(self._said, block, lost) for block in blocks)
        return self._twice.once(read)

    def ends(self, read: Sequence[tuple[Placed, Run]], lost: Lost) -> Sequence[Encoded]:
        """A block of the whole runs of spans that have ended, as what was `read` of them."""
        return _each(self._ended, read, lost)

    def opening(self, placed: Placed) -> Encoded:
        """The run of a span that is still open, as far as it can be told."""
        ((_, run),) = self._said((placed,))
        run = as_opening(self._fit(run, placed.lineage))
        return self._encoded(run, placed.lineage, placed.presence, "opening")

    def closing(self, opened: Opened) -> EncodedRun:
        """What ends a run whose span will never end."""
        _, sent, _ = self._encoded(opened.run, opened.lineage, opened.presence, "closing")
        return sent

    def _said(self, placed: Sequence[Placed]) -> Sequence[tuple[Placed, Run]]:
        """The runs as their spans and what was logged for these say."""
        spans, lineages, *_ = zip(*placed, strict=True)
        runs = map(self._translate, spans, lineages, self._joined(spans))
        return [*zip(placed, runs, strict=True)]

    def _ended(self, read: Sequence[tuple[Placed, Run]]) -> Sequence[Encoded]:
        placed, runs = zip(*read, strict=True)
        _, lineages, presences, *_ = zip(*placed, strict=True)
        if self._guard or any(map(_attachments, runs)):
            runs = (*map(self._fit, runs, lineages),)
        return [*map(self._encoded, runs, lineages, presences, repeat(_END))]

    def _fit(self, run: Run, lineage: Lineage) -> Run:
        """The run without what is to be hidden, nor what cannot travel."""
        if run.attachments and self.travels_alone(lineage):
            run = _without_attachments(run)
        return self._guard(run) if self._guard else run

    def _encoded(
        self, run: Run, lineage: Lineage, presence: Presence | None, moment: Moment
    ) -> Encoded:
        alone = self._basic or lineage.claimed
        write = parts_of_closing if moment == "closing" else parts_of
        parts = tuple(write(run, placed=not alone))
        if alone:
            known = Presence() if presence is None else presence
            sent = EncodedRun(run.id, parts, known, moment, alone, _place(run, lineage))
        else:
            sent = EncodedRun(run.id, parts, presence, moment)
        return run, sent, fault_of(run)


def _each(
    make: Callable[[Sequence[_T]], Sequence[_Made]], block: Sequence[_T], lost: Lost
) -> Sequence[_Made]:
    """What is made of a block: at once, and if that fails, of each that nothing is wrong with."""
    try:
        return make(block)
    except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
        if len(block) == 1:
            lost(error)
            return ()
    return [*chain.from_iterable(_each(make, (one,), lost) for one in block)]


def _place(run: Run, lineage: Lineage) -> JsonObject:
    """All we know of a run's place that is true."""
    return {"parent_run_id": run.parent_run_id} if lineage.claimed else place_of(run)


def _without_attachments(run: Run) -> Run:
    notes = (*run.notes, ATTACHMENTS_LEFT_OUT)
    names = [attachment.name for attachment in run.attachments]
    told = {"otel_langsmith.notes": list(notes), f"otel_langsmith.{ATTACHMENTS_LEFT_OUT}": names}
    return replace(run, attachments=(), notes=notes, metadata={**run.metadata, **told})
