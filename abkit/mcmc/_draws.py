"""An effect known by draws of its posterior, with the face of a test."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.bayes._effect import TailsEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod


@dataclass(frozen=True, slots=True, eq=False)
class DrawsEffect(TailsEffect):
    """An effect whose p-values are shares of draws.

    One draw more than there are lies on the side of every null, so that n draws never claim a probability under
    1 / (n + 1), and a credible interval that would need more of them has no end.

    Parameters
    ----------
    draws : array, shape (chains, draws)
        Draws of the effect.
    share : array of the same shape, optional
        Draws of treatment minus control over the size of the control.
    control, treatment : float
        Posterior means of the variants, nan where there are none.
    scale : str
        What the effect is.
    """

    draws: Float64Array = field(repr=False)
    share: Float64Array | None = field(default=None, repr=False)
    control: float = math.nan
    treatment: float = math.nan
    scale: str = "difference"

    @property
    def estimate(self) -> float:
        """Mean of the draws."""
        return float(self.draws.mean())

    @property
    def stderr(self) -> float:
        """Their standard deviation."""
        return float(self.draws.std(ddof=1))

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """The credible interval with equal tails."""
        return _interval(self.draws, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same of the difference as a share of the control."""
        if method is not None:
            return NoInterval(level, f"a posterior is not by the method {method!r}; leave it out")
        if self.share is None:
            return NoInterval(level, f"this {self.scale} is not a share of a control's mean")
        return _interval(self.share, level, alternative)

    def mc_error(self, null: Null = 0.0) -> float:
        """Monte Carlo standard error of the probability above a null, autocorrelation counted."""
        draws, value = self._on_scale(null)
        return monte_carlo_error((draws > value).astype(np.float64))

    def _on_scale(self, null: Null) -> tuple[Float64Array, float]:
        if not isinstance(null, Relative):
            return self.draws, null
        if self.share is None:
            return self.draws, self.absolute(null)
        return self.share, null.value

    def _tails(self, null: Null) -> tuple[float, float]:
        draws, value = self._on_scale(null)
        count = draws.size + 1
        return (1 + int(np.sum(draws <= value))) / count, (1 + int(np.sum(draws >= value))) / count


def monte_carlo_error(values: Float64Array) -> float:
    """Standard error of the mean of (chains, draws) values; zero where they are all the same."""
    import arviz as az

    if np.ptp(values) == 0:
        return 0.0
    return float(values.std(ddof=1) / math.sqrt(float(az.ess(values, method="mean"))))


def _interval(draws: Float64Array, level: float, alternative: Alternative) -> ConfidenceSet:
    """From the order statistics at which the p-value reaches the tail."""
    ordered, tail = np.sort(draws, axis=None), tail_of(level, alternative)
    at = math.ceil(tail * (ordered.size + 1) - 1e-9) - 2  # the lowest draw with 1 + its rank at least that
    low, high = (ordered[at], ordered[-1 - at]) if at >= 0 else (-math.inf, math.inf)
    return sided(float(low), float(high), level, alternative)
