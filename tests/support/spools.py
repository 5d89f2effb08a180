"""Runs to spool, and a disk that fails when the test wants it to."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from otel_langsmith.delivery.disk import Folder
from otel_langsmith.delivery.records import Record
from otel_langsmith.delivery.spool import Bounds, Spool
from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.parts import INPUTS, MAIN

START = "2026-11-21T12:00:00.000000Z"


def run_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def record(number: int, verb: str = "post", *, size: int = 0, **fields: Any) -> Record:
    """A run that LangSmith accepts, all of whose parts differ from those of any other number."""
    main = {
        "id": run_id(number),
        "trace_id": run_id(number),
        "dotted_order": f"20261121T120000000000Z{run_id(number)}",
        "name": f"run {number}",
        "run_type": "chain",
        "start_time": START,
        **fields,
    }
    inputs = {"number": number, "padding": os.urandom(size // 2).hex()}
    parts = {MAIN: dumps(main), INPUTS: dumps(inputs)}
    return Record(run_id(number), "patch" if verb == "patch" else "post", parts)


def will(number: int) -> Record:
    return record(number, "patch", error="process ended")


class Losses(list[tuple[str, int, bool]]):
    """What a spool says is lost, as (reason, spans, inherited)."""

    def __call__(self, reason: str, spans: int, inherited: bool) -> None:
        self.append((reason, spans, inherited))

    @property
    def spans(self) -> int:
        return sum(spans for _, spans, _ in self)


def spool_in(
    path: Path | Folder,
    losses: Losses | None = None,
    *,
    now_ns: Callable[[], int] | None = None,
    **bounds: Any,
) -> Spool:
    disk = path if isinstance(path, Folder) else Folder(path)
    told = Losses() if losses is None else losses
    return Spool(disk, Bounds(**bounds), told, *([now_ns] if now_ns else []))


def drain(spool: Spool, *, at_once: int = 7, settle: bool = True) -> list[Record]:
    """Everything that waits, in order."""
    records = []
    kept = []
    while entries := spool.take(at_once, 2**30):
        records += [entry.record for entry in entries]
        if settle:
            spool.settle(entries)
        else:
            kept += entries
    spool.give_back(kept)
    return records


def ids(records: Iterable[Record]) -> list[int]:
    return [int(record.run_id[-12:]) for record in records]


class RudeFolder(Folder):
    """A folder whose calls fail by name: ``fails = {"append": ENOSPC}``, the others work.

    With ``torn``, a failing `append` has written that many bytes and cannot take them back.
    """

    def __init__(self, path: str | Path, outer: Folder | None = None) -> None:
        super().__init__(path, outer)
        self.fails: Mapping[str, int] = {}
        self.torn = 0
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if number := self.fails.get(name):
            raise OSError(number, os.strerror(number))

    def sizes(self) -> Mapping[str, int]:
        self._call("sizes")
        return super().sizes()

    def create(self, name: str) -> int:
        self._call("create")
        return super().create(name)

    def open(self, name: str) -> int:
        self._call("open")
        return super().open(name)

    def read(self, descriptor: int) -> bytes:
        self._call("read")
        return super().read(descriptor)

    def append(self, descriptor: int, data: bytes) -> None:
        if "append" in self.fails:
            super().append(descriptor, data[: self.torn])
        self._call("append")
        super().append(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._call("sync")
        super().sync(descriptor)

    def lock(self, descriptor: int) -> bool:
        self._call("lock")
        return super().lock(descriptor)

    def names(self, descriptor: int, name: str) -> bool:
        self._call("names")
        return super().names(descriptor, name)

    def remove(self, name: str) -> None:
        self._call("remove")
        super().remove(name)

    def replace(self, name: str, data: bytes) -> None:
        self._call("replace")
        super().replace(name, data)


CALLS = ("sizes", "create", "open", "read", "append", "sync", "lock", "names", "remove")
ERRNOS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE, errno.EACCES)
