"""The difference of two proportions by exact tests that do not condition on the successes of both variants."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from abkit import _tails
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._unconditional import (
    TIE,
    IntArray,
    fisher_frontier,
    largest_probability,
    score_frontier,
)
from abkit.types import Alternative, Null, RelativeMethod

#: Widths of the stretches of nulls that share an order of the tables; the usual margins are in the middle of one.
WIDTHS = (0.1, 0.05, 0.01)
#: Lower nulls are searched for a larger p-value until it has fallen to this share of the largest.
NEGLIGIBLE = 0.05
FEW = 400


@dataclass(frozen=True, slots=True)
class UnconditionalEffect(BaseEffect):
    """Two binomial counts. A p-value is the largest probability, over both proportions, of tables as extreme."""

    counts: ScoreEffect
    order: Literal["barnard", "boschloo"]
    joint: bool = False

    @property
    def control(self) -> float:
        """The control's proportion."""
        return self.counts.control

    @property
    def treatment(self) -> float:
        """The treatment's proportion."""
        return self.counts.treatment

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.counts.estimate

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, unpooled: for display."""
        return self.counts.stderr

    @property
    def df(self) -> float:
        """Infinite: there is no variance to estimate."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """The score statistic of the difference."""
        return self.counts.statistic(self.absolute(null))

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Exact p-value of all nulls beyond the one given; twice the smaller one, or of both tails together."""
        null = self.absolute(null)
        if alternative == "two-sided" and self.joint:
            return self._joint(null)
        if alternative != "two-sided":
            return self._upper.pvalue(null) if alternative == "greater" else self._lower.pvalue(-null)
        sides = [(self._upper, null), (self._lower, -null)]
        smallest = 1.0
        for side, at in sides if self.statistic(null) > 0 else reversed(sides):
            smallest = min(smallest, side.pvalue(at))
            if smallest <= 0.5 and self.order == "barnard":  # both add up to 1 or more
                break
        return min(1.0, 2 * smallest)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences that the test does not reject, by inversion of both one-sided tests."""
        if alternative == "two-sided" and self.joint:
            return NoInterval(
                level, "the joint p-value is not monotone in the null; use two_sided='central' for an interval"
            )
        tail = tail_of(level, alternative)
        low = -1.0 if alternative == "less" else self._upper.lowest(tail)
        high = 1.0 if alternative == "greater" else -self._lower.lowest(tail)
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:  # noqa: ARG002
        """None: the nulls are differences."""
        return NoInterval(level, "these exact tests are of a difference; `proportion_test` has a relative interval")

    @property
    def _upper(self) -> _Side:
        return _Side(self.counts, self.order)

    @property
    def _lower(self) -> _Side:
        return _Side(self.counts.swapped, self.order)

    def _joint(self, null: float) -> float:
        c = self.counts
        size = abs(c.statistic(null))
        slack, nulls = TIE * max(1.0, size), np.array([null])
        above = score_frontier(c.n_control, c.n_treatment, nulls, np.array([size - slack]))
        below = score_frontier(c.n_control, c.n_treatment, nulls, np.array([-size + slack]))
        below = np.minimum(below, above)  # where the statistic is zero every table is as extreme, once
        return float(largest_probability(c.n_control, c.n_treatment, nulls, above, below)[0])


@dataclass(frozen=True, slots=True)
class _Side:
    """The test of a treatment that exceeds the control by more than a null.

    Barnard's order of the tables depends on the null. On each of a row of short stretches of nulls it is the order of
    the middle, so that the probability of the tables as extreme as the one observed rises along the stretch. The
    p-value is the largest of all nulls up to the one given: of this stretch's at the null, and of the lower
    stretches' at their upper ends.
    """

    counts: ScoreEffect
    order: Literal["barnard", "boschloo"]

    def pvalue(self, null: float) -> float:
        """Largest probability, at this null or a lower one, of tables as extreme."""
        largest = 0.0
        for _, _, value in self._downwards(self._stretch(null), null):
            largest = max(largest, value)
            if value < NEGLIGIBLE * largest:
                break
        return largest

    def lowest(self, tail: float) -> float:
        """The lowest null whose p-value is not below `tail`."""
        z = _tails.critical(tail, math.inf)
        guess = self.counts.end(-z)
        start = self._stretch(min(max(guess, -1.0), 1.0))
        while start < self._last and next(self._downwards(start))[2] < tail:
            start += 1
        for stretch, frontier, value in self._downwards(start):
            if value >= tail:
                lowest = stretch, frontier
            elif value < NEGLIGIBLE * tail:
                break
        return self._root(*lowest, tail)

    def _root(self, stretch: int, frontier: IntArray, tail: float) -> float:
        from scipy.optimize import brentq

        def excess(null: float) -> float:
            return float(self._probabilities(np.array([null]), frontier)[0]) - tail

        low, high = self._end(stretch - 1), self._end(stretch)
        if excess(low) >= 0:
            return low
        return float(brentq(excess, low, high, xtol=1e-14, rtol=1e-14))

    def _downwards(self, stretch: int, null: float | None = None) -> Iterator[tuple[int, IntArray, float]]:
        """The stretch and the lower ones: each one's frontier, and the probability at the upper end, or at the null."""
        at_once = 6 if self.counts.n_control + self.counts.n_treatment < FEW else 1
        floor = 0.0
        for first in range(stretch, -self._last - 1, -at_once):
            stretches = np.arange(first, max(first - at_once, -self._last - 1), -1)
            nulls = np.array([self._end(int(s)) for s in stretches])
            if null is not None and first == stretch:
                nulls[0] = null
            frontiers = self._frontiers(stretches)
            values = self._probabilities(nulls, frontiers, floor)
            floor = max(floor, float(values.max()))
            for i, each in enumerate(stretches):
                yield int(each), frontiers[i : i + 1], float(values[i])

    def _frontiers(self, stretches: IntArray) -> IntArray:
        c = self.counts
        if self.order == "boschloo":
            return fisher_frontier(int(c.successes_control), c.n_control, int(c.successes_treatment), c.n_treatment)
        middles = stretches / round(1 / self._width)
        observed = np.array([c.statistic(float(middle)) for middle in middles])
        thresholds = observed - TIE * np.maximum(1.0, np.abs(observed))
        return score_frontier(c.n_control, c.n_treatment, middles, thresholds)

    def _probabilities(self, nulls: Float64Array, frontiers: IntArray, floor: float = 0.0) -> Float64Array:
        return largest_probability(self.counts.n_control, self.counts.n_treatment, nulls, frontiers, floor=floor)

    @property
    def _width(self) -> float:
        """About half a standard error, where that is largest."""
        half = 0.25 * math.sqrt(1 / self.counts.n_control + 1 / self.counts.n_treatment)
        return next((width for width in WIDTHS if width <= 2 * half), WIDTHS[-1])

    @property
    def _last(self) -> int:
        return 0 if self.order == "boschloo" else round(1 / self._width) - 1

    def _stretch(self, null: float) -> int:
        nearest = math.floor(null * round(1 / self._width) + 0.5)
        return min(max(nearest, -self._last), self._last)

    def _end(self, stretch: int) -> float:
        """The upper end of a stretch; the first and the last reach to -1 and 1."""
        if stretch >= self._last:
            return 1.0
        return (stretch + 0.5) / round(1 / self._width) if stretch >= -self._last else -1.0
