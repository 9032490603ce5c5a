"""The normal mixture: one function under many names (mSPRT, GAVI, asymptotic confidence sequence).

Everything is a function of z, the estimate's distance from a null in standard errors, and of x = v / rho, how much was
seen in units of the tuning constant. Logarithms throughout, so that nothing underflows.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import lambertw, log_ndtr

from abkit._check import Float64Array

#: Where a sequence is narrowest unless one says otherwise: in units of all variants together, and in events.
TUNE_AT = 10_000
TUNE_AT_EVENTS = 30


def log_evalue(z: npt.ArrayLike, x: npt.ArrayLike) -> Float64Array:
    """Log of the two-sided mixture martingale (Howard et al. 2021, AoS 49(2), eq. 14)."""
    z, x = np.asarray(z, dtype=np.float64), np.asarray(x, dtype=np.float64)
    with np.errstate(over="ignore"):  # of deviates beyond 1e154 it is infinite
        return np.asarray(-0.5 * np.log1p(x) + 0.5 * z * z * (x / (1 + x)))


def log_evalue_greater(z: npt.ArrayLike, x: npt.ArrayLike) -> Float64Array:
    """Log of the one-sided mixture martingale (Howard et al. 2021, prop. 5): evidence for a positive effect."""
    z, x = np.asarray(z, dtype=np.float64), np.asarray(x, dtype=np.float64)
    return np.asarray(math.log(2) + log_evalue(z, x) + log_ndtr(z * np.sqrt(x / (1 + x))))


def multiplier(x: npt.ArrayLike, alpha: float) -> Float64Array:
    """Half-width of the two-sided confidence sequence in standard errors: where the martingale is 1 / alpha."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt((1 + 1 / x) * (np.log1p(x) - 2 * math.log(alpha))))


def multiplier_greater(x: npt.ArrayLike, alpha: float) -> Float64Array:
    """The same for the one-sided martingale, which rises in z.

    In u = z sqrt(x / (1 + x)) it is convex, and all of x is on the other side: Newton's steps from above cannot miss.
    """
    x = np.asarray(x, dtype=np.float64)
    goal = 0.5 * np.log1p(x) - math.log(alpha) - math.log(2)
    u = np.sqrt(2 * (goal + math.log(2)))
    for _ in range(50):
        log_normal = log_ndtr(u)
        slope = u + np.exp(-0.5 * u * u - log_normal) / math.sqrt(2 * math.pi)
        step = (0.5 * u * u + log_normal - goal) / slope
        u = u - step
        if not np.any(np.abs(step) > 1e-15 * (1 + u)):
            break
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt(1 + 1 / x) * u)


def tuning(v: float, alpha: float, sides: int) -> float:
    """The rho at which the sequence is narrowest when v has been seen (Howard et al. 2021, sec. 3.5).

    One-sided, the two-sided answer at twice alpha, which is narrowest to within a few parts in a thousand.
    """
    level = min(alpha * (2 / sides), 0.9)  # the optimum is infinite at 1
    if level > 1e-100:
        return v / (-float(lambertw(-level * level / math.e, -1).real) - 1)
    goal = 1 - 2 * math.log(level)  # the square underflows: the same root of w - log w, by iteration
    w = goal
    for _ in range(20):
        w = goal + math.log(w)
    return v / (w - 1)
