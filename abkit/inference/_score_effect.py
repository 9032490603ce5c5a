"""Score tests of two proportions, for their difference and for their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit import _tails
from abkit._roots import bisect
from abkit.evidence import BaseEffect, ConfidenceSet, sided, tail_of
from abkit.inference._mean_effect import MeanEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod

ALMOST_ONE = 1 - 2**-53


@dataclass(frozen=True, slots=True)
class ScoreEffect(BaseEffect):
    """Two binomial counts; the variance of each statistic is estimated under the null that it tests."""

    successes_control: int
    n_control: int
    successes_treatment: int
    n_treatment: int

    @property
    def control(self) -> float:
        """The control's proportion."""
        return self.successes_control / self.n_control

    @property
    def treatment(self) -> float:
        """The treatment's proportion."""
        return self.successes_treatment / self.n_treatment

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, unpooled: for display; the test has one of its own for each null."""
        return self._wald.stderr

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """The score statistic of a difference, or of a ratio where the null is relative."""
        if isinstance(null, Relative):
            return self._ratio_statistic(1 + null.value)
        if not -1 < null < 1:
            raise ValueError(f"`null` must be between -1 and 1; got {null:g}.")
        return self._statistic(null)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Inversion of the score test of the difference."""
        c = _tails.critical(tail_of(level, alternative), math.inf)
        if c == 0:
            return sided(self.estimate, self.estimate, level, alternative)
        below, above = (-1.0, self.estimate), (self.estimate, 1.0)
        low = bisect(lambda null: self._statistic(null) - c, *(below if c > 0 else above))
        high = bisect(lambda null: self._statistic(null) + c, *(above if c > 0 else below))
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Inversion of the score test of the ratio, less one; a named method uses the unpooled variances."""
        if method is not None:
            return self._wald.relative(level, alternative, method)
        c = _tails.critical(tail_of(level, alternative), math.inf)
        # s = ratio / (1 + ratio) maps the half-line of ratios onto (0, 1)
        low = bisect(lambda s: self._ratio_statistic(s / (1 - s)) - c, 0.0, ALMOST_ONE)
        high = bisect(lambda s: self._ratio_statistic(s / (1 - s)) + c, 0.0, ALMOST_ONE)
        return sided(_odds(low) - 1, _odds(high) - 1, level, alternative)

    @property
    def _wald(self) -> MeanEffect:
        c, t = self.control, self.treatment
        return MeanEffect(c, t, c * (1 - c) / self.n_control, t * (1 - t) / self.n_treatment, 0.0, math.inf)

    def _statistic(self, null: float) -> float:
        gap = self.estimate - null
        if abs(null) >= 1:
            return math.copysign(math.inf, gap) if gap else 0.0
        control = self._restricted_control(null)
        return _standardise(gap, self._variance(control, control + null, 1.0))

    def _ratio_statistic(self, ratio: float) -> float:
        if ratio <= 0:  # below 0 a ratio is impossible
            return math.inf if ratio < 0 or self.successes_treatment else 0.0
        total = self.successes_control + self.successes_treatment
        b = total + ratio * (self.successes_control + self.n_treatment) - self.successes_control + self.n_control
        # smaller root of ratio N p^2 - b p + total: Koopman 1984, Biometrics 40(2), eq. 2
        square = b * b - 4 * ratio * (self.n_control + self.n_treatment) * total
        control = 2 * total / (b + math.sqrt(max(square, 0.0)))
        return _standardise(self.treatment - ratio * self.control, self._variance(control, ratio * control, ratio))

    def _variance(self, control: float, treatment: float, weight: float) -> float:
        control, treatment = min(max(control, 0.0), 1.0), min(max(treatment, 0.0), 1.0)
        return (
            treatment * (1 - treatment) / self.n_treatment + weight * weight * control * (1 - control) / self.n_control
        )

    def _restricted_control(self, null: float) -> float:
        """The control's proportion of highest likelihood where the treatment's is `null` higher."""
        c, t = self.successes_control, self.successes_treatment
        failures_c, failures_t = self.n_control - c, self.n_treatment - t

        def slope(p: float) -> float:  # of the log likelihood, concave in p; a zero count drops its term
            terms = ((c, p), (t, p + null), (-failures_c, 1 - p), (-failures_t, 1 - p - null))
            return sum(k / q if q > 0 else math.copysign(math.inf, k) for k, q in terms if k)

        return bisect(slope, max(0.0, -null), min(1.0, 1.0 - null))


def _standardise(gap: float, variance: float) -> float:
    if variance > 0:
        return gap / math.sqrt(variance)
    return math.copysign(math.inf, gap) if gap else 0.0


def _odds(s: float) -> float:
    return s / (1 - s) if s < ALMOST_ONE else math.inf
