"""Kinds of priors as functions of free parameters, and the parameters that fit past estimates best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import psi

from abkit._check import Float64Array
from abkit.bayes._effect_posterior import log_sum
from abkit.bayes._effect_priors import MOST_DF, EffectPrior, MixturePrior, NormalPrior, StudentPrior
from abkit.posterior._series import LOG_ROOT_2PI

#: A value with its gradient.
Valued = tuple[float, Float64Array]
_FAR = 25.0
_STEP = 1e-3
#: With more experiments than this the search begins where it ends for some of them.
_MANY = 2000
_SOME = 1000


@dataclass(frozen=True)
class Kind:
    """A kind of prior: its parameters, the mean first, and how it is made of them.

    `links` says of each parameter what of it is free: itself, its logarithm or its log odds. `gradient` is that of the
    log likelihood, `penalty` the logarithm of what keeps parameters from the ends of their ranges, with its gradient,
    after the largest estimate; `starts` are those of the search, without the mean, for a spread of the effects.
    """

    names: tuple[str, ...]
    links: tuple[str, ...]
    make: Callable[..., EffectPrior]
    gradient: Callable[..., list[float]]
    penalty: Callable[..., tuple[float, list[float]]]
    starts: Callable[[float], list[tuple[float, ...]]]
    fewest: int


@dataclass(frozen=True, slots=True)
class _Slopes:
    """Of the log likelihood by the mean, the log sd and the log weight of each component."""

    means: Float64Array
    sds: Float64Array
    weights: Float64Array
    prior_sds: Float64Array


def _normal(mean: float, sd: float) -> EffectPrior:
    return NormalPrior(mean=mean, sd=sd)


def _student(mean: float, scale: float, df: float) -> EffectPrior:
    return StudentPrior(mean=mean, scale=scale, df=min(df, MOST_DF))


def _mixture(mean: float, sd: float, share: float) -> EffectPrior:
    return MixturePrior(weights=(1 - share, share), means=(0.0, mean), sds=(0.0, sd))


def _student_gradient(at: _Slopes, mean: float, scale: float, df: float) -> list[float]:  # noqa: ARG001
    half, u = df / 2, -2 * np.log(at.prior_sds / scale)
    by_df = half * (math.log(half) - float(psi(half)) + u - np.expm1(u))
    return [float(at.means.sum()), float(at.sds.sum()), float(at.weights @ by_df) if df < MOST_DF else 0.0]


def _mixture_gradient(at: _Slopes, mean: float, sd: float, share: float) -> list[float]:  # noqa: ARG001
    return [float(at.means[1]), float(at.sds[1]), float(at.weights[1] - share * at.weights.sum())]


def _student_penalty(widest: float, mean: float, scale: float, df: float) -> tuple[float, list[float]]:  # noqa: ARG001
    return math.log(scale) + math.log(df) - df / 10, [0.0, 1.0, 1 - df / 10]


def _mixture_penalty(widest: float, mean: float, sd: float, share: float) -> tuple[float, list[float]]:  # noqa: ARG001
    # a component of less than one experiment would widen for ever under ln(sd) alone
    width = (sd / widest) ** 2
    value = math.log(sd) - math.log1p(width) + math.log(share) + math.log1p(-share)
    return value, [0.0, 1 - 2 * width / (1 + width), 1 - 2 * share]


KINDS = {
    "normal": Kind(
        ("mean", "sd"),
        ("", "log"),
        _normal,
        lambda at, *_: [float(at.means[0]), float(at.sds[0])],
        lambda _, __, sd: (math.log(sd), [0.0, 1.0]),
        lambda sd: [(sd,), (sd / 4,)],
        4,
    ),
    "student": Kind(
        ("mean", "scale", "df"),
        ("", "log", "log"),
        _student,
        _student_gradient,
        _student_penalty,
        lambda sd: [(0.7 * sd, 4.0), (0.3 * sd, 1.5)],
        10,
    ),
    "mixture": Kind(
        ("mean", "sd", "share"),
        ("", "log", "logit"),
        _mixture,
        _mixture_gradient,
        _mixture_penalty,
        lambda sd: [(1.4 * sd, 0.5), (3 * sd, 0.1), (sd, 0.9)],
        10,
    ),
}


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters of a kind of prior for these estimates and standard errors; a given mean is not free."""

    kind: Kind
    y: Float64Array
    s: Float64Array
    mean: float | None
    penalised: bool

    @cached_property
    def widest(self) -> float:
        """The largest estimate, in units of a standard error, and its own error."""
        return 1 + float(np.abs(self.y).max())

    @property
    def names(self) -> tuple[str, ...]:
        """The free parameters."""
        return self.kind.names if self.mean is None else self.kind.names[1:]

    @property
    def links(self) -> tuple[str, ...]:
        """What of each is free."""
        return self.kind.links if self.mean is None else self.kind.links[1:]

    def natural(self, free: Float64Array) -> tuple[float, ...]:
        """All parameters, the mean first."""
        values = tuple(_natural(link, float(value)) for link, value in zip(self.links, free, strict=True))
        return values if self.mean is None else (self.mean, *values)

    def log_likelihood(self, free: Float64Array) -> float:
        """The logarithm of the density of all estimates, the effects integrated out."""
        return self._likelihood(self.natural(free))[0]

    def objective(self, free: Float64Array) -> Valued:
        """What is made as large as can be."""
        values = self.natural(free)
        value, slopes = self._likelihood(values)
        more, more_slopes = self.kind.penalty(self.widest, *values) if self.penalised else (0.0, [0.0] * len(values))
        return value + more, (slopes + more_slopes)[-len(free) :]

    def _likelihood(self, values: tuple[float, ...]) -> Valued:
        parts = self.kind.make(*values).posterior(self.y, self.s)
        m, t = parts.means[:, None], parts.sds[:, None]
        variance = t * t + self.s**2
        squares = (self.y - m) ** 2 / variance
        joint = parts.log_weights[:, None] - 0.5 * (squares + np.log(variance)) - LOG_ROOT_2PI
        marginal = log_sum(joint)
        share = np.exp(joint - marginal)
        by_mean = (share * (self.y - m) / variance).sum(axis=1)
        by_sd = (share * (t * t / variance) * (squares - 1)).sum(axis=1)
        slopes = _Slopes(by_mean, by_sd, share.sum(axis=1), parts.sds)
        return float(marginal.sum()), np.array(self.kind.gradient(slopes, *values))

    def best(self) -> Float64Array:
        """The free parameters at which the objective is largest."""
        if self.y.size > _MANY:
            some = replace(self, y=self.y[:: self.y.size // _SOME], s=self.s[:: self.y.size // _SOME])
            return _polished(self.objective, _climbed(self.objective, some.best()))
        weights = 1 / self.s**2
        mean = float(weights @ self.y / weights.sum())
        noise = float(np.mean(self.s**2))
        spread = math.sqrt(max(float(np.mean((self.y - mean) ** 2)) - noise, 0.1 * noise))
        starts = [
            np.array([_free(link, value) for link, value in zip(self.kind.links, (mean, *rest), strict=True)])
            for rest in self.kind.starts(spread)
        ]
        found = [_climbed(self.objective, start[-len(self.names) :]) for start in starts]
        return _polished(self.objective, max(found, key=lambda free: self.objective(free)[0]))

    def stderrs(self, free: Float64Array) -> tuple[float, ...]:
        """Standard errors of the natural parameters, by the curvature of the objective; nan where there is none."""
        slopes = np.array([_slope(link, float(value)) for link, value in zip(self.links, free, strict=True)])
        try:
            covariance = np.linalg.inv(-_hessian(self.objective, free))
        except np.linalg.LinAlgError:
            return (math.nan,) * len(free)
        variances = np.diag(covariance) * slopes**2
        return tuple(math.sqrt(variance) if variance > 0 else math.nan for variance in variances.tolist())

    def interval(self, name: str, deviate: float) -> tuple[float, float]:
        """Where the likelihood, at its largest for a value of this parameter, is that of a deviate from the best."""
        plain = replace(self, penalised=False)
        index, best = self.names.index(name), plain.best()
        link, lowest = self.links[index], plain.objective(best)[0] - deviate**2 / 2
        least, most = _range(name, link, plain)
        centre = min(max(float(best[index]), least), most)
        others = [np.delete(best, index)]

        def height(at: float) -> float:
            others[0] = plain.profile(index, at, others[0])
            return plain.objective(np.insert(others[0], index, at))[0] - lowest

        first = 0.5 if link else float(np.sqrt(1 / np.sum(1 / plain.s**2)))
        ends = (_end(height, centre, least, first), _end(height, centre, most, first))
        limits = {"": (-math.inf, math.inf), "log": (0.0, math.inf), "logit": (0.0, 1.0)}[link]
        low, high = (_natural(link, end) if end is not None else limit for end, limit in zip(ends, limits, strict=True))
        return low, high

    def profile(self, index: int, fixed: float, start: Float64Array) -> Float64Array:
        """The other free parameters at which the objective is largest, with one given."""

        def rest(others: Float64Array) -> Valued:
            value, slopes = self.objective(np.insert(others, index, fixed))
            return value, np.delete(slopes, index)

        # from where a spread is nothing no slope leads away
        links = np.delete(np.array(self.links), index)
        return _climbed(rest, np.where(links == "log", np.maximum(start, -1.0), start)) if start.size else start


def _polished(of: Callable[[Float64Array], Valued], found: Float64Array) -> Float64Array:
    """Newton's steps to the last digits of where a smooth function is largest."""
    for _ in range(3):
        try:
            step = np.linalg.solve(_hessian(of, found), of(found)[1])
        except np.linalg.LinAlgError:
            break
        if not (np.abs(step).max() < 0.1 and of(found - step)[0] >= of(found)[0] - 1e-9):
            break
        found = found - step
    return found


def _climbed(of: Callable[[Float64Array], Valued], start: Float64Array) -> Float64Array:
    from scipy.optimize import minimize

    def down(x: Float64Array) -> Valued:
        value, slopes = of(x)
        return -value, -slopes

    return np.asarray(minimize(down, start, jac=True, method="BFGS").x, dtype=np.float64)


def _hessian(of: Callable[[Float64Array], Valued], x: Float64Array) -> Float64Array:
    """Central differences of the gradient."""
    rows = np.array([of(x + step)[1] - of(x - step)[1] for step in _STEP * np.eye(x.size)]) / (2 * _STEP)
    return np.asarray(rows / 2 + rows.T / 2)


def _range(name: str, link: str, fit: Fit) -> tuple[float, float]:
    """Beyond these values of a free parameter nothing changes, or nothing is believed."""
    if name == "df":
        return math.log(0.05), math.log(MOST_DF)
    if link:
        return -10.0, (10.0 if link == "logit" else _FAR)
    reach = float(np.abs(fit.y).max() + 100 * fit.s.max())
    return -reach, reach


def _end(height: Callable[[float], float], centre: float, limit: float, step: float) -> float | None:
    """Where a height falls below zero on the way from the centre to a limit; None where it does not."""
    from scipy.optimize import brentq

    side = math.copysign(1.0, limit - centre)
    inner, outer = centre, centre
    while outer != limit:
        inner, outer = outer, side * min(side * (outer + side * step), side * limit)
        step *= 2
        if height(outer) < 0:
            return float(brentq(height, inner, outer, xtol=1e-9, rtol=1e-10))
    return None


def _natural(link: str, value: float) -> float:
    if not link:
        return value
    value = min(max(value, -_FAR), _FAR)
    return math.exp(value) if link == "log" else 1 / (1 + math.exp(-value))


def _free(link: str, value: float) -> float:
    return math.log(value / (1 - value)) if link == "logit" else math.log(value) if link == "log" else value


def _slope(link: str, value: float) -> float:
    natural = _natural(link, value)
    return natural * (1 - natural) if link == "logit" else natural if link == "log" else 1.0
