"""Two means: t tests and the z test."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.power._question import Common, Question, numbers, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model

_TESTS = ("welch", "student", "z")


def two_means(
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    sd: object,
    sd_treatment: object = None,
    baseline: object = None,
    test: Literal["welch", "student", "z"] = "welch",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a test of two means needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third?

    Parameters
    ----------
    n : float or array, optional
        Units of the control, at least 2 of each variant for a t test.
    mde : float, array, or Relative, optional
        The true difference, treatment minus control, in the metric's unit; with `relative` a share of the baseline.
        For non-inferiority and equivalence, where it is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    sd : float or array
        Standard deviation of a unit, above 0: of the control, and of the treatment too unless `sd_treatment`.
    sd_treatment : float or array, optional
        That of the treatment.
    baseline : float or array, optional
        The control's mean, not 0; needed for relative effects only.
    test : {"welch", "student", "z"}
        As `welch_test`, `student_test`, `z_test`.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, or not two of `n`, `mde` and `power`.

    Notes
    -----
    The statistic is noncentral t [1]_ with drift (mde - null) / sqrt(s_T^2 / n_T + s_C^2 / n_C), exactly so for
    Student's test of normal values with one variance, n_C + n_T - 2 degrees of freedom; for Welch's test nearly so,
    with the degrees of freedom of Satterthwaite at the true variances, which for equal variances and sizes are the
    same. Two one-sided tests share one estimated standard error (Owen's Q). Against a relative margin the contrast is
    T - C - null |C|, so that the baseline's own noise counts; against no margin a relative effect is just another unit.

    Use `test="z"` where units are many. Welch's own degrees of freedom are estimated and vary: with five units a
    variant it rejects less often than planned, by up to three points. Not for skewed values of few units: simulate the
    test.

    References
    ----------
    .. [1] Cohen 1988, Statistical Power Analysis, sec. 2; Johnson, Kotz and Balakrishnan 1995, vol. 2, ch. 31.

    Examples
    --------
    >>> import abkit as ab
    >>> result = ab.power.two_means(mde=0.5, sd=1.0, alpha=0.05, power=0.8)
    >>> round(result.n_control, 5)
    63.76561
    >>> round(ab.power.two_means(n=100, sd=1.0, power=0.9).mde, 4)
    0.4607
    >>> round(ab.power.two_means(n=5000, baseline=40, sd=60, mde=ab.relative(0.05), ratio=1 / 9).power, 4)
    0.1155
    """
    _check.choice("test", test, _TESTS)
    asked, mde = question(mde, common, two_means)
    control, treatment = deviations(sd, sd_treatment)
    unit = unit_of_effects(baseline, relative=asked.relative)
    return answer("two_means", asked, means_model(asked, test, control, treatment, unit), n=n, mde=mde, power=power)


def means_model(
    asked: Question, test: str, control: Float64Array, treatment: Float64Array, unit: Float64Array
) -> Model:
    """Two means of independent units with these standard deviations; effects are in this unit's size."""
    few = test != "z" and asked.monitor is None

    def at(
        n_c: Float64Array,
        n_t: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        unit: Float64Array,
    ) -> Statistic:
        weight = control_weight(asked, null, unit)
        error_c, error_t = np.abs(weight) * sd_c / np.sqrt(n_c), sd_t / np.sqrt(n_t)
        error = np.hypot(error_c, error_t)
        drift = (mde - null) * np.abs(unit) / error
        if not few:
            return Statistic(drift)
        if test == "student":
            df = n_c + n_t - 2
            pooled = np.hypot(np.sqrt((n_c - 1) / df) * sd_c, np.sqrt((n_t - 1) / df) * sd_t)
            return Statistic(drift, pooled * np.hypot(weight / np.sqrt(n_c), 1 / np.sqrt(n_t)) / error, df)
        return Statistic(drift, 1.0, satterthwaite(error_c / error, n_c - 1, error_t / error, n_t - 1))

    def best_ratio(
        _n: Float64Array,
        _mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        unit: Float64Array,
    ) -> Float64Array:
        return least_variance(control_weight(asked, null, unit) * sd_c, sd_t)

    return Model(at, (control, treatment, unit), best_ratio, _ASSUMED[test if few else "z"], fewest=2.0 * few)


def deviations(sd: object, sd_treatment: object) -> tuple[Float64Array, Float64Array]:
    """Standard deviations of a unit of the control and of the treatment, which is the same unless it is given."""
    control = numbers("sd", sd, 0)
    return control, control if sd_treatment is None else numbers("sd_treatment", sd_treatment, 0)


def unit_of_effects(baseline: object, *, relative: bool) -> Float64Array:
    """The control's value where effects are shares of its size, else 1."""
    if not relative:
        return np.asarray(1.0)
    if baseline is None:
        raise ValueError("`baseline` must be given where effects are relative: the control's mean.")
    unit = numbers("baseline", baseline)
    if not np.all(unit != 0):
        raise ValueError("`baseline` must not be 0 where effects are relative; got 0.")
    return unit


def least_variance(control: Float64Array, treatment: Float64Array) -> Float64Array:
    """Units of the treatment for one of the control, from the standard deviations of their parts of the contrast."""
    if not np.all(control):
        raise ValueError(
            "`ratio` must be a number against a margin of -1, where the control does not count; got 'best'."
        )
    return treatment / np.abs(control)


def satterthwaite(share_c: Float64Array, df_c: Float64Array, share_t: Float64Array, df_t: Float64Array) -> Float64Array:
    """Degrees of freedom of a sum of two variances, from the shares that their roots are of the root of the sum."""
    return np.asarray(1 / (share_c**4 / df_c + share_t**4 / df_t))


def control_weight(asked: Question, null: Float64Array, unit: Float64Array) -> Float64Array | float:
    """The control's weight in the contrast that a relative null tests: T - C - null |C|."""
    return 1 + np.sign(unit) * null if asked.relative else 1.0


_ASSUMED = {
    "welch": ("Welch's t test of independent units; the statistic is noncentral t",),
    "student": ("Student's t test of independent normal units with one variance",),
    "z": ("a z test of independent units; the standard errors are known, or the units many",),
}
