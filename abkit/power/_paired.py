"""The mean difference of pairs."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.power._means import control_weight, unit_of_effects
from abkit.power._question import Common, numbers, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model


def paired(  # noqa: PLR0913
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    sd: object,
    correlation: object = None,
    sd_treatment: object = None,
    baseline: object = None,
    test: Literal["t", "z"] = "t",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many pairs a paired test needs, how small a difference it finds, or with what power.

    Answers: with two of the number of pairs, the effect and the power, what is the third, where each unit is seen under
    both variants, or each treated unit has a twin? Also for one sample: its units, and its mean's distance from the
    null.

    Parameters
    ----------
    n : float or array, optional
        Pairs, at least 2 for the t test; each is a unit of the control and one of the treatment.
    mde : float, array, or Relative, optional
        The true mean difference, treatment minus control, in the metric's unit; with `relative` a share of the
        baseline. For non-inferiority and equivalence, where it is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    sd : float or array
        Standard deviation of the differences, above 0. With `correlation`: of the values under control.
    correlation : float or array, optional
        Of a pair's two values, between -1 and 1. Needed against relative margins.
    sd_treatment : float or array, optional
        With `correlation`: of the values under treatment, by default as under control.
    baseline : float or array, optional
        The control's mean, not 0; needed for relative effects only.
    test : {"t", "z"}
        As `paired_test`, or with a known standard deviation.
    relative, alpha, alternative, hypothesis, margin, monitor, looks
        See `power.Common`. The ratio is 1.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, not two of `n`, `mde` and `power`, or a ratio other than 1.

    Notes
    -----
    For normal differences the statistic is noncentral t [1]_ with n - 1 degrees of freedom and drift
    (mde - null) sqrt(n) / sd_d, where sd_d^2 = s_C^2 + s_T^2 - 2 r s_C s_T. Against a relative margin the contrast is
    T - C - null |C|, as in `paired_test`. Not for skewed differences of few pairs: simulate the test itself.

    References
    ----------
    .. [1] Cohen 1988, Statistical Power Analysis, sec. 2.3.5.

    Examples
    --------
    >>> import abkit as ab
    >>> round(ab.power.paired(mde=0.5, sd=1.0, power=0.8).n_control, 4)
    33.3671
    >>> round(ab.power.paired(mde=0.5, sd=1.0, correlation=0.8, power=0.8).n_control, 4)  # sd of a value
    14.5948
    """
    _check.choice("test", test, ("t", "z"))
    asked, mde = question(mde, common, paired)
    if asked.ratio is None or np.any(asked.ratio != 1):
        raise ValueError("`ratio` must be left out for pairs: each has one unit of either variant.")
    unit = unit_of_effects(baseline, relative=asked.relative)
    of_values = correlation is not None
    control = numbers("sd", sd, 0)
    if of_values:
        treatment = control if sd_treatment is None else numbers("sd_treatment", sd_treatment, 0)
        alike = numbers("correlation", correlation, -1, 1)
    elif sd_treatment is not None or (asked.relative and np.any(asked.margin)):
        what = "`sd_treatment`" if sd_treatment is not None else "a relative margin"
        raise ValueError(f"`correlation` must be given with {what}: the standard deviations are then those of values.")
    else:
        treatment, alike = control, np.asarray(0.5)  # with which the differences have the values' own

    few = test == "t" and asked.monitor is None

    def at(
        n_c: Float64Array,
        _: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        alike: Float64Array,
        unit: Float64Array,
    ) -> Statistic:
        weighed = control_weight(asked, null, unit) * sd_c
        # the signs of the two are the same, but for a loss of more than the baseline
        spread = np.sqrt((sd_t - weighed) ** 2 + 2 * (1 - alike) * weighed * sd_t)
        drift = (mde - null) * np.abs(unit) * np.sqrt(n_c) / spread
        return Statistic(drift, 1.0, n_c - 1) if few else Statistic(drift)

    def best_ratio(n: Float64Array, *_: Float64Array) -> Float64Array:
        return np.ones_like(n)

    assumed = "a paired t test of normal differences" if few else "a paired z test: the standard deviation is known"
    model = Model(at, (control, treatment, alike, unit), best_ratio, (assumed,), fewest=2.0 * few)
    return answer("paired", asked, model, n=n, mde=mde, power=power)
