"""One share of independent units against a bar: the exact binomial test."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betainc, betaincinv, ndtri

from abkit._sets import Interval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.types import Alternative, Null

_SMALLEST = 5e-324


@dataclass(frozen=True, slots=True)
class ShareEffect(BaseEffect):
    """Successes of n units, against a share of zero: the estimate is the share itself."""

    successes: int
    n: int

    @property
    def control(self) -> float:
        """Zero: what the share is compared with."""
        return 0.0

    @property
    def treatment(self) -> float:
        """The share."""
        return self.successes / self.n

    @property
    def estimate(self) -> float:
        """The share."""
        return self.treatment

    @property
    def stderr(self) -> float:
        """Standard error at the estimate, for display: the test is exact."""
        return math.sqrt(self.treatment * (1 - self.treatment) / self.n)

    @property
    def df(self) -> float:
        """Infinite: there is no variance to estimate."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """The normal deviate of the two-sided p-value, on the side of the null on which the estimate lies."""
        bar = self.absolute(null)
        size = max(-float(ndtri(max(self.pvalue(bar, "two-sided") / 2, _SMALLEST))), 0.0)
        return math.copysign(size, self.estimate - bar) if size else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Binomial tail, or twice the smaller one."""
        bar = self.absolute(null)
        if alternative == "greater":
            return _at_least(self.successes, self.n, bar)
        if alternative == "less":
            return _at_least(self.n - self.successes, self.n, 1 - bar)
        return min(1.0, 2 * min(self.pvalue(bar, "greater"), self.pvalue(bar, "less")))

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Clopper and Pearson's limits."""
        tail, x, n = tail_of(level, alternative), self.successes, self.n
        low = float(betaincinv(x, n - x + 1, tail)) if x else 0.0
        high = float(1 - betaincinv(n - x, x + 1, tail)) if x < n else 1.0
        return sided(low, high, level, alternative)


def _at_least(successes: int, n: int, share: float) -> float:
    """P(X >= successes) of a binomial; a share below 0 or above 1 stands for the end itself."""
    if successes == 0:
        return 1.0
    return float(betainc(successes, n - successes + 1, min(max(share, 0.0), 1.0)))
