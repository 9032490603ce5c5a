"""What the posterior of an effect can be asked, and how it is inverted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array

#: The probability that a normal deviate is above 1.
ONE_SD = 0.15865525393145707
_STEPS = 200


class Law(ABC):
    """The distribution of an effect, for some pairs at once: everything has the shape (pairs,)."""

    scale: str

    @property
    @abstractmethod
    def mean(self) -> Float64Array:
        """Posterior mean; where there is none, the median."""

    @property
    @abstractmethod
    def sd(self) -> Float64Array:
        """Posterior standard deviation."""

    @property
    def start(self) -> tuple[Float64Array, Float64Array]:
        """A centre and a spread, both finite."""
        return self.mean, self.sd

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest effect that there can be."""
        return (-np.inf, np.inf)

    @abstractmethod
    def rows(self, chosen: Any) -> Self:
        """The law of some of the pairs."""

    @abstractmethod
    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """P(effect <= x), P(effect > x), each with all its digits, and the density at x."""

    def cdf(self, x: Any) -> Float64Array:
        """P(effect <= x)."""
        return self.look(x)[0]

    def sf(self, x: Any) -> Float64Array:
        """P(effect > x)."""
        return self.look(x)[1]

    def pdf(self, x: Any) -> Float64Array:
        """The density at x."""
        return self.look(x)[2]

    def ppf(self, q: Any) -> Float64Array:
        """The effect below which the probability is q."""
        return inverted(self, ndtri(q))

    def isf(self, q: Any) -> Float64Array:
        """The effect above which the probability is q."""
        return inverted(self, -ndtri(q))

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The effects with these probabilities below the one and above the other."""
        pairs = np.arange(self.start[0].size)
        low = ndtri(np.broadcast_to(below, pairs.shape))
        high = low if above is None else ndtri(np.broadcast_to(above, pairs.shape))
        found = inverted(self.rows(np.concatenate([pairs, pairs])), np.concatenate([low, -high]))
        return found[: pairs.size], found[pairs.size :]


def inverted(law: Law, deviate: Any) -> Float64Array:
    """The effect whose tail is that of a normal deviate: Newton's steps on the scale of deviates, in a bracket."""
    mean, sd = law.start
    wanted = np.broadcast_to(np.asarray(deviate, dtype=np.float64), mean.shape)
    low, high = np.full(mean.shape, law.support[0]), np.full(mean.shape, law.support[1])
    first = mean + wanted * sd
    first = np.where((low < first) & (first < high), first, mean)
    x = np.where(np.isneginf(wanted), low, np.where(np.isposinf(wanted), high, first))
    left = np.flatnonzero(np.isfinite(wanted) & np.isfinite(mean))
    for _ in range(_STEPS):
        if not left.size:
            return x
        here, spread = x[left], sd[left]
        below, above, density = (law if left.size == x.size else law.rows(left)).look(here)
        with np.errstate(all="ignore"):
            z = np.where(above < below, -ndtri(above), ndtri(below))
            lack = wanted[left] - z
            low[left] = np.where(lack > 0, here, low[left])
            high[left] = np.where(lack < 0, here, high[left])
            following = here + lack * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / density
            inside = np.isfinite(following) & (low[left] < following) & (following < high[left])
            middle = (low[left] + high[left]) / 2
            further = here + np.sign(lack) * (spread + 2 * np.abs(here - mean[left]))
            following = np.where(inside, following, np.where(np.isfinite(middle), middle, further))
        # Newton's steps square their error: after one of 1e-8 nothing is left of it, if it is small beside the effects
        # of about this probability too, which may lie far closer together than the spread says
        step = np.abs(following - here)
        near = (step <= 1e-8 * spread) & (np.abs(lack) <= 1e-8)
        done = near | (step <= 1e-13 * np.abs(here)) | (lack == 0) | ~np.isfinite(following)
        x[left] = np.where(lack == 0, here, following)
        left = left[~done]
    x[left] = np.copysign(np.inf, wanted[left])
    return x
