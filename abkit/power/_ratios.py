"""Two ratios of means, by the delta method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import numpy as np

from abkit._check import Float64Array
from abkit.power._means import control_weight, least_variance, satterthwaite, unit_of_effects
from abkit.power._question import Common, Question, numbers, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model


def two_ratios(  # noqa: PLR0913
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    baseline: object,
    mean_denominator: object,
    sd_numerator: object,
    sd_denominator: object,
    correlation: object,
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a test of two ratios of means needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power of `ratio_test`, such as of clicks per view, what is the
    third?

    Parameters
    ----------
    n : float or array, optional
        Randomised units of the control, at least 2.
    mde : float, array, or Relative, optional
        The true difference of the ratios, treatment minus control, or with `relative` a share of the baseline.
        For non-inferiority and equivalence, where it is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    baseline : float or array
        The control's ratio: the mean of the numerator over the mean of the denominator.
    mean_denominator : float or array
        Mean of the denominator of a unit, not 0.
    sd_numerator, sd_denominator : float or array
        Standard deviations of a unit's numerator, above 0, and of its denominator, 0 or more: in both variants.
    correlation : float or array
        Of a unit's numerator and denominator, above -1 and below 1: in both variants.
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
    A unit's linearised value y - R d has the variance [1]_

        (s_y^2 + R^2 s_d^2 - 2 R rho s_y s_d) / mean(d)^2,

    with R the variant's own ratio. The test is then Welch's, of two means with these variances: see `two_means`. The
    treatment moves the mean of the numerator only; one that moves both, or scales the numerator and its spread, has
    another variance. With an effect ever larger the power is bounded where the denominator varies, because R d does.

    Not for fewer than ten units in a variant, or a denominator whose mean is within a few standard errors of zero.

    References
    ----------
    .. [1] Deng, Knoblich and Lu 2018, KDD, eq. 3 and 4.

    Examples
    --------
    >>> import abkit as ab
    >>> views = {"mean_denominator": 20, "sd_denominator": 15, "sd_numerator": 2.5, "correlation": 0.7}
    >>> result = ab.power.two_ratios(baseline=0.10, mde=ab.relative(0.02), power=0.8, **views)
    >>> round(result.n_control)
    31818
    """
    asked, mde = question(mde, common, two_ratios)
    rate, mean = numbers("baseline", baseline), numbers("mean_denominator", mean_denominator)
    if not np.all(mean != 0):
        raise ValueError("`mean_denominator` must not be 0; got 0.")
    spread_y, spread_d = (
        numbers("sd_numerator", sd_numerator, 0),
        numbers("sd_denominator", sd_denominator, 0, open_low=False),
    )
    alike = numbers("correlation", correlation, -1, 1)
    unit = unit_of_effects(baseline, relative=asked.relative)

    def spread(value: Float64Array, mean: Float64Array, *spreads: Float64Array) -> Float64Array:
        sd_y, sd_d, alike = spreads
        # s_y^2 (1 - rho^2) + (R s_d - rho s_y)^2, of which neither is negative
        return np.asarray(
            np.hypot(sd_y * np.sqrt((1 - alike) * (1 + alike)), value * sd_d - alike * sd_y) / np.abs(mean)
        )

    def sds(mde: Float64Array, rate: Float64Array, unit: Float64Array, *rest: Float64Array) -> tuple[Float64Array, ...]:
        return spread(rate, *rest), spread(rate + mde * np.abs(unit), *rest)

    return answer(
        "two_ratios",
        asked,
        linear_model(asked, sds, (rate, unit, mean, spread_y, spread_d, alike), _ASSUMED),
        n=n,
        mde=mde,
        power=power,
    )


def linear_model(
    asked: Question, sds: Callable[..., tuple[Float64Array, ...]], parameters: tuple[Float64Array, ...], assumed: str
) -> Model:
    """Welch's test of two means whose standard deviations are `sds(mde, value, unit of effects, ...)`."""

    def at(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array
    ) -> Statistic:
        sd_c, sd_t = sds(mde, *rest)
        weight = control_weight(asked, null, rest[1])
        error_c, error_t = np.abs(weight) * sd_c / np.sqrt(n_c), sd_t / np.sqrt(n_t)
        error = np.hypot(error_c, error_t)
        drift = (mde - null) * np.abs(rest[1]) / error
        if asked.monitor is not None:
            return Statistic(drift)
        return Statistic(drift, 1.0, satterthwaite(error_c / error, n_c - 1, error_t / error, n_t - 1))

    def best_ratio(_: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array) -> Float64Array:
        sd_c, sd_t = sds(mde, *rest)
        return least_variance(control_weight(asked, null, rest[1]) * sd_c, sd_t)

    return Model(at, parameters, best_ratio, (assumed,), fewest=0.0 if asked.monitor is not None else 2.0)


_ASSUMED = (
    "ratio_test of independent units by the delta method; the statistic is noncentral t, and the treatment moves the "
    "mean of the numerator only"
)
