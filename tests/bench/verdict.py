"""Whether a tree is slower than another, or asks more of a host: pure, of paired times and of counts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from .counts import Counts

SLOWER = 1.05  # times
MORE_BYTES = 1.02  # times; executions and programs are exact, bytes vary a little with the packets they leave in
# Student's t, two-sided 95 %, by degrees of freedom from 1 (NIST/SEMATECH e-Handbook, 1.3.6.7.2)
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class Interval(NamedTuple):
    """Of the ratio after/before: the geometric mean of its pairs, and the 95 % confidence interval of that mean."""

    ratio: float
    low: float
    high: float
    pairs: int

    @property
    def is_slower(self) -> bool:
        return self.low > SLOWER

    @property
    def verdict(self) -> str:
        if self.is_slower:
            return "SLOWER"
        if self.high < 1:
            return "faster"
        return "not slower" if self.high <= SLOWER else "unclear: more rounds would tell"


def interval(ratios: Sequence[float]) -> Interval:
    """Student's t on the logarithms, for twice as slow and twice as fast lie equally far from 1.

    One pair tells nothing of its spread: (ratio, 0, inf). More than 31 take the t of 31, which is a little too wide.
    ValueError without a pair.
    """
    if not ratios:
        raise ValueError("no pair of runs counts")
    logs = [math.log(ratio) for ratio in ratios]
    middle = statistics.fmean(logs)
    if len(logs) == 1:
        return Interval(ratios[0], 0.0, math.inf, 1)
    half = T_95[min(len(logs) - 1, len(T_95)) - 1] * statistics.stdev(logs) / math.sqrt(len(logs))
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half), len(logs))


def growth(before: Counts, after: Counts) -> tuple[str, ...]:
    """The names of what a host has more of than before; bytes by more than 2 %."""
    return tuple(
        name
        for name, old, new in zip(Counts._fields, before, after, strict=True)
        if new > old * (MORE_BYTES if name.startswith("bytes") else 1)
    )
