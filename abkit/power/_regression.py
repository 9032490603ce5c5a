"""Two means with what covariates explain taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Unpack

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.power._means import control_weight, deviations, least_variance, satterthwaite, unit_of_effects
from abkit.power._question import Common, Question, numbers, question, shown
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model


def regression(  # noqa: PLR0913
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    sd: object,
    r2: object = None,
    correlation: object = None,
    covariates: int = 1,
    sd_treatment: object = None,
    baseline: object = None,
    test: Literal["t", "z"] = "t",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a covariate-adjusted test of two means needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third, where pre-period covariates (CUPED)
    explain a part of the noise?

    Parameters
    ----------
    n : float or array, optional
        Units of the control; for the t test at least 3 more than covariates, of either variant.
    mde : float, array, or Relative, optional
        The true difference, treatment minus control, in the metric's unit; with `relative` a share of the baseline.
        For non-inferiority and equivalence, where it is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    sd : float or array
        Standard deviation of a unit before adjustment, above 0: of the control, and of the treatment too unless
        `sd_treatment`.
    r2 : float or array
        Share of the variance within a variant that the covariates explain, at least 0 and below 1.
    correlation : float or array
        Instead of `r2`, for one covariate: its correlation with the metric, between -1 and 1.
    covariates : int
        How many covariates there are, at least 1.
    sd_treatment : float or array, optional
        That of the treatment.
    baseline : float or array, optional
        The control's mean, not 0; needed for relative effects only.
    test : {"t", "z"}
        "t": as metrics with `covariates` are tested, with the cost of estimating slopes. "z": for many units.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, not two of `n`, `mde` and `power`, or not one of `r2` and `correlation`.

    Notes
    -----
    With slopes within each variant (Lin [1]_), equal standard deviations and no margin the estimate has variance

        sd^2 (1 - r2) (1/n_C + 1/n_T) (1 + q_T^2 k / (n_C - k - 2) + q_C^2 k / (n_T - k - 2)),

    q_C and q_T the variants' shares of units. The last factor is the error of k slopes, on average over normal
    covariates [2]_; what the estimated variance has in excess of the true one, as the slopes of the variants differ by
    chance, is counted to first order. Degrees of freedom by Satterthwaite from n - k - 1 of each variant. With one
    covariate and many units this is CUPED: (1 - r^2) times the units. Against a relative margin the contrast is
    T - C - null |C| of the adjusted values, whose pooled covariate mean is random too.

    Not for covariates that the treatment changes. With skewed covariates of few units, simulate.

    References
    ----------
    .. [1] Lin 2013, Annals of Applied Statistics 7(1), sec. 4.
    .. [2] Shieh 2020, Psychometrika 85(1), "Power analysis and sample size planning in ANCOVA designs".

    Examples
    --------
    >>> import abkit as ab
    >>> round(ab.power.regression(mde=0.1, sd=1.0, correlation=0.7, power=0.8).n_control, 2)
    802.4
    >>> round(ab.power.two_means(mde=0.1, sd=1.0, power=0.8).n_control, 2)
    1570.73
    """
    _check.choice("test", test, ("t", "z"))
    asked, mde = question(mde, common, regression)
    k = _check.count("covariates", covariates, 1)
    control, treatment = deviations(sd, sd_treatment)
    explained = _explained(r2, correlation, k)
    unit = unit_of_effects(baseline, relative=asked.relative)
    few = test == "t" and asked.monitor is None
    many = f"{k} covariate{'s' if k > 1 else ''} explain{'s' if k == 1 else ''} {shown(explained)} of the variance"
    assumed = "t, adjusted with slopes within each variant" if few else "adjusted; normal, so many units"
    at, best_ratio = _adjusted(asked, k, few=few)
    model = Model(at, (control, treatment, explained, unit), best_ratio, (assumed, many), fewest=(k + 3.0) * few)
    return answer("regression", asked, model, n=n, mde=mde, power=power)


def _adjusted(asked: Question, k: int, *, few: bool) -> tuple[Callable[..., Statistic], Callable[..., Float64Array]]:
    """The statistic after the adjustment for k covariates, and the best ratio of units."""

    def at(  # noqa: PLR0913, PLR0917
        n_c: Float64Array,
        n_t: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        explained: Float64Array,
        unit: Float64Array,
    ) -> Statistic:
        weight = control_weight(asked, null, unit)
        share_c, share_t = n_c / (n_c + n_t), n_t / (n_c + n_t)
        # in units of the treatment's standard deviation, so that squares neither overflow nor vanish
        ratio, drift = sd_c / sd_t, (mde - null) * (np.abs(unit) / sd_t)
        slope, reach = share_c + share_t * ratio, share_c + weight * share_t
        rest = 1 - explained
        noise_c = (weight**2 * ratio**2 * rest + explained * (weight * ratio - slope * reach) ** 2) / n_c
        noise_t = (rest + explained * (1 - slope * reach) ** 2) / n_t
        if not few:
            return Statistic(drift / np.sqrt(noise_c + noise_t))
        distance = reach**2 * rest * (1 / n_c + 1 / n_t) * k
        noise_c += share_t**2 * distance * ratio**2 / (n_c - k - 2)
        noise_t += share_c**2 * distance / (n_t - k - 2)
        error = np.sqrt(noise_c + noise_t)
        apart = reach**2 * rest * k * (ratio**2 / n_c + 1 / n_t)
        excess = apart * (share_c**2 / (n_c - k - 1) + share_t**2 / (n_t - k - 1))
        df = satterthwaite(np.sqrt(noise_c) / error, n_c - k - 1, np.sqrt(noise_t) / error, n_t - k - 1)
        return Statistic(drift / error, np.sqrt(1 + excess / error**2), df)

    def best_ratio(
        _: Float64Array,
        __: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        *rest: Float64Array,
    ) -> Float64Array:
        return least_variance(control_weight(asked, null, rest[-1]) * sd_c, sd_t)

    return at, best_ratio


def _explained(r2: object, correlation: object, covariates: int) -> Float64Array:
    if (r2 is None) == (correlation is None):
        raise ValueError("`r2` must be given, or for one covariate `correlation`, and not both.")
    if r2 is not None:
        return numbers("r2", r2, 0, 1, open_low=False)
    if covariates != 1:
        raise ValueError(f"`correlation` must be of one covariate; got {covariates}: give `r2`.")
    return numbers("correlation", correlation, -1, 1) ** 2
