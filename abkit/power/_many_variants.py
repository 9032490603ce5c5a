"""Several treatments and one control: Dunnett's test."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, Unpack, get_args

import numpy as np
from scipy.special import ndtr

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit.inference._dunnett import ManyToOne, _spreads
from abkit.power._means import deviations, unit_of_effects
from abkit.power._question import Common, Question, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model
from abkit.types import Alternative

Counted = Literal["any", "all", "each"]
Correction = Literal["dunnett", "bonferroni", "none"]
_REACH = 9.0
_LARGEST_SHARE = 1 - 1e-6


def many_variants(  # noqa: PLR0913
    *,
    treatments: int,
    n: object = None,
    mde: object = None,
    power: object = None,
    sd: object,
    sd_treatment: object = None,
    baseline: object = None,
    count: Counted = "each",
    with_effect: int | None = None,
    correction: Correction = "dunnett",
    test: Literal["z", "student"] = "z",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a comparison of several treatments with one control needs, what it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third, where every treatment is compared with
    the same control and the chance of any false claim is held?

    Parameters
    ----------
    treatments : int
        How many, at least 1, all of one size.
    n : float or array, optional
        Units of the control, above 1.
    mde : float, array, or Relative, optional
        The true difference of each treatment that has an effect.
    power : float or array, optional
        What `count` says, between 0 and 1.
    sd, sd_treatment : float or array
        Standard deviation of a unit, above 0: of the control, and of the treatments (by default the same). For
        proportions sqrt(p (1 - p)).
    baseline : float or array, optional
        The control's mean, not 0; needed for relative effects only.
    count : {"each", "any", "all"}
        The power of one treatment with an effect (marginal), that at least one of those with an effect is found
        (disjunctive), or that all of them are (conjunctive).
    with_effect : int, optional
        How many treatments have the effect; by default all.
    correction : {"dunnett", "bonferroni", "none"}
        As `adjust`. Dunnett's is never worse than Bonferroni's.
    test : {"z", "student"}
        As `z_test` (and `welch_test` of many units), or `student_test` with the variance of all variants pooled.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor
        See `power.Common`. `ratio` is the units of each treatment for one of the control; "best" is about
        1 / sqrt(treatments), the control being in every comparison. A margin is not relative, and several looks
        or equivalence are not planned here.

    Returns
    -------
    PowerResult or NoSolution
        `n_treatment` is that of each treatment.

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, or not two of `n`, `mde` and `power`.

    Notes
    -----
    The statistics share the control, whose part U of them is normal, T_i = (b U + sqrt(1 - b^2) E_i + drift_i) / S,
    with b^2 the control's share of the variance of a difference and S that of Student's test, or 1 [1]_. Given U and S
    the treatments are independent, so that each kind of power is an integral over U and S, here by the trapezoid rule,
    whose error falls exponentially. The critical value is the one of `adjust(..., "dunnett")` itself.

    References
    ----------
    .. [1] Dunnett 1955, JASA 50(272), eq. 3; Hsu 1996, Multiple Comparisons, sec. 3.1 and appendix.

    Examples
    --------
    >>> import abkit as ab
    >>> each = ab.power.many_variants(treatments=3, mde=0.5, sd=1.0, power=0.8)
    >>> round(each.n_control, 2)
    81.44
    >>> best = ab.power.many_variants(treatments=3, mde=0.5, sd=1.0, power=0.8, ratio="best")
    >>> round(best.n_total / each.n_total, 3)
    0.944
    """
    k = _check.count("treatments", treatments, 1)
    moved = k if with_effect is None else _check.count("with_effect", with_effect, 1)
    if moved > k:
        raise ValueError(f"`with_effect` must be at most {k}, all the treatments; got {moved}.")
    _check.choice("count", count, get_args(Counted))
    _check.choice("correction", correction, get_args(Correction))
    _check.choice("test", test, ("z", "student"))
    asked, mde = question(mde, common, many_variants)
    _refuse_what_is_not_planned(asked)
    unit = np.abs(unit_of_effects(baseline, relative=asked.relative))
    control, treatment = (sds / unit for sds in deviations(sd, sd_treatment))
    way = _Way(k, moved if count != "each" else 1, count == "all", asked.alternative, correction)
    model = _compared(way, test, (control, treatment, asked.alpha), _assumed(k, moved, count, correction, test))
    found = answer("many_variants", asked, model, n=n, mde=mde, power=power)
    if isinstance(found, NoSolution):
        return found
    found = replace(found, treatments=k)
    return replace(found, n_expected=found.n_total, n_expected_null=found.n_total) if asked.horizon else found


def _refuse_what_is_not_planned(asked: Question) -> None:
    if asked.between or asked.monitor is not None:
        raise ValueError("`hypothesis` and `monitor` must not be equivalence or several looks for many variants.")
    if asked.relative and np.any(asked.margin):
        raise ValueError("`margin` must be a difference for many variants, and not relative.")


def _compared(way: _Way, test: str, parameters: tuple[Float64Array, ...], assumed: tuple[str, ...]) -> Model:
    """Treatments of one size, each compared with the same control."""
    k = way.treatments

    def at(
        n_c: Float64Array,
        n_t: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        _alpha: Float64Array,
    ) -> Statistic:
        error = np.hypot(sd_c / np.sqrt(n_c), sd_t / np.sqrt(n_t))
        drift = (mde - null) / error
        if test == "z":
            return Statistic(drift)
        df = n_c - 1 + k * (n_t - 1)
        pooled = np.hypot(np.sqrt((n_c - 1) / df) * sd_c, np.sqrt(k * (n_t - 1) / df) * sd_t)
        return Statistic(drift, pooled * np.sqrt(1 / n_c + 1 / n_t) / error, df)

    def chance(
        here: Statistic,
        n_c: Float64Array,
        n_t: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        alpha: Float64Array,
    ) -> Float64Array:
        true = 1 / (1 + (sd_t / sd_c) ** 2 * (n_c / n_t))
        taken = n_t / (n_c + n_t) if test == "student" else true
        flat = np.broadcast_arrays(here.drift, here.scale, here.df, true, taken, alpha)
        rows = zip(*(values.tolist() for values in flat), strict=True)
        return np.array([way.power(*row) for row in rows])

    def best_ratio(
        _n: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        sd_c: Float64Array,
        sd_t: Float64Array,
        _alpha: Float64Array,
    ) -> Float64Array:
        return np.asarray(sd_t / sd_c / math.sqrt(k) + 0 * (mde + null))

    fewest = 2.0 if test == "student" else 0.0
    return Model(at, parameters, best_ratio, assumed, fewest=fewest, chance=chance)


@dataclass(frozen=True, slots=True)
class _Way:
    """Which rejections count: of all treatments, so many with an effect, any or all of these."""

    treatments: int
    moved: int
    every: bool
    alternative: Alternative
    correction: Correction

    def power(self, drift: float, scale: float, df: float, share: float, taken: float, alpha: float) -> float:
        """The mean over the control's part U and over S; `share` is the control's of the variance."""
        bound = scale * critical_of_many(self.treatments, taken, df, self.alternative, alpha, self.correction)
        b, own = math.sqrt(share), math.sqrt(1 - share)
        sharper = 1 + math.sqrt(2 * math.log(self.moved))
        step = 0.5 * min(1.0, own / b) / sharper
        u = step * np.arange(-math.ceil(_REACH / step), math.ceil(_REACH / step) + 1)
        density = np.exp(-u * u / 2) * (step / math.sqrt(2 * math.pi))
        spreads, weights = _spreads(0.0, df)
        moved = b * u + drift
        far = bound * spreads[:, None]
        each = ndtr((moved - far) / own)
        if self.alternative == "two-sided":
            each = each + ndtr((-moved - far) / own)
        each = np.minimum(each, 1.0)
        together = each**self.moved
        if not self.every:
            with np.errstate(divide="ignore"):
                together = -np.expm1(self.moved * np.log1p(-each))
        return min(float(weights @ together @ density), 1.0)


@lru_cache(maxsize=4096)
def critical_of_many(
    k: int, share: float, df: float, alternative: Alternative, alpha: float, correction: Correction
) -> float:
    """The critical value of each of k comparisons."""
    if correction == "dunnett":
        return ManyToOne((math.sqrt(min(share, _LARGEST_SHARE)),) * k, df, alternative).critical(alpha)
    sides = 2 if alternative == "two-sided" else 1
    return _tails.critical(alpha / sides / (k if correction == "bonferroni" else 1), df)


def _assumed(k: int, moved: int, count: Counted, correction: Correction, test: str) -> tuple[str, ...]:
    names = {"dunnett": "Dunnett's test", "bonferroni": "Bonferroni's correction", "none": "no correction"}
    counted = {
        "each": "power is that of one treatment with the effect",
        "any": f"power is the chance that at least one of the {moved} treatments with the effect is found",
        "all": f"power is the chance that all of the {moved} treatments with the effect are found",
    }
    tests = {
        "z": "z tests of independent units; the standard errors are known, or the units many",
        "student": "t tests of independent normal units, with one variance from all variants",
    }
    return f"{k} treatments and one control, {names[correction]}", counted[count], tests[test]
