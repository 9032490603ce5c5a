"""What effects are like before an experiment: priors for estimates that are normal around the effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtri, stdtrit

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._effect_posterior import EffectPosterior
from abkit.posterior._series import LOG_ROOT_2PI, stirling

#: Above this many degrees of freedom Student's distribution is a normal one.
MOST_DF = 1e4
_REACH = 40.0
_LOG_SMALLEST = 1400.0


@dataclass(frozen=True, kw_only=True)
class NormalPrior:
    """Effects are normal.

    Answers: what is known of an effect before its experiment, when experiments like it had effects of this size?

    Parameters
    ----------
    mean : float
        The mean of the effects, in the unit of the estimate.
    sd : float
        Their standard deviation, greater than 0.

    Raises
    ------
    ValueError
        A number that is not finite, or a standard deviation of 0 or less.

    Notes
    -----
    With an estimate y of standard error s the effect's posterior is normal with mean m + (y - m) t^2 / (t^2 + s^2) and
    variance s^2 t^2 / (s^2 + t^2) [1]_. A large effect is drawn towards m as far as a small one; where a few
    experiments have effects far beyond the others', use `StudentPrior`.

    References
    ----------
    .. [1] Gelman, Carlin, Stern, Dunson, Vehtari and Rubin 2013, Bayesian Data Analysis, 3rd ed., eq. 2.10.

    Examples
    --------
    >>> from abkit.bayes import NormalPrior
    >>> posterior = NormalPrior(sd=0.02).posterior(0.03, 0.01)
    >>> round(posterior.mean, 4), round(posterior.sf(0.0), 4)
    (0.024, 0.9964)
    """

    mean: float = 0.0
    sd: float

    def __post_init__(self) -> None:
        _set(self, "mean", _moderate("mean", self.mean))
        _set(self, "sd", _scale("sd", self.sd))

    def posterior(self, estimate: Any, stderr: Any) -> EffectPosterior:
        """The effect after an estimate with this standard error; arrays for arrays."""
        return EffectPosterior(*_data(estimate, stderr), np.zeros(1), np.array([self.mean]), np.array([self.sd]))

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the prior's density at x."""
        return -0.5 * ((np.asarray(x) - self.mean) / self.sd) ** 2 - math.log(self.sd) - LOG_ROOT_2PI

    def sample(self, rng: np.random.Generator, size: int) -> Float64Array:
        """Effects drawn from the prior."""
        return np.asarray(self.mean + self.sd * rng.standard_normal(size))

    def describe(self) -> str:
        """The prior in one sentence."""
        reach = -float(ndtri(0.025)) * self.sd
        return (
            f"Effects are normal with mean {self.mean:.4g} and standard deviation {self.sd:.4g}: "
            f"95% of them lie between {self.mean - reach:.4g} and {self.mean + reach:.4g}."
        )


@dataclass(frozen=True, kw_only=True)
class StudentPrior:
    """Effects have Student's t distribution: most are small, a few are far larger.

    Answers: what is known of an effect before its experiment, when most ideas do little and a few do much?

    Parameters
    ----------
    df : float
        Degrees of freedom, greater than 0 and at most 10,000. The fewer, the heavier the tails: 3 for rare large
        effects, and a normal distribution in the end.
    mean : float
        The centre of the effects, in the unit of the estimate.
    scale : float
        Their scale, greater than 0. It is not the standard deviation, which is larger and may not exist.

    Raises
    ------
    ValueError
        A number that is not finite, degrees of freedom outside their range, or a scale of 0 or less.

    Notes
    -----
    The distribution is a mixture of normals whose precisions are gamma distributed. The trapezoidal rule in the
    logarithm of the precision turns it into a finite mixture with an error below 1e-12, the tails included, because
    the integrand is analytic and falls exponentially on both sides; all else is in closed form. With fewer than three
    degrees of freedom small estimates are drawn to the centre and large ones are left where they are [1]_.

    References
    ----------
    .. [1] Azevedo, Deng, Montiel Olea, Rao and Weyl 2020, A/B testing with fat tails, J. Political Economy 128(12),
       sec. IV.

    Examples
    --------
    >>> from abkit.bayes import StudentPrior
    >>> prior = StudentPrior(df=3, scale=0.01)
    >>> [round(mean, 4) for mean in prior.posterior([0.01, 0.1], 0.01).mean.tolist()]
    [0.0054, 0.0959]
    """

    df: float
    mean: float = 0.0
    scale: float

    def __post_init__(self) -> None:
        _set(self, "mean", _moderate("mean", self.mean))
        _set(self, "scale", _scale("scale", self.scale))
        df = _check.within("df", self.df, 0, math.inf)
        if not df <= MOST_DF:
            raise ValueError(f"`df` must be at most {MOST_DF:g}: use NormalPrior; got {_check.show(self.df)}.")
        _set(self, "df", df)

    def posterior(self, estimate: Any, stderr: Any) -> EffectPosterior:
        """The effect after an estimate with this standard error; arrays for arrays."""
        y, s = _data(estimate, stderr)
        far = (np.abs(y - self.mean) + _REACH * s).max(initial=0.0) / self.scale
        log_precisions, log_weights = _precisions(self.df, float(far))
        sds = self.scale * np.exp(-log_precisions / 2)
        return EffectPosterior(y, s, log_weights, np.full(sds.shape, self.mean), sds)

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the prior's density at x."""
        half = self.df / 2
        ratio = stirling(half + 0.5) - stirling(half) + half * math.log1p(0.5 / half) - 0.5
        peak = float(ratio) - LOG_ROOT_2PI - math.log(self.scale)
        return peak - (half + 0.5) * np.log1p(((np.asarray(x) - self.mean) / self.scale) ** 2 / self.df)

    def sample(self, rng: np.random.Generator, size: int) -> Float64Array:
        """Effects drawn from the prior."""
        return np.asarray(self.mean + self.scale * rng.standard_t(self.df, size))

    def describe(self) -> str:
        """The prior in one sentence."""
        reach = -float(stdtrit(self.df, 0.025)) * self.scale
        return (
            f"Effects have Student's t distribution with {self.df:.4g} degrees of freedom around {self.mean:.4g}, "
            f"scale {self.scale:.4g}: 95% of them lie between {self.mean - reach:.4g} and {self.mean + reach:.4g}."
        )


@dataclass(frozen=True, kw_only=True)
class MixturePrior:
    """Effects are of several kinds, each normal: such as "most do nothing, the others do something".

    Answers: what is known of an effect before its experiment, when experiments are of several kinds?

    Parameters
    ----------
    weights : sequence of float
        The share of each kind, greater than 0; they add up to 1.
    means, sds : sequence of float
        Mean and standard deviation of each kind, in the unit of the estimate. A standard deviation of 0 is a kind
        whose effects are all equal to its mean, such as no effect at all.

    Raises
    ------
    ValueError
        Lengths that differ, shares that do not add up to 1, or a number outside its range.

    Notes
    -----
    The posterior is a mixture as well: each kind's own posterior, weighted by its share and by how well it
    predicted the estimate [1]_. With a kind of no effect, its posterior weight is `posterior.atom(0)`; P(effect > 0)
    and P(effect < 0) then add up to less than 1.

    References
    ----------
    .. [1] Deng 2015, Objective Bayesian two sample hypothesis testing for online controlled experiments, WWW '15
       Companion, sec. 3.

    Examples
    --------
    >>> from abkit.bayes import MixturePrior
    >>> prior = MixturePrior(weights=[0.8, 0.2], means=[0, 0], sds=[0, 0.02])
    >>> posterior = prior.posterior(0.03, 0.01)
    >>> round(posterior.atom(0.0), 3), round(posterior.sf(0.0), 3), round(posterior.mean, 4)
    (0.196, 0.801, 0.0193)
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]

    def __post_init__(self) -> None:
        weights = _each("weights", self.weights, lambda name, value: _check.within(name, value, 0, math.inf))
        means = _each("means", self.means, _moderate)
        sds = _each("sds", self.sds, lambda name, value: _moderate(name, _check.at_least(name, value, 0)))
        if not len(weights) == len(means) == len(sds) or not weights:
            lengths = f"{len(weights)}, {len(means)} and {len(sds)}"
            raise ValueError(f"`weights`, `means` and `sds` must have one number a component; got {lengths}.")
        total = math.fsum(weights)
        if not abs(total - 1) < 1e-9:
            raise ValueError(f"`weights` must add up to 1; got {total:.10g}.")
        _set(self, "weights", tuple(weight / total for weight in weights))
        _set(self, "means", means)
        _set(self, "sds", sds)

    def posterior(self, estimate: Any, stderr: Any) -> EffectPosterior:
        """The effect after an estimate with this standard error; arrays for arrays."""
        log_weights = np.log(self.weights)
        return EffectPosterior(*_data(estimate, stderr), log_weights, np.array(self.means), np.array(self.sds))

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the prior's density at x; infinite at a component of one value."""
        x, means, sds = np.asarray(x)[..., None], np.array(self.means), np.array(self.sds)
        with np.errstate(divide="ignore", invalid="ignore"):
            normal = -0.5 * ((x - means) / sds) ** 2 - np.log(sds) - LOG_ROOT_2PI
        atoms = np.where(x == means, np.inf, -np.inf)
        return logsumexp(np.log(self.weights) + np.where(sds > 0, normal, atoms), axis=-1)

    def sample(self, rng: np.random.Generator, size: int) -> Float64Array:
        """Effects drawn from the prior."""
        kind = rng.choice(len(self.weights), size, p=self.weights)
        return np.asarray(np.array(self.means)[kind] + np.array(self.sds)[kind] * rng.standard_normal(size))

    def describe(self) -> str:
        """The prior in one sentence."""
        kinds = [_kind(*each) for each in zip(self.weights, self.means, self.sds, strict=True)]
        return f"Effects are of {len(kinds)} kinds: {'; '.join(kinds)}."


EffectPrior = NormalPrior | StudentPrior | MixturePrior


def _kind(weight: float, mean: float, sd: float) -> str:
    if sd == 0:
        return f"{weight:.3g} of them are {mean:.4g}"
    return f"{weight:.3g} of them are normal with mean {mean:.4g} and standard deviation {sd:.4g}"


def _precisions(df: float, far: float) -> tuple[Float64Array, Float64Array]:
    """Logarithms of precisions and of their weights, for effects up to `far` scales from the centre.

    Left of the precision that belongs to `far`, or to the tail of 1e-300, the integrand falls like exp((df + 1) / 2 u).
    """
    tail = math.log(df) + math.log(math.expm1(min(_LOG_SMALLEST / df, 700.0)))
    low = -max(0.0, min(2 * math.log(max(far, 1.0)), tail)) - 80 / (df + 1)
    high = 1.0
    while df / 2 * (math.exp(high) - 1 - high) - high / 2 < 45:
        high *= 1.25
    step = min(0.25, 0.6 * math.sqrt(2 / df))
    u = np.arange(low, high + step, step)
    half = df / 2
    # half^half / gamma(half) exp(half (u - e^u)), by Stirling's formula
    peak = 0.5 * math.log(half) - LOG_ROOT_2PI - float(stirling(half))
    return u, peak + half * (u - np.expm1(u)) + math.log(step)


def _data(estimate: Any, stderr: Any) -> tuple[Float64Array, Float64Array]:
    y = _check.observations("estimate", estimate, tuple(range(33)))
    s = _check.observations("stderr", stderr, tuple(range(33)))
    if not (s > 0).all():
        raise ValueError(f"`stderr` must be greater than 0; got {float(s.min()):g}.")
    try:
        np.broadcast_shapes(y.shape, s.shape)
    except ValueError:
        raise ValueError(f"`estimate` and `stderr` must have one shape; got {y.shape} and {s.shape}.") from None
    return y, s


def _each(name: str, values: Any, check: Any) -> tuple[float, ...]:
    try:
        listed = list(values)
    except TypeError:
        raise TypeError(f"`{name}` must be a list of numbers; got {_check.show(values)}.") from None
    return tuple(check(name, value) for value in listed)


def _moderate(name: str, value: object) -> float:
    result = _check.number(name, value)
    if not abs(result) <= _check.LARGEST:
        raise ValueError(f"`{name}` must be at most {_check.LARGEST:g} in size; got {_check.show(value)}.")
    return result


def _scale(name: str, value: object) -> float:
    return _moderate(name, _check.within(name, value, 0, math.inf))


def _set(prior: Any, name: str, value: Any) -> None:
    object.__setattr__(prior, name, value)
