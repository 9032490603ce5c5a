"""Two rates of overdispersed counts with one common dispersion, by maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from abkit import _tails
from abkit._check import Float64Array
from abkit._roots import bisect
from abkit._sets import ConfidenceSet, Interval, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod

SMALLEST, LARGEST = 1e-8, 1e8
STEPS = 100


@dataclass(frozen=True, slots=True)
class LogRateEffect(BaseEffect):
    """The difference of two log rates with its standard error, and a normal reference."""

    control: float
    treatment: float
    stderr: float
    dispersion: float

    scale = "log rate ratio"
    undefined = "a variant has no events, and so no log rate; use the method 'exact'"

    @property
    def estimate(self) -> float:
        """Logarithm of the treatment's rate over the control's; infinite or nan where one has no events."""
        if self.control and self.treatment:
            return math.log(self.treatment) - math.log(self.control)
        sign = bool(self.treatment) - bool(self.control)
        return sign * math.inf if sign else math.nan

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error; nan where a variant has no events."""
        if isinstance(null, Relative):
            if not null.value > -1:
                raise ValueError(f"`null` must be a share above -1: a rate is not negative; got {null.value:g}.")
            null = math.log1p(null.value)
        return (self.estimate - null) / self.stderr if math.isfinite(self.stderr) else math.nan

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Estimate -+ critical value x standard error."""
        margin = _tails.critical(tail_of(level, alternative), math.inf) * self.stderr
        return sided(self.estimate - margin, self.estimate + margin, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same interval as rate ratios, less one."""
        if method not in (None, "log"):
            return NoInterval(level, f"the interval is of the log rate ratio, not by the method {method!r}")
        low, high = self.interval(level, alternative)
        return Interval(math.expm1(low), math.expm1(high) if high < 709 else math.inf, level)


def negative_binomial_effect(control: Float64Array, treatment: Float64Array) -> LogRateEffect:
    """Rates of rows of (events, exposure): variance m + a m^2 at a mean m, a the same for both variants."""
    arms = [_Arm(*np.unique(rows, axis=0, return_counts=True)) for rows in (control, treatment)]
    a = _dispersion(arms)
    information = [arm.information(a) for arm in arms]
    stderr = math.sqrt(sum(1 / each for each in information)) if all(information) else math.inf
    return LogRateEffect(arms[0].rate(a), arms[1].rate(a), stderr, a)


class _Arm:
    """Different rows of one variant, and how many units have each."""

    def __init__(self, rows: Float64Array, units: np.ndarray) -> None:
        self.events, self.exposure, self.units = rows[:, 0], rows[:, 1], units.astype(np.float64)
        self.pooled = float(self.units @ self.events) / float(self.units @ self.exposure)

    def rate(self, a: float) -> float:
        """The rate of highest likelihood, where the weighted residuals add up to zero."""
        if self.exposure.min() == self.exposure.max() or a == 0 or self.pooled == 0:
            return self.pooled
        # the sum of residuals is convex and falling in the rate: from below, Newton's steps never pass its zero
        rate, step = self.pooled, math.inf
        for _ in range(STEPS):
            if not abs(step) > 1e-15 * rate:
                break
            weight = 1 / (1 + a * rate * self.exposure)
            residual = float(self.units @ ((self.events - rate * self.exposure) * weight))
            slope = float(self.units @ (self.exposure * (1 + a * self.events) * weight * weight))
            following = max(rate + residual / slope, 0.0)
            rate, step = following, following - rate
        return rate

    def information(self, a: float) -> float:
        """Of the log rate."""
        means = self.rate(a) * self.exposure
        return float(self.units @ (means / (1 + a * means)))

    def slope(self, size: float) -> float:
        """Of the log likelihood in size = 1 / a, at the best rate."""
        means = self.rate(1 / size) * self.exposure
        gap = (means - self.events) / (size + means)
        terms = digamma(self.events + size) - digamma(size) - np.log1p(means / size) + gap
        return float(self.units @ terms)


def _dispersion(arms: list[_Arm]) -> float:
    """The dispersion of highest likelihood; 0 where the counts vary no more than Poisson ones would."""
    excess = sum(float(arm.units @ (np.square(arm.events - arm.pooled * arm.exposure) - arm.events)) for arm in arms)
    if excess <= 0:
        return 0.0
    log_size = bisect(lambda log: sum(arm.slope(math.exp(log)) for arm in arms), math.log(SMALLEST), math.log(LARGEST))
    return math.exp(-log_size)
