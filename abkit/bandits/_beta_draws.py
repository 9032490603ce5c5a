"""Draws from many beta distributions of which few change from one time to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._policy import IntArray

#: The acceptance of a normal x for a gamma of shape 1 or more is at least 1 - 0.1985 c^2 x^4 (at shape 1 Marsaglia and
#: Tsang's 0.0331 x^4); above, and where v is not above 0, it is less than 0.
SQUEEZE = 0.1985


class BetaDraws:
    """Draws of beta distributions whose parameters are all at least 1, side by side in arrays that are used again.

    A gamma of shape s is (s - 1/3) v^3, v = 1 + c x, c^2 = 1 / (9 s - 3), where x is a standard normal number that is
    accepted with probability exp(x^2/2 + (s - 1/3)(1 - v^3 + 3 ln v)): Marsaglia and Tsang 2000, ACM Transactions on
    Mathematical Software 26(3). A beta takes two, which are accepted or refused together, so that one uniform
    number is enough; refused ones are drawn by NumPy's own beta. That is twice as fast as NumPy's alone.
    """

    def __init__(self, a: float, b: float, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        self.rng = rng
        self.third = np.empty((2, *shape))
        self.third[0], self.third[1] = a - 1 / 3, b - 1 / 3
        self.c = 1 / np.sqrt(9 * self.third)
        self._x, self._v, self._w, self._gamma = (np.empty((2, *shape)) for _ in range(4))
        self._u, self._total = np.empty(shape), np.empty(shape)
        self._doubtful = np.empty(shape, dtype=bool)

    def put(self, flat: IntArray, a: Float64Array, b: Float64Array) -> None:
        """Change the parameters at these places, counted through the arrays as through one line."""
        for which, parameter in enumerate((a, b)):
            third = parameter - 1 / 3
            self.third[which].reshape(-1)[flat] = third
            self.c[which].reshape(-1)[flat] = 1 / np.sqrt(9 * third)

    def draw(self) -> Float64Array:
        """A draw of each; the array is used again."""
        x, v, w, gamma, total = self._x, self._v, self._w, self._gamma, self._total
        self.rng.standard_normal(out=x)
        self.rng.random(out=self._u)
        np.multiply(self.c, x, out=v)
        np.multiply(v, x, out=w)
        np.multiply(w, w, out=w)
        np.add(w[0], w[1], out=total)
        np.multiply(total, SQUEEZE, out=total)
        np.less(self._u, total, out=self._doubtful)
        np.add(v, 1.0, out=v)
        np.multiply(v, v, out=gamma)
        np.multiply(gamma, v, out=gamma)
        np.multiply(gamma, self.third, out=gamma)
        np.add(gamma[0], gamma[1], out=total)
        with np.errstate(divide="ignore", invalid="ignore"):  # two refused gammas may add up to 0
            np.divide(gamma[0], total, out=gamma[0])
        self._settle(gamma[0].reshape(-1), self._doubtful.reshape(-1).nonzero()[0])
        return np.asarray(gamma[0])

    def _settle(self, draws: Float64Array, doubtful: IntArray) -> None:
        """Accept or draw again where the squeeze did not tell."""
        x, v, third = (array.reshape(2, -1)[:, doubtful] for array in (self._x, self._v, self.third))
        with np.errstate(divide="ignore", invalid="ignore"):
            chance: Any = np.where(v > 0, x * x / 2 + third * (1 - v**3 + 3 * np.log(v)), -np.inf).sum(axis=0)
        refused = np.log1p(-self._u.reshape(-1)[doubtful]) >= chance
        again, third = doubtful[refused], third[:, refused]
        draws[again] = self.rng.beta(third[0] + 1 / 3, third[1] + 1 / 3)
