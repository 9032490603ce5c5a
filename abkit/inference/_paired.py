"""Tests of one mean: that of the differences of pairs, and that of one sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, sided, tail_of
from abkit.evidence import BaseEffect, TestResult, run_test
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._randomised import need_randomised
from abkit.suffstats import CoMoments, Moments
from abkit.types import Alternative, Assignment, Null

#: What is left of variances that cancel to this share of them is rounding.
ROUNDING = 1e-14
#: Skewness of a mean beyond which 5% was found to be missed by more than a point.
LARGEST_SKEWNESS = 0.15
LARGEST = 2.0**1000


@dataclass(frozen=True, slots=True)
class PairedEffect(MeanEffect):
    """Two means of the same units, with the mean and the variance of the differences themselves.

    Where two columns are nearly equal, few digits of these are left in `treatment` - `control` and in
    `var_control` + `var_treatment` - 2 `covariance`.
    """

    difference: float
    var_difference: float
    with_control: float  # covariance of the mean difference and the control's mean

    undefined = "the variance is zero: every pair has the same difference, or they differ in rounding only"

    @property
    def estimate(self) -> float:
        """Mean of treatment minus control."""
        return self.difference

    @property
    def variance(self) -> float:
        """Variance of the estimate."""
        return self.var_difference

    def _relative_statistic(self, rho: float) -> float:
        share = rho * self._sign
        variance = self.var_difference + share * share * self.var_control - 2 * share * self.with_control
        gap = self.estimate - share * self.control
        if variance > 0:
            return gap / math.sqrt(variance)
        if self.variance > 0:  # this one contrast is known exactly
            return math.copysign(math.inf, gap) if gap else 0.0
        return math.nan


@dataclass(frozen=True, slots=True)
class OneMeanEffect(BaseEffect):
    """One mean with its standard error."""

    estimate: float
    stderr: float
    df: float

    scale = "mean"
    undefined = "the variance is zero: every unit has the same value, or they differ in rounding only"
    control = 0.0

    def statistic(self, null: Null) -> float:
        """(mean - null) / standard error; nan where that error is zero."""
        null = self.absolute(null)
        return (self.estimate - null) / self.stderr if self.stderr > 0 else math.nan

    @property
    def treatment(self) -> float:
        """The mean."""
        return self.estimate

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Mean -+ critical value x standard error."""
        margin = _tails.critical(tail_of(level, alternative), self.df) * self.stderr
        return sided(self.estimate - margin, self.estimate + margin, level, alternative)


def paired_test(
    control: object, treatment: object = None, *, alternative: Alternative = "two-sided", null: Null = 0.0
) -> TestResult:
    """Mean of the differences within pairs.

    Answers: is the treatment's mean different from the control's, and by how much, where each unit was seen under
    both, or each treated unit has a twin?

    Parameters
    ----------
    control, treatment : array_like, shape (n,)
        One value per pair, in the same order, in the metric's own unit; n >= 2. Instead, `control` alone may be the
        `CoMoments` of two variables, the control's value and the treatment's, in this order.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment mean exceeds the control mean by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control mean.

    Returns
    -------
    TestResult
        Where every pair has the same difference, pvalue is nan and `reason` says so.

    Raises
    ------
    ValueError
        Fewer than two pairs, samples of different length, not two variables, or a value that is not finite.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    t = (mean of the differences - null) / (s_d / sqrt(n)), n - 1 degrees of freedom [1]_. The relative set inverts the
    t-test of T - (1 + rho) C [2]_, which needs the covariance of the pairs' two values. Pairs must be independent of
    each other, and the mean difference nearly normal: with few pairs and skewed differences, use `signed_rank_test`.
    From `CoMoments` the variance of the difference is what is left of three larger numbers: where the two values are
    equal to nearly sixteen digits, it is taken to be zero. Not valid under repeated looks.

    References
    ----------
    .. [1] Student 1908, Biometrika 6(1), sec. 9.
    .. [2] Fieller 1954, JRSS B 16(2), sec. 3.

    Examples
    --------
    >>> from abkit import paired_test
    >>> result = paired_test([12, 15, 9, 20, 11], [14, 18, 10, 22, 13])  # minutes of five people, before and after
    >>> result.estimate, round(result.stderr, 3), round(result.pvalue, 4)
    (2.0, 0.316, 0.0032)
    >>> [round(end, 2) for end in result.interval(0.95)]
    [1.12, 2.88]
    """
    if isinstance(control, CoMoments):
        return run_test("paired", _effect_of_moments(control, treatment), alternative, null)
    if treatment is None:
        raise ValueError("`treatment` must be given unless `control` is CoMoments.")
    c, t = pairs_of(control, treatment)
    moments = CoMoments.from_sample(
        np.column_stack([c, differences_of(c, t)]), ["control", "difference"], "control` and `treatment"
    )
    return run_test(
        "paired", _effect(moments, _mean("control", c), _mean("treatment", t)), alternative, null, _caution(t - c)
    )


def one_sample_test(
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """One mean against a number.

    Answers: is the mean different from a number that is known without error, such as a target?

    Parameters
    ----------
    treatment : Moments or array_like, shape (n,)
        One value per unit, in the metric's own unit; n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the mean exceeds `null`.
    null : float
        The mean under the null hypothesis, in the metric's unit.
    assignment : {"randomised", "adaptive"}
        How units came to their variant. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `estimate` and `treatment` are the mean, on the scale "mean"; `control` is 0, what the mean is measured from.
        Where every unit has the same value, pvalue is nan and `reason` says so. `relative` is a `NoInterval`.

    Raises
    ------
    ValueError
        Fewer than two units, a value that is not finite, or a relative null.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    t = (mean - null) / (s / sqrt(n)), n - 1 degrees of freedom [1]_. Units must be independent and the mean nearly
    normal. A number that was itself measured, such as last month's mean, is a control: use `welch_test`. Not valid
    under repeated looks.

    References
    ----------
    .. [1] Student 1908, Biometrika 6(1), sec. 3.

    Examples
    --------
    >>> from abkit import Moments, one_sample_test
    >>> result = one_sample_test(Moments(n=25, mean=103.2, m2=2400.0), null=100)
    >>> round(result.statistic, 2), round(result.pvalue, 4)
    (1.6, 0.1227)
    >>> [round(end, 1) for end in result.interval(0.95)]
    [99.1, 107.3]
    """
    need_randomised("one_sample_test", assignment, "arm_value")
    moments = treatment if isinstance(treatment, Moments) else Moments.from_sample(treatment, "treatment")
    if not isinstance(moments.n, int):
        raise ValueError("`treatment` must describe one group; got statistics of many.")
    if moments.n < 2:
        raise ValueError(f"`treatment` must have at least 2 units; got {moments.n}.")
    stderr = math.sqrt(float(moments.m2) / (moments.n - 1) / moments.n)
    effect = OneMeanEffect(float(moments.mean), stderr, float(moments.n - 1))
    caution = None if isinstance(treatment, Moments) else _caution(np.asarray(treatment, dtype=np.float64))
    return run_test("one-sample", effect, alternative, null, caution)


def pairs_of(control: object, treatment: object) -> tuple[Float64Array, Float64Array]:
    """Two samples whose rows belong together."""
    c, t = _check.sample("control", control), _check.sample("treatment", treatment)
    if c.size != t.size:
        raise ValueError(f"`treatment` must have as many values as `control`, {c.size}; got {t.size}.")
    if c.size < 2:
        raise ValueError(f"`control` must have at least 2 pairs; got {c.size}.")
    return c, t


def differences_of(control: Float64Array, treatment: Float64Array) -> Float64Array:
    """Treatment minus control, pair by pair."""
    with np.errstate(over="ignore"):
        differences = treatment - control
    if not np.abs(differences).max() < LARGEST:
        raise ValueError(f"`treatment` must be within {LARGEST:g} of `control`; got a larger difference.")
    return differences


def _mean(name: str, values: Float64Array) -> float:
    return float(Moments.from_sample(values, name).mean)


def _effect(moments: CoMoments, control: float, treatment: float) -> PairedEffect:
    """From co-moments of the control's value and the difference."""
    (var_c, with_c), (_, var_d) = (moments.covariance / moments.n).tolist()
    difference = float(moments.mean[1])
    var_t, both, df = max(var_d + var_c + 2 * with_c, 0.0), var_c + with_c, float(moments.n - 1)
    return PairedEffect(control, treatment, var_c, var_t, both, df, difference, var_d, with_c)


def _effect_of_moments(moments: CoMoments, treatment: object) -> PairedEffect:
    """From co-moments of the control's value and the treatment's."""
    if treatment is not None:
        raise ValueError(f"`treatment` must be left out where `control` is CoMoments; got {_check.show(treatment)}.")
    if np.ndim(moments.n) or len(moments.names) != 2:
        raise ValueError(f"`control` must be one group's co-moments of two variables; got {moments.names}.")
    if moments.n < 2:
        raise ValueError(f"`control` must have at least 2 pairs; got {moments.n}.")
    (var_c, both), (_, var_t) = (moments.covariance / moments.n).tolist()
    var_d = var_c + var_t - 2 * both
    if var_d <= ROUNDING * (var_c + var_t):  # what is left of them is rounding, and not a variance
        var_d = 0.0
    control, mean = moments.mean.tolist()
    return PairedEffect(control, mean, var_c, var_t, both, float(moments.n - 1), mean - control, var_d, both - var_c)


def _caution(values: Float64Array) -> str | None:
    """Where a mean is too skewed for Student's t: its skewness is that of the values over sqrt(n)."""
    deviations = values - values.mean()
    largest = float(np.abs(deviations).max())
    if largest == 0:
        return None
    deviations /= largest
    squares = deviations * deviations
    skewness = abs(float((squares * deviations).sum())) / float(squares.sum()) ** 1.5
    if skewness <= LARGEST_SKEWNESS:
        return None
    return (
        f"the mean is skewed ({skewness:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal), so the error "
        "rate may miss its nominal level; use more units, or for pairs signed_rank_test"
    )
