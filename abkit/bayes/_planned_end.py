"""How probable a success at the planned end is, given the data so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._difference import PairLaw, natural_scale, pair_law
from abkit.bayes._future import future_of, smallest_successes
from abkit.bayes._predictive_means import of_effect, of_means, of_normals
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Normal, Student
from abkit.suffstats import Events
from abkit.types import Null, Relative

if TYPE_CHECKING:
    from abkit.bayes._comparison import Comparison


def predicted(comparison: Comparison, n: Any, threshold: float) -> Float64Array:
    """P(success at the end) of every effect, flat."""
    level = _check.within("threshold", threshold, 0, 1)
    more = _more(comparison, n)
    side = 1.0 if comparison.direction == "increase" else -1.0
    if comparison.arms is None:
        if isinstance(comparison.null, Relative) and comparison.scale != "relative" and comparison.null.value:
            raise ValueError("`null` must be a number where the prior is of the effect; got a share of the control.")
        return of_effect(comparison, more, _value(comparison.null), level, side)
    shape = comparison.undefined.shape
    to_come = np.stack([np.broadcast_to(more[:1], shape).ravel(), more[1:].ravel()])
    if isinstance(comparison.arms, (Normal, Student)):
        return _of_means(comparison, to_come, level, side)
    pair = pair_law(comparison.arms, natural_scale(comparison.arms))
    return np.array(
        [_of_counts(comparison, pair.rows([k]), to_come[:, k], level, side) for k in range(to_come.shape[1])]
    )


def _value(null: Null) -> float:
    return null.value if isinstance(null, Relative) else float(null)


def _more(comparison: Comparison, n: Any) -> Float64Array:
    """How much is still to come of every variant, shape (variants, pairs...)."""
    exposure = isinstance(comparison.statistics[0], Events)
    sofar = _stacked(comparison, "exposure" if exposure else "n")
    planned = [n] * len(sofar) if np.ndim(n) == 0 else list(n)
    if len(planned) != len(sofar):
        raise ValueError(f"`n` must be one number, or one for each of {len(sofar)} variants; got {len(planned)}.")
    ends = np.array([float(_check.number("n", one) if exposure else _check.count("n", one)) for one in planned])
    more = ends.reshape(-1, *[1] * (sofar.ndim - 1)) - sofar
    if (more < 0).any():
        k = int(np.argwhere(more < 0)[0][0])
        raise ValueError(f"`n` must be at least what there is already, {sofar[k].max():g}; got {ends[k]:g}.")
    return np.asarray(more)


def _stacked(comparison: Comparison, field: str) -> Float64Array:
    return np.stack([np.asarray(getattr(one, field), dtype=np.float64) for one in comparison.statistics])


def _of_means(comparison: Comparison, more: Float64Array, level: float, side: float) -> Float64Array:
    null = _value(comparison.null)
    if null and (isinstance(comparison.null, Relative) or comparison.scale == "relative"):
        raise ValueError("`null` must be a difference, or no effect, to predict means; got a share of the control.")
    pair = pair_law(comparison.arms, "difference")
    control, treatment = replace(pair.control, location=side * (pair.control.location + null)), pair.treatment
    treatment = replace(treatment, location=side * treatment.location)
    sofar = _stacked(comparison, "n")
    weights = sofar + getattr(comparison.prior_used, "weight", 0.0)
    now = np.stack([np.broadcast_to(weights[:1], comparison.undefined.shape).ravel(), weights[1:].ravel()])
    if isinstance(control, Normal):
        variances = np.stack([control.sd**2, treatment.sd**2])
        known = 1 - variances / getattr(comparison.prior_used, "sd", np.inf) ** 2
        return of_normals(control, treatment, variances * now / known, more, float(ndtri(level)))
    return np.array(
        [
            _of_pair(replace(pair, control=control, treatment=treatment), now[:, k], more[:, k], level, k)
            for k in range(now.shape[1])
        ]
    )


def _of_pair(pair: PairLaw, weights: Float64Array, more: Float64Array, level: float, k: int) -> float:
    one = pair.rows(k)
    return of_means(one.control, one.treatment, weights, more, level) if (weights > 0).all() else np.nan


def _of_counts(comparison: Comparison, pair: PairLaw, more: Float64Array, level: float, side: float) -> float:
    """A sum over what may come of both variants, of one pair."""
    c, t = (p.take(lambda a: np.asarray(a, dtype=np.float64)) for p in (pair.control, pair.treatment))
    null, goal = _value(comparison.null), float(ndtri(level))
    relative = isinstance(comparison.null, Relative) or comparison.scale == "relative"
    scale = pair.scale if null == 0 else "log ratio" if relative else comparison.scale

    def succeeds(first: Float64Array, second: Float64Array) -> Float64Array:
        law = PairLaw(_after(c, more[0], first), _after(t, more[1], second), scale)
        below, above, _ = law.look(np.full(first.shape, np.log1p(null) if relative else null))
        with np.errstate(divide="ignore"):
            deviate = np.where(above < below, -ndtri(above), ndtri(below))
        return np.clip(-deviate, -40, 40) - side * goal

    futures = [future_of(p.take(lambda a: a[0]), float(m)) for p, m in zip((c, t), more, strict=True)]
    smallest = smallest_successes(succeeds, futures[0].number, futures[1])
    reached = futures[1].at_least(smallest)
    return float(np.clip(futures[0].probability @ (reached if side > 0 else 1 - reached), 0.0, 1.0))


def _after(posterior: Any, more: float, number: Float64Array) -> Any:
    if isinstance(posterior, Beta):
        return Beta(posterior.a + number, posterior.b + (more - number))
    return Gamma(posterior.k + number, posterior.rate + more + np.zeros_like(number))
