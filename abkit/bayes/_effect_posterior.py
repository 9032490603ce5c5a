"""The posterior of an effect whose estimate is normal and whose prior is a mixture of normals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtri

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import Interval, tail_of
from abkit.posterior._series import LOG_ROOT_2PI

IntervalKind = Literal["equal-tailed", "hdi"]
KINDS = ("equal-tailed", "hdi")
_BLOCK = 200_000
#: Standard deviations whose square is still a number.
_FARTHEST = 1e150
_STARTS = 40
#: An end this close to a value of its own probability, as a share of the interval, is that value.
_AT_ATOM = 1e-9
_STEPS = 200


@dataclass(frozen=True, eq=False)
class EffectPosterior:
    """What is known of an effect after its estimate: a mixture of normals, in closed form.

    Parameters
    ----------
    estimate, stderr : float array
        The estimates, normal around the effects, and their standard errors.
    log_weights, means, sds : float array, shape (components,)
        The prior's components. A standard deviation of 0 is a component that is one value.

    Notes
    -----
    A component N(m, t^2) becomes N(m + (y - m) t^2 / (t^2 + s^2), s^2 t^2 / (s^2 + t^2)), and its weight is multiplied
    by the density of the estimate y under N(m, s^2 + t^2). All functions are sums over components, in logarithms, so
    that tails keep their digits down to 1e-300. One estimate gives floats, an array of them arrays; what is asked at
    points `x` is broadcast against the estimates.

    Examples
    --------
    >>> from abkit.bayes import NormalPrior
    >>> posterior = NormalPrior(sd=0.02).posterior(0.03, 0.01)
    >>> round(posterior.mean, 4), round(posterior.sd, 4), round(posterior.sf(0.0), 4)
    (0.024, 0.0089, 0.9964)
    >>> [round(end, 4) for end in posterior.interval(0.95)]
    [0.0065, 0.0415]
    """

    estimate: Float64Array
    stderr: Float64Array
    log_weights: Float64Array
    means: Float64Array
    sds: Float64Array

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of the estimates."""
        return np.broadcast_shapes(np.shape(self.estimate), np.shape(self.stderr))

    @cached_property
    def log_marginal(self) -> Any:
        """The logarithm of the density of the estimate under the prior."""
        return self._each(lambda c: c.log_marginal)

    @cached_property
    def mean(self) -> Any:
        """The mean of the effect."""
        return self._each(lambda c: (c.weights * c.means).sum(axis=0))

    @cached_property
    def sd(self) -> Any:
        """The standard deviation of the effect."""
        return self._each(_Components.sd)

    def cdf(self, x: Any) -> Any:
        """P(effect <= x)."""
        return self._each(lambda c, at: np.exp(np.minimum(c.log_tail(at, 1.0, np.inf), 0.0)), x)

    def sf(self, x: Any) -> Any:
        """P(effect > x), with all its digits where it is small."""
        return self._each(lambda c, at: np.exp(np.minimum(c.log_tail(at, -1.0, -np.inf), 0.0)), x)

    def atom(self, x: Any) -> Any:
        """P(effect = x), which is not 0 where the prior has a component of that one value."""
        return self._each(lambda c, at: (c.weights * ((c.sds == 0) & (c.means == at))).sum(axis=0), x)

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the density at x; infinite at a component of one value."""
        return self._each(lambda c, at: c.logpdf(at), x)

    def mean_above(self, x: Any) -> Any:
        """The mean of max(effect - x, 0): what is lost, on average, by staying at x."""
        return self._each(lambda c, at: c.mean_beyond(at, 1.0), x)

    def mean_below(self, x: Any) -> Any:
        """The mean of max(x - effect, 0): what is lost, on average, by not staying at x."""
        return self._each(lambda c, at: c.mean_beyond(at, -1.0), x)

    def ppf(self, q: Any) -> Any:
        """The smallest value that the effect does not exceed with probability q or more."""
        return self._each(lambda c, at: c.quantile(at, 1.0), q)

    def isf(self, q: Any) -> Any:
        """The value that the effect exceeds with probability q."""
        return self._each(lambda c, at: c.quantile(at, -1.0), q)

    def sample(self, rng: np.random.Generator) -> Any:
        """One draw of each effect."""
        return self._each(lambda c: c.sample(rng))

    def interval(self, level: float = 0.95, kind: IntervalKind = "equal-tailed") -> Interval:
        """The values between which the effect lies with this probability; arrays of ends for arrays of estimates.

        Parameters
        ----------
        level : float
            Probability, between 0 and 1.
        kind : {"equal-tailed", "hdi"}
            With the same probability on either side, or the shortest interval. Where the density has two peaks the
            shortest interval holds what is between them; the set of highest density may be two pieces, and is not
            given.
        """
        level = _check.within("level", level, 0, 1)
        _check.choice("kind", kind, KINDS)
        half = tail_of(level, "two-sided")
        if kind == "equal-tailed" or len(self.means) == 1:
            return Interval(self.ppf(half), self.isf(half), level)
        low, high = self._each(lambda c: c.shortest(2 * half))
        return Interval(low, high, level)

    def _each(self, of: Callable[..., Any], x: Any = None) -> Any:
        """A function of the components of every estimate, some estimates at a time."""
        points = () if x is None else (np.asarray(x, dtype=np.float64),)
        arrays = np.broadcast_arrays(self.estimate, self.stderr, *points)
        shape = arrays[0].shape
        flat = [np.ravel(array) for array in arrays]
        size = max(1, _BLOCK // len(self.means))
        found = [
            self._block(of, *(array[i : i + size] for array in flat)) for i in range(0, max(1, flat[0].size), size)
        ]
        joined = np.concatenate(found, axis=-1)
        if joined.ndim == 2:
            return tuple(_plain(row.reshape(shape)) for row in joined)
        return _plain(joined.reshape(shape))

    def _block(self, of: Callable[..., Any], y: Float64Array, s: Float64Array, *points: Float64Array) -> Float64Array:
        m, t = self.means[:, None], self.sds[:, None]
        total = np.hypot(t, s)
        inside, outside = t / total, s / total
        means = np.where(outside < inside, y + (m - y) * outside**2, m + (y - m) * inside**2)
        sds = np.where(outside < inside, s * inside, t * outside)
        with np.errstate(over="ignore"):
            z = np.minimum(np.abs(y - m) / total, _FARTHEST)
        joint = self.log_weights[:, None] - 0.5 * z**2 - np.log(total) - LOG_ROOT_2PI
        marginal = log_sum(joint)
        return np.asarray(of(_Components(joint - marginal, means, sds, marginal), *points))


@dataclass(frozen=True, eq=False)
class _Components:
    """The components of some posteriors, along the first axis."""

    log_weights: Float64Array
    means: Float64Array
    sds: Float64Array
    log_marginal: Float64Array

    @cached_property
    def weights(self) -> Float64Array:
        return np.asarray(np.exp(self.log_weights))

    def sd(self) -> Float64Array:
        spread = np.hypot(self.means - (self.weights * self.means).sum(axis=0), self.sds)
        largest = spread.max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)  # its square may not be a number
        return np.asarray(unit * np.sqrt((self.weights * (spread / unit) ** 2).sum(axis=0)))

    def log_tail(self, x: Float64Array, side: Any, at_atom: float) -> Float64Array:
        """The logarithm of P(effect <= x), or for side -1 of P(effect >= x); without = where `at_atom` is -inf."""
        apart = side * (x - self.means)
        with np.errstate(all="ignore"):
            z = np.where(apart == 0, np.where(self.sds > 0, 0.0, at_atom), apart / self.sds)
        return log_sum(self.log_weights + log_ndtr(z))

    def logpdf(self, x: Float64Array) -> Float64Array:
        with np.errstate(all="ignore"):
            densities = -0.5 * ((x - self.means) / self.sds) ** 2 - np.log(self.sds) - LOG_ROOT_2PI
        atoms = np.where(x == self.means, np.inf, -np.inf)
        densities = np.where(self.sds > 0, densities, atoms)
        return log_sum(self.log_weights + densities)

    def mean_beyond(self, x: Float64Array, side: float) -> Float64Array:
        """The mean of max(side (effect - x), 0)."""
        with np.errstate(all="ignore"):
            z = side * (self.means - x) / self.sds
        atom = np.maximum(side * (self.means - x), 0.0)
        log_loss = self.log_weights + np.log(np.where(self.sds > 0, self.sds, 1.0)) + log_unit_loss(-np.abs(z))
        tails = np.where(self.sds > 0, np.exp(np.where(self.sds > 0, log_loss, 0.0)), 0.0)
        return np.asarray((tails + self.weights * atom).sum(axis=0))

    def sample(self, rng: np.random.Generator) -> Float64Array:
        below = np.cumsum(self.weights, axis=0)
        chosen = (below[:-1] < below[-1] * rng.random(below.shape[1:])).sum(axis=0)[None]
        mean, sd = (np.take_along_axis(array, chosen, axis=0)[0] for array in (self.means, self.sds))
        return np.asarray(mean + sd * rng.standard_normal(mean.shape))

    def quantile(self, q: Float64Array, side: float) -> Float64Array:
        """Where P(effect <= x) reaches q, or for side -1 P(effect >= x)."""
        usable = (q > 0) & (q < 1)
        p = np.where(usable, q, 0.5)
        found = np.full(p.shape, np.nan)
        for k in np.flatnonzero((self.sds == 0).reshape(len(self.sds), -1).all(axis=1)):
            atom = self.means[k]
            below = np.exp(self.log_tail(atom, side, -np.inf))
            found = np.where((below < p) & (p <= below + self.weights[k]), atom, found)
        tail = np.minimum(p, 1 - p)
        reached = self._reached(np.log(tail), ndtri(tail), np.where(p <= 0.5, side, -side), ~np.isnan(found))
        ends = np.where(q == 0, -side * np.inf, np.where(q == 1, side * np.inf, np.nan))
        return np.where(usable, np.where(np.isnan(found), reached, found), ends)

    def _reached(self, goal: Float64Array, deviate: Float64Array, side: Float64Array, known: Any) -> Float64Array:
        """Newton's method on the logarithm of a tail, in a bracket; the points are turned so that it rises."""
        own = side * self.means + self.sds * deviate
        counted = self.weights > 0
        low, high = np.where(counted, own, np.inf).min(axis=0), np.where(counted, own, -np.inf).max(axis=0)
        high = np.where(known, low, high)
        mean = side * (self.weights * self.means).sum(axis=0)
        t = np.clip(mean + self.sd() * deviate, low, high)
        for _ in range(_STEPS):
            below = self.log_tail(side * t, side, np.inf)
            value = below - goal
            low, high = np.where(value < 0, t, low), np.where(value < 0, high, t)
            with np.errstate(all="ignore"):
                step = value * np.exp(below - self.logpdf(side * t))
            near = np.abs(step) <= 4e-16 * np.abs(t)
            following, middle = t - step, low + (high - low) / 2
            closed = ~((low < middle) & (middle < high))
            inside = (low < following) & (following < high)
            t = np.where(near, t, np.where(closed, high, np.where(inside, following, middle)))
            if (near | closed).all():
                break
        return np.asarray(side * t)

    def shortest(self, outside: float) -> tuple[Float64Array, Float64Array]:
        """The ends of the shortest interval that leaves this probability outside: from many, the best is improved."""
        shares = ((np.arange(_STARTS) + 0.5) / _STARTS)[:, None]
        one = np.ones_like(self.log_marginal)
        many = _Components(
            *(array[..., None, :] for array in (self.log_weights, self.means, self.sds, self.log_marginal))
        )
        a, b = many.ends(shares * one, outside)
        best = (b - a).argmin(axis=0)
        low, high = np.maximum(best - 0.5, 0.0) / _STARTS, np.minimum(best + 1.5, _STARTS) / _STARTS
        for _ in range(40):
            middle = low + (high - low) / 2
            a, b = self.ends(middle, outside)
            with np.errstate(all="ignore"):
                too_far = self.logpdf(a) - self.logpdf(b) > 0
            low, high = np.where(too_far, low, middle), np.where(too_far, middle, high)
        a, b = self.ends(low + (high - low) / 2, outside)
        near = _AT_ATOM * (b - a)
        for atom in self.means[(self.sds == 0).reshape(len(self.sds), -1).all(axis=1)]:
            a, b = (np.where(np.abs(end - atom) <= near, atom, end) for end in (a, b))
        return a, b

    def ends(self, share: Float64Array, outside: float) -> tuple[Float64Array, Float64Array]:
        return self.quantile(share * outside, 1.0), self.quantile((1 - share) * outside, -1.0)


def log_unit_loss(z: Any) -> Any:
    """The logarithm of the mean of max(Z + z, 0), Z standard normal, for z of 0 or less."""
    far = np.minimum(np.abs(z), 1e9)  # beyond it there is nothing, and squares are too large
    near = np.minimum(far, 100.0)
    mills = 1 - near * np.sqrt(np.pi / 2) * erfcx(near / np.sqrt(2))
    with np.errstate(all="ignore"):
        series = (1 - 3 / far**2 + 15 / far**4) / far**2
        return -0.5 * far**2 - LOG_ROOT_2PI + np.log(np.where(far > 100, series, mills))


def log_sum(values: Float64Array) -> Float64Array:
    """The logarithm of the sum, along the first axis, of what these are logarithms of."""
    top = values.max(axis=0)
    base = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(all="ignore"):
        return np.asarray(base + np.log(np.exp(values - base).sum(axis=0)))


def _plain(array: Float64Array) -> Any:
    return array if array.ndim else float(array)
