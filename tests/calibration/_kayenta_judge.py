"""What Kayenta's NetflixACAJudge decides on one metric, restated from its description to be measured against.

Mann-Whitney with ties and continuity correction, the 98% interval of the shift by inverting its normal approximation,
and a tolerance of a quarter of the estimated shift itself: High if the interval lies above it, Low if below.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import rankdata

from abkit._check import Float64Array

LEVEL_QUANTILE = 2.3263478740408408  # of a 98% interval
TOLERANCE = 0.25


def classify(control: Float64Array, experiment: Float64Array, direction: str = "either") -> str:
    """Pass, High or Low."""
    if np.array_equal(np.sort(control), np.sort(experiment)) or np.unique([*control, *experiment]).size == 1:
        return "Pass"
    at_zero = standardised(control, experiment, 0.0, 0.0)
    if abs(at_zero) + 1 < LEVEL_QUANTILE:  # the continuity correction is far below 1: zero is within the interval
        return "Pass"
    low, estimate, high = (shift(control, experiment, z) for z in (LEVEL_QUANTILE, 0.0, -LEVEL_QUANTILE))
    ratio = experiment.mean() / control.mean() if control.mean() else math.nan
    if direction != "decrease" and low > TOLERANCE * abs(estimate) and not ratio < 1:
        return "High"
    if direction != "increase" and high < -TOLERANCE * abs(estimate) and not ratio > 1:
        return "Low"
    return "Pass"


def shift(control: Float64Array, experiment: Float64Array, z: float) -> float:
    """The shift of the experiment at which the statistic is z, to R's tolerance; else the end of the range."""
    ends = experiment.min() - control.max(), experiment.max() - control.min()
    correction = math.copysign(0.5, z) if z else 0.0

    def beyond(moved: float) -> float:
        return standardised(control, experiment, moved, correction) - z

    at = [beyond(end) for end in ends]
    if at[0] <= 0:
        return float(ends[0])
    if at[1] >= 0:
        return float(ends[1])
    return float(brentq(beyond, *ends, xtol=1e-4))


def standardised(control: Float64Array, experiment: Float64Array, moved: float, correction: float) -> float:
    """The rank sum of the experiment, moved down, less its mean and the correction, over its standard deviation."""
    n, m = experiment.size, control.size
    ranks = rankdata(np.concatenate([experiment - moved, control]))
    _, ties = np.unique(ranks, return_counts=True)
    total = n + m
    variance = n * m / 12 * (total + 1 - float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1)))
    gap = float(ranks[:n].sum()) - n * (n + 1) / 2 - n * m / 2 - correction
    return gap / math.sqrt(variance) if variance else 0.0
