"""What looking often costs: the sample for 80% power and the expected one, in units of the fixed test's sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from abkit._roots import bisect
from abkit.sequential import _mixture
from abkit.sequential._canonical import log_crossings, walk
from tests.calibration.sequential_designs import ALPHA, Array

POWER = 0.8
#: The effect times the root of the information at which the fixed two-sided test has that power.
FIXED = float(ndtri(1 - ALPHA / 2) + ndtri(POWER))


def planned(critical: Sequence[float]) -> tuple[float, float]:
    """Largest and expected sample of a two-sided test with these critical values at equal distances: exact."""
    information = np.arange(1, len(critical) + 1) / len(critical)
    below = [-c for c in critical]
    looks = walk(information.tolist(), below, critical, (0.0, 2 * FIXED))

    def stops(drift: float) -> Array:
        return np.exp(log_crossings(looks, below, critical, drift)).sum(axis=0)

    drift = bisect(lambda size: float(POWER - stops(size).sum()), FIXED / 2, 2 * FIXED)
    inflation, at = (drift / FIXED) ** 2, stops(drift)
    return inflation, inflation * float(at @ information + (1 - at.sum()))


def sequence_at(looks: int, tuned_at: float = 1.0) -> list[float]:
    """Critical values of the normal mixture at equally distant looks, narrowest at a share of the last."""
    x = np.arange(1, looks + 1) / looks / _mixture.tuning(tuned_at, ALPHA, 2)
    return [float(c) for c in _mixture.multiplier(x, ALPHA)]


def simulated(units: Array, fixed: float) -> tuple[float, float]:
    """The same for a test that looks after every unit, from where its streams ended."""
    largest = float(np.quantile(units, POWER, method="higher"))
    return largest / fixed, float(np.minimum(units, largest).mean()) / fixed


def fixed_units(difference: float, variances: tuple[float, float], share: float) -> float:
    """Units of both variants that the fixed test of two means needs."""
    return (FIXED / difference) ** 2 * (variances[0] / (1 - share) + variances[1] / share)
