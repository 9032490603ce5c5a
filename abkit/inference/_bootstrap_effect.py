"""The effect that bootstrap draws of both variants show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._thresholds import Thresholds
from abkit.types import Alternative, Null, Relative, RelativeMethod

NO_SPREAD = "every resample gives the same difference: the units of each variant have one value"


@dataclass(frozen=True, slots=True)
class Bend:
    """Efron's adjustment of a tail: bias correction and acceleration (1987, JASA 82(397), eq. 2.3)."""

    bias: float = 0.0
    acceleration: float = 0.0

    def mirrored(self) -> Bend:
        """That of the other tail."""
        return Bend(-self.bias, -self.acceleration)

    def share(self, tail: float) -> float:
        """The share of draws to leave out, so that the test leaves out a tail."""
        if self == Bend():
            return tail
        shift = self.bias + float(ndtri(tail))
        room = 1 - self.acceleration * shift
        return float(ndtr(self.bias + shift / room)) if room > 0 else float(shift > 0)

    def tail(self, share: float) -> float:
        """The inverse: the tail in which a share of draws lies."""
        if self == Bend():
            return share
        shift = float(ndtri(share)) - self.bias
        if self.acceleration > 0 and math.isinf(shift):
            return float(ndtr(1 / self.acceleration - self.bias))
        room = 1 + self.acceleration * shift
        return float(ndtr(shift / room - self.bias)) if room > 0 else float(shift > 0)


@dataclass(frozen=True, slots=True, eq=False)
class BootstrapEffect(BaseEffect):
    """Difference of a statistic of two variants, with a threshold for each bootstrap draw.

    `shares` are the thresholds of the relative effect; where there are none, `no_shares` says why. `spread` holds the
    covariance matrix of the draws of the difference and of the control's size.
    """

    control: float
    treatment: float
    spread: tuple[float, float, float]
    thresholds: Thresholds
    bend: Bend = Bend()
    shares: Thresholds | None = None
    no_shares: str = ""
    undefined: str = NO_SPREAD

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard deviation of the draws."""
        return math.sqrt(self.spread[0])

    @property
    def df(self) -> float:
        """Infinite: there is no t reference."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """(estimate - null) / standard deviation of its draws: for display; the p-value counts draws."""
        if isinstance(null, Relative):
            self._shares()
        if not self.stderr > 0 or not math.isfinite(self.bend.bias):
            return math.nan
        if not isinstance(null, Relative):
            return (self.estimate - null) / self.stderr
        share, (variance, covariance, of_control) = null.value, self.spread
        error = math.sqrt(max(variance - 2 * share * covariance + share * share * of_control, 0.0))
        gap = self.estimate - share * abs(self.control)
        return gap / error if error > 0 else math.copysign(math.inf, gap) if gap else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Twice the smaller tail in which the null lies, or the one that the alternative names."""
        if isinstance(null, Relative):
            return self._shares().pvalue(null.value, alternative)
        above = self.bend.tail(self.thresholds.above(null))
        below = self.bend.mirrored().tail(self.thresholds.below(null))
        if alternative == "two-sided":
            return min(1.0, 2 * min(above, below))
        return above if alternative == "greater" else below

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Nulls that the test does not reject; an end is infinite beyond what the draws can tell."""
        tail = tail_of(level, alternative)
        low = self.thresholds.low(self.bend.share(tail))
        high = self.thresholds.high(self.bend.mirrored().share(tail))
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Shares that the test does not reject."""
        if method is not None:
            return NoInterval(level, f"{method!r} is no way to invert a bootstrap test; leave `method` out")
        return NoInterval(level, self.no_shares) if self.shares is None else self.shares.interval(level, alternative)

    def _shares(self) -> Thresholds:
        if self.shares is None:
            raise ValueError(f"`null` must be a number: {self.no_shares}.")
        return self.shares
