"""The beta posterior of a share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, betaincc, betainccinv, betaincinv, betaln, expit, log_expit, logit

from abkit._check import Float64Array
from abkit.posterior._posterior import Posterior
from abkit.posterior._series import LOG_ROOT_2PI, less_log1p, less_log1p_plain, stirling

#: How many observations there are at most where a log density may be a difference of larger numbers.
_FEW, _MANY = 200.0, 1e4


@dataclass(frozen=True, eq=False)
class Beta(Posterior):
    """The beta posterior of a share.

    Parameters
    ----------
    a, b : float array
        Successes and failures, those of the prior with them; above 0.
    """

    a: Float64Array
    b: Float64Array
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @classmethod
    def after(cls, prior: tuple[float, float], n: Any, total: Any) -> Beta:
        """The posterior after n observations of 0 or 1 with this sum."""
        return cls(prior[0] + np.asarray(total), prior[1] + np.maximum(np.asarray(n) - total, 0.0))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return np.shape(self.a)

    def take(self, rows: Any) -> Beta:
        """The same with parameters of another shape."""
        return Beta(rows(self.a), rows(self.b))

    @property
    def mean(self) -> Float64Array:
        """The mean of each."""
        return np.asarray(self.a / (self.a + self.b))

    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""
        return rng.beta(self.a, self.b)

    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""
        return np.asarray(betainc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def sf(self, x: Any) -> Float64Array:
        """P(value > x)."""
        return np.asarray(betaincc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""
        found: Float64Array = np.asarray(betaincinv(self.a, self.b, q), dtype=np.float64)
        if not np.isnan(found).any():
            return found
        with np.errstate(divide="ignore", invalid="ignore"):  # so near 0 the density is a power
            near = np.exp((np.log(q) + np.log(self.a) + betaln(self.a, self.b)) / self.a)
        return np.where(np.isnan(found), near, found)

    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""
        return np.asarray(betainccinv(self.a, self.b, q))

    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""
        with np.errstate(divide="ignore", invalid="ignore"):
            y = logit(x)
            return np.asarray(self.log_peak() - self.deviance(y) - log_expit(y) - log_expit(-y))

    def scale_of(self, x: Any) -> Any:
        """Log odds."""
        return logit(x)

    def value_of(self, y: Any) -> Any:
        """From log odds to a share."""
        return expit(y)

    def slope(self, y: Any) -> Any:
        """How fast the share grows with its log odds."""
        return expit(y) * expit(-y)

    def log_peak(self) -> Float64Array:
        """The logarithm of the density of the log odds at its mode."""
        a, b = self.a, self.b
        correction = stirling(a + b) - stirling(a) - stirling(b)
        return np.asarray(0.5 * (np.log(a) + np.log(b) - np.log(a + b)) - LOG_ROOT_2PI + correction)

    def deviance(self, y: Any) -> Float64Array:
        """(a + b) times the Kullback-Leibler divergence of the share from the mean."""
        a, b = self.a, self.b
        n, centre = a + b, np.log(a) - np.log(b)
        direct = a * (log_expit(centre) - log_expit(y)) + b * (log_expit(-centre) - log_expit(-y))
        most = float(n.max())
        if most <= _FEW:  # what cancels is small
            return np.asarray(np.maximum(direct, 0.0))
        x = expit(y)
        apart = np.where(x < 0.5, x - a / n, b / n - expit(-y))
        near = (np.abs(apart) < 0.25 * np.minimum(a, b) / n) & (x > 0)
        u = np.where(near, apart, 0.0) * n
        less = less_log1p if most > _MANY else less_log1p_plain
        return np.asarray(np.maximum(np.where(near, a * less(u / a) + b * less(-u / b), direct), 0.0))

    def side(self, y: Any) -> Any:
        """Whether y is above the mode, as 1 or -1."""
        return np.where(y > np.log(self.a) - np.log(self.b), 1.0, -1.0)

    def reached(self, root: Any) -> Float64Array:
        """Log odds at which the deviance is root^2 / 2."""
        a, b = self.a, self.b
        sign, level = np.where(root < 0, -1.0, 1.0), root * root / 2
        off = level / np.where(sign > 0, a, b)
        # inside the root, or hardly beyond it; from inside, one step lands beyond it, and from there they close in
        step = np.minimum(np.abs(root) * np.sqrt((a + b) / a / b), np.log1p(off + np.sqrt(2 * off)))
        y = np.log(a) - np.log(b) + sign * step
        for _ in range(10):
            rate = sign * ((a + b) * expit(y) - a)
            y = y - sign * (self.deviance(y) - level) / np.where(step > 0, np.maximum(rate, 1e-300), np.inf)
        return np.asarray(y)

    def grading(self, y: Any) -> Any:
        """The density has poles at odd multiples of i pi."""
        return 2 * np.arcsinh(y / np.pi)

    def below(self, y: Any) -> Float64Array:
        """P(value <= value_of(y))."""
        return np.where(y < 0, betainc(self.a, self.b, expit(y)), betaincc(self.b, self.a, expit(-y)))

    def above(self, y: Any) -> Float64Array:
        """P(value > value_of(y))."""
        return np.where(y < 0, betaincc(self.a, self.b, expit(y)), betainc(self.b, self.a, expit(-y)))
