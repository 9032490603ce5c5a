"""Pairs of outcomes that are 0 or 1: an exact sequence for the difference of their shares, and for their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit._roots import crossing
from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.evidence import EXACT, BaseEffect
from abkit.suffstats._paired_counts import PairCells
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: Shares of the largest bet that cannot ruin: half an octave apart, down to where a million pairs are few.
STAKES: Float64Array = np.concatenate([[1.0, 0.95, 0.85], 2.0 ** (-0.5 * np.arange(1, 33))])
LARGEST_RATIO = 1e6


@dataclass(frozen=True, slots=True)
class PairBetsEffect(PairCells, BaseEffect):
    """Pairs by outcome; every p-value and set is right at whatever moment one stops.

    With D the treatment's outcome less the control's, each pair multiplies a capital by 1 + bet (D - null). If D is
    null on average, given all pairs before, the capital is a fair game, and so is the mean of games with different
    bets; one that has reached 1 / alpha has done so with probability alpha at most (Ville). No share has to be
    constant, and since the bets are, the counts of pairs are all that is needed. One-sided, each direction has its own
    game; a two-sided p-value is twice the smaller one.

    `only_more`: the control has no outcomes, D is 0 or 1, and towards more one may bet higher.
    """

    only_more: bool = False

    validity = EXACT

    @property
    def df(self) -> float:
        """Infinite: there is no variance to estimate."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """sqrt(2 log E) of the side of the null on which the estimate lies, with its sign; 0 where E is below 1."""
        above = self._above(null)
        evidence = self.log_evalue(null, "greater" if above > 0 else "less")
        return math.copysign(math.sqrt(2 * min(max(evidence, 0.0), 1e6)), above) if evidence > 0 else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """1 / E, at most 1; two-sided, twice the smaller one."""
        if alternative == "two-sided":
            return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))
        return math.exp(-max(self.log_evalue(null, alternative), 0.0))

    def log_evalue(self, null: Null, alternative: Alternative) -> float:
        """Log of the capital that was won by betting on a difference (or ratio) above the null, or below it."""
        ratio = isinstance(null, Relative)
        value = null.value if isinstance(null, Relative) else float(null)
        above = alternative == "greater"
        if (value <= -1 and not above) or (value >= 1 and above and not ratio):
            return 0.0  # nothing lies beyond
        counts = np.array([self.both, self.control_only, self.treatment_only, self.neither], dtype=np.float64)
        payoffs = np.array([-value, -1 - value, 1.0, 0.0] if ratio else [-value, -1 - value, 1 - value, -value])
        worst = self._worst(value, above=above, ratio=ratio)
        if worst <= 0:
            beyond = self._above(null) > 0 if above else self._above(null) < 0
            return math.inf if beyond else 0.0  # one pair disproves that a share is at its very end
        gains = payoffs / worst if above else -payoffs / worst
        with np.errstate(divide="ignore"):
            logs = np.log1p(np.maximum(np.multiply.outer(STAKES, gains), -1.0))
        held = counts > 0
        games = logs[:, held] @ counts[held]
        top = float(games.max())
        return top + math.log(float(np.exp(games - top).mean())) if math.isfinite(top) else -math.inf

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences against which neither game has won enough."""
        tail, least = tail_of(level, alternative), 0.0 if self.only_more else -1.0
        low = self._end(tail, self.estimate, least) if alternative != "less" else -math.inf
        high = self._end(tail, self.estimate, 1.0) if alternative != "greater" else math.inf
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Ratios likewise, less one."""
        if method is not None:
            return NoInterval(level, f"an anytime-valid set is not by the method {method!r}; leave it out")
        if self.only_more:
            return NoInterval(level, "there is nothing to compare with: the control never has this outcome")
        tail = tail_of(level, alternative)
        share = self.estimate / self.control if self.control else LARGEST_RATIO
        low = self._end(tail, share, -1.0, ratio=True) if alternative != "less" else -math.inf
        high = math.inf
        if alternative != "greater" and share < LARGEST_RATIO:
            high = self._end(tail, share, LARGEST_RATIO, ratio=True)
        return sided(low, high if high < LARGEST_RATIO else math.inf, level, alternative)

    def _end(self, tail: float, start: float, edge: float, *, ratio: bool = False) -> float:
        """Where the game reaches 1 / tail on the way from the estimate to an edge; the edge, if it does not."""
        goal, way = -math.log(tail), 1.0 if edge > start else -1.0
        side: Alternative = "less" if way > 0 else "greater"

        def won(distance: float) -> float:
            null = start + way * distance
            return self.log_evalue(Relative(null) if ratio else null, side) - goal

        furthest = abs(edge - start)
        if not furthest > 0 or not won(furthest) > 0:
            return edge
        reach = 3 * max(self.stderr, 3 / self.n) / (max(self.control, 1 / self.n) if ratio else 1.0)
        return start + way * crossing(won, 0.0, furthest, min(reach, furthest / 2), goal / reach)

    def _worst(self, value: float, *, above: bool, ratio: bool) -> float:
        """How much a pair can lose at most for each unit of the bet."""
        if above:
            return value if self.only_more else 1 + value
        return 1.0 if ratio else 1 - value

    def _above(self, null: Null) -> float:
        """How far the estimate lies above a null."""
        if isinstance(null, Relative):
            return self.treatment - (1 + null.value) * self.control
        return self.estimate - null
