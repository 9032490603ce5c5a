"""Dunnett's comparison of several treatments with one control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from abkit import _tails
from abkit._check import Float64Array
from abkit._roots import crossing
from abkit.evidence import TestResult, run_test
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._welch import StudentEffect
from abkit.types import Alternative, Relative

#: exp(-40) is below the rounding of 1
_NEGLIGIBLE = 40.0
#: a correlation so near 1 is taken for one a millionth from it, which can only raise a p-value
_LARGEST_LOADING = math.sqrt(1 - 1e-6)


@dataclass(frozen=True, slots=True)
class ManyToOne:
    """The largest of k correlated statistics T_i = (b_i U + sqrt(1 - b_i^2) E_i) / S.

    U and E_i are standard normal, df S^2 is chi-square, all independent. The control is U: its share of the variance
    of a difference is b_i^2 (Dunnett 1955, JASA 50(272), eq. 3).
    """

    loadings: tuple[float, ...]
    df: float
    alternative: Alternative

    def tail(self, x: float) -> float:
        """P(some |T_i| > x), or P(some T_i > x) with one side, by the trapezoid rule over U and log S.

        On both lines the integrand is analytic and falls off at least exponentially, so that the error of the rule
        does too; it is the tail itself that is added up, never one minus the rest.
        """
        if math.isinf(x):
            return 0.0 if x > 0 else 1.0
        spreads, weights = _spreads(max(x, 0.0), self.df)
        control, density = self._control(max(x, 0.0) * float(spreads[-1]))
        groups = list(zip(*np.unique(self.loadings, return_counts=True), strict=True))
        total = 0.0
        for spread, weight in zip(spreads.tolist(), weights.tolist(), strict=True):
            none = np.zeros_like(control)  # log of the probability that no statistic is beyond x
            for loading, times in groups:
                none += times * np.log1p(-self._exceeds(x * spread, loading, control))
            total -= weight * float(density @ np.expm1(none))
        return min(1.0, total)

    def critical(self, alpha: float) -> float:
        """The x of which the tail is alpha; it lies between those of one comparison and of Bonferroni."""
        each, k = alpha / self.sides, len(self.loadings)
        low, high = _tails.critical(each, self.df), _tails.critical(each / k, self.df)
        if k == 1:
            return low
        slack = 1e-6 * (1 + abs(high))
        guess, slope = (low + high) / 2, math.log(k) / (high - low)
        return crossing(lambda x: math.log(alpha / self.tail(x)), low - slack, high + slack, guess, slope)

    @property
    def sides(self) -> int:
        """How many tails count."""
        return 2 if self.alternative == "two-sided" else 1

    def _control(self, distance: float) -> tuple[Float64Array, Float64Array]:
        """Equidistant values of U with their weights, so fine that every integrand is smooth between them."""
        loading = max(self.loadings)
        width = min(1.0, math.sqrt(1 - loading * loading) / loading) if loading > 0 else 1.0
        sharper = 1 + math.sqrt(2 * math.log(len(self.loadings)))  # the largest of many is less spread out
        reach, step = 9.0 + min(distance, _NEGLIGIBLE), 0.5 * width / sharper
        values = step * np.arange(-math.ceil(reach / step), math.ceil(reach / step) + 1, dtype=np.float64)
        return values, np.exp(-values * values / 2) * (step / math.sqrt(2 * math.pi))

    def _exceeds(self, bound: float, loading: float, control: Float64Array) -> Float64Array:
        own = math.sqrt(1 - loading * loading)
        above = ndtr((loading * control - bound) / own)
        if self.sides == 2:
            above = above + ndtr((-loading * control - bound) / own)
        return np.minimum(above, 1 - 2**-53)


def dunnett(results: Sequence[TestResult], alpha: float) -> tuple[Float64Array, Float64Array, list[TestResult]]:
    """Adjusted p-values, levels, and the results that these levels are for: with one variance where they are Student's.

    Results that are not all Student's enter by their own p-values, as if their statistics were normal: exact as the
    samples grow.
    """
    if not results:
        return np.empty(0), np.empty(0), []
    _refuse_strangers(results)
    exact = all(isinstance(result.effect, StudentEffect) for result in results)
    pooled = _with_one_variance(results) if exact else list(results)
    df = pooled[0].df if exact else math.inf
    family = ManyToOne(tuple(_loading(result) for result in pooled), df, results[0].alternative)
    adjusted = [1.0 if result.reason else family.tail(_distance(result, family)) for result in pooled]
    level = family.sides * _tails.survival(family.critical(alpha), df)
    return np.array(adjusted), np.full(len(pooled), level), pooled


def _with_one_variance(results: Sequence[TestResult]) -> list[TestResult]:
    """Student's results with the variance of all groups pooled."""
    effects = [result.effect for result in results if isinstance(result.effect, StudentEffect)]
    first = effects[0]
    df = first.n_control - 1 + sum(effect.n_treatment - 1 for effect in effects)
    squares = (first.n_control - 1) * first.spread_control
    variance = (squares + sum((effect.n_treatment - 1) * effect.spread_treatment for effect in effects)) / df
    pooled = [effect.with_variance(variance, df) for effect in effects]
    return [
        replace(run_test(result.method, effect, result.alternative, result.null), caution=result.caution)
        for result, effect in zip(results, pooled, strict=True)
    ]


def _distance(result: TestResult, family: ManyToOne) -> float:
    """The statistic on the side that counts, or the normal one of the same p-value."""
    if math.isinf(family.df):
        return _tails.critical(result.pvalue / family.sides, math.inf)
    if result.alternative == "two-sided":
        return abs(result.statistic)
    return result.statistic if result.alternative == "greater" else -result.statistic


def _loading(result: TestResult) -> float:
    """Root of the control's share of the variance of the difference."""
    control, treatment = _variances(result)
    share = control / (control + treatment) if control > 0 else 0.0
    return min(math.sqrt(share), _LARGEST_LOADING)


def _variances(result: TestResult) -> tuple[float, float]:
    effect = result.effect
    if isinstance(effect, ScoreEffect):
        c, t = effect.control, effect.treatment
        return c * (1 - c) / effect.n_control, t * (1 - t) / effect.n_treatment
    if isinstance(effect, MeanEffect) and effect.covariance == 0:
        return effect.var_control, effect.var_treatment
    raise ValueError(
        "`results_or_pvalues` must hold tests of two independent means or proportions for 'dunnett', since their "
        f"correlation is the control's share of the variance; got {result.method!r}. Use 'holm'."
    )


def _refuse_strangers(results: Sequence[TestResult]) -> None:
    alternatives = sorted({result.alternative for result in results})
    if len(alternatives) > 1:
        raise ValueError(f"`results_or_pvalues` must have one alternative for 'dunnett'; got {alternatives}.")
    if any(isinstance(result.null, Relative) for result in results):
        raise ValueError("`results_or_pvalues` must have nulls that are numbers for 'dunnett'; got a relative one.")
    first = _identity(results[0])
    for result in results:
        other = _identity(result)
        if not all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-300) for a, b in zip(first, other, strict=True)):
            raise ValueError(
                "`results_or_pvalues` must share one control for 'dunnett'; "
                f"got controls with means {first[0]:.12g} and {other[0]:.12g}"
                f" (n or variance {first[1]:.12g} and {other[1]:.12g})."
            )


def _identity(result: TestResult) -> tuple[float, float]:
    """What two results of one control have in common."""
    effect = result.effect
    if isinstance(effect, StudentEffect):
        return effect.control, effect.spread_control / effect.n_control
    return effect.control, _variances(result)[0]


def _spreads(x: float, df: float) -> tuple[Float64Array, Float64Array]:
    """Values of S at equal distances of its logarithm, with their probabilities.

    They reach from where density x exp(-x^2 S^2 / 2) has faded on the left to where the density has on the right.
    """
    if math.isinf(df):
        return np.ones(1), np.ones(1)
    peak = math.log(math.sqrt(df) / math.hypot(math.sqrt(df), x))
    far = math.sqrt(_NEGLIGIBLE / df)
    logarithms = np.arange(peak - far - _NEGLIGIBLE / df, far, min(0.08, 0.5 / math.sqrt(2 * df)))
    density = np.exp(df * (logarithms - np.expm1(2 * logarithms) / 2))
    return np.exp(logarithms), density / density.sum()
