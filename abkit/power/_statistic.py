"""The power of a test whose statistic is normal, or noncentral t: with one bound or two, or of two one-sided tests.

The statistic lies beyond its critical value c exactly when Z + drift > c scale S: Z is standard normal, the drift is
how many of the estimate's standard errors the effect lies beyond the null, the scale is the standard error under the
null over the true one, and S is 1, or of a t statistic with df degrees of freedom the estimated standard error over the
true one, chi(df) / sqrt(df).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, nctdtr, ndtr, ndtri, stdtrit

from abkit._check import Float64Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_NEAR = 9.5  # beyond, the normal has less than 1e-20
_MANY = 1e4  # degrees of freedom from which the quadrature has more digits than the series of `nctdtr`
_STIRLING = 25.0


class Statistic(NamedTuple):
    """Where a statistic lies under the truth, against one null; arrays broadcast."""

    drift: Float64Array
    scale: Float64Array | float = 1.0
    df: Float64Array | float = math.inf


def critical(alpha: Float64Array | float, df: Float64Array | float) -> Float64Array:
    """The critical value of a one-sided test at alpha."""
    finite = np.where(np.isinf(df), 1.0, df)
    return -np.where(np.isinf(df), ndtri(alpha), stdtrit(finite, alpha))


def rejection(at: Statistic, tail: Float64Array | float) -> Float64Array:
    """The chance that a one-sided test at alpha `tail` rejects towards where the drift is positive."""
    bound = critical(tail, at.df)
    drift, bound, df = np.broadcast_arrays(at.drift, bound * at.scale, at.df)
    result = np.asarray(ndtr(drift - bound))
    few, many = df < _MANY, np.isfinite(df) & (df >= _MANY)
    if few.any():
        result[few] = nctdtr(df[few], -drift[few], -bound[few])
    if many.any():
        result[many] = _over_chi(drift[many], bound[many], df[many], np.inf)
    return result


def rejection_of_both(low: Statistic, high: Statistic, tail: Float64Array | float) -> Float64Array:
    """The chance that two one-sided tests both reject: the estimate is shown above the low null and below the high one.

    Of t statistics both have the same standard error and degrees of freedom: Owen's Q function (Owen 1965, Biometrika
    52, 437-446), by quadrature over that standard error.
    """
    bound = critical(tail, low.df)
    room_low, room_high, c_low, c_high, df = np.broadcast_arrays(
        low.drift, high.drift, bound * low.scale, bound * high.scale, low.df
    )
    result = np.asarray(ndtr(room_high - c_high) - ndtr(c_low - room_low))
    few = np.isfinite(df)
    if few.any():
        result[few] = _over_chi(room_high[few], c_high[few], df[few], room_low[few])
    return np.asarray(np.maximum(result, 0.0))


def _over_chi(drift: Float64Array, bound: Float64Array, df: Float64Array, other: Float64Array | float) -> Float64Array:
    """The mean over S of P(bound S - other < Z' < drift - bound S), which is nothing once the ends have met.

    S is integrated as u = log S, whose density is proportional to exp(df (u - (exp(2u) - 1) / 2)).
    """
    deviation = 1 / np.sqrt(2 * df)
    low = -np.maximum(_NEAR * deviation, 45 / df)
    high = np.maximum(_NEAR * deviation, 0.5 * np.log1p(120 / df))
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = np.log(np.maximum(drift + other, 0.0) / (2 * bound))
    high = np.where(bound > 0, np.clip(meet, low, high), high)
    half = ((high - low) / 2)[..., None]
    u = low[..., None] + half * (1 + _NODES)
    log_density = df[..., None] * (u - np.expm1(2 * u) / 2) + _log_constant(df)[..., None]
    s = bound[..., None] * np.exp(u)
    inside = ndtr(drift[..., None] - s) - ndtr(s - np.asarray(other)[..., None])
    return np.asarray((np.exp(log_density) * np.maximum(inside, 0.0) * half) @ _WEIGHTS)


def _log_constant(df: Float64Array) -> Float64Array:
    """Log of 2 (z/e)^z / gamma(z) for z = df / 2, without the large numbers that cancel."""
    z = np.maximum(df / 2, _STIRLING)
    series = 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5) - 1 / (1680 * z**7)
    large = math.log(2) + 0.5 * np.log(z / (2 * math.pi)) - series
    y = np.minimum(df / 2, _STIRLING)
    return np.where(df / 2 > _STIRLING, large, math.log(2) + y * np.log(y) - y - gammaln(y))
