"""Effects whose prior is of the effect itself: the likelihood is that of a normal estimate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, owens_t

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.bayes._law import Law

#: A control whose deviate from zero is beyond this has its sign for sure, to all digits.
_SURE = -8.8


@dataclass(frozen=True, eq=False)
class EffectLaw(Law):
    """The posterior that a prior of effects makes of an estimate."""

    posterior: Any
    scale: str

    @property
    def mean(self) -> Float64Array:
        """Posterior mean."""
        return np.asarray(self.posterior.mean)

    @property
    def sd(self) -> Float64Array:
        """Posterior standard deviation."""
        return np.asarray(self.posterior.sd)

    def rows(self, chosen: Any) -> EffectLaw:
        """The law of some of the effects."""
        p = self.posterior
        some = type(p)(p.estimate[chosen], p.stderr[chosen], p.log_weights, p.means, p.sds)
        return EffectLaw(some, self.scale)

    def look(self, x: Any) -> Looks:
        """P(effect <= x), P(effect > x) and the density at x."""
        p = self.posterior
        return np.asarray(p.cdf(x)), np.asarray(p.sf(x)), np.exp(p.logpdf(x))

    def losses(self) -> tuple[Float64Array, Float64Array]:
        """The means of max(effect, 0) and of max(-effect, 0)."""
        return np.asarray(self.posterior.mean_above(0.0)), np.asarray(self.posterior.mean_below(0.0))

    def ppf(self, q: Any) -> Float64Array:
        """The effect below which the probability is q."""
        return np.asarray(self.posterior.ppf(q))

    def isf(self, q: Any) -> Float64Array:
        """The effect above which the probability is q."""
        return np.asarray(self.posterior.isf(q))

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The effects with these probabilities below the one and above the other."""
        return self.ppf(below), self.isf(below if above is None else above)


@dataclass(frozen=True, eq=False)
class ContrastLaw(Law):
    """The effect on a difference as a share of the control, the control's mean having a flat prior.

    Given the effect D the control C is normal, so that D - rho C is a mixture of normals as D is, and D / C > rho is
    that it is above zero; where C may be below zero, Owen's function turns this into D / |C|.
    """

    posterior: Any
    control: Float64Array
    variance: Float64Array
    scale = "relative"

    @cached_property
    def _parts(self) -> tuple[Float64Array, ...]:
        """Weights of D's components, (components, effects); means of D and C, their covariances, and its determinant.

        C is turned so that it is above zero on average.
        """
        p = self.posterior
        m, t = p.means[:, None], p.sds[:, None]
        total = np.hypot(t, p.stderr)
        joint = p.log_weights[:, None] - 0.5 * ((p.estimate - m) / total) ** 2 - np.log(total)
        weight = np.exp(joint - joint.max(axis=0))
        mean = m + (p.estimate - m) * (t / total) ** 2
        variance = (t * p.stderr / total) ** 2
        # C given D is its estimate less `slope` for each unit that D is above its own, and this is left of its variance
        slope = self.variance / p.stderr**2
        left = np.maximum(self.variance - slope * self.variance, 0.0)
        sign = np.where(self.control < 0, -1.0, 1.0)
        of_control = sign * (self.control - slope * (mean - p.estimate))
        of_control, mean = np.broadcast_arrays(of_control, mean)
        var_c = slope**2 * variance + left
        return weight / weight.sum(axis=0), mean, of_control, variance, -sign * slope * variance, var_c, left * variance

    @property
    def mean(self) -> Float64Array:
        """The posterior mean of the effect over the size of the control."""
        return np.asarray(self.posterior.mean / np.abs(self.control))

    @property
    def sd(self) -> Float64Array:
        """Its standard deviation, to first order."""
        c = np.abs(self.control)
        return np.asarray(np.hypot(self.posterior.sd, self.mean * np.sqrt(self.variance)) / c)

    def rows(self, chosen: Any) -> ContrastLaw:
        """The law of some of the effects."""
        p = self.posterior
        some = type(p)(p.estimate[chosen], p.stderr[chosen], p.log_weights, p.means, p.sds)
        return ContrastLaw(some, self.control[chosen], self.variance[chosen])

    def look(self, x: Any) -> Looks:
        """P(effect <= x), P(effect > x) and the density at x."""
        weight, d, c, var_d, cov, var_c, det = self._parts
        with np.errstate(all="ignore"):
            return tuple((weight * part).sum(axis=0) for part in _share_of(d, c, var_d, cov, var_c, det, x))

    def ppf(self, q: Any) -> Float64Array:
        """The effect below which the probability is q."""
        return np.where(self.posterior.ppf(q) == 0, 0.0, super().ppf(q))

    def isf(self, q: Any) -> Float64Array:
        """The effect above which the probability is q."""
        return np.where(self.posterior.isf(q) == 0, 0.0, super().isf(q))

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The effects with these probabilities below the one and above the other."""
        return self.ppf(below), self.isf(below if above is None else above)


def _share_of(d: Any, c: Any, var_d: Any, cov: Any, var_c: Any, det: Any, x: Any) -> Looks:
    """Of D over |C| of two normals, C being above zero on average: P(<= x), P(> x) and the density at x."""
    middle, spread = d - x * c, var_d - 2 * x * cov + x * x * var_c
    nothing = spread == 0  # D is known, and so is that it is none
    sd = np.sqrt(np.where(nothing, 1.0, spread))
    z = np.where(nothing, np.where(middle > 0, np.inf, -np.inf), middle / sd)
    turned = _negative(d, c, var_d, cov, var_c, det, x)
    density = np.zeros_like(z)
    for sign in (1.0, -1.0):  # of C, and its part of the density: the integral of |c| times the joint density
        y = sign * x
        own = np.sqrt(np.where(nothing, 1.0, var_d - 2 * y * cov + y * y * var_c))
        lean = sign * (var_d * c - cov * d + y * (var_c * d - cov * c)) / own
        root = np.sqrt(det)
        height = np.exp(-(((d - y * c) / own) ** 2) / 2) / (2 * np.pi * own**2)
        beta = np.where(root > 0, lean / root, np.copysign(np.inf, lean))
        part = root * np.exp(-beta * beta / 2) + lean * np.sqrt(2 * np.pi) * ndtr(beta)
        density += np.where(nothing, 0.0, np.maximum(height * part, 0.0))
    return np.clip(ndtr(-z) - turned, 0.0, 1.0), np.clip(ndtr(z) + turned, 0.0, 1.0), density


def _negative(d: Any, c: Any, var_d: Any, cov: Any, var_c: Any, det: Any, x: Any) -> Any:
    """How much more probable D > x |C| is than D > x C, which differ where C is below zero."""
    h = -c / np.sqrt(var_c)
    if not (h > _SURE).any():
        return 0.0
    both = []
    for y in (x, -x):
        spread = np.maximum(var_d - 2 * y * cov + y * y * var_c, 1e-300)
        k = -(d - y * c) / np.sqrt(spread)
        both.append(_both_below(h, k, (cov - y * var_c) / np.sqrt(var_c * spread), np.sqrt(det / (var_c * spread))))
    return np.where(h > _SURE, both[0] - both[1], 0.0)


def _both_below(h: Any, k: Any, r: Any, rest: Any) -> Any:
    """P(X < h, Y < k) of standard normals with correlation r, `rest` the root of 1 - r^2; Owen (1956)."""
    h, k, rest = (np.where(np.abs(part) < 1e-140, 1e-140, part) for part in (h, k, rest))
    bent = owens_t(h, (k / h - r) / rest) + owens_t(k, (h / k - r) / rest)
    return (ndtr(h) + ndtr(k)) / 2 - bent - np.where(h * k < 0, 0.5, 0.0)
