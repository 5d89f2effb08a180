"""A span at its place → the encoded run that tells of it: translated, hidden, checked, in parts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

from otel_langsmith.assembly import Placed
from otel_langsmith.conventions import CONVENTIONS
from otel_langsmith.lineage import Lineage
from otel_langsmith.live import Opened, as_opening
from otel_langsmith.log_events import Joined
from otel_langsmith.portions import portions
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


class Encoder:
    """Encodes runs as the settings want it.

    Whatever a span says of itself raises nothing here, but for bugs of ours. ``joined`` tells what
    was logged for a span instead of being put on it.
    """

    def __init__(self, settings: Settings, joined: Callable[[ReadableSpan], Joined]) -> None:
        self._joined = joined
        self._twice = Twice()
        self._basic = settings.mode == "basic"
        self._project = settings.project
        self._conventions = (*settings.conventions, *CONVENTIONS)
        guard = Guard(
            Hiding(settings.hide_inputs, settings.hide_outputs, settings.hide_metadata),
            settings.redact,
        )
        self._guard = None if guard == Guard() else guard

    def travels_alone(self, lineage: Lineage) -> bool:
        """Whether a run goes as plain REST: all do, or only those whose place the server tells."""
        return self._basic or lineage.claimed

    def in_order(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """The same runs, parents first if the server finds a run's place by its parent."""
        if self._basic or any(one.lineage.claimed for one in placed):
            return sorted(placed, key=lambda one: one.lineage.dotted_order)
        return placed

    def ends(
        self, blocks: Iterable[Sequence[Placed]], lost: Callable[[Exception], None]
    ) -> Iterator[Encoded]:
        """The whole runs of spans that have ended, each model call counted once.

        A block is read as a whole. ``lost`` hears of each that cannot be told, which is a bug of
        ours.
        """
        told = (
            self._twice.once(chain.from_iterable(self._read(block, lost) for block in portion))
            for portion in portions(blocks)
        )
        for one, said in chain.from_iterable(told):
            try:
                run = self._fit(said, one.lineage)
                encoded = self._encoded(run, one.lineage, one.presence, "end")
            except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
                lost(error)
                continue
            yield encoded

    def opening(self, placed: Placed) -> Encoded:
        """The run of a span that is still open, as far as it can be told."""
        run = as_opening(self._fit(self._said(placed), placed.lineage))
        return self._encoded(run, placed.lineage, placed.presence, "opening")

    def closing(self, opened: Opened) -> EncodedRun:
        """What ends a run whose span will never end."""
        _, sent, _ = self._encoded(opened.run, opened.lineage, opened.presence, "closing")
        return sent

    def _read(
        self, placed: Iterable[Placed], lost: Callable[[Exception], None]
    ) -> list[tuple[Placed, Run]]:
        read = []
        for one in placed:
            try:
                read.append((one, self._said(one)))
            except Exception as error:  # noqa: BLE001, PERF203 - one bad span must not cost others
                lost(error)
        return read

    def _said(self, placed: Placed) -> Run:
        """The run as its span and what was logged for it say, nothing hidden yet."""
        return translate(
            placed.span,
            placed.lineage,
            project=self._project,
            conventions=self._conventions,
            joined=self._joined(placed.span),
        )

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


def _place(run: Run, lineage: Lineage) -> JsonObject:
    """All we know of a run's place that is true."""
    return {"parent_run_id": run.parent_run_id} if lineage.claimed else place_of(run)


def _without_attachments(run: Run) -> Run:
    notes = (*run.notes, ATTACHMENTS_LEFT_OUT)
    names = [attachment.name for attachment in run.attachments]
    told = {"otel_langsmith.notes": list(notes), f"otel_langsmith.{ATTACHMENTS_LEFT_OUT}": names}
    return replace(run, attachments=(), notes=notes, metadata={**run.metadata, **told})
