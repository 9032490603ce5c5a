"""Fisher's noncentral hypergeometric distribution: the treatment's successes, given the successes of both variants."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array

#: Logarithms of weights this far below the largest still count: nothing of a p-value above 1e-308, or of an interval.
DEEP, SHALLOW = 760.0, 80.0


@dataclass(frozen=True, slots=True)
class Hypergeometric:
    """P(x) in proportion to C(n_treatment, x) C(n_control, total - x) exp(x psi), psi the log odds ratio."""

    n_control: int
    n_treatment: int
    total: int

    @property
    def low(self) -> int:
        """Fewest successes that the treatment can have."""
        return max(0, self.total - self.n_control)

    @property
    def high(self) -> int:
        """Most successes that the treatment can have."""
        return min(self.n_treatment, self.total)

    def weights(self, psi: float, depth: float) -> tuple[int, Float64Array]:
        """The first number that matters, and from it on the weights, that of the mode being 1."""
        mode = self.low + bisect_left(range(self.low, self.high), 0.0, key=lambda x: -self._step(x, psi))
        top = self._log_weight(mode)

        def drop(x: int) -> float:
            return top - self._log_weight(x) - (x - mode) * psi

        first = self.low + bisect_left(range(self.low, mode), -depth, key=lambda x: -drop(x))
        last = mode + bisect_right(range(mode, self.high + 1), depth, key=drop) - 1
        rises = self._rises(first, max(last, mode)) + psi
        # added up from the mode outwards, so that rounding grows with the distance from it
        right, left = np.cumsum(rises[mode - first :]), np.cumsum(-rises[: mode - first][::-1])[::-1]
        return first, np.exp(np.concatenate([left, [0.0], right]))

    def tails(self, x: int, psi: float, depth: float = DEEP) -> tuple[float, float]:
        """P(X >= x) and P(X <= x)."""
        first, weights = self.weights(psi, depth)
        total, at = float(weights.sum()), x - first
        return float(weights[max(at, 0) :].sum()) / total, float(weights[: max(at + 1, 0)].sum()) / total

    def as_likely(self, x: int, psi: float, slack: float) -> float:
        """The probability of all numbers that are not likelier than x."""
        first, weights = self.weights(psi, DEEP)
        if not 0 <= x - first < len(weights):
            return 0.0
        return float(weights[weights <= weights[x - first] * (1 + slack)].sum()) / float(weights.sum())

    def surplus(self, x: int, psi: float) -> tuple[float, float]:
        """How far x is above the mean, and the standard deviation."""
        first, weights = self.weights(psi, SHALLOW)
        weights = weights / weights.sum()
        distance = np.arange(first - x, first - x + len(weights), dtype=np.float64)
        mean = float(weights @ distance)
        return -mean, math.sqrt(float(weights @ np.square(distance - mean)))

    def log_weights(self) -> Float64Array:
        """The logarithms of all weights at even odds, that of the lowest number being 0."""
        return np.concatenate([[0.0], np.cumsum(self._rises(self.low, self.high))])

    def _rises(self, first: int, last: int) -> Float64Array:
        """From each number to the next, the rise of the logarithm of the weight at even odds."""
        x = np.arange(first, last, dtype=np.float64)
        return np.log((self.n_treatment - x) / (x + 1) * ((self.total - x) / (self.n_control - self.total + x + 1)))

    def _step(self, x: int, psi: float) -> float:
        """The logarithm of the weight of x + 1 over that of x."""
        up, down = (self.n_treatment - x) * (self.total - x), (x + 1) * (self.n_control - self.total + x + 1)
        return math.log(up) - math.log(down) + psi

    def _log_weight(self, x: int) -> float:
        failures, control = self.n_treatment - x, self.total - x
        cells = (x, failures, control, self.n_control - control)
        return -sum(math.lgamma(cell + 1) for cell in cells)
