"""Difference of two means, averaged over strata."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, run_test
from abkit.inference._labels import Groups, grouped
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._randomised import need_randomised
from abkit.suffstats import Moments
from abkit.types import Alternative, Assignment, Null


def poststratified_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    strata: Any = None,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two means where both variants are given the strata's shares of all units.

    Answers: how far apart would the variants' means be if each stratum (country, platform, ...) had the same share
    of both?

    Parameters
    ----------
    control, treatment : mapping of stratum to Moments or array_like, or array_like, shape (n,)
        One value per randomised unit, by stratum, or all together with `strata`. Each stratum needs 2 units in
        each variant.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's mean exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control's mean.
    strata : (control labels, treatment labels), optional
        The stratum of each unit, where `control` and `treatment` are arrays. It must not depend on the treatment.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `control` and `treatment` are the weighted means, and `relative` is Fieller's set of those.

    Raises
    ------
    ValueError
        A stratum with fewer than 2 units in a variant: put it together with a stratum that is like it, or leave it
        out of both; values that are not finite.
    TypeError
        Neither mappings nor arrays with `strata`; observations that are not 64-bit numbers; labels that are missing.

    Notes
    -----
    A variant's mean is sum_s (n_s / n) ybar_s, n_s the units of the stratum in both variants, its variance
    sum_s (n_s / n)^2 s_s^2 / m_s, m_s the variant's own units in it [1]_; degrees of freedom by Satterthwaite, from all
    strata of both variants [2]_. The shares n_s / n are taken as given: for a population of which they are a sample
    the variance of the strata's effects, over n, is missing. The same answer as `regression_test` with the strata's
    indicators as covariates, slopes per variant and HC2, but for the degrees of freedom. Gains little where the
    strata differ little; loses where they hold a handful of units each.

    References
    ----------
    .. [1] Miratrix, Sekhon and Yu 2013, JRSS B 75(2), sec. 2.
    .. [2] Satterthwaite 1946, Biometrics Bulletin 2(6), eq. 17.

    Examples
    --------
    >>> import abkit as ab
    >>> control = {"new": [3.0, 5.0, 4.0, 4.0], "old": [9.0, 11.0]}
    >>> treatment = {"new": [5.0, 4.0], "old": [12.0, 10.0, 13.0, 11.0]}
    >>> result = ab.poststratified_test(control, treatment)
    >>> round(result.estimate, 2), round(result.stderr, 2)  # the plain difference of means is 3.17
    (1.0, 0.68)
    """
    need_randomised("poststratified_test", assignment)
    if strata is None:
        moments = _by_stratum(control, treatment)
    else:
        samples = _check.observations("control", control), _check.observations("treatment", treatment)
        for name, sample in zip(("control", "treatment"), samples, strict=True):
            if sample.size < 2:
                raise ValueError(f"`{name}` must have at least 2 units; got {sample.size}.")
        groups = grouped("strata", strata, (samples[0].size, samples[1].size))
        moments = _of_rows(samples, groups, strata)
    return run_test("post-stratified", _effect(*moments), alternative, null)


def _by_stratum(control: object, treatment: object) -> tuple[Moments, Moments]:
    """Moments of the strata, in one order, from two mappings."""
    if not isinstance(control, Mapping) or not isinstance(treatment, Mapping):
        name, value = ("treatment", treatment) if isinstance(control, Mapping) else ("control", control)
        raise TypeError(f"`{name}` must be a mapping of strata, or come with `strata`; got {_check.show(value)}.")
    arms = []
    for name, own, other in (("control", control, treatment), ("treatment", treatment, control)):
        if not own:
            raise ValueError(f"`{name}` must have at least one stratum; got none.")
        for stratum in other:
            if stratum not in own:
                raise _too_few(name, stratum, 0)
        cells = [_moments(name, stratum, own[stratum]) for stratum in control]
        arms.append(Moments(*(np.array([getattr(cell, field) for cell in cells]) for field in ("n", "mean", "m2"))))
    return arms[0], arms[1]


def _moments(name: str, stratum: object, data: object) -> Moments:
    moments = data if isinstance(data, Moments) else Moments.from_sample(data, name)
    if not isinstance(moments.n, int):
        raise ValueError(f"`{name}` must describe one group a stratum; got statistics of many for {stratum!r}.")
    if moments.n < 2:
        raise _too_few(name, stratum, moments.n)
    return moments


def _of_rows(
    samples: tuple[Float64Array, Float64Array], groups: Groups, labels: Sequence[object]
) -> tuple[Moments, Moments]:
    """Moments of the strata from all rows, by two passes."""
    codes = groups.codes[: len(samples[0])], groups.codes[len(samples[0]) :]
    arms = []
    for name, sample, own in zip(("control", "treatment"), samples, codes, strict=True):
        sizes = np.bincount(own, minlength=groups.count)
        if (sizes < 2).any():
            row = int(np.argmax(groups.codes == np.argmin(sizes)))
            raise _too_few(name, np.concatenate([np.asarray(part) for part in labels]).tolist()[row], int(sizes.min()))
        arms.append(_cells(sample, Groups(own, sizes)))
    return arms[0], arms[1]


def _cells(sample: Float64Array, groups: Groups) -> Moments:
    """Moments of each group, from the distances to a value of its own, which are zero where all are the same."""
    some = np.zeros(groups.count)
    some[groups.codes] = sample
    deviations = sample - some[groups.codes]
    mean = groups.sums(deviations) / groups.sizes
    deviations -= mean[groups.codes]
    rounding = groups.sums(deviations)
    m2 = groups.sums(deviations * deviations) - rounding * rounding / groups.sizes
    return Moments(groups.sizes, some + mean, np.maximum(m2, 0.0))


def _too_few(name: str, stratum: object, n: int) -> ValueError:
    return ValueError(
        f"`{name}` must have at least 2 units in every stratum; got {n} in {stratum!r}. Put it together with a "
        "stratum that is like it, or leave it out of both variants."
    )


def _effect(control: Moments, treatment: Moments) -> MeanEffect:
    sizes = np.asarray(control.n) + np.asarray(treatment.n)
    shares = sizes / sizes.sum()
    parts = [shares**2 * np.asarray(arm.variance) / np.asarray(arm.n) for arm in (control, treatment)]
    means = [float(shares @ np.asarray(arm.mean)) for arm in (control, treatment)]
    df = _satterthwaite(np.concatenate(parts), np.concatenate([control.n, treatment.n]))
    return MeanEffect(means[0], means[1], float(parts[0].sum()), float(parts[1].sum()), 0.0, df)


def _satterthwaite(variances: Float64Array, sizes: Float64Array) -> float:
    """Degrees of freedom of a sum of independent variances; infinite where all are zero."""
    largest = float(variances.max())
    if largest == 0:
        return math.inf
    parts = variances / largest
    return float(parts.sum() ** 2 / (parts * parts / (sizes - 1)).sum())
