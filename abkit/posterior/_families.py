"""Conjugate posteriors on arrays: the arms along the first axis, and what else there is along the others.

Each also describes itself on a scale on which its density is smooth and, but for Student's t, log-concave, so that one
quadrature serves all: the log odds of a beta, the logarithm of a gamma. There the density of y is exp(-`deviance`(y))
times its peak, and the deviance is computed without cancellation for any number of observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import (
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_expit,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    stdtr,
    stdtrit,
)

from abkit._check import Float64Array

_LOG_ROOT_2PI = 0.9189385332046727
#: How many observations there are at most where a log density may be a difference of larger numbers.
_FEW, _MANY = 200.0, 1e4


class Posterior:
    """What every posterior can be asked; each family says the rest on its own scale."""

    #: The smallest and the largest value that there can be.
    support: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""
        raise NotImplementedError

    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""
        raise NotImplementedError

    def sf(self, x: Any) -> Float64Array:
        """P(value > x), with all its digits where it is small."""
        raise NotImplementedError

    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""
        raise NotImplementedError

    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""
        raise NotImplementedError

    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""
        raise NotImplementedError

    def pdf(self, x: Any) -> Float64Array:
        """The density at x."""
        return np.exp(self.logpdf(x))

    def logcdf(self, x: Any) -> Float64Array:
        """The logarithm of P(value <= x)."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.cdf(x)))

    def logsf(self, x: Any) -> Float64Array:
        """The logarithm of P(value > x)."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.sf(x)))

    @property
    def mean(self) -> Float64Array:
        """The mean of each."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        raise NotImplementedError

    def take(self, rows: Any) -> Any:
        """The same family with parameters of another shape, as `rows` makes them of each array."""
        raise NotImplementedError

    def scale_of(self, x: Any) -> Any:
        """From a value to the scale of the quadrature."""
        return x

    def value_of(self, y: Any) -> Any:
        """From the scale of the quadrature to a value."""
        return y

    def slope(self, y: Any) -> Any:
        """How fast the value grows along that scale."""
        return np.ones_like(y)

    def log_peak(self) -> Float64Array:
        """The logarithm of the density on that scale where its deviance is 0."""
        raise NotImplementedError

    def deviance(self, y: Any) -> Float64Array:
        """How far below its peak the log density on that scale is."""
        raise NotImplementedError

    def side(self, y: Any) -> Any:
        """Whether y is above the peak, as 1 or -1."""
        raise NotImplementedError

    def reached(self, root: Any) -> Float64Array:
        """Where the deviance is root^2 / 2, above the peak for a positive root."""
        raise NotImplementedError

    def grading(self, y: Any) -> Any:
        """How many panels there must be up to y because of what happens off the real line; rising."""
        return np.zeros_like(y)

    def below(self, y: Any) -> Float64Array:
        """P(value <= value_of(y))."""
        return self.cdf(self.value_of(y))

    def above(self, y: Any) -> Float64Array:
        """P(value > value_of(y))."""
        return self.sf(self.value_of(y))


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
        return np.asarray(betaincinv(self.a, self.b, q))

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
        stirling = _stirling(a + b) - _stirling(a) - _stirling(b)
        return np.asarray(0.5 * (np.log(a) + np.log(b) - np.log(a + b)) - _LOG_ROOT_2PI + stirling)

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
        less = _less_log1p if most > _MANY else _less_log1p_plain
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

    def logcdf(self, x: Any) -> Float64Array:
        """The logarithm of P(value <= x)."""
        return np.asarray(log_ndtr(self._z(x)))

    def logsf(self, x: Any) -> Float64Array:
        """The logarithm of P(value > x)."""
        return np.asarray(log_ndtr(-self._z(x)))

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
        return -np.log(self.sd) - _LOG_ROOT_2PI

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
        ratio = _stirling(half + 0.5) - _stirling(half) + half * np.log1p(0.5 / half) - 0.5
        return np.asarray(ratio - _LOG_ROOT_2PI - np.log(self.scale))

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
        return np.asarray(0.5 * np.log(self.k) - _LOG_ROOT_2PI - _stirling(self.k))

    def _off(self, y: Any) -> Any:
        return y - np.log(self.k) + np.log(self.rate)

    def deviance(self, y: Any) -> Float64Array:
        """The Kullback-Leibler divergence of the value from the mean, k times."""
        off = self._off(y)
        return np.asarray(self.k * np.maximum(_exp_less(off), 0.0))

    def side(self, y: Any) -> Any:
        """Whether y is above the mode, as 1 or -1."""
        return np.where(self._off(y) > 0, 1.0, -1.0)

    def reached(self, root: Any) -> Float64Array:
        """The logarithm of the value at which the deviance is root^2 / 2."""
        level = root * root / (2 * self.k)
        wide = level + np.sqrt(2 * level)
        off = np.where(root > 0, np.log1p(wide), -wide)
        for _ in range(8):
            off = off - (_exp_less(off) - level) / np.where(off == 0, np.inf, np.expm1(off))
        return np.asarray(np.log(self.k) - np.log(self.rate) + off)

    def grading(self, y: Any) -> Any:
        """The density falls within about 1 of the logarithm of 1 / rate, however wide it is below."""
        return 2 * np.arcsinh((y + np.log(self.rate)) / np.pi)


def _less_log1p(u: Any) -> Any:
    """The value of u - ln(1 + u), without cancellation."""
    r = u / (2 + u)
    square = r * r
    series = np.zeros_like(r)
    for k in range(27, 1, -2):
        series = series * square + 1 / k
    small = np.abs(u) < 0.35
    return np.where(small, u * r - 2 * r * square * series, u - np.log1p(u))


def _less_log1p_plain(u: Any) -> Any:
    """The value of u - ln(1 + u), as exact as u is."""
    return u - np.log1p(u)


def _exp_less(y: Any) -> Any:
    """exp(y) - 1 - y, without cancellation."""
    series = np.ones_like(y)
    for k in range(16, 2, -1):
        series = 1 + series * y / k
    return np.where(np.abs(y) < 0.5, y * y / 2 * series, np.expm1(np.minimum(y, 700.0)) - y)


def _stirling(z: Any) -> Any:
    """The logarithm of gamma(z), less Stirling's formula for it."""
    z = np.asarray(z, dtype=np.float64)
    inverse = 1 / np.maximum(z, 8.0) ** 2
    series = np.zeros_like(z)
    for term in (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * inverse + term
    direct = gammaln(z) - (z - 0.5) * np.log(z) + z - _LOG_ROOT_2PI
    return np.where(z < 8, direct, series / np.maximum(z, 8.0))
