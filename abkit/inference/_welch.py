"""Welch's, Student's and the z-test of two independent means."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit.evidence import TestResult, run_test
from abkit.inference._caution import mean_caution
from abkit.inference._mean_effect import MeanEffect, satterthwaite
from abkit.inference._randomised import need_randomised
from abkit.suffstats import Moments
from abkit.types import Alternative, Assignment, Null

INSTEAD = "use permutation_test, or mann_whitney_test for another question"
FEWEST_FOR_NORMAL = 50


def welch_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two means, variances not assumed equal.

    Answers: is the treatment mean different from the control mean, and by how much?

    Parameters
    ----------
    control, treatment : Moments or array_like, shape (n,)
        One value per randomised unit, in the metric's own unit. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment mean exceeds the control mean by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control mean.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        Where every unit of both variants has the same value, pvalue is nan and `reason` says so.

    Raises
    ------
    ValueError
        Fewer than two units in a variant, a value that is not finite, or an unknown alternative.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    t = (estimate - null) / sqrt(s_c^2/n_c + s_t^2/n_t) [1]_, degrees of freedom by Satterthwaite [2]_.
    Units must be independent: for several rows per unit aggregate first, or use `ratio_test`.
    The means must be nearly normal: with under some hundred units of a heavily skewed metric, use a rank or
    an exact test. Not valid under repeated looks.

    References
    ----------
    .. [1] Welch 1947, Biometrika 34(1-2), eq. 8.
    .. [2] Satterthwaite 1946, Biometrics Bulletin 2(6), eq. 17.

    Examples
    --------
    >>> from abkit import Moments, welch_test
    >>> control, treatment = Moments(n=5, mean=10.8, m2=3.38), Moments(n=5, mean=12.2, m2=2.22)
    >>> result = welch_test(control, treatment)
    >>> round(result.estimate, 2), round(result.df, 2), round(result.pvalue, 4)
    (1.4, 7.67, 0.0305)
    >>> [round(end, 2) for end in result.interval(0.95)]  # the treatment is 0.17 to 2.63 above the control
    [0.17, 2.63]
    """
    need_randomised("welch_test", assignment)
    c, t = _sample("control", control), _sample("treatment", treatment)
    var_c, var_t = c.variance / c.n, t.variance / t.n
    df = satterthwaite(var_c, c.n, var_t, t.n)
    effect = MeanEffect(c.mean, t.mean, var_c, var_t, 0.0, df)
    return run_test("welch", effect, alternative, null, mean_caution(control, treatment, INSTEAD))


def student_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two means, variances assumed equal.

    Answers the question of `welch_test`, with one pooled variance and n_c + n_t - 2 degrees of freedom.

    Parameters
    ----------
    control, treatment : Moments or array_like, shape (n,)
        One value per randomised unit. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment mean exceeds the control mean by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control mean.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult

    Raises
    ------
    ValueError
        Fewer than two units in a variant, a value that is not finite, or an unknown alternative.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    t = (estimate - null) / sqrt(s^2 (1/n_c + 1/n_t)) [1]_. A treatment that changes the spread, in variants of
    different size, makes its error rates wrong in either direction: then use `welch_test`, which costs almost
    nothing when the variances are equal.

    References
    ----------
    .. [1] Student 1908, Biometrika 6(1).

    Examples
    --------
    >>> from abkit import student_test
    >>> round(student_test([10, 12, 11, 10, 11], [12, 13, 12, 11, 13]).pvalue, 4)
    0.0294
    """
    need_randomised("student_test", assignment)
    c, t = _sample("control", control), _sample("treatment", treatment)
    df = c.n + t.n - 2
    pooled = ((c.n - 1) * c.variance + (t.n - 1) * t.variance) / df
    means = (c.mean, t.mean, pooled / c.n, pooled / t.n, 0.0, float(df))
    effect = StudentEffect(*means, c.n, t.n, c.variance, t.variance)
    return run_test("student", effect, alternative, null, mean_caution(control, treatment, INSTEAD))


def z_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two means against the normal distribution.

    Answers the question of `welch_test` for large samples.

    Parameters
    ----------
    control, treatment : Moments or array_like, shape (n,)
        One value per randomised unit. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment mean exceeds the control mean by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control mean.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult

    Raises
    ------
    ValueError
        Fewer than two units in a variant, a value that is not finite, or an unknown alternative.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    z = (estimate - null) / sqrt(s_c^2/n_c + s_t^2/n_t), compared with the normal [1]_. It ignores that the
    variances are estimated: below some hundred units a variant it rejects too often; use `welch_test`.

    References
    ----------
    .. [1] Lehmann and Romano 2005, Testing Statistical Hypotheses, sec. 11.3.

    Examples
    --------
    >>> from abkit import Moments, z_test
    >>> result = z_test(Moments(10_000, 4.98, 39_990.0), Moments(10_000, 5.05, 40_110.0))
    >>> round(result.statistic, 3), round(result.pvalue, 4)
    (2.473, 0.0134)
    """
    need_randomised("z_test", assignment)
    c, t = _sample("control", control), _sample("treatment", treatment)
    effect = MeanEffect(c.mean, t.mean, c.variance / c.n, t.variance / t.n, 0.0, math.inf)
    return run_test("z", effect, alternative, null, _z_caution(c, t) or mean_caution(control, treatment, INSTEAD))


def _z_caution(control: _Sample, treatment: _Sample) -> str | None:
    smallest = min(control.n, treatment.n)
    if smallest >= FEWEST_FOR_NORMAL:
        return None
    return f"a variant has {smallest} units only, and the normal ignores that variances are estimated; use welch_test"


@dataclass(frozen=True, slots=True)
class StudentEffect(MeanEffect):
    """Two means with one variance, and what it takes to pool that over more groups."""

    n_control: int
    n_treatment: int
    spread_control: float
    spread_treatment: float

    def with_variance(self, variance: float, df: int) -> MeanEffect:
        """The same means with the variance of more groups."""
        of_means = variance / self.n_control, variance / self.n_treatment
        return MeanEffect(self.control, self.treatment, *of_means, 0.0, float(df))


@dataclass(frozen=True, slots=True)
class _Sample:
    n: int
    mean: float
    variance: float


def _sample(name: str, data: object) -> _Sample:
    """Size, mean and variance of one group of at least two units."""
    moments = data if isinstance(data, Moments) else Moments.from_sample(data, name)
    if not isinstance(moments.n, int):
        raise ValueError(f"`{name}` must describe one group; got statistics of many.")
    if moments.n < 2:
        raise ValueError(f"`{name}` must have at least 2 units; got {moments.n}.")
    return _Sample(moments.n, float(moments.mean), float(moments.m2) / (moments.n - 1))
