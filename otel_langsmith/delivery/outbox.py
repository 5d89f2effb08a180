"""What is on disk for one destination: runs to be sent again, refused runs, and runs left open.

Without a spool directory it keeps nothing. When is a run on disk?

* Once one request for it went unanswered, or was answered with "later": before anyone waits.
* At once, untried, while the last request went that way. So nothing but a delivery under way is in
  memory, and a process that is killed loses no more than the runs of its last cycle.
* When LangSmith is told that it has begun, as the patch that ends it: the next process sends that
  one if this process dies.
"""

from __future__ import annotations

import logging
import random
import threading
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_langsmith.delivery.dead_letters import REFUSED, DeadLetter, DeadLetters
from otel_langsmith.delivery.destination import Destination, open_folder
from otel_langsmith.delivery.disk import Folder
from otel_langsmith.delivery.records import Record, ending
from otel_langsmith.delivery.segment import Entry
from otel_langsmith.delivery.spool import Bounds, Spool
from otel_langsmith.live import UNENDED_ERROR
from otel_langsmith.presence import Presence, State
from otel_langsmith.run import EMPTY
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import MAIN, closing
from otel_langsmith.wire.reply import OF_THE_RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_langsmith.delivery.clock import Clock
    from otel_langsmith.delivery.ledger import Book
    from otel_langsmith.settings import Settings
    from otel_langsmith.wire.batch import Batch, Moment
    from otel_langsmith.wire.reply import Reply

_ADOPT_EVERY_S: Final = 60.0
_FIRST_BACKOFF_S: Final = 0.5
_LONGEST_BACKOFF_S: Final = 10.0
"""Longest pause between two attempts; a flush, too, waits for the next one."""

_NOT_FOUND: Final = 404
_log: Final = logging.getLogger("otel_langsmith")


class Storage(NamedTuple):
    """The folder of a destination, and the spool in it: what of an outbox outlives a fork."""

    folder: Folder
    spool: Spool


def open_storage(settings: Settings, lost: Callable[[str, int, bool], None]) -> Storage | None:
    """The storage that the settings want; None if they want none, or if it cannot be had.

    Args:
        settings: Say where, for which destination and how much.
        lost: Told what the spool loses; see `Spool`.
    """
    if settings.spool_dir is None or settings.endpoint is None:
        return None
    destination = Destination(settings.endpoint, settings.workspace_id, settings.project)
    bounds = Bounds(
        settings.spool_max_bytes, settings.spool_max_age_seconds, sync=settings.spool_fsync
    )
    try:
        folder = open_folder(settings.spool_dir, destination)
    except OSError as error:
        _log.warning("spool_dir cannot be used, runs wait in memory: %s", error)
        return None
    return Storage(folder, Spool(folder, bounds, lost))


class Outbox:
    """Keeps on disk what cannot be sent now, and says when to try again. Safe from many threads.

    What it takes over it books as spooled. Spans that another process had received are in the book
    from the moment at which their fate is known.
    """

    def __init__(
        self, book: Book, clock: Clock, storage: Storage | None = None, max_refused_bytes: int = 0
    ) -> None:
        self._book = book
        self._clock = clock
        self._spool = storage.spool if storage else None
        self._where = storage.folder.path.name if storage else ""
        self._letters = (
            DeadLetters(partial(Folder, REFUSED, storage.folder), max_refused_bytes)
            if storage
            else None
        )
        self._adopt_at_s = self._due_s = clock.now_s()
        self._backoff_s = 0.0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def keeps(self) -> bool:
        """Whether there is a spool directory."""
        return self._spool is not None

    @property
    def failing(self) -> bool:
        """Whether LangSmith took nothing when last asked, so that new runs are to be kept, too."""
        return self.keeps and self._backoff_s > 0

    @property
    def waiting(self) -> int:
        """How many spans that this process received are here."""
        return self._spool.spans if self._spool else 0

    @property
    def due_in_s(self) -> float:
        """Seconds until it makes sense to try again."""
        return max(0.0, self._due_s - self._clock.now_s())

    def keep(self, batch: Batch) -> bool:
        """Whether the runs are on disk now; if not, they are the caller's still."""
        if self._spool is None:
            return False
        entries = _entries(batch)
        own = batch.ends - sum(entry.record.spans for entry in entries if entry.inherited)
        with self._lock:  # what is booked is on disk, and what is taken was booked
            if entries:
                self._spool.give_back(entries)
            elif not self._spool.add([_record(run) for run in batch.runs]):
                return False
            self._book.spooled(own)
        if not entries:
            self._ended(batch)
            batch.departs()  # whoever takes it: it may arrive at any time
        return True

    def take(self, max_runs: int, max_bytes: int, *, early: bool = False) -> list[EncodedRun]:
        """The oldest runs that wait, if LangSmith may be asked again or it is ``early``."""
        now_s = self._clock.now_s()
        if self._spool is None or self._closed or (now_s < self._due_s and not early):
            return []
        if now_s >= self._adopt_at_s:
            self._adopt_at_s = now_s + _ADOPT_EVERY_S
            self._spool.adopt()
        with self._lock:
            entries = self._spool.take(max_runs, max_bytes)
            own = sum(entry.record.spans for entry in entries if not entry.inherited)
            self._book.unspooled(own)
        runs = [(entry, _replayed(entry)) for entry in entries]
        self._spool.settle(entry for entry, run in runs if run is None)
        return [run for _, run in runs if run is not None]

    def begin(self, batch: Batch) -> None:
        """LangSmith is about to be told that these runs have begun."""
        wills = [_will(run) for run in batch.openings if _is_begun_by(run)]
        if wills and self._spool is not None:
            self._spool.opened(wills)

    def settle(self, batch: Batch) -> None:
        """The fate of the runs is known, for the caller to book."""
        if self._spool is None:
            return
        entries = _entries(batch)
        self._book.inherit(sum(entry.record.spans for entry in entries if entry.inherited))
        self._spool.settle(entries)
        self._ended(batch)

    def refuse(self, batch: Batch, reason: str, reply: Reply, said: str) -> bool:
        """Book runs that were refused: kept apart, or lost. False: they wait for better times.

        What is wrong with the key or the address is no fault of the runs.
        """
        alone = batch.runs[0].alone and reply.status == _NOT_FOUND
        if not (alone or reply.status in OF_THE_RUN) and self.keep(batch):
            self.failed()
            return False
        self.settle(batch)
        if self._kept_apart(batch, reply, said):
            self._book.dead_lettered(batch.ends)
        else:
            self._book.dropped(reason, batch.ends)
        return True

    def worked(self) -> None:
        """LangSmith took something."""
        self._backoff_s = 0.0
        self._due_s = self._clock.now_s()

    def failed(self, after_s: float = 0.0) -> None:
        """LangSmith took nothing, and wants to be left alone for so long."""
        self._backoff_s = min(max(_FIRST_BACKOFF_S, 2 * self._backoff_s), _LONGEST_BACKOFF_S)
        # full jitter: a fleet that failed together must not come back together
        wait_s = max(after_s, random.uniform(0, self._backoff_s))  # noqa: S311
        self._due_s = self._clock.now_s() + wait_s

    def close(self) -> None:
        """Leave what waits to whoever comes next; what is kept later needs another `close`."""
        self._closed = True
        if self._spool is not None:
            self._spool.close()

    def _ended(self, batch: Batch) -> None:
        if self._spool is not None:
            ended = (run for run in batch.runs if run.moment != "opening" and run.presence)
            self._spool.ended([run.run_id for run in ended])

    def _kept_apart(self, batch: Batch, reply: Reply, said: str) -> bool:
        """Whether each end of a run among them is a dead letter now."""
        if self._letters is None:
            return False
        now_ns = int(self._clock.utc().timestamp() * 1e9)
        return all(
            self._letters.keep(DeadLetter(_record(run), now_ns, reply.status, said, self._where))
            for run in batch.runs
            if run.moment == "end"
        )


def _entries(batch: Batch) -> list[Entry]:
    """Where on disk the runs are from: all of them, or none."""
    return [run.origin for run in batch.runs if isinstance(run.origin, Entry)]


def _record(run: EncodedRun) -> Record:
    """The run as it would be sent now."""
    orphaned = run.presence is not None and run.presence.orphaned
    return Record(
        run.run_id,
        run.operation,
        run.parts,  # whole: what takes it may have more room
        spans=int(run.moment == "end"),
        doubtful=run.doubtful,
        alone=run.alone,
        place=EMPTY if orphaned else run.place,
    )


def _is_begun_by(run: EncodedRun) -> bool:
    """Whether LangSmith has not heard of the run before that this one opens."""
    new = run.presence is not None and run.presence.state is State.ABSENT
    return run.origin is None and new


def _will(opening: EncodedRun) -> Record:
    """What ends the run as failed, but for the time: what was said of it before stays."""
    parts = closing(opening.parts[MAIN], UNENDED_ERROR)
    return Record(opening.run_id, "patch", parts, spans=0, alone=opening.alone, place=opening.place)


def _replayed(entry: Entry) -> EncodedRun | None:
    """The run of an entry as it is to be sent; None if nobody can read it.

    One that a dead process left open ends with that process's last sign of life.
    """
    record = entry.record
    try:
        record = ending(record, entry.last_ns) if entry.ends_run else record
    except ValueError:
        return None
    moments: dict[str, Moment] = {"post": "opening", "patch": "closing"}
    moment = "end" if record.spans else moments[record.verb]
    presence = _presence(record)
    return EncodedRun(
        record.run_id, record.parts, presence, moment, record.alone, record.place, origin=entry
    )


def _presence(record: Record) -> Presence | None:
    """What LangSmith has of the run, as far as the record tells."""
    if record.verb == "patch":
        return Presence(State.OPENED)
    if record.doubtful:
        return Presence(State.UNSURE)
    return Presence() if record.alone else None
