"""A resampling test as a sorted list of nulls: the threshold of a resample is the null at which it changes sides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit._sets import Interval, sided, tail_of
from abkit.types import Alternative

#: Relative to the largest threshold: ties that rounding has broken are ties.
ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """Of each resample, the null from which on it is as far above the null as what was seen.

    The p-value against "greater" at a null is the share of resamples with a threshold at or below it, where the data
    themselves count as one more resample: (`own` + thresholds at or below) / `total`.
    """

    lows: Float64Array
    highs: Float64Array
    own: int
    total: int

    @classmethod
    def of(cls, values: Float64Array, rounding: float, own: int = 1) -> Thresholds:
        """The thresholds of resamples, with `own` that lie on both sides of every null."""
        ordered = np.sort(values)
        finite = ordered[np.isfinite(ordered)]
        tolerance = rounding + ROUNDING * float(np.abs(finite).max(initial=0.0))
        return cls(ordered - tolerance, ordered + tolerance, own, len(ordered) + own)

    def above(self, null: float) -> float:
        """One-sided p-value against "greater"."""
        return (self.own + int(np.searchsorted(self.lows, null, "right"))) / self.total

    def below(self, null: float) -> float:
        """One-sided p-value against "less"."""
        return (self.own + len(self.highs) - int(np.searchsorted(self.highs, null, "left"))) / self.total

    def pvalue(self, null: float, alternative: Alternative) -> float:
        """p-value; the two-sided one is twice the smaller one-sided."""
        if alternative == "two-sided":
            return min(1.0, 2 * min(self.above(null), self.below(null)))
        return self.above(null) if alternative == "greater" else self.below(null)

    def low(self, tail: float) -> float:
        """The smallest null whose p-value against "greater" is at least a tail; minus infinity where each one's is."""
        k = self._rank(tail)
        return float(self.lows[k - 1]) if k > 0 else -math.inf

    def high(self, tail: float) -> float:
        """The largest null whose p-value against "less" is at least a tail."""
        k = self._rank(tail)
        return float(self.highs[-k]) if k > 0 else math.inf

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """All nulls that are not rejected."""
        tail = tail_of(level, alternative)
        return sided(self.low(tail), self.high(tail), level, alternative)

    def _rank(self, tail: float) -> int:
        # 0.05 / 2 x 2000 is 50.00000000000004
        return min(math.ceil(tail * self.total - self.own - 1e-9), len(self.lows))
