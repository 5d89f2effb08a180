"""``otel-langsmith spool replay``: each run on disk is delivered, refused for good, or stays."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_langsmith.delivery.dead_letters import REFUSED, DeadLetter, DeadLetters
from otel_langsmith.delivery.disk import Folder
from otel_langsmith.delivery.records import ending
from otel_langsmith.delivery.server import headers_of
from otel_langsmith.delivery.spool import Bounds, Spool
from otel_langsmith.delivery.transport import Request
from otel_langsmith.wire import basic, multipart
from otel_langsmith.wire.reply import OF_THE_RUN, Accepted, Reply, Sent, Split, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from otel_langsmith.delivery.records import Record
    from otel_langsmith.delivery.segment import Entry
    from otel_langsmith.delivery.transport import Transport
    from otel_langsmith.run import JsonObject
    from otel_langsmith.settings import Settings
    from otel_langsmith.spooling import Directory, Place

FOR_EVER: Final = Bounds(max_bytes=2**50, max_age_s=1e9)
"""Whoever replays by hand wants it all, however old."""

MAX_REFUSED_BYTES: Final = 2**30

_AT_ONCE: Final = 1000
_AT_ONCE_BYTES: Final = 2**24
_SHOWN: Final = 300
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404


@dataclass(slots=True)
class Report:
    """How many runs were delivered, refused for good, or left where they are, and ``why``."""

    delivered: int = 0
    refused: int = 0
    left: int = 0
    why: list[str] = field(default_factory=list)

    def leave(self, runs: int, why: str) -> None:
        """So many runs stay where they are."""
        self.left += runs
        if why not in self.why:
            self.why.append(why)


class Result(NamedTuple):
    """What came of sending one run.

    ``settled``: LangSmith has it. ``of_run``: a 404 would be about the run, not about the endpoint.
    """

    settled: bool
    reply: Reply
    of_run: bool = False

    @property
    def refused(self) -> bool:
        """Whether the run will never be taken."""
        missing = self.of_run and self.reply.status == _NOT_FOUND
        return not self.settled and (missing or self.reply.status in OF_THE_RUN)

    @property
    def orphaned(self) -> bool:
        """Whether a run that names its parent may be refused for nobody knowing that one."""
        return self.refused or self.reply.status == _NOT_FOUND


class Courier:
    """Sends runs to one LangSmith; after the first failure to reach it, no more."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        self._failure: Reply | None = None

    def fitness(self, place: Place) -> int:
        """How well the place matches this LangSmith: 0 not at all, 2 fully, 1 but for project."""
        ours, meant = self._settings, place.destination
        if (ours.endpoint, ours.workspace_id) != (meant.endpoint, meant.workspace_id):
            return 0
        return 2 if ours.project == meant.project else 1

    def send(self, records: Sequence[Record]) -> list[Result]:
        """What became of each, in order.

        A request that is refused for one of its runs is halved until that run is alone.
        """
        return [result for few in self._requests(records) for result in self._sent(few)]

    def why(self, result: Result | None) -> str:
        """Why a run stays, in the server's words."""
        return self.scrubbed(str(result.reply))[:_SHOWN] if result else "not sent"

    def scrubbed(self, text: str) -> str:
        """A server's words without what it may quote of our headers."""
        for secret in filter(None, (self._settings.api_key, *self._settings.headers.values())):
            text = text.replace(secret, "[secret]")
        return text

    def letter(self, record: Record, result: Result, place: Place) -> DeadLetter:
        """The refused run, to be kept."""
        said, where = self.scrubbed(result.reply.text), place.folder.path.name
        return DeadLetter(record, time.time_ns(), result.reply.status, said, where)

    def _sent(self, records: Sequence[Record]) -> list[Result]:
        if self._failure is not None:
            return [Result(settled=False, reply=self._failure)] * len(records)
        reply = self._transport.send(self._request(records), self._settings.timeout)
        size, of_run = sum(record.size for record in records), _is_asked_for(records[0])
        sent = Sent(runs=len(records), size=size, of_run=of_run)
        verdict = judge(reply, datetime.now(timezone.utc), sent)
        if isinstance(verdict, Split) and len(records) > 1:
            middle = len(records) // 2
            return [*self._sent(records[:middle]), *self._sent(records[middle:])]
        if reply.status == _CONFLICT and records[0].doubtful:
            return self._sent([replace(records[0], verb="patch", doubtful=False)])
        result = Result(isinstance(verdict, Accepted), reply, of_run)
        if result.orphaned and records[0].alone and records[0].place:
            return self._sent([replace(records[0], place={})])
        if not (result.settled or result.refused):
            self._failure = reply
        return [result] * len(records)

    def _requests(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """The records in order, cut so that no request is too large or has a run twice."""
        few: list[Record] = []
        size = 0
        for record in records:
            full = len(few) >= self._settings.max_batch_runs
            full = full or size + record.size > self._settings.max_batch_bytes
            full = full or record.alone or any(other.alone for other in few)
            if few and (full or any(record.run_id == other.run_id for other in few)):
                yield few
                few, size = [], 0
            few.append(record)
            size += record.size
        if few:
            yield few

    def _request(self, records: Sequence[Record]) -> Request:
        settings, first = self._settings, records[0]
        if first.alone:
            message = basic.encode(first.run_id, first.parts, first.verb, _place(first))
            content_type = basic.CONTENT_TYPE
        else:
            runs = [(one.verb, one.run_id, one.parts) for one in records]
            body = multipart.encode(runs, token_hex(16))
            message = basic.Message("POST", "/runs/multipart", body.data)
            content_type = body.content_type
        headers = {**headers_of(settings), "Content-Type": content_type}
        return Request(message.method, f"{settings.endpoint}{message.path}", headers, message.data)


def replay(
    directory: Directory, each: Sequence[Settings], transport: Transport, *, refused: bool = False
) -> Report:
    """Send again what waits for these destinations, and what LangSmith's SDKs failed to upload.

    With ``refused``, what was refused before as well. Nothing goes to another endpoint or workspace
    than it was meant for, and what a running process is at work on is left to it.
    """
    report = Report()
    couriers = [Courier(settings, transport) for settings in each]
    for place in directory.places:
        courier = max(couriers, key=lambda one: one.fitness(place))
        if courier.fitness(place):
            _replay_spool(directory, place, courier, report)
            if refused:
                _replay_letters(directory, place, courier, report)
        else:
            others = sum(found.destination == place.title for found in directory.look())
            report.leave(
                others, f"{place.title}: not what LANGSMITH_ENDPOINT and _WORKSPACE_ID say"
            )
    for file, records in directory.envelopes():
        if len(couriers) == 1:
            _replay_envelope(file, records, couriers[0], report)
        else:
            report.leave(len(records), _WHOSE)
    return report


_WHOSE: Final = (
    "failed uploads do not say which of several destinations they are for: "
    "set LANGSMITH_ENDPOINT instead of LANGSMITH_RUNS_ENDPOINTS to send them"
)


def _replay_spool(directory: Directory, place: Place, courier: Courier, report: Report) -> None:
    letters = DeadLetters(partial(Folder, REFUSED, place.folder), MAX_REFUSED_BYTES)
    lost = partial(_tell_lost, directory, place)
    with closing(Spool(place.folder, FOR_EVER, lost)) as spool:
        spool.adopt()
        failed: Result | None = None
        while failed is None and (entries := spool.take(_AT_ONCE, _AT_ONCE_BYTES)):
            records = [_whole(entry) for entry in entries]
            results = courier.send(records)
            for entry, record, result in zip(entries, records, results, strict=True):
                if result.settled or (
                    result.refused and letters.keep(courier.letter(record, result, place))
                ):
                    spool.settle([entry])
                    report.delivered += result.settled
                    report.refused += result.refused
                else:
                    spool.give_back([entry])
                    failed = result
    for found in directory.waiting(place):
        why = "a running process will send them" if found.in_use else courier.why(failed)
        report.leave(1, why)


def _replay_letters(directory: Directory, place: Place, courier: Courier, report: Report) -> None:
    for file, letter in directory.letters(place):
        (result,) = courier.send([letter.record])
        if result.settled:
            report.delivered += 1
            file.unlink(missing_ok=True)
        else:
            report.leave(1, courier.why(result))


def _replay_envelope(
    file: Path, records: Sequence[Record], courier: Courier, report: Report
) -> None:
    results = courier.send(records)
    report.delivered += sum(result.settled for result in results)
    for result in results:
        if not result.settled:
            report.leave(1, f"{file.name}: {courier.why(result)}")
    if all(result.settled for result in results):
        file.unlink(missing_ok=True)


def _tell_lost(directory: Directory, place: Place, reason: str, spans: int, _: bool) -> None:
    directory.problems.append(f"{place.folder.path}: {spans} lost ({reason})")


def _place(record: Record) -> JsonObject:
    """What a run sent as plain REST says of its place; an update says the parent alone."""
    parent = record.place.get("parent_run_id")
    return {"parent_run_id": parent} if parent and record.verb == "patch" else record.place


def _is_asked_for(record: Record) -> bool:
    """Whether the run, or its parent, must be there already for the request to be answered."""
    return record.alone and (record.verb == "patch" or {*record.place} == {"parent_run_id"})


def _whole(entry: Entry) -> Record:
    """The run as it is sent: one that a dead process left open ends with its last sign of life."""
    return ending(entry.record, entry.last_ns) if entry.ends_run else entry.record
