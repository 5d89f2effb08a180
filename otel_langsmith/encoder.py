"""A span at its place → the encoded run that tells of it: translated, hidden, checked, in parts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import not_
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.assembly import Placed
from otel_langsmith.conventions import CONVENTIONS, table_of
from otel_langsmith.conventions.table import Reading
from otel_langsmith.lineage import Lineage
from otel_langsmith.live import Opened, as_opening
from otel_langsmith.log_events import Joined
from otel_langsmith.presence import Presence
from otel_langsmith.provenance import Frame
from otel_langsmith.redact import Guard, Hiding
from otel_langsmith.run import EMPTY, JsonObject, Run
from otel_langsmith.settings import Settings
from otel_langsmith.translate import Seen, see, tell, translate
from otel_langsmith.twice import Twice
from otel_langsmith.wire.batch import EncodedRun, Moment
from otel_langsmith.wire.parts import (
    Parts,
    fault_of,
    parts_of,
    parts_of_closing,
    parts_of_each,
    place_of,
)
from otel_langsmith.wire.shorten import ATTACHMENTS_LEFT_OUT

Encoded: TypeAlias = tuple[Run, EncodedRun, str | None]
"""A run, as values and as it will be sent, and why LangSmith would refuse it, if it would."""

Read: TypeAlias = tuple[Placed, Frame, Reading]
"""A span, where it comes from, and what was read of it."""

Told: TypeAlias = tuple[Placed, Run]
"""A span, and the run that it is."""


class Encoder:
    """Encodes runs as the settings want it, in steps that each take some spans at once.

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
        return self._basic or lineage.riding.claimed

    def alone(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """Those that go as plain REST."""
        return placed if self._basic else [one for one in placed if one.lineage.riding.claimed]

    def in_order(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """The same runs, parents first if the server finds a run's place by its parent."""
        if self.alone(placed):
            return sorted(placed, key=lambda one: one.lineage.dotted_order)
        return placed

    def see(self, placed: Sequence[Placed]) -> list[tuple[Placed, Seen]]:
        """The first step: what there is to be read of spans that have ended, logs included.

        Raises:
            Exception: in this step and the next two, whatever one of the spans raises, or a
                convention; `tell_each` does all three of them for what can be told.
        """
        told = self._joined(one.span for one in placed)
        return [
            (one, see(one.span, one.attributes, joined))
            for one, joined in zip(placed, told, strict=False)
        ]

    def read(self, found: Sequence[tuple[Placed, Seen]]) -> list[Read]:
        """The second step: what the tables read of it."""
        read = self._table.read
        return [
            (one, frame, read(frame.scope_name, attributes, events))
            for one, (frame, attributes, events) in found
        ]

    def tell(self, found: Sequence[Read]) -> list[Told]:
        """The third step: the runs, whole, nothing hidden yet."""
        project, table = self._project, self._table
        return [
            (one, tell(one.span, one.lineage, project, table, frame, reading))
            for one, frame, reading in found
        ]

    def tell_each(self, placed: Sequence[Placed]) -> list[Told]:
        """The runs of spans, each as far as it can be told."""
        told = self._joined(one.span for one in placed)
        return [
            (
                one,
                translate(
                    one.span,
                    one.lineage,
                    project=self._project,
                    table=self._table,
                    joined=joined,
                    attributes=one.attributes,
                ),
            )
            for one, joined in zip(placed, told, strict=False)
        ]

    def once(self, blocks: Iterable[Sequence[Told]]) -> Iterator[Sequence[Told]]:
        """The fourth: the same blocks of runs, some way behind, each model call counted once.

        Before the last: encoded, runs take five times as much memory while they wait, for orjson
        leaves its bytes the room that they might have needed.
        """
        return self._twice.once(blocks)

    def encode(self, told: Sequence[Told]) -> list[Encoded]:
        """The last: the runs as they will be sent."""
        guard, fit = self._guard, self._fit
        runs = [fit(run, one.lineage) if guard or run.attachments else run for one, run in told]
        basic, encoded = self._basic, self._encoded
        alone = [basic or one.lineage.riding.claimed for one, _ in told]
        each = parts_of_each(runs, map(not_, alone))
        return [
            encoded(run, one.lineage, one.presence, "end", parts)
            for run, (one, _), parts in zip(runs, told, each, strict=False)
        ]

    def opening(self, placed: Placed) -> Encoded:
        """The run of a span that is still open, as far as it can be told."""
        ((_, run),) = self.tell_each((placed,))
        run = as_opening(self._fit(run, placed.lineage))
        parts = parts_of(run, not self.travels_alone(placed.lineage))
        return self._encoded(run, placed.lineage, placed.presence, "opening", parts)

    def closing(self, opened: Opened) -> EncodedRun:
        """What ends a run whose span will never end."""
        parts = parts_of_closing(opened.run, not self.travels_alone(opened.lineage))
        _, sent, _ = self._encoded(opened.run, opened.lineage, opened.presence, "closing", parts)
        return sent

    def _fit(self, run: Run, lineage: Lineage) -> Run:
        """The run without what is to be hidden, nor what cannot travel."""
        if run.attachments and self.travels_alone(lineage):
            run = _without_attachments(run)
        return self._guard(run) if self._guard else run

    def _encoded(
        self, run: Run, lineage: Lineage, presence: Presence | None, moment: Moment, parts: Parts
    ) -> Encoded:
        if self.travels_alone(lineage):
            known = Presence() if presence is None else presence
            sent = EncodedRun(run.id, parts, known, moment, True, _place(run, lineage))
        else:
            sent = EncodedRun(run.id, parts, presence, moment, False, EMPTY)
        return run, sent, fault_of(run)


def _place(run: Run, lineage: Lineage) -> JsonObject:
    """All we know of a run's place that is true."""
    return {"parent_run_id": run.parent_run_id} if lineage.riding.claimed else place_of(run)


def _without_attachments(run: Run) -> Run:
    notes = (*run.notes, ATTACHMENTS_LEFT_OUT)
    names = [attachment.name for attachment in run.attachments]
    told = {"otel_langsmith.notes": list(notes), f"otel_langsmith.{ATTACHMENTS_LEFT_OUT}": names}
    return replace(run, attachments=(), notes=notes, metadata={**run.metadata, **told})
