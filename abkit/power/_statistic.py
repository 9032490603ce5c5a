"""The power of a test whose statistic is normal, or noncentral t: with one bound or two, or of two one-sided tests.

The statistic lies beyond its critical value c exactly when Z + drift > c scale S: Z is standard normal, the drift is
how many of the estimate's standard errors the effect lies beyond the null, the scale is the standard error under the
null over the true one, and S is 1, or of a t statistic with df degrees of freedom the estimated standard error over the
true one, chi(df) / sqrt(df).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, nctdtr, ndtr, ndtri, stdtrit

from abkit._check import Float64Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_NEAR = 9.5  # beyond, the normal has less than 1e-20
_MANY = 1e6  # degrees of freedom from which the quadrature has more digits than the series of `nctdtr`
_BENT = 200.0
_FAR = 35.0  # drifts from which it has too
_LARGEST = 1e12  # degrees of freedom that are no longer told from infinitely many
_STIRLING = 25.0
#: Of (exp(2u) - 1 - 2u) / 2, by powers of u from the second on.
_SERIES = [2 ** (k - 1) / math.factorial(k) for k in range(2, 13)]


class Statistic(NamedTuple):
    """Where a statistic lies under the truth, against one null; arrays broadcast."""

    drift: Float64Array
    scale: Float64Array | float = 1.0
    df: Float64Array | float = math.inf
    counts: Any = None  # of two proportions, for the exact test that a monitor may have


def critical(alpha: Float64Array | float, df: Float64Array | float) -> Float64Array:
    """The critical value of a one-sided test at alpha."""
    alpha, df = np.broadcast_arrays(np.asarray(alpha, dtype=np.float64), np.asarray(df, dtype=np.float64))
    result = np.array(-ndtri(alpha))
    few = df < _LARGEST
    if few.any():
        result[few] = -stdtrit(df[few], alpha[few])
    return result


def rejection(at: Statistic, tail: Float64Array | float, *, both: bool = False) -> Float64Array:
    """The chance that a one-sided test at alpha `tail` rejects towards a positive drift, or on `both` sides."""
    bound = critical(tail, at.df)
    drift, bound, df = np.broadcast_arrays(at.drift, bound * at.scale, at.df)
    result = _beyond(drift, bound, df)
    return np.asarray(np.minimum(result + _beyond(-drift, bound, df) if both else result, 1.0))  # rounding


def rejection_of_both(low: Statistic, high: Statistic, tail: Float64Array | float) -> Float64Array:
    """The chance that two one-sided tests both reject: the estimate is shown above the low null and below the high one.

    Of t statistics both have the same standard error and degrees of freedom: Owen's Q function (Owen 1965, Biometrika
    52, 437-446), by quadrature over that standard error.
    """
    bound = critical(tail, low.df)
    room_low, room_high, c_low, c_high, df = np.broadcast_arrays(
        low.drift, high.drift, bound * low.scale, bound * high.scale, low.df
    )
    result = np.array(ndtr(room_high - c_high) - ndtr(c_low - room_low))
    few = df < _LARGEST
    if few.any():
        result[few] = _over_chi(room_high[few], c_high[few], df[few], room_low[few])
    return np.asarray(np.clip(result, 0.0, 1.0))


def _beyond(drift: Float64Array, bound: Float64Array, df: Float64Array) -> Float64Array:
    """P(Z + drift > bound S)."""
    result = np.array(ndtr(drift - bound))
    finite = df < _LARGEST
    if finite.any():
        series = finite & (df < _MANY) & (np.abs(drift) < _FAR)
        result[series] = nctdtr(df[series], -drift[series], -bound[series])
        rest = finite & ~(series & np.isfinite(result))  # the series may give up on chances below 1e-13
        if rest.any():
            result[rest] = _over_chi(drift[rest], bound[rest], df[rest], None)
    return result


def _over_chi(drift: Float64Array, bound: Float64Array, df: Float64Array, other: Float64Array | None) -> Float64Array:
    """The mean over S of P(bound S - other < Z < drift - bound S), which is nothing once the ends have met.

    S is integrated as u = log S, in panels that end where the probability begins to fall from 1 to 0; more of them
    where the degrees of freedom are few, and the lower tail is long.
    """
    deviation = 1 / np.sqrt(2 * df)
    low = -np.maximum(_NEAR * deviation, 45 / df)
    high = np.maximum(_NEAR * deviation, 0.5 * np.log1p(80 / df))
    nearer = drift if other is None else np.minimum(drift, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        end = np.log(np.maximum(nearer + _NEAR, 0.0) / bound)
        if other is not None:
            end = np.minimum(end, np.log(np.maximum(drift + other, 0.0) / (2 * bound)))
        falls = np.log(np.maximum(nearer - _NEAR, nearer / 3) / bound)
    high = np.where(bound > 0, np.clip(end, low, high), high)
    falls = np.where((nearer > 0) & (bound > 0), falls, low)
    bends = [np.where(df < _BENT, part * low, low) for part in (1 / 3, 1 / 9, 0.0)]
    edges = np.sort(np.clip([low, *bends, falls, high], low, high), axis=0)
    result = np.zeros(df.shape)
    for start, stop in pairwise(edges):
        some = stop > start
        if some.any():
            args = (drift[some], bound[some], df[some], None if other is None else other[some])
            result[some] += _panel(start[some], stop[some], *args)
    return result


def _panel(
    start: Float64Array,
    stop: Float64Array,
    drift: Float64Array,
    bound: Float64Array,
    df: Float64Array,
    other: Float64Array | None,
) -> Float64Array:
    half = ((stop - start) / 2)[..., None]
    u = start[..., None] + half * (1 + _NODES)
    s = bound[..., None] * np.exp(u)
    inside = ndtr(drift[..., None] - s)
    if other is not None:
        inside = np.maximum(inside - ndtr(s - other[..., None]), 0.0)
    density = np.exp(_log_constant(df)[..., None] - df[..., None] * _bent(u))
    return np.asarray((density * inside * half) @ _WEIGHTS)


def _bent(u: Float64Array) -> Float64Array:
    """(exp(2u) - 1) / 2 - u: minus the log density of u = log S for each degree of freedom, with all its digits."""
    near = np.clip(u, -0.1, 0.1)
    series = np.full_like(near, _SERIES[-1])
    for term in _SERIES[-2::-1]:
        series = series * near + term
    return np.where(np.abs(u) < 0.1, series * near * near, np.expm1(2 * u) / 2 - u)


def _log_constant(df: Float64Array) -> Float64Array:
    """Log of 2 (z/e)^z / gamma(z) for z = df / 2, without the large numbers that cancel."""
    z = np.maximum(df / 2, _STIRLING)
    square = 1 / z**2
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / z
    large = math.log(2) + 0.5 * np.log(z / (2 * math.pi)) - series
    y = np.minimum(df / 2, _STIRLING)
    return np.where(df / 2 > _STIRLING, large, math.log(2) + y * np.log(y) - y - gammaln(y))
