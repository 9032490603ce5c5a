"""Posteriors of a mean of normal observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from abkit._check import Float64Array
from abkit.posterior._posterior import Posterior
from abkit.posterior._series import LOG_ROOT_2PI, stirling


@dataclass(frozen=True, eq=False)
class Normal(Posterior):
    """The normal posterior of a mean whose variance of observations is known.

    Parameters
    ----------
    location, sd : float array
        Mean, and standard deviation, above 0.
    """

    location: Float64Array
    sd: Float64Array

    @classmethod
    def after(cls, prior: tuple[float, float], n: Any, total: Any, sd: float = 1.0) -> Normal:
        """The posterior after n observations with this sum and standard deviation; a prior sd may be infinite."""
        known = (sd / prior[1]) ** 2  # the prior is worth so many observations
        precision = np.asarray(n) + known
        return cls((np.asarray(total) + known * prior[0]) / precision, sd / np.sqrt(precision))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return np.shape(self.location)

    def take(self, rows: Any) -> Normal:
        """The same with parameters of another shape."""
        return Normal(rows(self.location), rows(self.sd))

    @property
    def mean(self) -> Float64Array:
        """The mean of each."""
        return self.location

    def _z(self, x: Any) -> Any:
        return (x - self.location) / self.sd

    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""
        return np.asarray(self.location + self.sd * rng.standard_normal(np.shape(self.location)))

    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""
        return np.asarray(ndtr(self._z(x)))

    def sf(self, x: Any) -> Float64Array:
        """P(value > x)."""
        return np.asarray(ndtr(-self._z(x)))

    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""
        return np.asarray(self.location + self.sd * ndtri(q))

    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""
        return np.asarray(self.location - self.sd * ndtri(q))

    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""
        return np.asarray(self.log_peak() - self.deviance(x))

    def log_peak(self) -> Float64Array:
        """The logarithm of the density at the mean."""
        return -np.log(self.sd) - LOG_ROOT_2PI

    def deviance(self, y: Any) -> Float64Array:
        """Half the squared deviate."""
        return np.asarray(0.5 * self._z(y) ** 2)

    def side(self, y: Any) -> Any:
        """Whether y is above the mean, as 1 or -1."""
        return np.where(y > self.location, 1.0, -1.0)

    def reached(self, root: Any) -> Float64Array:
        """So many standard deviations from the mean."""
        return np.asarray(self.location + root * self.sd)


@dataclass(frozen=True, eq=False)
class Student(Posterior):
    """Student's t posterior of a mean whose variance is unknown too.

    Parameters
    ----------
    location, scale, df : float array
        Centre, scale above 0, and degrees of freedom above 0.
    """

    location: Float64Array
    scale: Float64Array
    df: Float64Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return np.shape(self.location)

    def take(self, rows: Any) -> Student:
        """The same with parameters of another shape."""
        return Student(rows(self.location), rows(self.scale), rows(self.df))

    @property
    def mean(self) -> Float64Array:
        """The mean of each, which does not exist with one degree of freedom or less."""
        return np.where(self.df > 1, self.location, np.nan)

    def _z(self, x: Any) -> Any:
        return (x - self.location) / self.scale

    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""
        return np.asarray(self.location + self.scale * rng.standard_t(self.df))

    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""
        return np.asarray(stdtr(self.df, self._z(x)))

    def sf(self, x: Any) -> Float64Array:
        """P(value > x)."""
        return np.asarray(stdtr(self.df, -self._z(x)))

    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""
        return np.asarray(self.location + self.scale * stdtrit(self.df, q))

    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""
        return np.asarray(self.location - self.scale * stdtrit(self.df, q))

    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""
        return np.asarray(self.log_peak() - self.deviance(x))

    def log_peak(self) -> Float64Array:
        """The logarithm of the density at the centre."""
        half = self.df / 2
        # of gamma(half + 1/2) / (gamma(half) sqrt(half)), which is 1 for many degrees of freedom
        ratio = stirling(half + 0.5) - stirling(half) + half * np.log1p(0.5 / half) - 0.5
        return np.asarray(ratio - LOG_ROOT_2PI - np.log(self.scale))

    def deviance(self, y: Any) -> Float64Array:
        """(df + 1) / 2 ln(1 + t^2 / df)."""
        return np.asarray((self.df + 1) / 2 * np.log1p(self._z(y) ** 2 / self.df))

    def side(self, y: Any) -> Any:
        """Whether y is above the centre, as 1 or -1."""
        return np.where(y > self.location, 1.0, -1.0)

    def reached(self, root: Any) -> Float64Array:
        """Where the deviance is root^2 / 2."""
        t = np.sqrt(self.df * np.expm1(np.minimum(root * root / (self.df + 1), 600.0)))
        return np.asarray(self.location + np.sign(root) * self.scale * t)

    def grading(self, y: Any) -> Any:
        """The density has poles at +-i sqrt(df)."""
        return 2 * np.arcsinh(self._z(y) / np.sqrt(self.df))


@dataclass(frozen=True, eq=False)
class NormalInverseGamma:
    """The posterior of a mean and its variance: inverse-gamma, and normal given the variance.

    Parameters
    ----------
    location : float array
        Mean.
    weight : float array
        How many observations the mean is worth; 0 where it is not known at all.
    degrees : float array
        Twice the shape of the inverse-gamma.
    spread : float array
        Twice its scale: a sum of squared deviations.
    """

    location: Float64Array
    weight: Float64Array
    degrees: Float64Array
    spread: Float64Array

    @classmethod
    def after(cls, prior: tuple[float, float, float, float], n: Any, total: Any, m2: Any) -> NormalInverseGamma:
        """The posterior after n observations with this sum and these squared deviations, added up.

        The prior is (mean, weight, shape, scale); a flat one has weight 0 and scale 0, and a shape below 0.
        """
        mean, weight, shape, scale = prior
        n = np.asarray(n)
        with np.errstate(divide="ignore", invalid="ignore"):
            average = np.where(n > 0, total / n, mean)
            between = np.where(n + weight > 0, n * weight / (n + weight), 0.0) * (average - mean) ** 2
            location = np.where(n + weight > 0, (weight * mean + total) / (n + weight), mean)
        return cls(location, n + weight, 2 * shape + n, 2 * scale + m2 + between)

    def marginal(self) -> Student:
        """The posterior of the mean alone."""
        sd = np.sqrt(self.spread / (self.degrees * self.weight))
        # observations that are all the same leave no spread; they get what is beside the digits of the arms
        least = 1e-12 * (np.abs(self.location) + sd).max(axis=0) + 1e-300
        return Student(self.location, np.maximum(sd, least), self.degrees)
