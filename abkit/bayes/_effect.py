"""The posterior of an effect with the face of a test, so that rules decide on it."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from abkit._sets import ConfidenceSet, Interval, NoInterval, sided, tail_of
from abkit.bayes._law import Law
from abkit.evidence import BaseEffect
from abkit.types import Alternative, Null, Relative, RelativeMethod

POSTERIOR = "posterior"


class TailsEffect(BaseEffect):
    """An effect of which the probabilities below and above a null say everything."""

    __slots__ = ()

    validity = POSTERIOR

    @abstractmethod
    def _tails(self, null: Null) -> tuple[float, float]:
        """P(effect <= null) and P(effect >= null)."""

    @property
    def df(self) -> float:
        """Infinite: the statistic is a normal deviate."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """The normal deviate of the posterior probability above a null."""
        below, above = self._tails(null)
        return float(-ndtri(below) if below < above else ndtri(above))

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """The posterior probability of the null's side; twice the smaller one where there are two."""
        below, above = self._tails(null)
        if alternative == "two-sided":
            return min(1.0, 2 * min(below, above))
        return below if alternative == "greater" else above


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorEffect(TailsEffect):
    """An effect whose p-value is the posterior probability of the null's side, and whose intervals are credible.

    Parameters
    ----------
    law : Law or None
        The posterior of one effect; None where it is undefined.
    share : Law or None
        That of treatment minus control over the size of the control; None where there is none.
    control, treatment : float
        Posterior means.
    undefined : str
        Why there is no posterior, where that is so.
    """

    law: Law | None
    share: Law | None
    control: float
    treatment: float
    scale: str = "difference"
    undefined: str = "there is no posterior"

    @property
    def estimate(self) -> float:
        """Posterior mean."""
        return math.nan if self.law is None else float(self.law.mean[0])

    @property
    def stderr(self) -> float:
        """Posterior standard deviation."""
        return math.nan if self.law is None else float(self.law.sd[0])

    def interval(self, level: float, alternative: Alternative) -> Interval | NoInterval:
        """The credible interval with equal tails."""
        return _interval(self.law, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same of the difference as a share of the control."""
        if method is not None:
            return NoInterval(level, f"a posterior is not by the method {method!r}; leave it out")
        if self.share is None:
            return NoInterval(level, f"a {self.scale} with this prior has no relative form")
        return _interval(self.share, level, alternative)

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """The credible interval of a log odds ratio as odds ratios."""
        if self.scale != "log odds ratio":
            return NoInterval(level, f"a {self.scale} has no odds ratio")
        found = self.interval(level, alternative)
        if isinstance(found, NoInterval):
            return found
        return Interval(math.exp(found.low), math.exp(found.high) if found.high < 709 else math.inf, level)

    def _tails(self, null: Null) -> tuple[float, float]:
        law: Any = self.law
        if isinstance(null, Relative):
            if self.share is None:
                return self.absolute(null), math.nan
            law, null = self.share, null.value
        if law is None:
            return math.nan, math.nan
        below, above, _ = law.look(np.array([null]))
        return float(below[0]), float(above[0])


def _interval(law: Law | None, level: float, alternative: Alternative) -> Interval | NoInterval:
    if law is None:
        return NoInterval(level, "there is no posterior")
    low, high = (float(end[0]) for end in law.ends(np.array([tail_of(level, alternative)])))
    return sided(low, high, level, alternative)
