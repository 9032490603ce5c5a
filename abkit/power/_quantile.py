"""The difference of two quantiles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from scipy.special import ndtri

from abkit import _check
from abkit._check import Float64Array
from abkit.power._means import means_model, unit_of_effects
from abkit.power._question import Common, numbers, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer


def quantile(  # noqa: PLR0913
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    q: float = 0.5,
    density: object = None,
    density_treatment: object = None,
    sample: object = None,
    design_effect: object = 1.0,
    baseline: object = None,
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a test of two quantiles needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third, for a median or a 99th percentile?

    Parameters
    ----------
    n : float or array, optional
        Values of the control (units, or events with a design effect), above 1.
    mde : float, array, or Relative, optional
        The true difference of the quantiles, treatment minus control, in the metric's unit; with `relative` a share of
        the control's quantile.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1.
    q : float
        Which quantile, between 0 and 1.
    density : float or array, optional
        Of the control's values at their quantile, per unit of the metric, above 0. This or `sample`. With a frozen
        SciPy distribution d it is `d.pdf(d.ppf(q))`.
    density_treatment : float or array, optional
        That of the treatment; by default the same, as when the effect shifts values. Where it multiplies them by m,
        the density divided by m.
    sample : array_like, shape (m,), optional
        Values from history, from which the density is estimated, and the baseline too where it is not given.
    design_effect : float or array
        How many times the variance of the share of values up to the quantile exceeds that of independent values, as
        in `quantile_test`; above 0.
    baseline : float or array, optional
        The control's quantile, not 0; needed for relative effects without a `sample`.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, both or neither of `density` and `sample`, or not two of `n`, `mde`, `power`.

    Notes
    -----
    A sample quantile has the asymptotic variance d q (1 - q) / (n f^2), f being the density there and d the design
    effect [1]_. A relative margin counts the baseline's own noise. From a sample the density is the difference quotient
    of the sample quantiles at q -+ h, with the bandwidth h of Hall and Sheather [2]_ for a 95% interval; some hundred
    values beyond the quantile make it right to a few per cent, and the size needed goes with its inverse square.

    The test itself assumes no density, and is as powerful as planned where some 30 independent values lie beyond the
    quantile in each variant; with fewer it rejects less often. Not for values with many ties at the quantile.

    References
    ----------
    .. [1] David and Nagaraja 2003, Order Statistics, 3rd ed., theorem 10.3.
    .. [2] Hall and Sheather 1988, JRSS B 50(3), 381-391.

    Examples
    --------
    >>> import abkit as ab, math
    >>> at_median = 1 / math.sqrt(2 * math.pi)  # of a standard normal unit
    >>> round(ab.power.quantile(mde=0.1, density=at_median, power=0.8).n_control, 1)
    2465.8
    >>> p90 = ab.power.quantile(q=0.9, n=20_000, density=0.02, baseline=150, mde=ab.relative(0.01))
    >>> round(p90.power, 4)
    1.0
    """
    q = _check.within("q", q, 0, 1)
    asked, mde = question(mde, common, quantile)
    if (density is None) == (sample is None):
        raise ValueError("`density` or `sample` must be given, one of them: the density at the quantile, or history.")
    at_quantile: Any = density
    if sample is not None:
        at_quantile, quantile_there = density_at(_check.sample("sample", sample), q)
        baseline = quantile_there if baseline is None else baseline
    control = numbers("density", at_quantile, 0)
    treatment = control if density_treatment is None else numbers("density_treatment", density_treatment, 0)
    spread = np.sqrt(numbers("design_effect", design_effect, 0) * (q * (1 - q)))
    unit = unit_of_effects(baseline, relative=asked.relative)

    model = means_model(asked, "z", spread / control, spread / treatment, unit)
    return answer("quantile", asked, replace(model, assumptions=(_ASSUMED,), fewest=1.0), n=n, mde=mde, power=power)


def density_at(values: Float64Array, q: float) -> tuple[float, float]:
    """The density at a sample's quantile, and that quantile."""
    if values.size < 20:
        raise ValueError(f"`sample` must have at least 20 values; got {values.size}.")
    z = float(ndtri(q))
    normal = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    h = (float(ndtri(0.975)) ** 2 * 1.5 * normal**2 / (2 * z * z + 1) / values.size) ** (1 / 3)
    low, high = max(q - h, 0.5 / values.size), min(q + h, 1 - 0.5 / values.size)
    there = np.quantile(values, [low, q, high], method="median_unbiased")
    if not there[2] > there[0]:
        raise ValueError(f"`sample` must not have one value around its quantile, as {there[1]:g} here: it has ties.")
    return (high - low) / float(there[2] - there[0]), float(there[1])


_ASSUMED = (
    "the asymptotic variance of a quantile, from the density there: some 30 independent values or more beyond the "
    "quantile in each variant, and no heavy ties"
)
