"""Wilcoxon's signed-rank test of paired samples, with the shift that it estimates."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from abkit import _tails
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, sided, tail_of
from abkit.evidence import BaseEffect, TestResult, run_test
from abkit.inference._paired import differences_of, pairs_of
from abkit.inference._walsh import kth_sum, sums_of_pairs
from abkit.types import Alternative, Null

#: Fewer pairs than this have the exact distribution: the rule of R.
EXACT_BELOW = 50
#: With fewer differences that are not the commonest one, the normal is not warranted.
FEWEST_APART = 8


@dataclass(frozen=True, slots=True, eq=False)
class SignedRankEffect(BaseEffect):
    """Sorted differences of pairs, tested for symmetry about any shift."""

    differences: Float64Array
    control: float
    treatment: float

    scale = "pseudo-median"
    undefined = "every pair has the same difference"

    @property
    def estimate(self) -> float:
        """The median of the averages of any two differences."""
        count = _averages(self.differences)
        return (_average(self.differences, (count + 1) // 2) + _average(self.differences, count // 2 + 1)) / 2

    @property
    def stderr(self) -> float:
        """Half the width between the averages one standard deviation of the rank sum from the middle, for display."""
        n, count = self.differences.size, _averages(self.differences)
        k = max(round(count / 2 - math.sqrt(n * (n + 1) * (2 * n + 1) / 24)), 1)
        return (_average(self.differences, count + 1 - k) - _average(self.differences, k)) / 2

    @property
    def df(self) -> float:
        """Infinite: the reference is exact or normal."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """The sum of signed ranks about a null over its standard deviation."""
        null = self.absolute(null)
        return _statistic(self.differences, null) if self.differences[0] < self.differences[-1] else math.nan

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Exact or normal one-sided tail, or twice the smaller one."""
        null = self.absolute(null)
        if self.differences.size >= EXACT_BELOW:
            return _tails.pvalue(_statistic(self.differences, null), math.inf, alternative)
        greater, less = _greater(self.differences, null), _greater(-self.differences[::-1], -null)
        return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * greater, 2 * less)}[alternative]

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Shifts that the test does not reject: from one average of two differences to another."""
        tail = tail_of(level, alternative)
        low = -math.inf if alternative == "less" else _lowest(self.differences, tail)
        high = math.inf if alternative == "greater" else -_lowest(-self.differences[::-1], tail)
        return sided(low, high, level, alternative)


def signed_rank_test(
    control: object, treatment: object, *, alternative: Alternative = "two-sided", null: Null = 0.0
) -> TestResult:
    """Shift of paired samples by Wilcoxon's signed ranks.

    Answers: are the differences within pairs symmetric about zero, and if not, about which shift?

    Parameters
    ----------
    control, treatment : array_like, shape (n,)
        One value per pair, in the same order, in the metric's own unit; n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the differences lie above `null`.
    null : float
        Centre of symmetry under the null hypothesis, in the metric's unit.

    Returns
    -------
    TestResult
        `estimate` is the pseudo-median of treatment minus control: the median of the averages of any two differences.
        `control` and `treatment` are the variants' medians, and `stderr` half the width between the averages one
        standard deviation of the rank sum from the middle: both for display. Where every pair has the same
        difference, pvalue is nan and `reason` says so. `relative` is a `NoInterval`.

    Raises
    ------
    ValueError
        Fewer than two pairs, samples of different length, a value that is not finite, or a relative null.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    Distances from the null are ranked, equal ones with their average rank; pairs at the null take part in the ranking
    and are then left out [1]_ (leaving them out before, as Wilcoxon did, is not monotone in the null, so that no
    interval belongs to it). The p-value is exact for the ranks at hand, ties or not, with fewer than 50 pairs, and
    normal without continuity correction beyond. The interval holds the shifts that are not rejected; its ends are
    averages of two differences [2]_, or the next number after one where that average itself is rejected.

    The differences must be symmetric: the pseudo-median of skewed differences is neither their mean nor their median.
    Pairs must be independent of each other. Not valid under repeated looks.

    References
    ----------
    .. [1] Pratt 1959, Journal of the American Statistical Association 54(287), sec. 5.
    .. [2] Hodges and Lehmann 1963, Annals of Mathematical Statistics 34(2), eq. 5.3.

    Examples
    --------
    >>> from abkit import signed_rank_test
    >>> before, after = [125, 115, 130, 140, 140, 115, 140, 125], [110, 122, 125, 120, 141, 124, 123, 137]
    >>> result = signed_rank_test(before, after)
    >>> result.estimate, round(result.pvalue, 4)
    (-4.0, 0.5469)
    >>> [round(end, 9) for end in result.interval(0.9)]
    [-15.0, 7.0]
    """
    c, t = pairs_of(control, treatment)
    differences = np.sort(differences_of(c, t))
    effect = SignedRankEffect(differences, float(np.median(c)), float(np.median(t)))
    return run_test("signed-rank", effect, alternative, null, _caution(differences))


def _signed_ranks(differences: Float64Array, null: float) -> tuple[Float64Array, Float64Array]:
    """Ranks of the distances from a null, ties averaged, below and above it; zeros take ranks and are left out."""
    shifted = differences - null
    _, place, counts = np.unique(np.abs(shifted), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks[shifted < 0], ranks[shifted > 0]


def _statistic(differences: Float64Array, null: float) -> float:
    below, above = _signed_ranks(differences, null)
    return float(above.sum() - below.sum()) / math.sqrt(float(above @ above + below @ below))


def _greater(differences: Float64Array, null: float) -> float:
    """p-value against a shift above the null."""
    if differences.size >= EXACT_BELOW:
        return _tails.survival(_statistic(differences, null), math.inf)
    below, above = _signed_ranks(differences, null)
    sums = _chances(np.rint(2 * np.concatenate([below, above])).astype(np.int64))
    return min(1.0, float(sums[round(2 * float(above.sum())) :].sum()))


def _chances(ranks: np.ndarray) -> Float64Array:
    """Chance of each sum of the ranks whose signs, tossed like coins, are positive."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] = chances[rank:] + chances[: chances.size - rank]
        chances /= 2
    return chances


def _lowest(differences: Float64Array, tail: float) -> float:
    """The smallest shift whose p-value against a higher one is not below `tail`."""
    if differences.size < EXACT_BELOW:
        return _lowest_exact(differences, tail)
    n = differences.size
    count = _averages(differences)
    tied = np.unique(differences, return_counts=True)[1].astype(np.float64)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((tied**3 - tied).sum()) / 48
    k = math.ceil(count / 2 - _tails.critical(tail, math.inf) * math.sqrt(variance))
    if not 1 <= k <= count:
        return -math.inf if k < 1 else math.inf
    end = _average(differences, k)
    return end if _greater(differences, end) >= tail else math.nextafter(end, math.inf)


def _lowest_exact(differences: Float64Array, tail: float) -> float:
    """The p-value steps up at each average of two differences, and may have a value of its own there."""
    steps = np.unique(sums_of_pairs(differences)) / 2
    edges = np.concatenate([[steps[0] - 1 - abs(steps[0])], steps, [steps[-1] + 1 + abs(steps[-1])]])
    points = np.empty(2 * steps.size + 1)
    points[1::2], points[::2] = steps, edges[:-1] + (edges[1:] - edges[:-1]) / 2
    first = bisect_left(range(points.size), tail, key=lambda i: _greater(differences, float(points[i])))
    if first == 0:
        return -math.inf
    before = float(steps[(first - 1) // 2])
    return before if first % 2 else math.nextafter(before, math.inf)


def _averages(differences: Float64Array) -> int:
    return differences.size * (differences.size + 1) // 2


def _average(differences: Float64Array, k: int) -> float:
    return kth_sum(differences, k) / 2


def _caution(differences: Float64Array) -> str | None:
    commonest = int(np.unique(differences, return_counts=True)[1].max())
    if differences.size < EXACT_BELOW or differences.size - commonest >= FEWEST_APART:
        return None
    return (
        f"only {differences.size - commonest} differences are not the same number, too few for the normal distribution "
        "of their ranks; use permutation_test, or mcnemar_test where the values are 0 and 1"
    )
