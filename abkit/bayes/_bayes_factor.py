"""The Bayes factor of a comparison: which models stand against each other, by what the comparison was made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr, logsumexp, stdtr

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._effect_priors import StudentPrior
from abkit.bayes._log_factors import (
    EFFECT_SCALE,
    log_density_of_equal,
    log_factor_of_means,
    log_factor_of_rates,
    log_factor_of_shares,
)
from abkit.bayes._models import event_prior
from abkit.bayes._priors import MeanPrior, NormalInverseGammaPrior
from abkit.posterior._normal import Student
from abkit.suffstats import Counts, Events, Moments
from abkit.types import ALTERNATIVES, Alternative

if TYPE_CHECKING:
    from abkit.bayes._comparison import Comparison

__all__ = ["EFFECT_SCALE", "log_bayes_factor"]
_SIDES: dict[Alternative, int] = {"two-sided": 0, "greater": 1, "less": -1}
#: Degrees of freedom at which Student's distribution is a normal one to the last digit.
_KNOWN = 1e17


def log_bayes_factor(comparison: Comparison, alternative: Alternative, cauchy_scale: float) -> Float64Array:
    """The logarithm of the Bayes factor of an effect against none, of every effect."""
    side = _SIDES[_check.choice("alternative", alternative, ALTERNATIVES)]
    scale = _check.within("cauchy_scale", cauchy_scale, 0, math.inf)
    with np.errstate(all="ignore"):
        found = _of_effect(comparison, side) if comparison.arms is None else _of_arms(comparison, side, scale)
    return np.asarray(found)


def _of_arms(comparison: Comparison, side: int, scale: float) -> Any:
    prior, kind = comparison.prior_used, type(comparison.statistics[0])
    if kind is Moments and prior is None:
        return log_factor_of_means(*_t_statistic(comparison), scale=scale, side=side)
    control = comparison.arms.take(lambda a: a[:1])
    treatment = comparison.arms.take(lambda a: a[1:])
    if kind is Counts:
        two_sided = log_factor_of_shares((prior.a, prior.b), control, treatment)
    elif kind is Events:
        two_sided = log_factor_of_rates(event_prior(comparison.statistics, prior), control, treatment)
    elif prior is not None:
        two_sided = _of_density(prior, control, treatment)
    else:
        raise ValueError(
            "`bayes_factor` must have a proper prior, and that of a ratio is flat; "
            "give `compare` a prior of the effect, such as NormalPrior(sd=0.01)."
        )
    return np.reshape(two_sided, comparison.undefined.shape) + _one_side(comparison, side)


def _one_side(comparison: Comparison, side: int) -> Any:
    """How much more probable that side is after the data than before, when both were as probable."""
    if not side:
        return 0.0
    below, above, _ = comparison.law.look(np.zeros(comparison.undefined.size))
    return np.reshape(np.log(2 * (above if side > 0 else below)), comparison.undefined.shape)


def _of_density(prior: NormalInverseGammaPrior | MeanPrior, control: Any, treatment: Any) -> Any:
    """The density of no effect before and after the data, by Savage and Dickey."""
    if isinstance(prior, MeanPrior):
        sd = np.hypot(control.sd, treatment.sd)
        after = -0.5 * ((treatment.location - control.location) / sd) ** 2 - np.log(sd)
        return -math.log(prior.sd * math.sqrt(2)) - after
    spread = math.sqrt(prior.scale / (prior.shape * prior.weight))
    own = Student(*(np.array([value]) for value in (prior.mean, spread, 2 * prior.shape)))
    both = np.broadcast_shapes(control.shape, treatment.shape)
    pair = (p.take(lambda a: np.broadcast_to(a, both)) for p in (control, treatment))
    return log_density_of_equal(own, own) - log_density_of_equal(*pair)


def _t_statistic(comparison: Comparison) -> tuple[Any, Any, Any]:
    """Student's t of two means, its degrees of freedom, and the size of one sample of that precision."""
    n, mean, m2 = (_stacked(comparison.statistics, field) for field in ("n", "mean", "m2"))
    gap, both = mean[1:] - mean[:1], n[1:] + n[:1]
    size = n[:1] * (n[1:] / both)
    arms = comparison.arms
    if isinstance(arms, Student):
        df = both - 2
        found = gap / np.sqrt((m2[1:] + m2[:1]) / df / size), df, size
    else:
        found = gap / np.hypot(arms.sd[:1], arms.sd[1:]), np.full(gap.shape, _KNOWN), size
    t, df, size = (np.reshape(np.where(comparison.undefined, 1.0, part), comparison.undefined.shape) for part in found)
    return t, df, size


def _stacked(statistics: Any, field: str) -> Float64Array:
    return np.stack([np.asarray(getattr(one, field), dtype=np.float64) for one in statistics])


def _of_effect(comparison: Comparison, side: int) -> Any:
    """The density of the estimate under the prior against that without an effect."""
    posterior: Any = comparison.law.posterior  # type: ignore[attr-defined]
    weights, means, sds = posterior.log_weights, posterior.means, posterior.sds
    some = (means != 0) | (sds > 0)
    # what is left of a mixture adds up to 1; Student's components do not, without those too wide to matter here
    weights = weights if some.all() else weights[some] - logsumexp(weights[some])
    y, s = (np.asarray(a, dtype=np.float64)[..., None] for a in (posterior.estimate, posterior.stderr))
    total = np.hypot(sds[some], s)
    # the square of y / s less that of (y - m) / total, where the two may be nearly the same
    gain = 0.5 * (y / s - (y - means[some]) / total) * (y / s + (y - means[some]) / total)
    joint = weights + gain + np.log(s / total)
    if not side:
        return logsumexp(joint, axis=-1)
    inside = sds[some] / total
    centre = (means[some] * (s / total) ** 2 + y * inside**2) / (s * inside)
    prior = comparison.prior_used
    if isinstance(prior, StudentPrior):
        before = np.log(stdtr(prior.df, side * prior.mean / prior.scale))
    else:
        before = logsumexp(weights + log_ndtr(side * means[some] / sds[some]))
    return logsumexp(joint + log_ndtr(side * centre), axis=-1) - before
