"""Logarithms and exponentials less the first terms of their series, where these would cancel."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln

LOG_ROOT_2PI = 0.9189385332046727


def less_log1p(u: Any) -> Any:
    """The value of u - ln(1 + u), without cancellation."""
    r = u / (2 + u)
    square = r * r
    series = np.zeros_like(r)
    for k in range(27, 1, -2):
        series = series * square + 1 / k
    small = np.abs(u) < 0.35
    return np.where(small, u * r - 2 * r * square * series, u - np.log1p(u))


def less_log1p_plain(u: Any) -> Any:
    """The value of u - ln(1 + u), as exact as u is."""
    return u - np.log1p(u)


def exp_less(y: Any) -> Any:
    """exp(y) - 1 - y, without cancellation."""
    series = np.ones_like(y)
    for k in range(16, 2, -1):
        series = 1 + series * y / k
    return np.where(np.abs(y) < 0.5, y * y / 2 * series, np.expm1(np.minimum(y, 700.0)) - y)


def stirling(z: Any) -> Any:
    """The logarithm of gamma(z), less Stirling's formula for it."""
    z = np.asarray(z, dtype=np.float64)
    inverse = 1 / np.maximum(z, 8.0) ** 2
    series = np.zeros_like(z)
    for term in (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * inverse + term
    direct = gammaln(z) - (z - 0.5) * np.log(z) + z - LOG_ROOT_2PI
    return np.where(z < 8, direct, series / np.maximum(z, 8.0))
