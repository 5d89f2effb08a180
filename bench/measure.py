"""How numbers are taken: interleaved, on fresh input, compared round by round.

An absolute time drifts by a fifth in an hour on a shared machine; the ratio of two that were taken
one after the other does not. So the contenders take turns, another one first in every round, and
what is reported of two of them is the median of the ratios of the rounds.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Work: TypeAlias = Callable[[], None]
"""What is timed, once."""

Prepare: TypeAlias = Callable[[], Work]
"""What is not: it makes fresh input, for a span that was exported before is cheaper."""

Series: TypeAlias = Mapping[str, Sequence[float]]
"""Per contender one number a round."""

MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True)
class Result:
    """One quantity of several contenders, in one run."""

    key: str
    title: str
    unit: str
    series: Series

    def median(self, contender: str) -> float:
        """The contender's number; NaN if it did not take part."""
        return statistics.median(self.series.get(contender) or [math.nan])

    def spread(self, contender: str) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        values = self.series[contender]
        if len(values) < 2 or not self.median(contender):  # noqa: PLR2004 - quartiles need two
            return 0.0
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return (high - low) / 2 / self.median(contender)

    def ratio(self, contender: str, other: str) -> float:
        """The median of the rounds' ratios; NaN if one of the two did not take part."""
        pairs = zip(self.series.get(contender, ()), self.series.get(other, ()), strict=False)
        return statistics.median([a / b if b else math.nan for a, b in pairs] or [math.nan])


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done to be sure of the numbers."""

    thorough: bool
    """Whether everything is measured that there is."""
    rounds: int
    spans: int
    """In one measurement."""
    divisor: int
    """Of the workloads' own numbers of spans."""
    most_in_trace: int
    """Spans of the largest trace."""
    most_open: int
    """Spans that are open at a time."""
    seconds: float
    """How long an application runs whose requests are to be in time."""
    processes: int
    """Fresh ones per import."""


FULL: Final = Effort(
    thorough=True,
    rounds=5,
    spans=1_200,
    divisor=1,
    most_in_trace=20_000,
    most_open=1_000_000,
    seconds=4.0,
    processes=11,
)
QUICK: Final = Effort(
    thorough=False,
    rounds=2,
    spans=400,
    divisor=5,
    most_in_trace=2_000,
    most_open=100_000,
    seconds=1.0,
    processes=3,
)
TINY: Final = Effort(
    thorough=False,
    rounds=1,
    spans=40,
    divisor=50,
    most_in_trace=200,
    most_open=1_000,
    seconds=0.1,
    processes=1,
)


def cpu_s(work: Work, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of CPU that ``work`` takes: on all threads, unless another clock is given."""
    gc.collect()
    started = clock()
    work()
    return clock() - started


def compare(
    contenders: Mapping[str, Prepare],
    *,
    rounds: int,
    per: float,
    take: Callable[[Work], float] = cpu_s,
) -> Series:
    """What ``take`` reads of each contender in each round, times ``per``; the first is warm-up."""
    series: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name in rotated(list(contenders), turn):
            taken = take(contenders[name]()) * per
            if turn:
                series[name].append(taken)
    return series


def rotated(names: list[str], turn: int) -> list[str]:
    """The names with another one first in every turn."""
    at = turn % len(names)
    return names[at:] + names[:at]


def pin() -> int | None:
    """Keep this process on one processor, and find another for the sink, if there is one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    mine, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {mine})
    return others[0] if others else None
