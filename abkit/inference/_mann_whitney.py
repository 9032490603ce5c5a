"""The Mann-Whitney test, with an interval for the probability that it is about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from abkit import _tails
from abkit._check import Float64Array
from abkit._roots import bisect
from abkit._sets import ConfidenceSet, sided, tail_of
from abkit.evidence import BaseEffect, TestResult, run_test
from abkit.inference._randomised import need_randomised
from abkit.inference._ranks import Ranks, ranked
from abkit.types import Alternative, Assignment, Null

#: Variants of fewer units than this have the exact distribution, where no two values are equal: the rule of R.
EXACT_BELOW = 50
#: How many standard errors from 1/2 the estimate must be for its own variance to count half.
HALF_WAY = 2.0

#: An excess of the shown variance over the modelled one that moves the error rate by a point.
LARGEST_EXCESS = 0.12
#: With fewer units away from the commonest value an excess is an accident.
FEWEST_APART = 5
#: A variant so many times the other needs this many upsets.
MOST_UNEQUAL, FEWEST_UPSETS = 4, 4


@dataclass(frozen=True, slots=True)
class _Side:
    """One one-sided test: an estimate, corrected for continuity where the test is exact, and its null variance."""

    estimate: float
    variance: float


@dataclass(frozen=True, slots=True)
class SuperiorityEffect(BaseEffect):
    """The chance that a treated unit exceeds a control unit, less 1/2, by a score test.

    The variance at a null is that of the Mann-Whitney statistic at 1/2, and approaches the one that the data show
    as the null approaches an estimate that is far from 1/2.
    """

    estimate: float
    units: int
    var_null: float
    excess: float  # the variance that the data show, as a multiple of the modelled one, less 1
    greater: _Side
    less: _Side

    scale = "probability of superiority less 1/2"
    undefined = "the variance is zero: every unit of both variants has the same value"
    control = 0.5

    @property
    def treatment(self) -> float:
        """The probability that a treated unit exceeds a control unit, ties counted half."""
        return 0.5 + self.estimate

    @property
    def stderr(self) -> float:
        """Standard error of the estimate: the score test's own, at the estimate."""
        return math.sqrt(self.var_null * self._growth(self.estimate))

    @property
    def df(self) -> float:
        """Infinite: the reference is normal, or exact at a null of zero."""
        return math.inf

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error under the null."""
        null = self.absolute(null)
        if not -0.5 < null < 0.5:
            raise ValueError(f"`null` must be between -0.5 and 0.5; got {null:g}.")
        return self._statistic(null, _Side(self.estimate, self.var_null)) if self.var_null > 0 else math.nan

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """One-sided tail of the score statistic, or twice the smaller one."""
        null = self.absolute(null)
        greater = _tails.survival(self._statistic(null, self.greater), math.inf)
        less = _tails.survival(-self._statistic(null, self.less), math.inf)
        return {"greater": greater, "less": less, "two-sided": min(1.0, 2 * greater, 2 * less)}[alternative]

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Inversion of the score test."""
        c = _tails.critical(tail_of(level, alternative), math.inf)
        low = bisect(lambda null: self._statistic(null, self.greater) - c, -0.5, 0.5)
        high = bisect(lambda null: self._statistic(null, self.less) + c, -0.5, 0.5)
        return sided(low, high, level, alternative)

    def weight(self, null: float) -> float:
        """How much the variance that the data show counts at a null: not at 1/2, and wholly at a far estimate."""
        distance = self.estimate * self.estimate + HALF_WAY * HALF_WAY * self.var_null
        return min(max(null * self.estimate / distance, 0.0), 1.0) if distance else 0.0

    def _statistic(self, null: float, side: _Side) -> float:
        gap, variance = side.estimate - null, side.variance * self._growth(null)
        if variance > 0:
            return gap / math.sqrt(variance)
        return math.copysign(math.inf, gap) if gap else 0.0

    def _growth(self, null: float) -> float:
        """The variance at a null as a multiple of that at 1/2."""
        return _shape(null, self.units) * (1 + self.weight(null) * self.excess)


def mann_whitney_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Whether a treated unit tends to exceed a control unit.

    Answers: if one unit of each variant is drawn at random, how likely is it that the treated one has the higher
    value, and do the variants have the same distribution?

    Parameters
    ----------
    control, treatment : array_like, shape (n,)
        One value per randomised unit; only their order matters. Each needs n >= 1.
    alternative : {"two-sided", "greater", "less"}
        "greater": the probability exceeds 1/2 + `null`.
    null : float
        The probability under the null hypothesis, less 1/2; between -1/2 and 1/2.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `estimate` and `interval` are of P(T > C) + P(T = C)/2 - 1/2; `treatment` is the probability itself, and
        `control` its value without an effect, 1/2. Where all values are equal, pvalue is nan and `reason` says so.

    Raises
    ------
    ValueError
        An empty variant, a value that is not finite, or a null outside its range.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    At a null of zero this is the classical test of equal distributions [1]_: exact where both variants have fewer
    than 50 units and no two values are equal, otherwise normal with the variance corrected for ties and without a
    correction for continuity. At another null it is the score test with Newcombe's variance [2]_, which is the
    classical one at 1/2, moved towards the variance of the placements [3]_ the further the estimate is from 1/2; where
    the test is exact, its two sides are scaled so that they are exact at zero. The interval inverts this family.

    It is a test of equal distributions: variants of one centre and different spreads make it reject too often or too
    rarely, above all when they differ in size; then use `brunner_munzel_test`. It says nothing about means or totals.
    Units must be independent. Not valid under repeated looks.

    References
    ----------
    .. [1] Mann and Whitney 1947, Annals of Mathematical Statistics 18(1), sec. 2 and 3.
    .. [2] Newcombe 2006, Statistics in Medicine 25(4), 559-573, method 5.
    .. [3] DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3), eq. 4 to 6.

    Examples
    --------
    >>> from abkit import mann_whitney_test
    >>> control, treatment = [1.1, 2.3, 0.7, 1.9, 3.0, 1.4, 2.2], [2.8, 1.7, 3.6, 4.1, 2.9, 3.3]
    >>> result = mann_whitney_test(control, treatment)
    >>> round(result.treatment, 3), round(result.pvalue, 4)
    (0.857, 0.035)
    >>> [round(0.5 + end, 3) for end in result.interval(0.95)]  # of the probability
    [0.525, 0.969]
    """
    need_randomised("mann_whitney_test", assignment)
    r = ranked(control, treatment, 1)
    effect = _effect(r)
    return run_test("mann-whitney", effect, alternative, null, _caution(r, effect))


def _caution(r: Ranks, effect: SuperiorityEffect) -> str | None:
    fewer, more = sorted((r.n_control, r.n_treatment))
    accident = max(LARGEST_EXCESS + 1 / fewer, 2 * (1 - fewer / more) / math.sqrt(fewer))
    if r.apart >= FEWEST_APART and abs(effect.excess) * (1 - effect.weight(effect.estimate)) > accident:
        return (
            "the variants seem to differ in spread or shape, which the variance of this test leaves out, so the error "
            "rate may miss its nominal level; use brunner_munzel_test"
        )
    if more > MOST_UNEQUAL * fewer and r.upsets < FEWEST_UPSETS:
        return (
            "the smaller variant has too few units that overlap the larger, so the error rate may miss its nominal "
            "level; use permutation_test"
        )
    return None


def _effect(r: Ranks) -> SuperiorityEffect:
    units = r.n_control + r.n_treatment
    side = _Side(r.estimate, r.var_null)
    exact = not r.tied and max(r.n_control, r.n_treatment) < EXACT_BELOW
    greater, less = _exact_sides(r) if exact else (side, side)
    return SuperiorityEffect(r.estimate, units, r.var_null, _excess(r), greater, less)


def _excess(r: Ranks) -> float:
    """The variance of the placements over the modelled one at the estimate, less 1; 0 where either is unknown."""
    modelled = r.var_null * _shape(r.estimate, r.n_control + r.n_treatment)
    if min(r.n_control, r.n_treatment) < 2 or modelled <= 0:
        return 0.0
    return (r.var_control + r.var_treatment) / modelled - 1


def _shape(estimate: float, units: int) -> float:
    """Variance at 1/2 + estimate over that at 1/2: Newcombe 2006, Statistics in Medicine 25(4), method 5."""
    p, q = 0.5 + estimate, 0.5 - estimate
    more = units / 2 - 1
    return 4 * p * q * (1 + more * (q / (1 + q) + p / (1 + p))) / (1 + more * 2 / 3)


def _exact_sides(r: Ranks) -> tuple[_Side, _Side]:
    """At a null of zero each side's normal tail is the exact one."""
    u, half = r.twice_u // 2, 0.5 / (r.n_control * r.n_treatment)
    chances = _chances(min(r.n_control, r.n_treatment), max(r.n_control, r.n_treatment))
    above, from_u = float(chances[u + 1 :].sum()), float(chances[u:].sum())
    below, upto_u = float(chances[:u].sum()), float(chances[: u + 1].sum())
    greater = -ndtri(from_u) if from_u < 0.5 else ndtri(below)
    less = ndtri(upto_u) if upto_u < 0.5 else -ndtri(above)
    return _side(r.estimate - half, greater, r.var_null), _side(r.estimate + half, less, r.var_null)


def _side(estimate: float, z: float, var_null: float) -> _Side:
    return _Side(estimate, (estimate / z) ** 2 if z and estimate else var_null)


@lru_cache(maxsize=64)
def _chances(few: int, many: int) -> Float64Array:
    """Exact null distribution of U without ties: Mann and Whitney 1947, Annals of Mathematical Statistics 18(1), eq. 1.

    The largest of all units is in one variant or in the other; only sums of positive numbers, so every tail keeps
    its digits.
    """
    row = [np.ones(1)] * (many + 1)
    for i in range(1, few + 1):
        new = [np.ones(1)]
        for j in range(1, many + 1):
            chances = np.zeros(i * j + 1)
            chances[j:] += row[j] * (i / (i + j))
            chances[: i * (j - 1) + 1] += new[j - 1] * (j / (i + j))
            new.append(chances)
        row = new
    return row[many]
