"""What is expected to be lost: the mean of what lies on the wrong side of a null, under a posterior."""

from __future__ import annotations

import math
from typing import Any

from scipy.special import erfcx, gammaln, ndtr, stdtr

from abkit.evidence import Effect
from abkit.types import Null, Relative

#: With more degrees of freedom Student's t is normal to the last digits.
MANY = 1e7
#: No normal deviate lies beyond it.
FARTHEST = 38.0


def loss_of(effect: Effect, null: Null, way: float) -> float:
    """E max(null - D, 0) of a difference D where upwards (way 1) is better, E max(D - null, 0) where downwards is.

    In the metric's unit, also where the null is a share of the control's mean; nan where the effect is undefined.
    """
    within: Any = getattr(effect, "effect", effect)
    if hasattr(within, "expected_loss"):
        return float(within.expected_loss(null, way))
    z = effect.statistic(null)
    gap = effect.estimate - (null.value * abs(effect.control) if isinstance(null, Relative) else null)
    return loss_at(way * gap, way * z, effect.stderr, within.df)


def probability_of(effect: Effect, null: Null, way: float) -> float:
    """P(D > null), or P(D < null) where `way` is -1; small ones with all their digits."""
    beyond, other = (effect.pvalue(null, side) for side in (("less", "greater") if way > 0 else ("greater", "less")))
    if beyond > 0.5:
        return 1 - other
    within: Any = getattr(effect, "effect", effect)
    return beyond - (within.atom(null) if hasattr(within, "atom") else 0.0)


def loss_at(gap: float, z: float, stderr: float, df: float) -> float:
    """What is lost where the effect lies so far, and so many standard errors, on the right side."""
    if math.isinf(z):
        return max(-gap, 0.0)
    return (abs(gap / z) if z else stderr) * unit_loss(z, df)


def unit_loss(z: float, df: float) -> float:
    """E max(-(z + T), 0) of a T from Student's t; of the normal where df is infinite.

    The density times (df + z^2) / (df - 1), less z times the tail; without a mean where df is 1 or less.
    """
    if math.isnan(z) or math.isinf(z):
        return math.nan if math.isnan(z) else (0.0 if z > 0 else math.inf)
    if df > MANY:
        return _normal_loss(z)
    if df <= 1:
        return math.inf
    half = (df + 1) / 2
    log_density = gammaln(half) - gammaln(df / 2) - math.log(df * math.pi) / 2 - half * math.log1p(z * z / df)
    return max(math.exp(log_density) * (df + z * z) / (df - 1) - z * float(stdtr(df, -z)), 0.0)


def _normal_loss(z: float) -> float:
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    if z <= 0:
        return density - z * float(ndtr(-z))
    # by Mills' ratio, since the two terms cancel
    return density * max(1 - z * math.sqrt(math.pi / 2) * float(erfcx(z / math.sqrt(2))), 0.0)


def lost(size: float) -> float:
    """The deviate at which a normal posterior of standard deviation 1 has this expected loss."""
    from scipy.optimize import brentq

    if size <= unit_loss(FARTHEST, math.inf):
        return math.inf
    return float(brentq(lambda z: unit_loss(z, math.inf) - size, -size - 1, FARTHEST, xtol=1e-14))
