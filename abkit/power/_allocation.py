"""The allocation that needs the fewest units, where the standard error under the null is not the true one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from abkit._check import Float64Array
from abkit.power._statistic import critical

_FURTHEST, _STEP, _MOST = 30.0, 1e-4, 0.99


def fewest_units(
    errors: Callable[..., tuple[Float64Array, Float64Array]],
    n: Float64Array,
    gap: Float64Array,
    tail: Float64Array,
    *arrays: Float64Array,
) -> Float64Array:
    """Units of the treatment for one of the control, of which the least is needed in all.

    `errors(1, ratio, *arrays)` are the standard errors of one unit of the control, under the null and in truth. The
    units of both are (1 + ratio) (c null + z true)^2 / gap^2, c the critical value and z that of the power. Their
    logarithm's slope in log ratio is zero where, with w = c null / (c null + z true) = c null / (sqrt(n) gap),

        ratio / (2 (1 + ratio)) + w slope(log null) + (1 - w) slope(log true) = 0.

    w is at most 0.99: for a power below one half, the ratio is the one for a half.
    """
    from scipy.optimize.elementwise import find_root

    def slope(log_ratio: Float64Array, reach: Float64Array, *arrays: Float64Array) -> Float64Array:
        low, here, high = (np.array(errors(1.0, np.exp(log_ratio + k * _STEP), *arrays)) for k in (-1, 0, 1))
        null, true = np.log(high / low) / (2 * _STEP)
        weight = np.minimum(here[0] / reach, _MOST)
        return np.asarray(weight * null + (1 - weight) * true + 1 / (2 + 2 * np.exp(-log_ratio)))

    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.sqrt(n) * np.abs(gap) / critical(tail, math.inf)
        ends = np.full(n.shape, -_FURTHEST), np.full(n.shape, _FURTHEST)
        found = find_root(slope, ends, args=(reach, *arrays), tolerances={"xatol": 1e-13, "xrtol": 0, "fatol": 0})
    return np.exp(np.where(found.success, found.x, np.nan))
