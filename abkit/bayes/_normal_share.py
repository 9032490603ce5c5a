"""The difference of two normals as a share of the size of one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, owens_t

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.posterior._normal import Normal

#: A control whose deviate from zero is beyond this has its sign for sure, to all digits.
_SURE = -8.8
#: Where it may be of either sign, smaller probabilities than this have fewer than ten digits.
_SMALLEST = 1e-5


def normal_share(control: Normal, treatment: Normal, x: Float64Array) -> tuple[Looks, Any]:
    """P(T - C over |C| <= x), P(> x) and the density, of independent normals; and where they have no ten digits."""
    sign = np.where(control.location < 0, -1.0, 1.0)
    var_c, var_t = control.sd**2, treatment.sd**2
    with np.errstate(all="ignore"):
        apart, size = treatment.location - control.location, sign * control.location
        found = share_of(apart, size, var_c + var_t, -sign * var_c, var_c, var_c * var_t, x)
        doubtful = -size / control.sd > _SURE
    return found, doubtful & (np.minimum(found[0], found[1]) < _SMALLEST)


def share_of(d: Any, c: Any, var_d: Any, cov: Any, var_c: Any, det: Any, x: Any) -> Looks:
    """Of D over |C| of two normals, C being above zero on average: P(<= x), P(> x) and the density at x."""
    middle, spread = d - x * c, var_d - 2 * x * cov + x * x * var_c
    nothing = spread == 0  # D is known, and so is that it is none
    sd = np.sqrt(np.where(nothing, 1.0, spread))
    z = np.where(nothing, np.where(middle > 0, np.inf, -np.inf), middle / sd)
    turned = _negative(d, c, var_d, cov, var_c, det, x)
    density = np.zeros_like(z)
    for sign in (1.0, -1.0):  # of C, and its part of the density: the integral of |c| times the joint density
        y = sign * x
        own = np.sqrt(np.where(nothing, 1.0, var_d - 2 * y * cov + y * y * var_c))
        lean = sign * (var_d * c - cov * d + y * (var_c * d - cov * c)) / own
        root = np.sqrt(det)
        height = np.exp(-(((d - y * c) / own) ** 2) / 2) / (2 * np.pi * own**2)
        beta = np.where(root > 0, lean / root, np.copysign(np.inf, lean))
        part = root * np.exp(-beta * beta / 2) + lean * np.sqrt(2 * np.pi) * ndtr(beta)
        density += np.where(nothing, 0.0, np.maximum(height * part, 0.0))
    return np.clip(ndtr(-z) - turned, 0.0, 1.0), np.clip(ndtr(z) + turned, 0.0, 1.0), density


def _negative(d: Any, c: Any, var_d: Any, cov: Any, var_c: Any, det: Any, x: Any) -> Any:
    """How much more probable D > x |C| is than D > x C, which differ where C is below zero."""
    h = -c / np.sqrt(var_c)
    if not (h > _SURE).any():
        return 0.0
    both = []
    for y in (x, -x):
        spread = np.maximum(var_d - 2 * y * cov + y * y * var_c, 1e-300)
        k = -(d - y * c) / np.sqrt(spread)
        both.append(_both_below(h, k, (cov - y * var_c) / np.sqrt(var_c * spread), np.sqrt(det / (var_c * spread))))
    return np.where(h > _SURE, both[0] - both[1], 0.0)


def _both_below(h: Any, k: Any, r: Any, rest: Any) -> Any:
    """P(X < h, Y < k) of standard normals with correlation r, `rest` the root of 1 - r^2; Owen (1956)."""
    h, k, rest = (np.where(np.abs(part) < 1e-140, 1e-140, part) for part in (h, k, rest))
    bent = owens_t(h, (k / h - r) / rest) + owens_t(k, (h / k - r) / rest)
    return (ndtr(h) + ndtr(k)) / 2 - bent - np.where(h * k < 0, 0.5, 0.0)
