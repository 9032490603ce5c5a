"""Exact and mid-p tests of the odds that a discordant pair favours the treatment."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from scipy.special import betainc, expit

from abkit import _tails
from abkit._roots import crossing
from abkit._sets import Interval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._inverted import standardise
from abkit.inference._log_odds import exponentiated
from abkit.types import Alternative, Null

_TINIEST = 5e-324


@dataclass(frozen=True, slots=True)
class DiscordantEffect(BaseEffect):
    """Discordant pairs: given their number, those with the treatment's success are binomial.

    `mid`: what was observed counts half. `control` and `treatment` are the proportions of all pairs.
    """

    control_only: int
    treatment_only: int
    control: float
    treatment: float
    mid: bool

    scale = "log odds ratio"
    undefined = "no pair is discordant, and only those tell the variants apart"

    @property
    def estimate(self) -> float:
        """Log of treatment-only over control-only pairs; infinite where one of them is zero."""
        b, c = self.treatment_only, self.control_only
        if b and c:
            return math.log1p((b - c) / c) if b >= c else -math.log1p((c - b) / b)
        return math.inf if b else -math.inf if c else math.nan

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, for display; infinite where the estimate is."""
        b, c = self.treatment_only, self.control_only
        return math.sqrt(1 / b + 1 / c) if b and c else math.inf

    @property
    def df(self) -> float:
        """Infinite: there is nothing to estimate but the odds."""
        return math.inf

    @property
    def swapped(self) -> Self:
        """The treatment as the control."""
        return replace(
            self,
            control_only=self.treatment_only,
            treatment_only=self.control_only,
            control=self.treatment,
            treatment=self.control,
        )

    def statistic(self, null: Null) -> float:
        """Treatment-only pairs beyond those expected, in standard deviations; the p-value is exact instead."""
        b, c = self.treatment_only, self.control_only
        p, q = _shares(self.absolute(null))
        return standardise(b * q - c * p, (b + c) * p * q) if b + c else math.nan

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Binomial tail, or twice the smaller one."""
        log_odds = self.absolute(null)
        if alternative == "greater":
            return self.tail(log_odds)
        if alternative == "less":
            return self.swapped.tail(-log_odds)
        return min(1.0, 2 * min(self.tail(log_odds), self.swapped.tail(-log_odds)))

    def interval(self, level: float, alternative: Alternative) -> Interval:
        """Clopper and Pearson's limits of the treatment's share of discordant pairs, as log odds."""
        tail = tail_of(level, alternative)
        return sided(self.lowest(tail), -self.swapped.lowest(tail), level, alternative)

    def odds_ratio(self, level: float, alternative: Alternative) -> Interval:
        """The interval, without the logarithm."""
        return exponentiated(self.interval(level, alternative))

    def tail(self, log_odds: float) -> float:
        """Probability of as many treatment-only pairs or more; mid: half that, and half that of more."""
        b, c = self.treatment_only, self.control_only
        p, _ = _shares(log_odds)
        return (_at_least(b, c, p) + _at_least(b + 1, c - 1, p)) / 2 if self.mid else _at_least(b, c, p)

    def lowest(self, tail: float) -> float:
        """The log odds at which `tail` takes this value."""
        b, c = self.treatment_only, self.control_only
        if b == 0 and (tail <= 0.5 or not self.mid):  # it is never less than that
            return -math.inf
        if c == 0 and self.mid and tail >= 0.5:  # nor more
            return math.inf

        def beyond(log_odds: float) -> float:
            return math.log(max(self.tail(log_odds), _TINIEST) / tail)

        width = math.sqrt(1 / max(b, 1) + 1 / (c + 1))
        guess = math.log(max(b, 1) / (c + 1)) - _tails.critical(tail, math.inf) * width
        low, step = guess - width, width
        while beyond(low) >= 0:
            low, step = low - step, 2 * step
        return crossing(beyond, low, math.inf, guess, 1 / width)


def _shares(log_odds: float) -> tuple[float, float]:
    return float(expit(log_odds)), float(expit(-log_odds))


def _at_least(b: int, c: int, p: float) -> float:
    """P(X >= b) of a binomial of b + c trials."""
    if b == 0:
        return 1.0
    return float(betainc(b, c + 1, p)) if c >= 0 else 0.0
