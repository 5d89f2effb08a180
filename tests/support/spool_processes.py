"""Processes that share a spool and are killed: run as a program, for it forks and has one thread.

    python spool_processes.py kill <folder> <rounds> <seed> | share <folder> | fork <folder>

It fails by an assertion, or prints what it saw as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from support.spools import drain, ids, record, spool_in, will

FIRST_WILL = 10_000_000


def spawn(work: Callable[[Callable[[str, int], None]], None]) -> tuple[int, int]:
    """A child that does ``work``, telling of each step by a line; its pid and where to read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        work(lambda step, number: os.write(writing, f"{step} {number}\n".encode()) and None)
    finally:
        os._exit(0)


def told(reading: int, before: bytes = b"") -> dict[str, list[int]]:
    """The numbers of each step, read until the child is gone, and those that were read before."""
    with open(reading, "rb") as rest:
        lines = before + rest.read()
    steps = defaultdict(list)
    for line in lines.decode().splitlines():
        step, number = line.split()
        steps[step].append(int(number))
    return steps


def heard_until(step: str, reading: int) -> bytes:
    """All that the child tells until it did such a step, which takes as long as it takes here."""
    heard = b""
    while step.encode() not in heard and (more := os.read(reading, 2**16)):
        heard += more
    return heard


def wait_for(pid: int) -> None:
    os.waitpid(pid, 0)


def busy(folder: Path, rng: random.Random) -> Callable[[Callable[[str, int], None]], None]:
    """Adds, takes, settles and opens runs until killed."""

    def work(tell: Callable[[str, int], None]) -> None:
        spool = spool_in(folder, max_bytes=2**22)
        spool.adopt()
        for number in range(1, FIRST_WILL):
            tell("adding", number)
            if spool.add([record(number, size=rng.choice((0, 300, 30_000)))]):
                tell("added", number)
            tell("opening", number)
            spool.opened([will(FIRST_WILL + number)])
            tell("opened", number)
            if number % 3:
                spool.ended([will(FIRST_WILL + number).run_id])
                tell("ended", number)
            if number % 2:
                for entry in spool.take(1, 1):
                    (taken,) = ids([entry.record])
                    tell("settling", taken)
                    spool.settle([entry])
                    tell("settled", taken)

    return work


def kill(folder: Path, rounds: int, seed: int) -> None:
    """After a kill at any moment: what was added and not settled is there, once and in order."""
    rng = random.Random(seed)
    seen = defaultdict(int)
    for round_ in range(rounds):
        place = folder / str(round_)
        pid, reading = spawn(busy(place, random.Random(rng.random())))
        # the others are killed as they begin
        heard = heard_until("settled", reading) if round_ % 4 else b""
        time.sleep(rng.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        wait_for(pid)
        steps = {step: {*numbers} for step, numbers in told(reading, heard).items()}
        step = lambda name, steps=steps: steps.get(name, set())  # noqa: E731
        heir = spool_in(place)
        heir.adopt()
        found = ids(drain(heir))
        runs = [number for number in found if number < FIRST_WILL]
        wills = {number - FIRST_WILL for number in found if number >= FIRST_WILL}
        assert found == sorted(set(found)), found
        assert step("added") - step("settling") <= {*runs} <= step("adding") - step("settled")
        assert step("opened") - step("ended") - {max(step("opened"), default=0)} <= wills
        assert wills <= step("opening") - step("ended")
        heir.close()
        assert list(place.iterdir()) == []
        for name, numbers in steps.items():
            seen[name] += len(numbers)
    sys.stdout.write(json.dumps(seen))


def share(folder: Path) -> None:
    """Four processes adopt at the same moment: each run is taken by one, none by nobody.

    They begin when the last one is ready, and what they wait for is closed.
    """
    for writer in range(8):
        left = spool_in(folder)
        left.add([record(100 * writer + number) for number in range(20)])
        left.opened([will(100 * writer + 50)])
        left.close()
    living = spool_in(folder)
    living.add([record(999)])
    start, starter = os.pipe()

    def heir(tell: Callable[[str, int], None]) -> None:
        os.close(starter)
        spool = spool_in(folder)
        tell("ready", 0)
        os.read(start, 1)
        for _ in range(20):
            spool.adopt()
            for number in ids(drain(spool, at_once=3)):
                tell("took", number)
            time.sleep(0.005)

    children = [spawn(heir) for _ in range(4)]
    for _, reading in children:
        heard_until("ready", reading)
    os.close(starter)
    took = [told(reading)["took"] for _, reading in children]
    for pid, _ in children:
        wait_for(pid)
    everything = [100 * writer + number for writer in range(8) for number in (*range(20), 50)]
    assert sorted(number for numbers in took for number in numbers) == everything, took
    assert ids(drain(living)) == [999]
    living.close()
    assert list(folder.iterdir()) == []
    sys.stdout.write(json.dumps({"heirs": sum(map(bool, took))}))


def fork(folder: Path) -> None:
    """A child has a spool of its own; its being alive keeps nobody from what its parent left."""

    def parent(tell: Callable[[str, int], None]) -> None:
        spool = spool_in(folder)
        assert spool.add([record(1)])
        assert spool.opened([will(2)])
        (entry,) = spool.take(1, 1)

        def child(tell_parent: Callable[[str, int], None]) -> None:
            spool.settle([entry])  # the parent's, so it is not the child's to settle
            assert spool.add([record(3)])
            tell("child", os.getpid())
            tell_parent("ready", 0)
            time.sleep(60)

        _, reading = spawn(child)
        os.read(reading, 1)  # the child is ready; now this process dies, and the child lives on

    pid, reading = spawn(parent)
    wait_for(pid)
    child = int(os.read(reading, 100).split()[1])
    heir = spool_in(folder)
    heir.adopt()
    assert ids(drain(heir)) == [1, 2]
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (left := ids(drain(heir))) and time.monotonic() < deadline:
        heir.adopt()
        time.sleep(0.01)
    assert left == [3]
    sys.stdout.write("{}")


if __name__ == "__main__":
    command, place, *numbers = sys.argv[1:]
    {"kill": kill, "share": share, "fork": fork}[command](Path(place), *map(int, numbers))
