"""The effects of two series of the same time buckets: on their level, and on their rate of rare events."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from abkit import _tails
from abkit._check import Float64Array
from abkit._sets import Interval, sided, tail_of
from abkit.inference._long_run import LongRun, centred, long_run, persistence, waves
from abkit.inference._paired import PairedEffect
from abkit.inference._rate_effect import ExactRateEffect
from abkit.types import Alternative, Null

#: Normal tails below are as good as none, and a t's of the same probability is far larger.
SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class SeriesEffect(PairedEffect):
    """Two series' means and that of their difference, with long-run variances in place of those of independent units.

    `n` buckets entered, and `missing` did not because one of the two had no value there.
    """

    n: int
    missing: int
    persistence: float
    short: str | None

    @property
    def undefined(self) -> str:  # type: ignore[override]
        """Why the statistic is undefined, where it is."""
        return self.short or "the variance is zero: every bucket has the same difference, or they differ in rounding"

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error; nan where the series are too short for their persistence."""
        return math.nan if self.short else PairedEffect.statistic(self, null)


@dataclass(frozen=True, slots=True)
class SeriesRateEffect(ExactRateEffect):
    """The exact test of a rate ratio on as many events as are independent, and a t where these were estimated.

    Events and exposures are divided by the dispersion, so that rates stay; below 1 it counts as 1.
    """

    events_control: float  # type: ignore[assignment]
    events_treatment: float  # type: ignore[assignment]
    freedom: float
    n: int
    missing: int
    dispersion: float
    short: str | None

    @property
    def undefined(self) -> str:  # type: ignore[override]
        """Why the statistic is undefined, where it is."""
        return self.short or "neither series has an event"

    @property
    def df(self) -> float:
        """Degrees of freedom of the dispersion; infinite where the events are not dispersed."""
        return self.freedom

    @property
    def control(self) -> float:
        """The control's rate; nan without a bucket."""
        return self.events_control / self.exposure_control if self.n else math.nan

    @property
    def treatment(self) -> float:
        """The treatment's rate; nan without a bucket."""
        return self.events_treatment / self.exposure_treatment if self.n else math.nan

    def statistic(self, null: Null) -> float:
        """Events of the treatment less their mean under the null, over their standard deviation."""
        return math.nan if self.short else ExactRateEffect.statistic(self, null)

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """The exact test's p-value, by way of its normal quantile that of a t."""
        log_ratio = self._log_ratio(null)
        above, below = self._student(self.upper(log_ratio)), self._student(self.swapped.upper(-log_ratio))
        if alternative == "two-sided":
            return min(1.0, 2 * min(above, below))
        return above if alternative == "greater" else below

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Log rate ratios that the test does not reject."""
        tail = self._normal(tail_of(level, alternative))
        return sided(self.lowest(tail), -self.swapped.lowest(tail), level, alternative)

    def _student(self, tail: float) -> float:
        return tail if math.isinf(self.freedom) else _tails.survival(-float(ndtri(max(tail, SMALLEST))), self.freedom)

    def _normal(self, tail: float) -> float:
        if math.isinf(self.freedom):
            return tail
        return max(float(ndtr(-_tails.critical(tail, self.freedom))), SMALLEST)


def level_effect(control: Float64Array, treatment: Float64Array, missing: int) -> SeriesEffect:
    """Of two series that are complete in time."""
    n, difference = control.size, treatment - control
    mean = _mean(control), _mean(treatment), _mean(difference)
    found = long_run(difference)
    if found.reason:
        return _none(mean, found, missing)
    both = centred(np.stack([control, difference]))
    wave_c, wave_d = waves(both, persistence(both))
    var_c, var_d, with_c = (float((a * b).mean()) / n for a, b in ((wave_c,) * 2, (wave_d,) * 2, (wave_c, wave_d)))
    var_t = max(var_d + var_c + 2 * with_c, 0.0)
    means = mean[0], mean[1], var_c, var_t, var_c + with_c, found.df
    return SeriesEffect(*means, mean[2], var_d, with_c, n, missing, found.persistence, None)


def rate_effect(control: Float64Array, treatment: Float64Array, missing: int) -> SeriesRateEffect:
    """Of two series of (events, exposure) that are complete in time."""
    n = len(control)
    (events_c, exposure_c), (events_t, exposure_t) = control.sum(axis=0).tolist(), treatment.sum(axis=0).tolist()
    share = treatment[:, 1] / (control[:, 1] + treatment[:, 1])
    # the part that both series share in time cancels, and is no dispersion
    found = long_run((1 - share) * treatment[:, 0] - share * control[:, 0])
    poisson = float(((1 - share) ** 2 * treatment[:, 0] + share**2 * control[:, 0]).sum())
    size = found.variance * n / poisson if poisson and not found.reason else 1.0
    dispersion, freedom = (size, found.df) if size > 1 else (1.0, math.inf)
    control_part = events_c / dispersion, exposure_c / dispersion
    treatment_part = events_t / dispersion, exposure_t / dispersion
    return SeriesRateEffect(*control_part, *treatment_part, freedom, n, missing, dispersion, found.reason)


def _none(mean: tuple[float, float, float], found: LongRun, missing: int) -> SeriesEffect:
    """An effect with an estimate and no standard error."""
    control, treatment, difference = mean
    unknown = (math.nan,) * 4
    return SeriesEffect(
        control, treatment, *unknown, difference, *unknown[:2], found.n, missing, found.persistence, found.reason
    )


def _mean(values: Float64Array) -> float:
    return float(values.mean()) if values.size else math.nan
