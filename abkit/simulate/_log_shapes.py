"""How the values of a simulated column are spread: means below a cap, and quantiles, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from abkit._check import Float64Array

Kind = Literal["real", "count", "binary", "rows", "covariate"]
REACH = 10.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The values of one column: of a unit's total, or of a row.

    real: a share `zeros` of zeros, the others log-normal, `sigma` being the deviation of the logarithm. count: Poisson
    with a log-normal mean. binary: 0 and 1. rows: 1 and a Poisson number. covariate: known by its mean only.
    """

    kind: Kind
    mean: float
    sigma: float = 0.0
    zeros: float = 0.0

    def times(self, factor: float) -> Shape:
        """The same with another mean."""
        return replace(self, mean=self.mean * factor)

    @property
    def second_moment(self) -> float:
        """The mean of the squares."""
        if self.kind == "real":
            return self.mean**2 * math.exp(self.sigma**2) / (1 - self.zeros)
        if self.kind == "count":
            return self.mean + self.mean**2 * math.exp(self.sigma**2)
        return self.mean if self.kind == "binary" else self.mean**2 + self.mean - 1

    def mean_below(self, cap: float) -> float:
        """E[min(Y, cap)] for a cap of at least 0."""
        if self.kind == "real":
            return self._log_normal_below(cap)
        if self.kind == "binary":
            return self.mean * min(cap, 1.0)
        if self.kind == "rows":
            return min(cap, 1.0) + float(_poisson_below(max(cap - 1, 0.0), np.array(self.mean - 1)))
        means, weights = self._mixture()
        return float(_poisson_below(cap, means) @ weights)

    def cdf(self, at: Float64Array) -> Float64Array:
        """P(Y <= at)."""
        at = np.asarray(at, dtype=float)
        if self.kind == "real":
            logs = (np.log(np.maximum(at, 1e-300) / self._scale)) / max(self.sigma, 1e-300)
            return np.where(at < 0, 0.0, self.zeros + (1 - self.zeros) * special.ndtr(logs))
        if self.kind == "binary":
            return np.where(at < 0, 0.0, np.where(at < 1, 1 - self.mean, 1.0))
        if self.kind == "rows":
            return np.where(at < 1, 0.0, special.pdtr(np.maximum(np.floor(at) - 1, 0.0), self.mean - 1))
        means, weights = self._mixture()
        counted = special.pdtr(np.maximum(np.floor(at), 0.0)[..., None], means) @ weights
        return np.where(at < 0, 0.0, counted)

    def quantile(self, q: float) -> float:
        """The smallest value that a share q of the values does not exceed."""
        if self.kind == "real":
            share = (q - self.zeros) / (1 - self.zeros)
            return self._scale * math.exp(self.sigma * float(special.ndtri(share))) if share > 0 else 0.0
        below, above = -1, 1
        while float(self.cdf(np.array(float(above)))) < q:
            below, above = above, 2 * above
        while above - below > 1:
            middle = (below + above) // 2
            if float(self.cdf(np.array(float(middle)))) < q:
                below = middle
            else:
                above = middle
        return float(above)

    @property
    def _scale(self) -> float:
        """The median of the values that are not zero."""
        return self.mean / (1 - self.zeros) * math.exp(-(self.sigma**2) / 2)

    def _log_normal_below(self, cap: float) -> float:
        if cap <= 0 or self.mean == 0:
            return 0.0
        at = math.log(cap / self._scale) / max(self.sigma, 1e-300)
        return float(self.mean * special.ndtr(at - self.sigma) + (1 - self.zeros) * cap * special.ndtr(-at))

    def _mixture(self) -> tuple[Float64Array, Float64Array]:
        """Poisson means and their weights: the trapezoidal rule over the normal deviate, in fine steps."""
        step = 0.25 / (1 + self.sigma * math.sqrt(self.mean) * math.exp(self.sigma))
        nodes = np.arange(-math.ceil(REACH / step), math.ceil(REACH / step) + 1) * step
        weights = np.exp(-nodes * nodes / 2)
        return self.mean * np.exp(self.sigma * nodes - self.sigma**2 / 2), weights / weights.sum()


def _poisson_below(cap: float, mean: Float64Array) -> Float64Array:
    """E[min(K, cap)] = mean P(K <= w - 1) + cap P(K > w), where w is the whole part of the cap."""
    whole = math.floor(cap)
    below = mean * special.pdtr(whole - 1, mean) if whole >= 1 else 0.0
    return np.asarray(below + cap * special.pdtrc(whole, mean))


def pooled_quantile(shapes: list[Shape], weights: list[float], q: float) -> float:
    """The quantile of a mixture."""
    ends = [shape.quantile(q) for shape in shapes]
    low, high = min(ends), max(ends)
    if low == high:
        return low
    total = sum(weights)

    def excess(at: float) -> float:
        return sum(w * float(s.cdf(np.array(at))) for s, w in zip(shapes, weights, strict=True)) / total - q

    if shapes[0].kind != "real":
        return next(at for at in np.arange(low, high + 1) if excess(at) >= 0)
    from scipy import optimize

    return low if excess(low) >= 0 else float(optimize.brentq(excess, low, high, xtol=1e-300, rtol=1e-14))
