"""The spool as a queue: first in, first out, across crashes, within bounds, on a bad disk."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spools import CALLS, ERRNOS, Losses, RudeFolder, drain, ids, record, spool_in, will

from otel_langsmith.delivery.destination import Destination, described, open_folder
from otel_langsmith.delivery.disk import Folder
from otel_langsmith.delivery.records import scan, unpack
from otel_langsmith.delivery.segment_files import segment_names
from otel_langsmith.delivery.spool import SPOOL_DAMAGED, SPOOL_EXPIRED, SPOOL_FULL, Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel_langsmith.delivery.segment import Entry

DAY_NS = 86_400 * 10**9

later = itertools.count(time.time_ns() - DAY_NS, 10**6)
"""Clock of those who are gone: no two of them began a file in the same millisecond."""


def abandoned(path: Path, *batches: Sequence[int], size: int = 0) -> list[Path]:
    """The segments of a process that spooled these runs and is gone."""
    spool = spool_in(path, max_bytes=2**30, now_ns=lambda: next(later))
    for batch in batches:
        assert spool.add([record(number, size=size) for number in batch])
    spool.close()
    return sorted(path.glob("*.runs"))


def test_runs_come_out_as_they_went_in(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    given = [record(number) for number in range(20)]
    assert spool.add(given[:3])
    assert spool.add(given[3:])
    assert (spool.waits, spool.spans) == (True, 20)
    assert drain(spool) == given
    assert (spool.waits, spool.spans) == (False, 0)
    assert list(tmp_path.glob("*.runs")) == []


def test_what_is_given_back_is_next_again(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.add([record(number) for number in range(6)])
    first, second = spool.take(2, 2**20), spool.take(2, 2**20)
    spool.give_back(first)
    spool.settle(second)
    assert ids(drain(spool)) == [0, 1, 4, 5]


def test_a_take_ends_with_the_run_that_reaches_its_bytes(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    runs = [record(number, size=1000) for number in range(5)]
    spool.add(runs)
    assert len(spool.take(100, 1)) == 1
    assert len(spool.take(100, runs[0].size + 1)) == 2


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    assert spool.adopt() == 0
    assert spool.take(1, 1) == []
    spool.ended(["x"])
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_spool_leaves_nothing_behind_but_what_waits(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.add([record(1)])
    spool.opened([will(2)])
    spool.ended([will(2).run_id])
    drain(spool)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_the_next_process_takes_what_was_left_and_only_that(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.add([record(number) for number in range(9)])
    taken = spool.take(5, 2**20)
    spool.settle([taken[0], taken[3]])
    spool.close()
    heir = spool_in(tmp_path)
    assert heir.adopt() == 1
    entries = heir.take(100, 2**20)
    assert ids(entry.record for entry in entries) == [1, 2, 4, 5, 6, 7, 8]
    assert all(entry.inherited and not entry.ends_run for entry in entries)
    heir.settle(entries)
    heir.close()
    assert list(tmp_path.iterdir()) == []


def test_runs_that_were_open_are_ended_after_all_else(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, now_ns=lambda: 5 * 10**18)
    assert spool.opened([will(1), will(2), will(3)])
    spool.ended([will(2).run_id, will(99).run_id])
    spool.add([record(4)])
    spool.close()
    heir = spool_in(tmp_path, now_ns=lambda: 5 * 10**18 + 1)
    heir.adopt()
    entries = [*heir.take(10, 2**20), *heir.take(10, 2**20)]
    assert ids(entry.record for entry in entries) == [4, 1, 3]
    assert [entry.ends_run for entry in entries] == [False, True, True]
    assert entries[1].last_ns == 5 * 10**18
    heir.settle(entries)
    heir.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_of_many_runs_stays_small(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for number in range(0, 4000, 50):
        spool.opened([will(each) for each in range(number, number + 50)])
        spool.ended(will(each).run_id for each in range(number, number + 49))
    (journal,) = tmp_path.glob("*.open")
    assert journal.stat().st_size < 1_100_000
    spool.close()
    heir = spool_in(tmp_path)
    heir.adopt()
    assert ids(drain(heir)) == list(range(49, 4000, 50))


def test_the_oldest_go_first_and_are_counted(tmp_path: Path) -> None:
    losses = Losses()
    spool = spool_in(tmp_path, losses, max_bytes=100_000)
    for number in range(100):
        assert spool.add([record(number, size=4000)])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000
    left = ids(drain(spool))
    assert left == list(range(losses.spans, 100))
    assert len(left) > 10
    assert {reason for reason, _, _ in losses} == {SPOOL_FULL}


def test_the_bound_is_for_all_processes_and_a_living_one_loses_nothing(tmp_path: Path) -> None:
    other = spool_in(tmp_path, max_bytes=100_000)
    other.add([record(number, size=4000) for number in range(15)])
    abandoned(tmp_path, [100, 101], size=4000)
    losses = Losses()
    spool = spool_in(tmp_path, losses, max_bytes=100_000)
    spool.adopt()
    for number in range(200, 230):
        spool.add([record(number, size=4000)])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000
    assert losses[0] == (SPOOL_FULL, 2, True)
    assert ids(drain(spool))[-1] == 229
    assert ids(drain(other)) == list(range(15))


def test_what_is_under_way_is_not_thrown_away(tmp_path: Path) -> None:
    losses = Losses()
    spool = spool_in(tmp_path, losses, max_bytes=14_000)
    spool.add([record(1, size=8000)])
    entries = spool.take(1, 1)
    spool.add([record(2, size=8000)])
    spool.add([record(3, size=8000)])
    assert losses == [(SPOOL_FULL, 1, False)]
    spool.give_back(entries)
    assert ids(drain(spool)) == [1, 3]


def test_a_run_larger_than_the_spool_stays_with_the_caller(tmp_path: Path) -> None:
    losses = Losses()
    spool = spool_in(tmp_path, losses, max_bytes=10_000)
    assert spool.add([record(1)])
    assert not spool.add([record(2, size=20_000)])
    assert ids(drain(spool)) == [1]
    assert losses == []


def test_what_waited_too_long_is_lost_and_counted(tmp_path: Path) -> None:
    clock, losses = [10**18], Losses()
    spool = spool_in(tmp_path, losses, now_ns=lambda: clock[0], max_age_s=86_400)
    spool.add([record(1), record(2)])
    clock[0] += DAY_NS // 2
    spool.add([record(3)])
    clock[0] += DAY_NS // 2 + 1
    assert ids(drain(spool)) == [3]
    assert losses == [(SPOOL_EXPIRED, 2, False)]


def test_a_clock_that_goes_back_loses_nothing(tmp_path: Path) -> None:
    clock = [10**18]
    spool = spool_in(tmp_path, now_ns=lambda: clock[0])
    spool.add([record(1)])
    clock[0] = -5
    spool.add([record(2)])
    assert sorted(ids(drain(spool))) == [1, 2]


def test_a_post_that_settles_no_span_is_lost_without_a_count(tmp_path: Path) -> None:
    """The post of a run that still runs is in no ledger; its patch repeats what matters."""
    losses = Losses()
    spool = spool_in(tmp_path, losses, max_bytes=10_000)
    post = record(1, size=6000)
    spool.add([type(post)(post.run_id, "post", post.parts, spans=0)])
    spool.add([record(2, size=6000)])
    assert ids(drain(spool)) == [2]
    assert losses == []


# damage


def harmed(before: bytes) -> st.SearchStrategy[bytes]:
    """The bytes cut, flipped, blanked or overwritten; never moved."""
    place = st.integers(0, len(before))
    noise = st.one_of(st.binary(min_size=1, max_size=900), st.integers(1, 900).map(bytes))
    flip = st.tuples(st.integers(0, len(before) - 1), st.integers(1, 255))
    return st.one_of(
        place.map(lambda at: before[:at]),
        st.tuples(place, noise).map(
            lambda hit: (before[: hit[0]] + hit[1] + before[hit[0] + len(hit[1]) :])[: len(before)]
        ),
        flip.map(lambda at: before[: at[0]] + bytes([before[at[0]] ^ at[1]]) + before[at[0] + 1 :]),
    )


def survivors(name: str, before: bytes, after: bytes) -> list[int]:
    """The runs of a segment none of whose bytes changed."""
    (segment,) = segment_names([name])
    frames, _ = scan(before, segment.marker)
    ends = [*(frame.offset for frame in frames[1:]), len(before)]
    return [
        ids([unpack(frame)])[0]
        for frame, end in zip(frames, ends, strict=True)
        if before[frame.offset : end] == after[frame.offset : end]
    ]


@given(data=st.data())
def test_damage_costs_only_the_runs_it_touches(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("spool")
    for batch in ([1, 2, 3], [4, 5, 6, 7]):
        abandoned(path, batch)
    victim = data.draw(st.sampled_from(sorted(path.glob("*.runs"))))
    before = victim.read_bytes()
    after = data.draw(harmed(before))
    victim.write_bytes(after)
    left = survivors(victim.name, before, after)
    untouched = {1, 2, 3, 4, 5, 6, 7} - set(survivors(victim.name, before, before))
    losses = Losses()
    heir = spool_in(path, losses)
    assert heir.adopt() == 2
    assert ids(drain(heir)) == sorted(untouched | set(left))
    lost = 7 - len(untouched) - len(left)
    assert losses.spans <= lost
    assert losses or not lost or before.startswith(after), "only a clean cut goes unnoticed"
    heir.close()
    assert list(path.iterdir()) == []


@given(data=st.data())
def test_damage_to_what_this_process_spooled_is_counted_to_the_span(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path, losses = tmp_path_factory.mktemp("spool"), Losses()
    spool = spool_in(path, losses)
    spool.add([record(number) for number in range(5)])
    (victim,) = path.glob("*.runs")
    before = victim.read_bytes()
    after = data.draw(harmed(before))
    victim.write_bytes(after)
    left = survivors(victim.name, before, after)
    assert ids(drain(spool)) == left
    assert losses == ([(SPOOL_DAMAGED, 5 - len(left), False)] if len(left) < 5 else [])
    assert spool.spans == 0


@given(st.data())
def test_exactly_what_is_not_settled_is_taken_again_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Model: a list. Actions: add, take, settle, give back, crash."""
    path = tmp_path_factory.mktemp("spool")
    spool = spool_in(path, now_ns=lambda: next(later))
    numbers = itertools.count()
    model: list[int] = []
    taken: list[Entry] = []
    for action in data.draw(st.lists(st.sampled_from("aaattsgc"), max_size=25)):
        if action == "a":
            new = [next(numbers) for _ in range(data.draw(st.integers(1, 4)))]
            assert spool.add([record(number) for number in new])
            model += new
        elif action == "t":
            taken += spool.take(data.draw(st.integers(1, 5)), 2**20)
        elif action == "s" and taken:
            index = data.draw(st.integers(0, len(taken) - 1))
            entry = taken.pop(index)
            spool.settle([entry])
            model.remove(ids([entry.record])[0])
        elif action == "g":
            spool.give_back(taken)
            taken = []
        elif action == "c":
            spool.close()
            spool, taken = spool_in(path, now_ns=lambda: next(later)), []
            spool.adopt()
    spool.give_back(taken)
    assert ids(drain(spool)) == model
    spool.close()
    assert list(path.iterdir()) == []


def test_files_of_other_kinds_and_versions_are_left_alone(tmp_path: Path) -> None:
    abandoned(tmp_path, [1])
    others = [
        "notes.txt",
        "1763727600000-000001-4711-0123456789abcdef.v2.runs",
        "1763727600000-000001-4711-0123456789abcdef.v1.runs.bak",
        "4711-0123456789abcdef.v2.lease",
        "x.v1.lease",
        "\N{ARABIC-INDIC DIGIT ONE}-0123456789abcdef.v1.lease",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    heir = spool_in(tmp_path)
    assert heir.adopt() == 1
    assert ids(drain(heir)) == [1]
    assert {path.name for path in tmp_path.iterdir() if path.read_bytes() == b"mine"} == {*others}


def test_a_copied_and_a_renumbered_segment_are_read_too(tmp_path: Path) -> None:
    """Twice is no harm: ids are the same, and LangSmith takes a run once."""
    (segment,) = abandoned(tmp_path, [1, 2])
    number = "-000001-"
    assert number in segment.name
    segment.with_name(segment.name.replace(number, "-000002-")).write_bytes(segment.read_bytes())
    heir = spool_in(tmp_path)
    heir.adopt()
    assert ids(drain(heir)) == [1, 2, 1, 2]


def test_a_segment_without_a_lease_belongs_to_nobody_alive(tmp_path: Path) -> None:
    abandoned(tmp_path, [1])
    for lease in tmp_path.glob("*.lease"):
        lease.unlink()
    heir = spool_in(tmp_path)
    assert heir.adopt() == 1
    assert ids(drain(heir)) == [1]
    heir.close()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_cannot_be_opened_hides_no_other(tmp_path: Path) -> None:
    for number in range(6):
        abandoned(tmp_path, [number])
    for lease in sorted(tmp_path.glob("*.lease"))[::2]:
        lease.unlink()
        lease.symlink_to(tmp_path / "elsewhere")
    heir = spool_in(tmp_path)
    assert heir.adopt() == 3
    assert len(drain(heir)) == 3


def test_a_cleaned_away_lease_is_renewed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.add([record(1)])
    for lease in tmp_path.glob("*.lease"):
        lease.unlink()
    assert ids(drain(spool)) == [1]
    spool.add([record(2)])
    assert spool_in(tmp_path).adopt() == 0
    assert ids(drain(spool)) == [2]


def test_a_segment_that_someone_deleted_is_counted(tmp_path: Path) -> None:
    losses = Losses()
    spool = spool_in(tmp_path, losses)
    spool.add([record(1), record(2)])
    next(tmp_path.glob("*.runs")).unlink()
    assert drain(spool) == []
    assert losses == [(SPOOL_DAMAGED, 2, False)]


# a bad disk


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_fails_nothing_is_raised_and_all_works_again(
    tmp_path: Path, call: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    abandoned(tmp_path, [1, 2])
    disk = RudeFolder(tmp_path)
    spool = spool_in(disk, sync=True)
    disk.fails = {call: number}
    spool.adopt()
    kept = [each for each in (3, 4) if spool.add([record(each)])]
    spool.opened([will(9)])
    spool.settle(entries := spool.take(1, 1))
    spool.ended([will(9).run_id])
    disk.fails = {}
    spool.adopt()
    assert spool.add([record(5)])
    done = ids(entry.record for entry in entries)
    assert sorted(ids(drain(spool)) + done) == sorted([1, 2, *kept, 5])
    assert len(caplog.records) <= 2


@pytest.mark.parametrize("torn", [0, 1, 30, 500])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_loses_nothing_and_leaves_no_doubles(
    tmp_path: Path, number: int, torn: int
) -> None:
    losses, disk = Losses(), RudeFolder(tmp_path)
    spool = spool_in(disk, losses)
    assert spool.add([record(1)])
    disk.fails, disk.torn = {"append": number}, torn
    assert not spool.add([record(2), record(3)])
    disk.fails = {}
    assert spool.add([record(2), record(3)])
    assert ids(drain(spool)) == [1, 2, 3]
    assert losses == []


def test_a_bad_disk_is_one_line_a_minute_and_one_when_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, disk = [10**18], RudeFolder(tmp_path)
    spool = spool_in(disk, now_ns=lambda: clock[0])
    disk.fails = {"append": errno.ENOSPC}
    for _ in range(150):
        spool.add([record(1)])
        clock[0] += 10**9
    disk.fails = {}
    for _ in range(3):
        spool.add([record(1)])
    failing, still, longer, works = (each.getMessage() for each in caplog.records)
    assert failing == still == longer
    assert "cannot be used, runs wait in memory: No space left on device" in failing
    assert "can be used again" in works


def test_what_is_added_is_synced_when_asked(tmp_path: Path) -> None:
    disk = RudeFolder(tmp_path)
    spool_in(disk).add([record(1)])
    assert "sync" not in disk.calls
    spool_in(disk, sync=True).add([record(1)])
    assert disk.calls[-2:] == ["append", "sync"]


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    found: list[int] = []

    def write(first: int) -> None:
        for number in range(first, first + 40):
            spool.add([record(number)])

    def read() -> None:
        for _ in range(60):
            entries = spool.take(3, 2**20)
            found.extend(ids(entry.record for entry in entries))
            spool.settle(entries)

    threads = [threading.Thread(target=write, args=(100 * each,)) for each in range(4)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += ids(drain(spool))
    assert sorted(found) == [100 * each + number for each in range(4) for number in range(40)]


# places


def test_folders_and_files_are_for_this_user_alone(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "a" / "spool", Destination("https://h/x", None, "p"))
    spool = spool_in(folder)
    spool.add([record(1)])
    spool.opened([will(2)])
    for path in (folder.path, folder.path.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    files = list(folder.path.iterdir())
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o722])
def test_a_place_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "spool"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(PermissionError, match=f"{place} can be written to by others; chmod"):
        Folder(place)
    Folder(place / "within")


def test_a_symbolic_link_is_refused_wherever_it_points(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for path in (tmp_path / "link", f"{tmp_path}/link/"):
        with pytest.raises(PermissionError, match="not a directory"):
            Folder(path)
    inner = Destination("https://h", None, "p").name
    (tmp_path / "real" / inner).symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="not a directory"):
        open_folder(tmp_path / "real", Destination("https://h", None, "p"))


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PermissionError, match="not a directory"):
        Folder(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give")
def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "spool"
    (segment,) = abandoned(place, [1])
    os.chown(segment, 65534, 65534)
    heir = spool_in(place)
    heir.adopt()
    assert drain(heir) == []
    os.chown(place, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to another user; name a new directory"):
        Folder(place)


def test_links_and_pipes_among_the_files_are_not_followed_and_hold_up_nothing(
    tmp_path: Path,
) -> None:
    """Whoever planted them could have what we read sent with our key, or us wait for ever."""
    place = tmp_path / "spool"
    linked, hard, piped = (abandoned(place, [number])[-1] for number in (1, 2, 3))
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    os.link(hard, tmp_path / "hard")
    piped.unlink()
    os.mkfifo(piped, 0o600)
    abandoned(place, [4])
    heir = spool_in(place)
    heir.adopt()
    assert ids(drain(heir)) == [4]


def test_replacing_the_folder_turns_nobody_elsewhere(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    (tmp_path / "spool").rename(tmp_path / "moved")
    (tmp_path / "trap").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "trap")
    assert spool.add([record(1)])
    assert list((tmp_path / "trap").iterdir()) == []
    assert ids(drain(spool)) == [1]


def test_a_destination_is_a_name_and_can_be_read_back(tmp_path: Path) -> None:
    there = Destination("https://api.smith.langchain.com/x", "ws", "Прод/../..")
    assert there.name.startswith("api.smith.langchain.com-")
    others = [
        Destination("https://api.smith.langchain.com/y", "ws", "Прод/../.."),
        Destination("https://api.smith.langchain.com/x", None, "Прод/../.."),
        Destination("https://api.smith.langchain.com/x", "ws", "other"),
        Destination("https://../", None, "p"),
        Destination("https://[::1]:80", None, "p"),
    ]
    assert len({there.name, *(other.name for other in others)}) == 6
    for each in (there, *others):
        folder = open_folder(tmp_path, each)
        assert folder.path.parent == tmp_path
        assert described(folder) == each
    folder.replace("destination.json", b'{"endpoint": 5}')
    assert described(folder) is None


def test_bounds_make_segments_that_can_go_one_by_one() -> None:
    assert Bounds().segment_bytes == 8 * 2**20
    assert Bounds(max_bytes=16 * 2**20).segment_bytes == 2**20
    assert Bounds(max_bytes=1).segment_bytes == 4096
