"""The effect on a mean, or on anything that is linear in means to first order."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit import _tails
from abkit._sets import ConfidenceSet, HalfLines, Interval, WholeLine, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod


@dataclass(frozen=True, slots=True)
class MeanEffect(BaseEffect):
    """Two means with the variances and covariance of their estimates, and a t or normal reference.

    The relative effect is treatment minus control over |control|. Its null rho is tested by the contrast
    T - C - rho |C| with the degrees of freedom of the difference, and inverted as Fieller (1954,
    JRSS B 16(2), sec. 3) inverts it, so that absolute and relative answers agree at zero.
    """

    control: float
    treatment: float
    var_control: float
    var_treatment: float
    covariance: float
    df: float

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def variance(self) -> float:
        """Variance of the estimate."""
        return max(self.var_control + self.var_treatment - 2 * self.covariance, 0.0)

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.variance)

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error; nan where that error is zero."""
        if isinstance(null, Relative):
            return self._relative_statistic(null.value)
        return (self.estimate - null) / self.stderr if self.stderr > 0 else math.nan

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Estimate -+ critical value x standard error."""
        margin = _tails.critical(tail_of(level, alternative), self.df) * self.stderr
        return sided(self.estimate - margin, self.estimate + margin, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The relative effect's confidence set, by Fieller unless another method is named."""
        c = _tails.critical(tail_of(level, alternative), self.df)
        if method in (None, "fieller"):
            return self._fieller(c, level, alternative)
        return self._delta(c, level, alternative) if method == "delta" else self._log(c, level, alternative)

    def _relative_statistic(self, rho: float) -> float:
        weight = 1 + rho * self._sign
        variance = self.var_treatment + weight * weight * self.var_control - 2 * weight * self.covariance
        gap = self.treatment - weight * self.control
        if variance > 0:
            return gap / math.sqrt(variance)
        if self.variance > 0:  # this one contrast is known exactly
            return math.copysign(math.inf, gap) if gap else 0.0
        return math.nan

    @property
    def _sign(self) -> float:
        return -1.0 if self.control < 0 else 1.0

    def _fieller(self, c: float, level: float, alternative: Alternative) -> ConfidenceSet:
        # {rho : (D - rho |C|)^2 <= c^2 Var(D - rho |C|)} is a rho^2 - 2 b rho + d <= 0
        size, gap, var_gap, var_c, with_size = self._scaled()
        a = size * size - c * c * var_c
        b = gap * size - c * c * with_size
        d = gap * gap - c * c * var_gap
        # b^2 - a d, with the large terms taken out
        spread = var_gap * size * size - 2 * with_size * gap * size + var_c * gap * gap
        root = c * c * (spread - c * c * (var_gap * var_c - with_size * with_size))
        if a > 0:
            low, high = _roots(a, b, d, math.sqrt(max(root, 0.0)))
            return sided(low, high, level, alternative) if c >= 0 else sided(high, low, level, alternative)
        return self._unbounded(a, b, d, root, c, level, alternative)

    def _scaled(self) -> tuple[float, float, float, float, float]:
        """|C|, D, Var D, Var C and Cov(D, |C|) in a unit in which the fourth power of none is too large or too small.

        The unit is a power of two, so that no digit changes.
        """
        values = abs(self.control), self.estimate
        variances = self.variance, self.var_control, self._sign * (self.covariance - self.var_control)
        unit = math.frexp(max(*map(abs, values), *(math.sqrt(abs(variance)) for variance in variances)))[1]
        size, gap = (math.ldexp(value, -unit) for value in values)
        return (size, gap, *(math.ldexp(variance, -2 * unit) for variance in variances))  # type: ignore[return-value]

    def _unbounded(
        self, a: float, b: float, d: float, root: float, c: float, level: float, alternative: Alternative
    ) -> ConfidenceSet:
        """Fieller's set where the control's mean cannot be told from zero: t passes c^2 between the roots only."""
        nothing = HalfLines(-math.inf, math.inf, level)
        if a == 0 and b == 0:  # the control is exactly zero, and t the same for every share of it
            roots = (-math.inf, math.inf) if d > 0 else None
        else:
            roots = _roots(a, b, d, math.sqrt(root)) if a and root > 0 else None
        if roots is None:
            return WholeLine(level) if c >= 0 else nothing
        upwards = self._relative_statistic(sum(roots) / 2 if math.isfinite(roots[0]) else 0.0) > 0
        beyond = alternative == "two-sided" or (alternative == "greater") == upwards
        if c >= 0:
            return HalfLines(*roots, level) if beyond else WholeLine(level)
        return nothing if beyond else Interval(*roots, level)

    def _delta(self, c: float, level: float, alternative: Alternative) -> ConfidenceSet:
        if self.control == 0:
            return WholeLine(level)
        ratio = self.treatment / self.control
        variance = self.var_treatment + ratio * ratio * self.var_control - 2 * ratio * self.covariance
        margin = c * math.sqrt(max(variance, 0.0)) / abs(self.control)
        center = self.estimate / abs(self.control)
        return sided(center - margin, center + margin, level, alternative)

    def _log(self, c: float, level: float, alternative: Alternative) -> ConfidenceSet:
        if not self.treatment * self.control > 0:
            raise ValueError(
                "`method` 'log' needs two means of the same sign; "
                f"got {self.control:g} and {self.treatment:g}. Use 'fieller'."
            )
        ratio = self.treatment / self.control
        variance = (
            self.var_treatment / self.treatment**2
            + self.var_control / self.control**2
            - 2 * self.covariance / (self.treatment * self.control)
        )
        exponent = c * math.sqrt(max(variance, 0.0))
        low, high = (ratio * (math.exp(x) if x < 700 else math.inf) - 1 for x in (-exponent, exponent))
        return sided(low, high, level, alternative) if self.control > 0 else sided(-high, -low, level, alternative)


def _roots(a: float, b: float, d: float, root: float) -> tuple[float, float]:
    """Both roots of a x^2 - 2 b x + d in order, without cancellation."""
    q = b + math.copysign(root, b)
    if q == 0:
        return (0.0, 0.0)
    first, second = q / a, d / q
    return (first, second) if first <= second else (second, first)


def satterthwaite(var_control: float, n_control: int, var_treatment: float, n_treatment: int) -> float:
    """Degrees of freedom of a sum of two independent variances (Satterthwaite 1946, Biometrics Bulletin 2)."""
    largest = max(var_control, var_treatment)
    if largest == 0:
        return math.inf
    c, t = var_control / largest, var_treatment / largest
    return (c + t) ** 2 / (c * c / (n_control - 1) + t * t / (n_treatment - 1))
