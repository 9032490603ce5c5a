"""Statistics as a treatment with a stated effect would have them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.logs import ThirdMoments
from abkit.suffstats import CoMoments
from abkit.types import Null, Relative

PLAIN = np.ones(1)
ROUNDING = 1e-12


def size_of(effect: Null, value: float) -> float:
    """An effect in the unit of the value that it is of."""
    if math.isnan(value):
        raise ValueError("there are no units, or nothing to divide by: no value that an effect could change")
    if not isinstance(effect, Relative):
        return _check.number("effect", effect)
    if value == 0 and effect.value != 0:
        raise ValueError(f"`effect` must be a number where the value is zero; got {effect}.")
    return effect.value * abs(value)


def moved(
    moments: CoMoments, mean: float, weights: Float64Array = PLAIN, noise: float = 0.0, place: int = 0
) -> CoMoments:
    """One variable with this mean; its deviations a weighted sum of its own and the next ones', plus independent ones.

    `noise` is the sum of squares of the independent deviations. `place` says which variable.
    """
    linear = np.eye(len(moments.names))
    linear[place, place : place + len(weights)] = weights
    with np.errstate(over="ignore", invalid="ignore"):
        m2 = linear @ moments.m2 @ linear.T
    m2 = (m2 + m2.T) / 2
    m2[place, place] = max(m2[place, place] + noise, 0.0)
    means = moments.mean.copy()
    means[place] = mean
    if not (math.isfinite(mean) and np.all(np.isfinite(m2))):
        raise ValueError("the effect is too large for 64-bit numbers")
    changed = replace(moments, mean=means, m2=m2)
    if isinstance(changed, ThirdMoments) and changed.m3 is not None:
        return replace(changed, m3=_mapped(changed.m3, linear))
    return changed


def stretched(moments: CoMoments, mean: float, squares: float, rates: tuple[float, float] | None = None) -> CoMoments:
    """The first variable with this mean, and this sum of squares of its deviations, stretched: correlations stay.

    With `rates`, its deviations are those from so many of the second variable: before, and after.
    """
    before, after = rates or (0.0, 0.0)
    residual, rest = (np.array([1.0, -before]), np.array([0.0, after])) if rates else (np.ones(1), np.zeros(1))
    k = len(residual)
    held = float(residual @ moments.m2[:k, :k] @ residual)
    if held > 0:
        return moved(moments, mean, math.sqrt(squares / held) * residual + rest)
    return moved(moments, mean, residual + rest, squares)


def rounded_count(found: float, units: float) -> float:
    """A whole number where rounding alone keeps it from being one; of hypothetical units there may be parts."""
    return whole if abs(found - (whole := round(found))) <= ROUNDING * max(units, 1) else found


def squares_of_counts(squares: float, n: int, mean: float, new: float) -> float:
    """The sum of squares of counts whose mean becomes another.

    Counts are Poisson about units' own rates, and each unit's rate is multiplied alike: what varies beyond Poisson
    grows with the square of the factor. Counts that vary less than Poisson keep their dispersion where the mean grows.
    """
    variance = squares / max(n - 1, 1)
    if n < 2 or not mean > 0:
        return (n - 1) * new
    factor = new / mean
    if factor > 1 and variance < mean:
        return squares * factor
    return max((n - 1) * (new + factor * factor * (variance - mean)), 0.0)


def _mapped(m3: Float64Array, linear: Float64Array) -> Float64Array | None:
    """Third moments of linear combinations."""
    part = linear[: len(m3), : len(m3)]
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.einsum("ai,bj,ck,ijk->abc", part, part, part, m3)
    return found if np.all(np.isfinite(found)) else None
