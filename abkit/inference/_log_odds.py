"""The logarithm of an odds ratio, with a normal reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit import _tails
from abkit._sets import Interval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.types import Alternative, Null


@dataclass(frozen=True, slots=True)
class LogOddsEffect(BaseEffect):
    """A log odds ratio and its standard error; control and treatment are the proportions behind it."""

    estimate: float
    stderr: float
    control: float
    treatment: float

    scale = "log odds ratio"

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error."""
        return (self.estimate - self.absolute(null)) / self.stderr

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Estimate -+ critical value x standard error."""
        margin = _tails.critical(tail_of(level, alternative), math.inf) * self.stderr
        return sided(self.estimate - margin, self.estimate + margin, level, alternative)

    def odds_ratio(self, level: float, alternative: Alternative) -> Interval:
        """The interval, without the logarithm."""
        return exponentiated(self.interval(level, alternative))


def exponentiated(interval: Interval) -> Interval:
    """An interval of logarithms as one of the numbers themselves."""
    return Interval(_exp(interval.low), _exp(interval.high), interval.level)


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf
