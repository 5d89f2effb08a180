"""Placed spans → encoded runs that may be sent; the others are counted as dropped."""

from __future__ import annotations

import logging
import threading
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from otel_langsmith.delivery.clock import in_turns
from otel_langsmith.delivery.traces import TRACE_FULL, Traces
from otel_langsmith.portions import portions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from otel_langsmith.assembly import Placed
    from otel_langsmith.bugs import Bugs
    from otel_langsmith.delivery.books import Books, Consignments
    from otel_langsmith.encoder import Encoded, Encoder, Told
    from otel_langsmith.live import LiveRuns
    from otel_langsmith.run import Run
    from otel_langsmith.wire.batch import EncodedRun

UNTRANSLATABLE: Final = "untranslatable"
"""No run could be made of the span: a bug of ours, logged once."""

INVALID: Final = "invalid"
"""The run breaks LangSmith's rules and would have failed its whole request."""

_log: Final = logging.getLogger("otel_langsmith")

_T = TypeVar("_T")
_Made = TypeVar("_Made")


class _Steps:
    """The steps from the spans of one delivery to encoded runs; a failing span costs no other."""

    def __init__(self, encoder: Encoder, bugs: Bugs, consignments: Consignments) -> None:
        self._encoder = encoder
        self._bugs = bugs
        self._consignments = consignments

    def told(self, block: Sequence[Placed]) -> list[Told]:
        """The spans of a block as runs."""
        encoder = self._encoder
        try:
            return in_turns(encoder.tell, in_turns(encoder.read, in_turns(encoder.see, block)))
        except Exception:  # noqa: BLE001 - one bad span must not cost its block
            return self._in_turns(encoder.tell_each, block)

    def encoded(self, block: Sequence[Told]) -> list[Encoded]:
        """The runs of a block, encoded."""
        return self._in_turns(self._encoder.encode, block)

    def _in_turns(
        self, step: Callable[[Sequence[_T]], Sequence[_Made]], block: Sequence[_T]
    ) -> list[_Made]:
        return in_turns(partial(self._each, step), block)

    def _each(
        self, step: Callable[[Sequence[_T]], Sequence[_Made]], few: Sequence[_T]
    ) -> Sequence[_Made]:
        """What a step makes of a few spans: of all at once or, if that fails, one by one."""
        try:
            return step(few)
        except Exception as error:  # noqa: BLE001 - one bad span must not cost its batch
            if len(few) == 1:
                self._bugs.say("a span cannot be translated and is counted as lost", error)
                self._consignments.dropped(UNTRANSLATABLE)
                return ()
        return [*chain.from_iterable(self._each(step, (one,)) for one in few)]


class Admission:
    """Turns placed spans into runs that may be sent, each encoded once for all destinations.

    The encoder is made for the first run, in the thread that delivers, for it loads all
    conventions.
    """

    def __init__(
        self, open_encoder: Callable[[], Encoder], traces: Traces, books: Books, bugs: Bugs
    ) -> None:
        self._open_encoder = open_encoder
        self._opening = threading.Lock()
        self._opened: Encoder | None = None
        self._traces = traces
        self._books = books
        self._bugs = bugs

    @property
    def _encoder(self) -> Encoder:
        with self._opening:
            if self._opened is None:
                self._opened = self._open_encoder()
            return self._opened

    def ends(self, placed: Sequence[Placed], consignments: Consignments) -> Iterator[EncodedRun]:
        """The runs of spans that ended."""
        return chain.from_iterable(self._ends(placed, consignments)) if placed else iter(())

    def _ends(
        self, placed: Sequence[Placed], consignments: Consignments
    ) -> Iterator[Sequence[EncodedRun]]:
        encoder = self._encoder
        steps = _Steps(encoder, self._bugs, consignments)
        for portion in portions(encoder.in_order(placed)):
            for block in encoder.once(map(steps.told, portion)):
                yield self._admitted(steps.encoded(block), consignments)
                del block  # or it would take memory until the next is read, which may be megabytes

    def _admitted(
        self, block: Sequence[Encoded], consignments: Consignments
    ) -> Sequence[EncodedRun]:
        """The runs of a block that may be sent: nearly always all."""
        sent: list[EncodedRun] = []
        traces: list[str] = []
        notes: list[str] = []
        for run, encoded, fault in block:
            if fault is not None:
                break
            sent.append(encoded)
            traces.append(run.trace_id)
            if run.notes:
                notes += run.notes
        else:
            if not traces or self._traces.admit_all(traces):
                if notes:
                    self._books.note(notes)
                return sent
        return [one for each in block for one in self._examined(*each, consignments)]

    def _examined(
        self, run: Run, sent: EncodedRun, fault: str | None, consignments: Consignments
    ) -> Iterator[EncodedRun]:
        """The run, if it may be sent; else it is counted as dropped."""
        if fault is not None:
            _log.warning("run %s is dropped, LangSmith would refuse it: %s", run.id, fault)
            consignments.dropped(INVALID)
        # a run that is shown already is among those LangSmith has taken
        elif not (self._traces.admit(run.trace_id) or _is_shown(sent)):
            consignments.dropped(TRACE_FULL)
        else:
            if run.notes:
                self._books.note(run.notes)
            yield sent

    def ancestors(self, placed: Sequence[Placed], live: LiveRuns) -> Iterator[EncodedRun]:
        """Openings of the ancestors that LangSmith must have before runs sent as plain REST."""
        if placed and (alone := self._encoder.alone(placed)):
            yield from self.openings(live.ancestors_of(alone), live)

    def openings(self, placed: Iterable[Placed], live: LiveRuns) -> Iterator[EncodedRun]:
        """The posts of runs whose spans are open; one that fails is sent when its span ends."""
        for one in placed:
            try:
                run, sent, fault = self._encoder.opening(one)
            except Exception as error:  # noqa: BLE001 - the end of the run tries again
                self._bugs.say("an open span cannot be shown", error)
                continue
            if fault is None and not self._traces.full(run.trace_id):
                live.opening(one, run)
                yield sent

    def closings(self, live: LiveRuns, now_ns: int) -> Iterator[EncodedRun]:
        """The patches that close runs whose spans will not end any more."""
        for opened in live.unended(now_ns):
            yield self._encoder.closing(opened)


def _is_shown(run: EncodedRun) -> bool:
    """Whether any destination has the opening of the run."""
    return run.presence is not None and any(
        there.operation == "patch" for there in run.presence.everywhere
    )
