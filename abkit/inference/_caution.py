"""When the mean of a sample is not near enough to normal: what a test of means then warns of."""

from __future__ import annotations

import math

import numpy as np

from abkit._check import Float64Array
from abkit.suffstats._base import Statistics

#: Skewness of the estimate beyond which Welch's test was found to miss 5% by more than a point (docs/calibration.md).
LARGEST_SKEWNESS = 0.12
FEWEST_UNITS = 5


def mean_caution(control: object, treatment: object, instead: str) -> str | None:
    """A caution where samples are too few or too skewed for a normal mean; None for statistics, which do not show it.

    The first error of a normal p-value is proportional to the skewness of the difference of the means (Hall 1992,
    The Bootstrap and Edgeworth Expansion, sec. 2.6), in which equal variants' own skewness cancels.
    """
    if isinstance(control, Statistics) or isinstance(treatment, Statistics):
        return None
    c, t = np.asarray(control, dtype=np.float64), np.asarray(treatment, dtype=np.float64)
    smallest = min(len(c), len(t))
    if smallest < FEWEST_UNITS:
        return (
            f"a variant has {smallest} units only, too few for the error rate to be near its nominal level; {instead}"
        )
    deviations = [sample - sample.mean() for sample in (c, t)]
    largest = max(float(np.abs(deviation).max()) for deviation in deviations)
    if largest == 0:
        return None
    (var_c, third_c), (var_t, third_t) = (_cumulants(deviation / largest) for deviation in deviations)
    if not (var_c > 0 and var_t > 0):
        return f"all units of one variant have the same value; {instead}"
    skewness = abs(third_t - third_c) / math.pow(var_c + var_t, 1.5)
    if skewness > LARGEST_SKEWNESS:
        return (
            f"the estimate is skewed ({skewness:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal), so "
            f"the error rate may miss its nominal level; {instead}"
        )
    return None


def _cumulants(deviations: Float64Array) -> tuple[float, float]:
    """Variance and third cumulant of a sample's mean."""
    n, squares = len(deviations), deviations * deviations
    return float(squares.sum()) / (n * (n - 1)), float((squares * deviations).sum()) / n**3
