"""Newcombe's hybrid of two Wilson intervals, and the test that inverts it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit._roots import crossing
from abkit.inference._inverted import checked_difference
from abkit.inference._two_counts import TwoCounts, wilson_reach
from abkit.types import Null, Relative


@dataclass(frozen=True, slots=True)
class NewcombeEffect(TwoCounts):
    """Two counts whose interval is the hybrid; the statistic is the normal quantile at which it touches a null."""

    def statistic(self, null: Null) -> float:
        """The normal quantile at which the interval's nearer end is the null; infinite where no interval reaches it."""
        if isinstance(null, Relative):
            if null.value <= -1:  # below 0 a ratio is impossible
                return math.inf if null.value < -1 or self.successes_treatment else 0.0
            gap, ratio = self.gap(0.0, null.value), 1 + null.value
        else:
            gap, ratio = self.gap(checked_difference(null)), 1.0
        return self.touching(gap, ratio) if gap >= 0 else -self.swapped.touching(-gap / ratio, 1 / ratio)

    def upper(self, z: float) -> float:
        """The hybrid's own end."""
        return self.hybrid(z)

    def upper_share(self, z: float) -> float:
        """The hybrid's own end for the ratio, less one."""
        return self.hybrid_share(z)

    def touching(self, gap: float, ratio: float) -> float:
        """At which z the lower limit of treatment - ratio control comes down by `gap`."""
        t, n_t, n_c = self.successes_treatment, self.n_treatment, self.n_control
        failures_c = n_c - self.successes_control
        if gap == 0:
            return 0.0
        if gap >= math.hypot(t / n_t, ratio * failures_c / n_c):
            return math.inf

        def beyond(z: float) -> float:
            return math.hypot(wilson_reach(t, n_t, z), ratio * wilson_reach(failures_c, n_c, z)) - gap

        var_t, var_c = ((k + 1) * (n - k + 1) / (n + 2) ** 3 for k, n in ((t, n_t), (failures_c, n_c)))
        guess = gap / math.hypot(math.sqrt(var_t), ratio * math.sqrt(var_c))
        return crossing(beyond, 0.0, math.inf, guess, gap / guess)
