"""The effect of a switch given the forecast: a mixture of normals, one a draw of the parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.special import ndtr

from abkit._check import Float64Array
from abkit.bayes._law import Law


@dataclass(frozen=True, eq=False)
class DrawsLaw(Law):
    """What is `observed` less a forecast that is normal given each draw: no digit of a tail is lost to sampling noise.

    `means` and `sds` are those of the forecast, shape (draws,).
    """

    observed: float
    means: Float64Array = field(repr=False)
    sds: Float64Array = field(repr=False)
    pairs: int = 1
    scale: str = "difference"

    @cached_property
    def least(self) -> float:
        """How many standard deviations the forecast lies above zero, for the draw that puts it nearest."""
        return float(np.min(self.means / self.sds))

    @cached_property
    def mean(self) -> Float64Array:
        """Posterior mean."""
        return np.full(self.pairs, self.observed - self.means.mean())

    @cached_property
    def sd(self) -> Float64Array:
        """Posterior standard deviation."""
        return np.full(self.pairs, np.sqrt(self.means.var() + np.mean(self.sds**2)))

    def rows(self, chosen: Any) -> Self:
        """The same law as often as it was chosen: all its pairs are one."""
        return replace(self, pairs=np.arange(self.pairs)[chosen].size)

    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """P(effect <= x), P(effect > x), and the density at x."""
        z = (np.reshape(x, -1)[:, None] - self.observed + self.means) / self.sds
        density = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * self.sds)
        return ndtr(z).mean(axis=1), ndtr(-z).mean(axis=1), density.mean(axis=1)


@dataclass(frozen=True, eq=False)
class ShareLaw(Law):
    """The same as a share of the forecast, where both are surely positive: observed / forecast - 1."""

    difference: DrawsLaw
    pairs: int = 1
    scale: str = "relative"

    @property
    def support(self) -> tuple[float, float]:
        """More than the whole cannot be lost."""
        return (-1.0, np.inf)

    @cached_property
    def mean(self) -> Float64Array:
        """Posterior mean, by Gauss and Hermite's rule for each draw."""
        return np.full(self.pairs, self._moment(1))

    @cached_property
    def sd(self) -> Float64Array:
        """Posterior standard deviation."""
        return np.full(self.pairs, np.sqrt(max(self._moment(2) - self._moment(1) ** 2, 0.0)))

    def rows(self, chosen: Any) -> Self:
        """The same law as often as it was chosen: all its pairs are one."""
        return replace(self, pairs=np.arange(self.pairs)[chosen].size)

    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """The share is at most x where the forecast is at least observed / (1 + x)."""
        left = 1 + np.reshape(x, -1)
        some = left > 0
        bound = self.difference.observed / np.where(some, left, 1.0)
        below, above, density = self.difference.look(self.difference.observed - bound)
        return np.where(some, below, 0.0), np.where(some, above, 1.0), np.where(some, density * bound / left, 0.0)

    def _moment(self, order: int) -> float:
        points, weights = np.polynomial.hermite_e.hermegauss(21 if self.difference.least > 8 else 9)
        forecast = self.difference.means[:, None] + self.difference.sds[:, None] * points
        values = (self.difference.observed / forecast - 1) ** order
        return float((values @ weights).mean() / weights.sum())


def share_of(law: DrawsLaw) -> ShareLaw | None:
    """The law of the share, unless the forecast may be zero or less."""
    return ShareLaw(law) if law.observed > 0 and law.least > 5 else None
