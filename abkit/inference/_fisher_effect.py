"""The log odds ratio of two proportions, conditional on the successes of both variants together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit._roots import bisect
from abkit._sets import ConfidenceSet, Interval, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._hypergeometric import SHALLOW, Hypergeometric
from abkit.types import Alternative, Null, Relative

#: No log odds ratio that a bound could take is as large; a root within is known to 3e-14, also near zero.
LARGEST = 256.0
#: Two numbers are equally likely when their probabilities differ by no more than this, as in R.
SLACK = 1e-7
LARGEST_JOINT = 1000


@dataclass(frozen=True, slots=True)
class FisherEffect(BaseEffect):
    """Two binomial counts; the reference is exact, and holds whatever the proportions are."""

    successes_control: int
    n_control: int
    successes_treatment: int
    n_treatment: int
    joint: bool = False

    scale = "log odds ratio"
    undefined = "every unit of both variants succeeded, or none did: any odds ratio is as likely"

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
        """The log odds ratio of highest conditional likelihood; infinite where a count is as extreme as it can be."""
        return _estimate(self._distribution, self.successes_treatment)

    @property
    def stderr(self) -> float:
        """One over the root of the conditional information, for display; infinite with the estimate."""
        if not math.isfinite(self.estimate):
            return self.estimate if math.isnan(self.estimate) else math.inf
        return 1 / self._distribution.surplus(self.successes_treatment, self.estimate)[1]

    @property
    def df(self) -> float:
        """Infinite: there is no variance to estimate."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """Successes of the treatment less their mean under the null, over their standard deviation."""
        null = self.absolute(null)
        if self._distribution.low == self._distribution.high:
            return math.nan
        gap, spread = self._distribution.surplus(self.successes_treatment, null)
        return gap / spread if spread > 0 else math.copysign(math.inf, gap) if gap else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Probability of as many successes or more, or fewer; the smaller twice, or that of all that is as unlikely."""
        null, x = self.absolute(null), self.successes_treatment
        if alternative == "two-sided" and self.joint:
            return min(1.0, self._distribution.as_likely(x, null, SLACK))
        greater, less = self._distribution.tails(x, null)
        if alternative == "two-sided":
            return min(1.0, 2 * min(greater, less))
        return min(1.0, greater if alternative == "greater" else less)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Log odds ratios that the test does not reject; for the joint p-value the interval that holds them all."""
        swapped = Hypergeometric(self.n_treatment, self.n_control, self._distribution.total)
        if alternative == "two-sided" and self.joint:
            if self._distribution.high - self._distribution.low > LARGEST_JOINT:
                reason = f"the joint p-value is inverted for up to {LARGEST_JOINT:,} possible tables only"
                return NoInterval(level, f"{reason}; use two_sided='central'")
            low = _lowest_joint(self._distribution, self.successes_treatment, 1 - level)
            return Interval(low, -_lowest_joint(swapped, self.successes_control, 1 - level), level)
        tail = tail_of(level, alternative)
        low = _lowest(self._distribution, self.successes_treatment, tail)
        return sided(low, -_lowest(swapped, self.successes_control, tail), level, alternative)

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """The interval as odds ratios, from 0 up."""
        region = self.interval(level, alternative)
        if not isinstance(region, Interval):
            return region
        return Interval(math.exp(region.low), math.exp(region.high), level)

    def absolute(self, null: Null) -> float:
        """A log odds ratio within what can be computed."""
        if isinstance(null, Relative) or not -LARGEST < null < LARGEST:
            raise ValueError(f"`null` must be a log odds ratio between {-LARGEST:g} and {LARGEST:g}; got {null}.")
        return null

    @property
    def _distribution(self) -> Hypergeometric:
        total = self.successes_control + self.successes_treatment
        return Hypergeometric(self.n_control, self.n_treatment, total)


@lru_cache(maxsize=256)
def _estimate(distribution: Hypergeometric, x: int) -> float:
    if distribution.low == distribution.high:
        return math.nan
    if x in (distribution.low, distribution.high):
        return math.inf if x == distribution.high else -math.inf
    return _root(lambda psi: distribution.surplus(x, psi)[0])


def _lowest(distribution: Hypergeometric, x: int, tail: float) -> float:
    """The log odds ratio below which as many successes as x, or more, are less probable than `tail`."""
    if x == distribution.low:
        return -math.inf
    return _root(lambda psi: tail - distribution.tails(x, psi, SHALLOW)[0])


def _lowest_joint(distribution: Hypergeometric, x: int, alpha: float) -> float:
    """The lowest log odds ratio whose joint p-value is not below alpha.

    Between the points where another number becomes as likely as x the set of numbers that are not likelier stays the
    same, and the probability of the others rises and falls once: so the p-value is largest at an end of each piece.
    """
    if x == distribution.low:
        return -math.inf
    log_weights = distribution.log_weights()
    numbers = np.arange(len(log_weights), dtype=np.float64) - (x - distribution.low)
    others = numbers != 0
    equal = np.sort((log_weights[x - distribution.low] + SLACK - log_weights[others]) / numbers[others])
    ends = np.concatenate([[-LARGEST], equal, [LARGEST]])
    middles = (ends[:-1] + ends[1:]) / 2
    unlikely = log_weights + np.outer(middles, numbers) <= log_weights[x - distribution.low] + SLACK

    def pvalues(psi: Float64Array, piece: npt.NDArray[np.intp] | slice) -> Float64Array:
        logs = log_weights + np.outer(psi, numbers)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray((weights * unlikely[piece]).sum(axis=1) / weights.sum(axis=1))

    every = slice(None)
    first = int(np.argmax(np.maximum(pvalues(ends[:-1], every), pvalues(ends[1:], every)) >= alpha))
    low, high, piece = ends[first], ends[first + 1], np.array([first])
    return float(bisect(lambda psi: alpha - float(pvalues(np.array([psi]), piece)[0]), low, high))


def _root(decreasing: Callable[[float], float]) -> float:
    # at an offset, so that a root near zero takes no more steps than another
    return bisect(lambda shifted: decreasing(shifted - LARGEST), 0.0, 2 * LARGEST) - LARGEST
