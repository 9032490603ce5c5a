"""The effect of a switch: harm against the noise of the past, and a gain against that of the time since too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from abkit._sets import ConfidenceSet, Interval, sided
from abkit.evidence import BaseEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.types import Alternative, Null, RelativeMethod


@dataclass(frozen=True, slots=True)
class ChangeEffect(BaseEffect):
    """One change with two standard errors: a release may make a metric noisier, which must not pass for evidence.

    `harm` has the noise before the switch, which is all there is of a release that changes nothing. `gain` has that
    after it, where it is larger, with the degrees of freedom of the buckets since; None where there is no second one.
    `sign` is 1 where upwards is better, else -1.
    """

    harm: MeanEffect
    gain: MeanEffect | None
    sign: float

    @property
    def estimate(self) -> float:
        """The change of the level."""
        return self.harm.estimate

    @property
    def stderr(self) -> float:
        """Standard error by the noise before the switch."""
        return self.harm.stderr

    @property
    def df(self) -> float:
        """Degrees of freedom of the noise before the switch."""
        return self.harm.df

    @property
    def control(self) -> float:
        """The level expected without a switch."""
        return self.harm.control

    @property
    def treatment(self) -> float:
        """That and the change."""
        return self.harm.treatment

    def statistic(self, null: Null) -> float:
        """By the noise before the switch."""
        return self.harm.statistic(null)

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Of each side by its own noise; two-sided, twice the smaller."""
        if alternative == "two-sided":
            return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))
        effect = self._against(alternative)
        return 1.0 if effect is None else effect.pvalue(null, alternative)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Each end by its own noise."""
        return self._ends(level, alternative, lambda effect: effect.interval(level, alternative))

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same as shares of the level expected without a switch."""
        return self._ends(level, alternative, lambda effect: effect.relative(level, alternative, method))

    def _against(self, side: Alternative) -> MeanEffect | None:
        return self.gain if (side == "greater") == (self.sign > 0) else self.harm

    def _ends(
        self, level: float, alternative: Alternative, made: Callable[[MeanEffect], ConfidenceSet]
    ) -> ConfidenceSet:
        of_gain = Interval(-math.inf, math.inf, level) if self.gain is None else made(self.gain)
        of_harm = made(self.harm)
        if not isinstance(of_gain, Interval) or not isinstance(of_harm, Interval):
            return of_gain
        below, above = (of_gain, of_harm) if self.sign > 0 else (of_harm, of_gain)
        return sided(below.low, above.high, level, alternative)
