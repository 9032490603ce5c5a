"""Effects whose prior is of the effect itself: the likelihood is that of a normal estimate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.bayes._law import Law


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

    Given the effect D the control is normal, so that D - rho |C| is a mixture of normals as D is, and D / |C| > rho is
    that it is above zero.
    """

    posterior: Any
    control: Float64Array
    variance: Float64Array
    scale = "relative"

    @cached_property
    def _parts(self) -> tuple[Float64Array, ...]:
        """Weights, means and variances of D's components, (components, effects)."""
        p = self.posterior
        m, t = p.means[:, None], p.sds[:, None]
        total = np.hypot(t, p.stderr)
        joint = p.log_weights[:, None] - 0.5 * ((p.estimate - m) / total) ** 2 - np.log(total)
        weight = np.exp(joint - joint.max(axis=0))
        mean = m + (p.estimate - m) * (t / total) ** 2
        return weight / weight.sum(axis=0), mean, (t * p.stderr / total) ** 2

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
        weight, mean, variance = self._parts
        p, sign = self.posterior, np.where(self.control < 0, -1.0, 1.0)
        # C given D is its estimate less `slope` for each unit that D is above its own, and this is left of its variance
        with np.errstate(all="ignore"):
            slope = self.variance / p.stderr**2
            left = self.variance - slope * self.variance
            rest, factor = sign * self.control + sign * slope * p.estimate, 1 + x * sign * slope
            middle = mean * factor - x * rest
            spread = variance * factor**2 + x**2 * left
            sd = np.sqrt(spread)
            z = middle / sd
            growth = mean * sign * slope - rest
            pace = growth / sd - z * (variance * factor * sign * slope + x * left) / spread
            density = -pace * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
            return tuple((weight * part).sum(axis=0) for part in (ndtr(-z), ndtr(z), density))
