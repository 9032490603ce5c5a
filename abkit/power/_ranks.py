"""The Mann-Whitney test."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal, Unpack, get_args

import numpy as np
from scipy.special import expit, gammaln, log_expit, ndtr, ndtri, owens_t

from abkit import _check
from abkit._check import Float64Array
from abkit.inference._mann_whitney import EXACT_BELOW, HALF_WAY
from abkit.power._allocation import fewest_units
from abkit.power._question import Common, numbers, question
from abkit.power._result import NoSolution, Number, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model

Shape = Literal["normal", "logistic", "exponential", "noether"]
_SMALL = 1e-2
_MANY = 1e12
_NEVER = 1e9  # standard errors that no estimate is away from its null
_PLACES = np.arange(-45.0, 45.125, 0.25)


def ranks(
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    shape: Shape = "normal",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units the Mann-Whitney test needs, how small an effect it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third, where only the order of values counts?

    Parameters
    ----------
    n : float or array, optional
        Units of the control, above 1.
    mde : float or array, optional
        The true P(T > C) + P(T = C)/2 - 1/2, between -1/2 and 1/2: the scale of `mann_whitney_test`. `superiority`
        turns a shift into it.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1.
    shape : {"normal", "logistic", "exponential", "noether"}
        What the effect does: shifts normal or logistic values (or any rising function of them: "normal" is also for
        lognormal values that are multiplied), multiplies exponential ones, or, "noether", is so small that the
        variance is the one without an effect.
    alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`. The margin is on the same scale as `mde`, so nothing is relative.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, relative effects, or not two of `n`, `mde` and `power`.

    Notes
    -----
    The share of pairs in which the treated unit is ahead has the variance [1]_

        (p (1 - p) + (n_T - 1) (p_2 - p^2) + (n_C - 1) (p_3 - p^2)) / (n_C n_T),

    p_2 being the chance that two treated units exceed one of the control, p_3 that one exceeds two. The bound of the
    test has the variance under its null, (n_C + n_T + 1) / (12 n_C n_T) without a margin; with one that of
    `mann_whitney_test` there. For a normal shift p_2 is a value of Owen's T function. Noether's formula [2]_ is
    simpler: one variance, 1 / (12 c (1 - c) N) for a share c of N units.

    Values are taken to be without ties: many ties cost power. With fewer than 50 units in both variants the test is
    exact, and as its p-value has steps it rejects a little less often than planned; where no order of the units is rare
    enough for alpha, never. It is a test of equal
    distributions: for variants that differ in spread plan by simulation of `brunner_munzel_test`.

    References
    ----------
    .. [1] Lehmann and D'Abrera 1975, Nonparametrics, sec. 2.3, eq. 2.20.
    .. [2] Noether 1987, JASA 82(398), 645-647, eq. 2.

    Examples
    --------
    >>> import abkit as ab
    >>> half_a_deviation = ab.power.superiority(0.5)
    >>> round(half_a_deviation, 4)
    0.1382
    >>> round(ab.power.ranks(mde=half_a_deviation, power=0.8).n_control, 2)
    67.02
    >>> round(ab.power.ranks(mde=0.2, power=0.9, alternative="greater", shape="noether").n_total, 1)
    71.4
    """
    _check.choice("shape", shape, get_args(Shape))
    asked, mde = question(mde, common, ranks)
    if asked.relative:
        raise ValueError("`relative` must be left out: the effect is a probability less 1/2, which has no baseline.")
    if np.any(asked.margin >= 0.5):
        raise ValueError(f"`margin` must be below 0.5; got {asked.margin.max():g}.")

    def errors(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        if shape == "noether":
            same = np.sqrt((n_c + n_t) / (12 * n_c * n_t))
            return same, same
        p, of_control, of_treatment = _spreads(shape, mde)
        true = (p * (0.5 - mde) + (n_t - 1) * of_control + (n_c - 1) * of_treatment) / (n_c * n_t)
        return np.sqrt(_null_variance(n_c, n_t, mde, null, true)), np.sqrt(true)

    def of_many(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """The same per unit, where units are so many that one more or less does not count."""
        under_null, true = errors(n_c * _MANY, n_t * _MANY, mde, null)
        return under_null * math.sqrt(_MANY), true * math.sqrt(_MANY)

    def at(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, tail: Float64Array
    ) -> Statistic:
        under_null, true = errors(n_c, n_t, mde, null)
        # a step in n would hide the size that is asked for; it is then moved beyond the step
        idle = _too_few(n_c, n_t, tail) & (null == 0) & (asked.monitor is None) & (n is not None)
        return Statistic((mde - null) / true, np.where(idle, _NEVER, under_null / true))

    def best_ratio(n: Float64Array, mde: Float64Array, null: Float64Array, tail: Float64Array) -> Float64Array:
        return fewest_units(of_many, n, mde - null, tail, mde, null)

    model = Model(at, (asked.tail,), best_ratio, (_ASSUMED[shape],), fewest=1.0, lowest=-0.5, highest=0.5)
    found = answer("ranks", asked, model, n=n, mde=mde, power=power)
    if n is not None or isinstance(found, NoSolution) or asked.monitor is not None or np.any(asked.margin):
        return found
    return _enough(found, asked.tail)


def superiority(shift: object, shape: Literal["normal", "logistic", "exponential"] = "normal") -> Number:
    """The chance that a treated unit exceeds a control unit, less 1/2, from a shift.

    Answers: what is an effect, in standard deviations, on the scale of the Mann-Whitney test?

    Parameters
    ----------
    shift : float or array
        By how many standard deviations of a unit the treatment moves it; of "exponential" values, the logarithm of
        what it multiplies them by. For lognormal values take the shift of their logarithms.
    shape : {"normal", "logistic", "exponential"}

    Returns
    -------
    float or float array

    Notes
    -----
    Normal: Phi(shift / sqrt(2)) - 1/2.

    Examples
    --------
    >>> import abkit as ab
    >>> round(ab.power.superiority(0.2), 4)
    0.0562
    """
    _check.choice("shape", shape, ("normal", "logistic", "exponential"))
    given = numbers("shift", shift)
    size = np.abs(given)
    if shape == "normal":
        above = 0.5 - ndtr(-size / math.sqrt(2))
    elif shape == "exponential":
        above = np.tanh(size / 2) / 2
    else:
        above = 0.5 - np.exp(_log_behind(size * math.pi / math.sqrt(3))[0])
    result = np.copysign(above, given)
    return result if result.ndim else float(result)


def _too_few(n_c: Float64Array, n_t: Float64Array, tail: Float64Array) -> Any:
    """Whether the exact test has no order of the units that is rare enough to reject."""
    log_orders = gammaln(n_c + n_t + 1) - gammaln(n_c + 1) - gammaln(n_t + 1)
    return (np.maximum(n_c, n_t) < EXACT_BELOW) & (log_orders < -np.log(tail) - 1e-9)


def _enough(found: PowerResult, tail: Float64Array) -> PowerResult:
    """The sizes raised to where the exact test can reject at all."""
    n_c, ratio = np.asarray(found.n_control), np.asarray(found.n_treatment) / np.asarray(found.n_control)
    low = n_c
    few = _too_few(low, low * ratio, tail)
    if not np.any(few):
        return found
    high = low * 64
    for _ in range(60):
        middle = (low + high) / 2
        still = _too_few(middle, middle * ratio, tail)
        low, high = np.where(still, middle, low), np.where(still, high, middle)
    n_c = np.where(few, high * (1 + 1e-12), n_c)
    sizes = (n_c, n_c * ratio)
    control, treatment = (size if size.ndim else float(size) for size in sizes)
    return replace(found, n_control=control, n_treatment=treatment)


def _spreads(shape: str, mde: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The chance to be ahead, and the variances of a unit's own chance: of the control's units, of the treatment's."""
    p, q = 0.5 + mde, 0.5 - mde
    if shape == "normal":
        h = ndtri(0.5 + mde)
        both = np.maximum(p * q - 2 * owens_t(h, 1 / math.sqrt(3)), 0.0)
        return p, both, both
    if shape == "exponential":  # P(T > x) = P(C > x)^(q/p)
        return p, p * q * q / (p + 2 * q), q * p * p / (q + 2 * p)
    shift = _logistic_shift(0.5 - np.abs(mde))[..., None]
    ahead = expit(shift - _PLACES)
    density = np.exp(log_expit(_PLACES) + log_expit(-_PLACES))
    both = ((ahead - (0.5 + np.abs(mde))[..., None]) ** 2) @ density * (_PLACES[1] - _PLACES[0])
    return p, both, both


def _logistic_shift(behind: Float64Array) -> Float64Array:
    """The shift of logistic values of which the treated one is behind with this chance, at most 1/2."""
    goal = np.log(behind)
    shift = np.maximum(3 * (np.log1p(-behind) - goal) / 2, 0.0)
    for _ in range(50):
        value, slope = _log_behind(shift)
        step = (value - goal) / slope
        shift = np.maximum(shift - step, 0.0)
        if not np.any(np.abs(step) > 1e-15 * (1 + shift)):
            break
    return shift


def _log_behind(shift: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Log of the chance to be behind of a logistic value moved up, and its slope in the shift."""
    d = np.maximum(shift, _SMALL)
    x, gap = np.exp(-d), -np.expm1(-d)
    value = np.log(d - gap) - d - 2 * np.log(gap)
    density = x * (d - 2 + (d + 2) * x) / gap**3
    near = shift < _SMALL
    behind = 0.5 - shift / 6 + shift**3 / 180 - shift**5 / 5040
    value = np.where(near, np.log(np.where(near, behind, 1.0)), value)
    return value, -np.where(near, 1 / 6 - shift**2 / 60 + shift**4 / 1008, density) / np.exp(value)


def _null_variance(
    n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, true: Float64Array
) -> Float64Array:
    """That of the test at its null: Newcombe's, moved towards the true one as the null nears the effect."""
    units = n_c + n_t
    at_half = (units + 1) / (12 * n_c * n_t)
    excess = true / (at_half * _newcombe(mde, units)) - 1
    weight = np.clip(null * mde / (mde * mde + HALF_WAY * HALF_WAY * at_half), 0.0, 1.0)
    return np.asarray(at_half * _newcombe(null, units) * (1 + weight * excess))


def _newcombe(effect: Float64Array, units: Float64Array) -> Float64Array:
    """The variance at an effect as a multiple of that at none."""
    p, q, more = 0.5 + effect, 0.5 - effect, units / 2 - 1
    return np.asarray(4 * p * q * (1 + more * (q / (1 + q) + p / (1 + p))) / (1 + more * 2 / 3))


_FEW = (
    "values without ties; with fewer than 50 units in both variants the test is exact and rejects a little less often"
)
_ASSUMED = {
    "normal": f"the Mann-Whitney test of values that the effect shifts on a scale on which they are normal; {_FEW}",
    "logistic": f"the Mann-Whitney test of values that the effect shifts on a scale on which they are logistic; {_FEW}",
    "exponential": f"the Mann-Whitney test of exponential values that the effect multiplies; {_FEW}",
    "noether": f"the Mann-Whitney test of an effect so small that it leaves the variance as it is; {_FEW}",
}
