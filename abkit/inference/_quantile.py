"""The difference of two quantiles, of units or of events that are clustered by unit."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, run_test
from abkit.inference._labels import groups_of
from abkit.inference._quantile_effect import Confidence, QuantileEffect, of_histogram, of_sample
from abkit.inference._randomised import need_randomised
from abkit.suffstats import Histogram
from abkit.types import Alternative, Assignment, Null

#: So many independent values beyond the quantile let a 95% interval end on both sides.
ENOUGH = 5
#: With fewer than these the design effect is itself so uncertain that the test rejects too often.
ENOUGH_CLUSTERED = 10


def quantile_test(  # noqa: PLR0913 - the choices of a quantile
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    q: float = 0.5,
    clusters: tuple[object, object] | None = None,
    design_effects: tuple[float, float] | None = None,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two quantiles, such as medians or 99th percentiles.

    Answers: does the value below which a share q of the units (or events) lies differ, and by how much?

    Parameters
    ----------
    control, treatment : Histogram or array_like, shape (n,)
        One value per unit, or per event with `clusters`, in the metric's own unit. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's quantile exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the metric's unit, or as a share of the control's quantile.
    q : float
        Which quantile, between 0 and 1; 0.5 is the median.
    clusters : pair of array_like, shapes (n_control,) and (n_treatment,), optional
        For each event the randomised unit that it belongs to, where samples of events are given.
    design_effects : pair of float, optional
        For each variant, how many times the variance of the share of values up to the quantile exceeds that of
        independent values. With histograms of events it stands for `clusters`, which a histogram does not know.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        An end of a set is infinite where the data have too few values beyond the quantile to bound it. `stderr`, for
        display, is half the width of the central 68% interval.

    Raises
    ------
    ValueError
        Fewer than 2 values in a variant, values that are not finite, q outside (0, 1), clusters that do not fit the
        values or are fewer than 2, or a design effect of 0 or less.

    Warns
    -----
    AccuracyWarning
        Where q n or (1 - q) n is below 5: the interval may have no end. With clusters, where it is below 10 after
        division by the design effect: the test may reject too often.

    Notes
    -----
    Whatever the distribution, the q-quantile lies between order statistics r and r + 1 with the probability that
    r of n units are below it, Bin(n, q) [1]_; it is spread evenly between the two. The difference has the convolution
    of both variants' distributions, and the one-sided p-value is its probability at most (or at least) the null,
    computed exactly and without resampling [2]_. Nothing is assumed of the density. Tied values hold all the
    confidence of their ranks and count for both sides, so heavy ties make the test conservative, never too sure.
    Confidence beyond the smallest and the largest value counts for both sides too.

    Events of one unit are not independent: n / d takes the place of n, with the design effect d the cluster-robust
    variance of the share of events up to the quantile, over that of independent events [3]_ [4]_.

    The estimate is the median-unbiased quantile, linear between order statistics at rank q (n + 1/3) + 1/3 [5]_.
    A histogram of accuracy a moves every end by at most a times the sizes of the two quantiles.

    References
    ----------
    .. [1] David and Nagaraja 2003, Order Statistics, 3rd ed., sec. 7.1.
    .. [2] Schultzberg and Ankargren 2022, arXiv:2202.10992, sec. 3.
    .. [3] Woodruff 1952, JASA 47(260), 635-646.
    .. [4] Deng, Knoblich and Lu 2018, KDD, sec. 4.
    .. [5] Hyndman and Fan 1996, The American Statistician 50(4), definition 8.

    Examples
    --------
    >>> from abkit import quantile_test
    >>> control, treatment = range(100, 300, 2), range(120, 360, 2)
    >>> result = quantile_test(control, treatment, q=0.9)
    >>> round(result.estimate, 1), round(result.pvalue, 5)
    (56.0, 5e-05)
    """
    need_randomised("quantile_test", assignment)
    q = _check.within("q", q, 0, 1)
    if clusters is not None and design_effects is not None:
        raise ValueError("`clusters` must not be given together with `design_effects`.")
    units, effects = _pair("clusters", clusters), _pair("design_effects", design_effects)
    c = _variant("control", control, q, units[0], effects[0])
    t = _variant("treatment", treatment, q, units[1], effects[1])
    return run_test("quantile", QuantileEffect(c[0], t[0]), alternative, null, quantile_caution(q, (c[1:], t[1:])))


def quantile_caution(q: float, variants: Iterable[tuple[int, float]]) -> str | None:
    """A caution where few values, as many as they are worth after their design effect, lie beyond a quantile."""
    for n, deff in variants:
        beyond, enough = n * min(q, 1 - q) / deff, ENOUGH if deff == 1 else ENOUGH_CLUSTERED
        if beyond < enough:
            trouble = "an interval may have no end" if deff == 1 else "the test may reject too often"
            return (
                f"`q` = {q:g} leaves only {beyond:.1f} independent values beyond the quantile in a variant, fewer than "
                f"{enough}: {trouble}. Choose a less extreme quantile, or collect more units."
            )
    return None


def _pair(name: str, value: object) -> tuple[object, object]:
    if value is None:
        return None, None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"`{name}` must be a pair, of control and of treatment; got {_check.show(value)}.")
    return value[0], value[1]


def _variant(name: str, data: object, q: float, clusters: object, effect: object) -> tuple[Confidence, int, float]:
    """The confidence distribution of one variant's quantile, the number of values and their design effect."""
    deff = 1.0 if effect is None else _check.within("design_effects", effect, 0, float("inf"))
    if isinstance(data, Histogram):
        if clusters is not None:
            raise ValueError(
                f"`clusters` must be given with events, and `{name}` is a histogram: use `design_effects`."
            )
        return of_histogram(name, data, q, deff), data.n, deff
    sample = _check.sample(name, data)
    if clusters is not None:
        deff = _design_effect(name, sample, q, clusters)
    return of_sample(name, sample, q, deff), sample.size, deff


def _design_effect(name: str, sample: Float64Array, q: float, clusters: object) -> float:
    """Variance of the share of events up to the quantile, linearised as a ratio of sums per unit, over that of n."""
    units, n = groups_of("clusters", clusters, sample.size), sample.size
    if units.count < 2:
        raise ValueError(f"`clusters` must be at least 2 units in `{name}`; got {units.count}.")
    threshold = np.partition(sample, math.ceil(n * q) - 1)[math.ceil(n * q) - 1]
    effects = []
    for within in (sample <= threshold, sample < threshold):
        share = float(within.mean())
        if 0 < share < 1:
            excess = units.sums(within) - share * units.sizes
            variance = units.count / (units.count - 1) * float(excess @ excess) / n**2
            effects.append(variance / (share * (1 - share) / (n - 1)))
    # where every value is the same, they may all be one observation a unit
    return max(effects) if effects else float(units.sizes @ units.sizes) / n
