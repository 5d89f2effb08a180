"""A span at its place → the encoded run that tells of it: translated, hidden, checked, in parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeAlias, TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.assembly import Placed
from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.lineage import Lineage
from otel_langsmith.live import Opened, as_opening
from otel_langsmith.log_events import Joined
from otel_langsmith.portions import portions
from otel_langsmith.presence import Presence
from otel_langsmith.redact import Guard, Hiding
from otel_langsmith.run import EMPTY, JsonObject, Run
from otel_langsmith.settings import Settings
from otel_langsmith.translate import translate
from otel_langsmith.twice import Twice
from otel_langsmith.wire.batch import EncodedRun, Moment
from otel_langsmith.wire.parts import fault_of, parts_of, parts_of_closing, place_of
from otel_langsmith.wire.shorten import ATTACHMENTS_LEFT_OUT

Encoded: TypeAlias = tuple[Run, EncodedRun, str | None]
"""A run, as values and as it will be sent, and why LangSmith would refuse it, if it would."""

Read: TypeAlias = Iterable[tuple[Placed, Run]]
"""Spans, and what was read of them."""

Lost: TypeAlias = Callable[[Exception], None]
"""Hears of a span that cannot be told, which is a bug of ours."""

_T = TypeVar("_T")
_Made = TypeVar("_Made")


class Encoder:
    """Encodes runs as the settings want it.

    Whatever a span says of itself raises nothing here, but for bugs of ours. ``joined`` tells what
    was logged for spans instead of being put on them.
    """

    def __init__(
        self, settings: Settings, joined: Callable[[Iterable[ReadableSpan]], Iterable[Joined]]
    ) -> None:
        self._joined = joined
        self._twice = Twice()
        self._basic = settings.mode == "basic"
        self._project = settings.project
        self._table = table_of((*settings.conventions, *CONVENTIONS))
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
        return placed if self._basic else [one for one in placed if one.lineage.claimed]

    def in_order(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """The same runs, parents first if the server finds a run's place by its parent."""
        if self.alone(placed):
            return sorted(placed, key=lambda one: one.lineage.dotted_order)
        return placed

    def read(self, blocks: Iterable[Sequence[Placed]], lost: Lost) -> Read:
        """The runs of spans that have ended, each model call counted once, nothing hidden yet."""
        return chain.from_iterable(
            self._twice.once(
                chain.from_iterable(_each(self._said, block, lost) for block in portion)
            )
            for portion in portions(blocks)
        )

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
        project, table = self._project, self._table
        told = self._joined(one.span for one in placed)
        return [
            (
                one,
                translate(
                    one.span,
                    one.lineage,
                    project=project,
                    table=table,
                    joined=joined,
                    attributes=one.attributes,
                ),
            )
            for one, joined in zip(placed, told, strict=False)
        ]

    def _ended(self, read: Sequence[tuple[Placed, Run]]) -> Sequence[Encoded]:
        guard, fit, encoded = self._guard, self._fit, self._encoded
        return [
            encoded(
                fit(run, one.lineage) if guard or run.attachments else run,
                one.lineage,
                one.presence,
                "end",
            )
            for one, run in read
        ]

    def _fit(self, run: Run, lineage: Lineage) -> Run:
        """The run without what is to be hidden, nor what cannot travel."""
        if run.attachments and self.travels_alone(lineage):
            run = _without_attachments(run)
        return self._guard(run) if self._guard else run

    def _encoded(
        self, run: Run, lineage: Lineage, presence: Presence | None, moment: Moment
    ) -> Encoded:
        alone = self._basic or lineage.claimed
        parts = (parts_of_closing if moment == "closing" else parts_of)(run, not alone)
        if alone:
            known = Presence() if presence is None else presence
            sent = EncodedRun(run.id, parts, known, moment, alone, _place(run, lineage))
        else:
            sent = EncodedRun(run.id, parts, presence, moment, alone, EMPTY)
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
