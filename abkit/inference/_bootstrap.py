"""Bootstrap tests of the difference of a statistic of two variants."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, run_test
from abkit.inference._bootstrap_draws import METHODS, Draws, Method, Plan, Statistic, draws_of
from abkit.inference._bootstrap_effect import NO_SPREAD, Bend, BootstrapEffect
from abkit.inference._caution import mean_caution
from abkit.inference._labels import grouped, pair
from abkit.inference._poisson_bootstrap import PoissonBootstrap
from abkit.inference._randomised import need_randomised
from abkit.inference._resample import IntArray, generator
from abkit.inference._thresholds import Thresholds
from abkit.types import Alternative, Assignment, Null

#: Below, the resamples' spread is short of the estimate's by the n - 1 in n of a variance, and t is not normal.
FEWEST = 50
INSTEAD = "use permutation_test for whether there is an effect, or cap the metric"


def bootstrap_test(  # noqa: PLR0913
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    statistic: Statistic = "mean",
    method: Method = "percentile",
    resamples: int = 2_000,
    clusters: tuple[object, object] | None = None,
    rng: np.random.Generator,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of a statistic of two variants by drawing their units anew.

    Answers: is the treatment's mean, ratio or any other statistic different from the control's, and by how much?

    Parameters
    ----------
    control, treatment : array_like, shape (n,), or (n, 2) for a ratio, or PoissonBootstrap
        One value per randomised unit, or a numerator and a denominator. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's statistic exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, or a share of the size of the control's statistic.
    statistic : {"mean", "ratio"} or callable
        A callable takes `(values, axis=-1)` and reduces that axis, as `np.median` does.
    method : {"percentile", "basic", "bca", "studentised", "little"}
        How the draws become an interval. "little" is the bag of little bootstraps, an approximation for many units.
    resamples : int
        At least 100. One tail below 1 / (resamples + 1) is beyond them: there p stops and the interval is unbounded.
    clusters : pair of array_like, optional
        For each row of control and treatment the cluster it belongs to. Whole clusters are drawn.
    rng : numpy.random.Generator
        Where the draws come from. The same state gives the same answer on any number of processors.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `stderr` is the standard deviation of the draws.

    Raises
    ------
    ValueError
        Fewer than two units or clusters, denominators below zero or all zero, or a method that a statistic has not.
    TypeError
        Observations that are not 64-bit numbers, or `rng` is no Generator.

    Notes
    -----
    With sorted draws D* of the estimate D, a null has the one-sided p-value (1 + draws on its other side) /
    (1 + resamples), and the interval holds the nulls that are not rejected. Percentile: draws D*; basic:
    2 D - D*; studentised: D - se (D* - D) / se*; BCa moves the tails of the percentile interval [1]_ [2]_.
    Every resample is drawn: of n units, n with replacement. For means and ratios only counts are drawn where that
    is cheaper, from the same distribution. The relative set, from the shares (T* - C*)/|C*|, agrees at zero with the
    absolute one; "percentile" and "little" have it. No method is right with 20 units of a heavy tail: use a
    permutation or rank test for whether, and more units for how much.

    References
    ----------
    .. [1] Efron 1987, JASA 82(397), eq. 2.3 and 6.6.
    .. [2] Davison and Hinkley 1997, Bootstrap Methods and their Application, eq. 5.6, 5.7, 5.18, 5.21.
    .. [3] Kleiner, Talwalkar, Sarkar and Jordan 2014, JRSS B 76(4), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import bootstrap_test
    >>> control, treatment = [52, 104, 146, 10, 51, 30, 40, 27, 46], [94, 197, 16, 38, 99, 141, 23]
    >>> result = bootstrap_test(control, treatment, rng=np.random.default_rng(1))
    >>> round(result.estimate, 2), round(result.stderr), result.pvalue > 0.1
    (30.63, 27, True)
    """
    need_randomised("bootstrap_test", assignment)
    _check.choice("method", method, METHODS)
    plan = Plan(statistic, method, _check.count("resamples", resamples, 100), generator(rng))
    labels = (None, None) if clusters is None else _of_one_variant(clusters)
    c, t = draws_of("control", control, labels[0], plan), draws_of("treatment", treatment, labels[1], plan)
    if len(c.draws) != len(t.draws):
        raise ValueError(
            f"`treatment` must have the control's number of resamples; got {len(t.draws)} and {len(c.draws)}."
        )
    streamed = isinstance(control, PoissonBootstrap) or isinstance(treatment, PoissonBootstrap)
    plain = statistic == "mean" and clusters is None and not streamed
    caution = (mean_caution(control, treatment, INSTEAD) or _few(control, treatment, method)) if plain else None
    return run_test(f"bootstrap, {method}", _effect(c, t, method), alternative, null, caution)


def _few(control: object, treatment: object, method: Method) -> str | None:
    smallest = min(np.size(sample) for sample in (control, treatment))  # type: ignore[arg-type]
    if method in ("studentised", "little") or smallest >= FEWEST:
        return None
    return f"a variant has {smallest} units only, and {method} intervals are then too short; use method 'studentised'"


def _of_one_variant(clusters: tuple[object, object]) -> tuple[IntArray, IntArray]:
    """Numbers of the clusters of both variants' rows."""
    labels = [part if isinstance(part, np.ma.MaskedArray) else np.asarray(part) for part in pair("clusters", clusters)]
    c, t = np.split(grouped("clusters", labels, (labels[0].size, labels[1].size)).codes, [labels[0].size])
    both = np.intersect1d(c, t)
    if both.size:
        raise ValueError(
            f"`clusters` must each be in one variant; got {_check.show(labels[0][c == both[0]].tolist()[0])} in both."
        )
    return c, t


def _effect(c: Draws, t: Draws, method: Method) -> BootstrapEffect:
    drawn, size = t.draws - c.draws, np.abs(c.draws)
    rounding = c.rounding + t.rounding
    thresholds = Thresholds.of(_thresholds(c, t, method), rounding)
    bend = _bend(c, t, thresholds) if method == "bca" else Bend()
    spread = np.cov(drawn, size)
    undefined = NO_SPREAD
    if np.ptp(drawn) <= 2 * rounding:
        spread = np.zeros((2, 2))
    elif math.isinf(bend.bias):
        undefined = "BCa's bias correction is infinite: every resample lies on one side of the estimate"
    return BootstrapEffect(
        c.value,
        t.value,
        (float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])),
        thresholds,
        bend,
        _shares(c, t, method),
        f"method {method!r} has no relative form; use 'percentile'",
        undefined,
    )


def _thresholds(c: Draws, t: Draws, method: Method) -> Float64Array:
    estimate, drawn = t.value - c.value, t.draws - c.draws
    if method == "basic":
        return 2 * estimate - drawn
    if method != "studentised":
        return drawn
    error, errors = math.sqrt(c.variance + t.variance), np.sqrt(c.variances + t.variances)
    gap = np.where(np.abs(drawn - estimate) > c.rounding + t.rounding, drawn - estimate, 0.0)
    far = np.where(gap == 0, 0.0, np.copysign(math.inf, gap))
    return np.asarray(estimate - np.divide(gap * error, errors, out=far, where=errors > 0))


def _shares(c: Draws, t: Draws, method: Method) -> Thresholds | None:
    """The thresholds of the relative effect: at zero they lie on the same side as those of the difference."""
    if method not in ("percentile", "little"):
        return None
    drawn, size = t.draws - c.draws, np.abs(c.draws)
    drawn[np.abs(drawn) <= c.rounding + t.rounding] = 0.0
    size[size <= c.rounding] = 0.0
    anywhere = (drawn == 0) & (size == 0)  # on both sides of every share
    shares = np.divide(drawn, size, out=np.copysign(math.inf, drawn), where=size > 0)
    return Thresholds.of(shares[~anywhere], 0.0, 1 + int(anywhere.sum()))


def _bend(c: Draws, t: Draws, thresholds: Thresholds) -> Bend:
    estimate, draws = t.value - c.value, len(c.draws)
    below = int(np.searchsorted(thresholds.highs, estimate, "left"))
    up_to = int(np.searchsorted(thresholds.lows, estimate, "right"))
    influence = np.concatenate([-c.influence, t.influence])
    scaled = influence / max(float(np.abs(influence).max()), np.finfo(float).tiny)
    cubes, squares = float((scaled**3).sum()), float((scaled**2).sum())
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    return Bend(float(ndtri((below + up_to) / (2 * draws))), acceleration)
