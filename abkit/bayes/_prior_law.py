"""Effects whose prior is of the effect itself: the likelihood is that of a normal estimate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.bayes._law import Law
from abkit.bayes._normal_share import share_of


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
            return tuple((weight * part).sum(axis=0) for part in share_of(d, c, var_d, cov, var_c, det, x))

    def ppf(self, q: Any) -> Float64Array:
        """The effect below which the probability is q."""
        return np.where(self.posterior.ppf(q) == 0, 0.0, super().ppf(q))

    def isf(self, q: Any) -> Float64Array:
        """The effect above which the probability is q."""
        return np.where(self.posterior.isf(q) == 0, 0.0, super().isf(q))

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The effects with these probabilities below the one and above the other."""
        return self.ppf(below), self.isf(below if above is None else above)
