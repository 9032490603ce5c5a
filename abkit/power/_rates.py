"""Two rates of events: Poisson tests, and tests of counts that vary more."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, Unpack, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.power._allocation import fewest_units
from abkit.power._means import control_weight
from abkit.power._question import Common, Question, numbers, question
from abkit.power._rate_tables import added_up
from abkit.power._ratios import linear_model
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model

Test = Literal["exact", "score", "quasi", "negative-binomial"]


def two_rates(
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    baseline: object,
    exposure: object = 1.0,
    dispersion: object = 0.0,
    test: Test | None = None,
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a test of two rates of events needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power of `rate_test`, what is the third?

    Parameters
    ----------
    n : float or array, optional
        Units of the control.
    mde : float, array, or Relative, optional
        The true difference of the rates, treatment minus control, or with `relative` a share of the baseline. The
        treatment's rate must be above 0. For non-inferiority and equivalence, where it is left out together with
        another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    baseline : float or array
        The control's events for one unit of exposure, above 0.
    exposure : float or array
        Of each unit, above 0.
    dispersion : float or array
        a in the variance m + a m^2 of a unit's events, m their mean; 0 is Poisson.
    test : {"exact", "score", "quasi", "negative-binomial"}, optional
        The method of `rate_test`: by default "exact", its own default, or with a dispersion "negative-binomial". The
        first two are for Poisson events only.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`. The margins of "exact" and "negative-binomial" are relative, as their nulls are.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, not two of `n`, `mde` and `power`, a Poisson test of counts with a dispersion,
        or an absolute margin for a test of the rate ratio.

    Notes
    -----
    exact: given all events the treatment's are binomial; the chance that this test rejects is added up over the Poisson
    number of all events [1]_ (of more than 100,000, over a sample of these numbers that is spread evenly). score:
    Phi((mde - null - z sqrt(v_0)) / sqrt(v_1)), v_0 the variance at the rates of highest likelihood under the null
    [2]_. negative-binomial: Wald's test of the log rate ratio, with the variance (1 / m_c + a) / n_c +
    (1 / m_t + a) / n_t at the true means, method 2 of [3]_. quasi: Welch's t test of rates with the variance
    (m + a m^2) / exposure^2. With a monitor the looks of an "exact" test are planned as those of the score test.

    Near a rate of 0 the Wald test loses its power again, as the log rate's error grows: an `mde` that is solved for
    "negative-binomial" is no reduction by more than 86%.

    Events of users hardly ever have a dispersion of 0, and a plan that takes it for 0 is too small. Where only the
    standard deviation of a user's events is known, use `two_means`.

    References
    ----------
    .. [1] Przyborowski and Wilenski 1940, Biometrika 31(3-4).
    .. [2] Gu, Ng, Tang and Schucany 2008, Biometrical Journal 50(2), sec. 3.
    .. [3] Zhu and Lakkis 2014, Statistics in Medicine 33(3), sec. 2.

    Examples
    --------
    >>> import abkit as ab
    >>> round(ab.power.two_rates(baseline=0.02, mde=ab.relative(0.10), power=0.8).n_control)
    83363
    >>> shared = {"baseline": 0.8, "mde": ab.relative(-0.15), "exposure": 0.75, "power": 0.9}
    >>> round(ab.power.two_rates(dispersion=0.7, **shared).n_control)
    2000
    """
    asked, mde = question(mde, common, two_rates)
    rate, over = (
        numbers(name, numbers(name, value, 0), 1e-100, 1e100)
        for name, value in (("baseline", baseline), ("exposure", exposure))
    )
    mde = mde if mde is None else numbers("mde", mde, -1e100, 1e100)
    spread = numbers("dispersion", dispersion, 0, open_low=False)
    test = ("negative-binomial" if np.any(spread) else "exact") if test is None else test
    _check.choice("test", test, get_args(Test))
    _agree(asked, test, spread)
    unit = rate if asked.relative else np.ones(())
    model = _MODELS[test](asked, (rate, unit, over, spread, asked.tail))
    if test == "negative-binomial" and mde is None and not asked.between:
        model = replace(model, lowest=_LOWEST * model.lowest)
    found = answer("two_rates", asked, model, n=n, mde=mde, power=power)
    return added_up(asked, model, found) if test == "exact" and asked.monitor is None else found


def _agree(asked: Question, test: str, spread: Float64Array) -> None:
    if test in ("exact", "score") and np.any(spread):
        raise ValueError(f"`test` must be 'negative-binomial' or 'quasi' for counts with a dispersion; got {test!r}.")
    if test in ("exact", "negative-binomial") and not asked.relative and np.any(asked.margin):
        raise ValueError(f"`margin` must be a share of the baseline, relative(...), for the test {test!r}.")
    below = asked.relative and (asked.between or np.any(asked.null < 0))
    if below and not np.all(asked.margin < 1):
        raise ValueError(f"`margin` must be below 1, as a share of the baseline; got {asked.margin.max():g}.")


def _poisson(asked: Question, parameters: tuple[Float64Array, ...]) -> Model:
    """The score test: of a difference, or where relative of a ratio."""

    def errors(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        rate, unit, over, *_ = rest
        of_c, of_t, moved = n_c * over, n_t * over, rate + mde * unit
        weight = control_weight(asked, null, unit)
        true = moved / of_t + weight * weight * rate / of_c
        restricted = _ratio_variance if asked.relative else _difference_variance
        return np.sqrt(restricted(of_c, rate, of_t, moved, null)), np.sqrt(true)

    def at(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array
    ) -> Statistic:
        under_null, true = errors(n_c, n_t, mde, null, *rest)
        return Statistic((mde - null) * rest[1] / true, under_null / true)

    def best_ratio(n: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array) -> Float64Array:
        return fewest_units(errors, n, (mde - null) * rest[1], rest[-1], mde, null, *rest)

    return Model(at, parameters, best_ratio, (_ASSUMED["score"],), lowest=-parameters[0] / parameters[1])


def _difference_variance(
    of_c: Float64Array, control: Float64Array, of_t: Float64Array, treatment: Float64Array, null: Float64Array
) -> Float64Array:
    """Variance of treatment - control at the rates of highest likelihood `null` apart (as in `ScoreRateEffect`)."""
    gap, both = np.abs(null), of_c + of_t
    events = of_c * control + of_t * treatment
    product = 4 * both * np.where(null < 0, of_t * treatment, of_c * control) * gap
    b = events - both * gap
    root = np.sqrt(b * b + product)
    low = np.where(b >= 0, (b + root) / (2 * both), product / (2 * both * np.where(b >= 0, 1.0, root - b)))
    return np.asarray(low * (1 / of_c + 1 / of_t) + gap / np.where(null < 0, of_c, of_t))


def _ratio_variance(
    of_c: Float64Array, control: Float64Array, of_t: Float64Array, treatment: Float64Array, null: Float64Array
) -> Float64Array:
    """Variance of treatment - (1 + null) control where the likelihood is highest with that contrast zero."""
    return np.asarray((control / of_t + treatment / of_c) * (1 + null))


def _log_ratio(_: Question, parameters: tuple[Float64Array, ...]) -> Model:
    """Wald's test of the log rate ratio, with a common dispersion."""

    def noise(mde: Float64Array, *rest: Float64Array) -> tuple[Float64Array, Float64Array]:
        rate, unit, over, spread, _ = rest
        return 1 / (rate * over) + spread, 1 / ((rate + mde * unit) * over) + spread

    def at(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, *rest: Float64Array
    ) -> Statistic:
        of_c, of_t = noise(mde, *rest)
        share = rest[1] / rest[0]
        return Statistic((np.log1p(mde * share) - np.log1p(null * share)) / np.sqrt(of_c / n_c + of_t / n_t))

    def best_ratio(n: Float64Array, mde: Float64Array, _: Float64Array, *rest: Float64Array) -> Float64Array:
        of_c, of_t = noise(mde, *rest)
        return np.asarray(np.sqrt(of_t / of_c) + 0 * n)

    lowest = -parameters[0] / parameters[1]
    return Model(at, parameters, best_ratio, (_ASSUMED["negative-binomial"],), lowest=lowest)


def _quasi(asked: Question, parameters: tuple[Float64Array, ...]) -> Model:
    def sds(mde: Float64Array, *rest: Float64Array) -> tuple[Float64Array, Float64Array]:
        rate, unit, over, spread, _ = rest
        first, second = (np.sqrt(each / over + spread * each * each) for each in (rate, rate + mde * unit))
        return first, second

    model = linear_model(asked, sds, parameters, _ASSUMED["quasi"])
    return replace(model, lowest=-parameters[0] / parameters[1])


#: The reduction, as a share, from which on the noise of a log rate may grow faster than its distance: 1 - exp(-2).
_LOWEST = -math.expm1(-2.0)
_MODELS = {"exact": _poisson, "score": _poisson, "negative-binomial": _log_ratio, "quasi": _quasi}
_ASSUMED = {
    "score": "the score test of Poisson events at one rate a variant; normal, so many events",
    "negative-binomial": "Wald's test of the log rate ratio of negative binomial counts with one dispersion; normal",
    "quasi": "Welch's test of the rates of independent units, of one exposure each; the statistic is noncentral t",
}
