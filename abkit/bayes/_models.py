"""From statistics and a prior to the posterior of every variant's own value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._priors import BetaPrior, GammaPrior, MeanPrior, NormalInverseGammaPrior
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Normal, NormalInverseGamma, Student
from abkit.suffstats import CoMoments, Counts, Events

BoolArray = npt.NDArray[np.bool_]
_LEAST, _SURE, _MANY = 1e-10, 1e-7, 1e6
#: A count below it leaves the logarithm of a share or rate open over hundreds of orders of magnitude.
_FEWEST = 0.1


@dataclass(frozen=True, eq=False)
class Model:
    """The posteriors of all variants, control first, in arrays of shape (variants, pairs...).

    `prior` is the prior as an object, None where it is the limit of one; `words` say it. Where a variant's posterior
    is `undefined`, it stands for nothing, and `reason` says why.
    """

    method: str
    arms: Any
    prior: Any
    words: str
    undefined: BoolArray
    reason: str = ""


def conjugate(variants: Sequence[Any], prior: Any, sd: float | None) -> Model:
    """The conjugate model that belongs to the class of the statistics."""
    kind = type(variants[0])
    if kind is Counts:
        return _beta_binomial(variants, _allowed(prior, BetaPrior, kind) or BetaPrior())
    if kind is Events:
        return _gamma_poisson(variants, _allowed(prior, GammaPrior, kind))
    if kind is CoMoments:
        return _ratio(variants, _allowed(prior, None, kind))
    if isinstance(prior, MeanPrior) and sd is None:
        raise ValueError("`sd` must be given with a MeanPrior: the standard deviation of the units; got None.")
    if sd is not None:
        return _known_spread(variants, _allowed(prior, MeanPrior, kind), _check.within("sd", sd, 0, np.inf))
    return _mean(variants, _allowed(prior, NormalInverseGammaPrior, kind))


def normal_estimates(variants: Sequence[Any]) -> tuple[Float64Array, Float64Array, BoolArray]:
    """Every variant's value and the variance of that estimate; and where there is none."""
    kind = type(variants[0])
    if kind is CoMoments:
        return ratios(variants)
    if kind is Events:
        events, exposure = _stacked(variants, "events"), _stacked(variants, "exposure")
        lost = exposure == 0
        exposure = np.where(lost, 1.0, exposure)
        return events / exposure, events / exposure**2, lost
    n = _stacked(variants, "n")
    if kind is Counts:
        share = _stacked(variants, "successes") / np.maximum(n, 1)
        return share, share * (1 - share) / np.maximum(n, 1), n == 0
    return _stacked(variants, "mean"), _stacked(variants, "m2") / np.maximum(n * (n - 1), 1), n < 2


def on_scale(
    kind: type, scale: str, value: Float64Array, variance: Float64Array, lost: BoolArray
) -> tuple[Float64Array, Float64Array, BoolArray]:
    """Estimates of the effects of all variants but the first, their variances, and where there is none."""
    if scale in ("log odds ratio", "log ratio"):
        if kind not in {"log odds ratio": (Counts,), "log ratio": (Counts, Events, CoMoments)}[scale]:
            raise ValueError(f"`scale` must not be {scale!r} for {kind.__name__}; choose 'difference' or 'relative'.")
        other = 1 - value if scale == "log odds ratio" else np.ones_like(value)
        lost = lost | ~((value > 0) & (other > 0))
        value, other = np.where(lost, 0.5, value), np.where(lost, 0.5, other)
        return *_apart(np.log(value) - np.log(other), variance / (value * other) ** 2), lost[1:] | lost[:1]
    if scale == "difference":
        return *_apart(value, variance), lost[1:] | lost[:1]
    lost = lost[1:] | lost[:1] | (value[:1] == 0)
    size = np.where(value[:1] == 0, 1.0, np.abs(value[:1]))
    lift = (value[1:] - value[:1]) / size
    return lift, (variance[1:] + (value[1:] / size) ** 2 * variance[:1]) / size**2, lost


def _apart(value: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
    return value[1:] - value[:1], variance[1:] + variance[:1]


def _allowed(prior: Any, wanted: type | None, kind: type) -> Any:
    if prior is None or (wanted is not None and isinstance(prior, wanted)):
        return prior
    own = f"a {wanted.__name__} or " if wanted else ""
    raise TypeError(f"`prior` of {kind.__name__} must be {own}a prior of the effect; got {_check.show(prior)}.")


def _stacked(variants: Sequence[Any], field: str) -> Float64Array:
    arrays = [np.asarray(getattr(variant, field), dtype=np.float64) for variant in variants]
    return np.stack(np.broadcast_arrays(*arrays))


def _beta_binomial(variants: Sequence[Any], prior: BetaPrior) -> Model:
    n, successes = _stacked(variants, "n"), _stacked(variants, "successes")
    arms = Beta.after((prior.a, prior.b), n, successes)
    open_ = (arms.a < _FEWEST) | (arms.b < _FEWEST)
    arms = Beta(np.where(open_, 1.0, arms.a), np.where(open_, 1.0, arms.b))
    why = f"a variant has no success, or no failure, and the prior is worth less than {_FEWEST:g} of one"
    return Model("beta-binomial", arms, prior, prior.describe(), open_, why)


def _gamma_poisson(variants: Sequence[Any], prior: GammaPrior | None) -> Model:
    events, exposure = _stacked(variants, "events"), _stacked(variants, "exposure")
    shape, rate = event_prior(variants, prior)
    arms = Gamma(shape + events, rate + exposure)
    if prior is not None:
        open_ = arms.k < _FEWEST
        arms = Gamma(np.where(open_, 1.0, arms.k), arms.rate)
        why = f"a variant has no event, and the prior is worth less than {_FEWEST:g} of one"
        return Model("gamma-Poisson", arms, prior, prior.describe(), open_, why)
    words = "gamma on each rate, worth half an event at the rate of all variants, with half an event more"
    nowhere = np.broadcast_to(exposure.sum(axis=0) == 0, events.shape)
    return Model("gamma-Poisson", arms, None, words, nowhere, "there is no exposure")


def event_prior(variants: Sequence[Any], prior: GammaPrior | None) -> tuple[Any, Any]:
    """Shape and rate of the prior of a rate; where none is given, worth half an event at the rate of all variants."""
    if prior is not None:
        return prior.shape, prior.rate
    total = _stacked(variants, "exposure").sum(axis=0)
    return 0.5, 0.5 * np.where(total > 0, total, 1.0) / (_stacked(variants, "events").sum(axis=0) + 0.5)


def _mean(variants: Sequence[Any], prior: NormalInverseGammaPrior | None) -> Model:
    n, mean, m2 = (_stacked(variants, field) for field in ("n", "mean", "m2"))
    if prior is not None:
        given = (prior.mean, prior.weight, prior.shape, prior.scale)
        arms = NormalInverseGamma.after(given, n, n * mean, m2).marginal()
        return Model("normal-inverse-gamma", arms, prior, prior.describe(), np.zeros(n.shape, dtype=bool))
    few = n < 2
    undefined = few | (m2.sum(axis=0) == 0)
    n, m2 = np.where(few, 2.0, n), np.where(undefined, 1.0, m2)
    scale = np.sqrt(m2 / (n - 1) / n)
    # a variant without variance has its mean for sure: beside the others its spread is nothing
    sure = scale == 0
    scale = np.maximum(scale, _LEAST * scale.max(axis=0))  # narrower ones are lost between floats
    scale = np.where(sure, _SURE * np.where(sure, np.inf, scale).min(axis=0), scale)
    arms = Student(mean, scale, np.where(sure, _MANY, n - 1))
    words = "flat on each mean and on the logarithm of its variance (the reference prior)"
    return Model("Student", arms, None, words, undefined, _why(few))


def _known_spread(variants: Sequence[Any], prior: MeanPrior | None, sd: float) -> Model:
    n, mean = _stacked(variants, "n"), _stacked(variants, "mean")
    known = f"; the units' standard deviation is known to be {sd:g}"
    if prior is not None:
        arms = Normal.after((prior.mean, prior.sd), n, n * mean, sd)
        return Model("normal", arms, prior, prior.describe() + known, np.zeros(n.shape, dtype=bool))
    undefined = n == 0
    arms = Normal(mean, sd / np.sqrt(np.maximum(n, 1)))
    return Model("normal", arms, None, "flat on each mean" + known, undefined, "a variant has no units")


def _ratio(variants: Sequence[Any], prior: None) -> Model:  # noqa: ARG001
    value, variance, undefined = ratios(variants)
    arms = Normal(np.where(undefined, 0.0, value), np.sqrt(np.where(undefined, 1.0, variance)))
    why = "a variant has fewer than 2 units, no denominator, or no variance"
    return Model("ratio of means", arms, None, "flat on each ratio", undefined, why)


def ratios(variants: Sequence[CoMoments]) -> tuple[Float64Array, Float64Array, BoolArray]:
    """Ratio of the first mean to the second, and its variance to first order; and where there is neither."""
    n = _stacked(variants, "n")
    mean, m2 = _stacked(variants, "mean"), _stacked(variants, "m2")
    few = (n < 2) | (mean[..., 1] == 0)
    below = np.where(few, 1.0, mean[..., 1])
    ratio = mean[..., 0] / below
    spread = m2[..., 0, 0] - 2 * ratio * m2[..., 0, 1] + ratio**2 * m2[..., 1, 1]
    variance = np.where(few, 0.0, np.maximum(spread, 0.0) / (np.maximum(n - 1, 1) * np.maximum(n, 1) * below**2))
    return ratio, variance, few | (variance.sum(axis=0) == 0)


def _why(few: BoolArray) -> str:
    if few.any():
        return "a variant has fewer than 2 units, and the reference prior leaves its mean open"
    return "the variance is zero: every unit has the same value, or they differ in rounding only"
