"""Two Poisson counts with their exposures: the exact test of their ratio, and the score test of their difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betainc, betaincc

from abkit import _tails
from abkit._roots import bisect
from abkit._sets import ConfidenceSet, Interval, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: No bound of a log rate ratio lies further than this from the estimate of one event in place of none.
FURTHEST = 512.0


@dataclass(frozen=True, slots=True)
class TwoRates(BaseEffect):
    """What both tests start from."""

    events_control: int
    exposure_control: float
    events_treatment: int
    exposure_treatment: float

    @property
    def control(self) -> float:
        """The control's rate."""
        return self.events_control / self.exposure_control

    @property
    def treatment(self) -> float:
        """The treatment's rate."""
        return self.events_treatment / self.exposure_treatment

    @property
    def df(self) -> float:
        """Infinite: a Poisson variance is its mean."""
        return math.inf


@dataclass(frozen=True, slots=True)
class ExactRateEffect(TwoRates):
    """The log rate ratio, conditional on the events of both variants: the treatment's are binomial."""

    scale = "log rate ratio"
    undefined = "neither variant has an event"

    @property
    def estimate(self) -> float:
        """Logarithm of the treatment's rate over the control's; infinite where one of them is zero."""
        if not self.events_control or not self.events_treatment:
            sign = bool(self.events_treatment) - bool(self.events_control)
            return sign * math.inf if sign else math.nan
        return math.log(self.treatment) - math.log(self.control)

    @property
    def stderr(self) -> float:
        """sqrt(1/events + 1/events), for display; infinite with the estimate."""
        counts = self.events_control, self.events_treatment
        return math.sqrt(sum(1 / count for count in counts)) if all(counts) else abs(self.estimate)

    def statistic(self, null: Null) -> float:
        """Events of the treatment less their mean under the null, over their standard deviation."""
        null, total = self._log_ratio(null), self.events_control + self.events_treatment
        if not total:
            return math.nan
        share, rest = self._shares(null)
        gap = self.events_treatment * rest - self.events_control * share
        spread = math.sqrt(total * share * rest)
        return gap / spread if spread else math.copysign(math.inf, gap) if gap else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Binomial probability of as many events or more, or fewer; twice the smaller one where there are two sides."""
        null = self._log_ratio(null)
        if alternative == "two-sided":
            return min(1.0, 2 * min(self.upper(null), self.swapped.upper(-null)))
        return self.upper(null) if alternative == "greater" else self.swapped.upper(-null)

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Log rate ratios that the test does not reject (Clopper and Pearson)."""
        tail = tail_of(level, alternative)
        return sided(self.lowest(tail), -self.swapped.lowest(tail), level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same interval as rate ratios, less one."""
        if method is not None:
            return NoInterval(level, f"the exact interval is not by the method {method!r}; leave it out")
        low, high = self.interval(level, alternative)
        return Interval(math.expm1(low), math.expm1(high) if high < 709 else math.inf, level)

    @property
    def swapped(self) -> ExactRateEffect:
        """The treatment as the control."""
        return ExactRateEffect(
            self.events_treatment, self.exposure_treatment, self.events_control, self.exposure_control
        )

    def _log_ratio(self, null: Null) -> float:
        if isinstance(null, Relative):
            if not null.value > -1:
                raise ValueError(f"`null` must be a share above -1: a rate is not negative; got {null.value:g}.")
            return math.log1p(null.value)
        return null

    def _shares(self, log_ratio: float) -> tuple[float, float]:
        """The treatment's share of the events under a log rate ratio, and the control's."""
        logit = log_ratio + math.log(self.exposure_treatment) - math.log(self.exposure_control)
        small = math.exp(-abs(logit))
        shares = small / (1 + small), 1 / (1 + small)
        return shares if logit < 0 else shares[::-1]

    def upper(self, log_ratio: float) -> float:
        """Under a log rate ratio, P(X >= events of the treatment)."""
        t, c = self.events_treatment, self.events_control
        if t == 0:
            return 1.0
        share, rest = self._shares(log_ratio)
        return float(betainc(t, c + 1, share) if share <= rest else betaincc(c + 1, t, rest))

    def lowest(self, tail: float) -> float:
        """The log rate ratio below which as many events of the treatment, or more, are less probable than `tail`."""
        if self.events_treatment == 0:
            return -math.inf
        near = ExactRateEffect(
            max(self.events_control, 1), self.exposure_control, self.events_treatment, self.exposure_treatment
        ).estimate
        # at an offset, so that a root near zero takes no more steps than another
        offset = near - FURTHEST
        return bisect(lambda shifted: tail - self.upper(shifted + offset), 0.0, 2 * FURTHEST) + offset


@dataclass(frozen=True, slots=True)
class ScoreRateEffect(TwoRates):
    """The difference of two rates; the variance is estimated under the null that it tests."""

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, unpooled: for display; the test has one of its own for each null."""
        return self._wald.stderr

    def statistic(self, null: Null) -> float:
        """The score statistic of a difference, or of a ratio where the null is relative."""
        if isinstance(null, Relative):
            return self._ratio_statistic(1 + null.value)
        gap = self.estimate - null
        if null >= 0:
            low = self._restricted(self.events_control, null)
            variance = (low + null) / self.exposure_treatment + low / self.exposure_control
        else:
            low = self._restricted(self.events_treatment, -null)
            variance = low / self.exposure_treatment + (low - null) / self.exposure_control
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Inversion of the score test of the difference."""
        z = _tails.critical(tail_of(level, alternative), math.inf)
        return sided(self._end(z), self._end(-z), level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Inversion of the score test of the ratio, less one; a named method uses the unpooled variances."""
        if method is not None:
            return self._wald.relative(level, alternative, method)
        z = _tails.critical(tail_of(level, alternative), math.inf)
        return sided(self._ratio_end(z) - 1, self._ratio_end(-z) - 1, level, alternative)

    @property
    def _wald(self) -> MeanEffect:
        c, t = self.control / self.exposure_control, self.treatment / self.exposure_treatment
        return MeanEffect(self.control, self.treatment, c, t, 0.0, math.inf)

    def _restricted(self, events_of_lower: int, gap: float) -> float:
        """The lower rate of highest likelihood where the other is `gap` higher: E r^2 - (X - E gap) r - x gap = 0."""
        exposure = self.exposure_control + self.exposure_treatment
        b = self.events_control + self.events_treatment - exposure * gap
        product = 4 * exposure * events_of_lower * gap
        root = math.sqrt(b * b + product)
        if b >= 0:
            return (b + root) / (2 * exposure)
        return 2 * events_of_lower * gap / (root - b)

    def _end(self, z: float) -> float:
        """The difference whose statistic is z."""
        if z == 0:
            return self.estimate
        scale = 1 / self.exposure_control + 1 / self.exposure_treatment
        step = -math.copysign(self.stderr + (z * z + 1) * scale, z)
        far = self.estimate + step
        while abs(self.statistic(far)) < abs(z):
            step *= 2
            far = self.estimate + step
        low, high = min(self.estimate, far), max(self.estimate, far)
        return bisect(lambda null: self.statistic(null) - z, low, high)

    def _ratio_statistic(self, ratio: float) -> float:
        if ratio <= 0:  # below 0 a ratio is impossible
            return math.inf if ratio < 0 or self.events_treatment else 0.0
        # with k the ratio of exposures: (x_t - ratio k x_c) / sqrt((x_t + x_c) ratio k)
        odds = ratio * self.exposure_treatment / self.exposure_control
        gap, total = self.events_treatment - odds * self.events_control, self.events_control + self.events_treatment
        return gap / math.sqrt(total * odds) if total else 0.0

    def _ratio_end(self, z: float) -> float:
        """The ratio whose statistic is z: x_c u^2 + z sqrt(x) u - x_t = 0 for u the root of ratio k."""
        c, t = self.events_control, self.events_treatment
        if c + t == 0:
            return 0.0 if z > 0 else math.inf
        b = z * math.sqrt(c + t)
        root = math.sqrt(b * b + 4 * c * t)
        if b < 0:
            u = (root - b) / (2 * c) if c else math.inf
        else:
            u = 2 * t / (root + b) if root + b else math.inf if t else 0.0
        return u * u * self.exposure_control / self.exposure_treatment
