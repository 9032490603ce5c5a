"""The gamma posterior of a mean count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammainc, gammaincc, gammainccinv, gammaincinv

from abkit._check import Float64Array
from abkit.posterior._posterior import Posterior
from abkit.posterior._series import LOG_ROOT_2PI, exp_less, stirling


@dataclass(frozen=True, eq=False)
class Gamma(Posterior):
    """The gamma posterior of a mean count.

    Parameters
    ----------
    k, rate : float array
        Shape and rate, above 0: the mean is k / rate.
    """

    k: Float64Array
    rate: Float64Array
    support: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @classmethod
    def after(cls, prior: tuple[float, float], n: Any, total: Any) -> Gamma:
        """The posterior after n counts with this sum."""
        return cls(prior[0] + np.asarray(total), prior[1] + np.asarray(n))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return np.shape(self.k)

    def take(self, rows: Any) -> Gamma:
        """The same with parameters of another shape."""
        return Gamma(rows(self.k), rows(self.rate))

    @property
    def mean(self) -> Float64Array:
        """The mean of each."""
        return np.asarray(self.k / self.rate)

    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""
        return np.asarray(rng.standard_gamma(self.k) / self.rate)

    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""
        return np.asarray(gammainc(self.k, self.rate * np.maximum(x, 0.0)))

    def sf(self, x: Any) -> Float64Array:
        """P(value > x)."""
        return np.asarray(gammaincc(self.k, self.rate * np.maximum(x, 0.0)))

    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""
        return np.asarray(gammaincinv(self.k, q) / self.rate)

    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""
        return np.asarray(gammainccinv(self.k, q) / self.rate)

    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""
        with np.errstate(divide="ignore"):
            y = np.log(x)
            return np.asarray(self.log_peak() - self.deviance(y) - y)

    def scale_of(self, x: Any) -> Any:
        """The logarithm."""
        return np.log(x)

    def value_of(self, y: Any) -> Any:
        """From the logarithm to a value."""
        return np.exp(y)

    def slope(self, y: Any) -> Any:
        """How fast the value grows with its logarithm."""
        return np.exp(y)

    def log_peak(self) -> Float64Array:
        """The logarithm of the density of the logarithm at its mode."""
        return np.asarray(0.5 * np.log(self.k) - LOG_ROOT_2PI - stirling(self.k))

    def _off(self, y: Any) -> Any:
        return y - np.log(self.k) + np.log(self.rate)

    def deviance(self, y: Any) -> Float64Array:
        """The Kullback-Leibler divergence of the value from the mean, k times."""
        off = self._off(y)
        return np.asarray(self.k * np.maximum(exp_less(off), 0.0))

    def side(self, y: Any) -> Any:
        """Whether y is above the mode, as 1 or -1."""
        return np.where(self._off(y) > 0, 1.0, -1.0)

    def reached(self, root: Any) -> Float64Array:
        """The logarithm of the value at which the deviance is root^2 / 2."""
        level = root * root / (2 * self.k)
        wide = level + np.sqrt(2 * level)
        off = np.where(root > 0, np.log1p(wide), -wide)
        for _ in range(8):
            off = off - (exp_less(off) - level) / np.where(off == 0, np.inf, np.expm1(off))
        return np.asarray(np.log(self.k) - np.log(self.rate) + off)

    def grading(self, y: Any) -> Any:
        """The density falls within about 1 of the logarithm of 1 / rate, however wide it is below."""
        return 2 * np.arcsinh((y + np.log(self.rate)) / np.pi)
