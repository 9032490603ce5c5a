"""What index policies have in common: arms that were not tried yet, the clock, and declared bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._state import TINY, MeanState


def of_tried(state: MeanState, formula: Callable[[Float64Array], Float64Array]) -> Float64Array:
    """The index of each arm that was pulled, by a formula of the pulls, and infinity of one that was not."""
    pulls = state.pulls
    if pulls.min() > TINY:
        return formula(pulls)
    tried = pulls > TINY
    return np.where(tried, formula(np.where(tried, pulls, 1.0)), np.inf)


def log_t(state: MeanState) -> Float64Array:
    """The logarithm of how many rewards there are so far, which is 0 before the second."""
    return np.log(np.maximum(state.t, 1.0))


def checked_bounds(bounds: object) -> tuple[float, float]:
    """Two finite numbers in order."""
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(f"`bounds` must be two numbers (low, high); got {_check.show(bounds)}.")
    low, high = (_check.number("bounds", bound) for bound in bounds)
    if not low < high:
        raise ValueError(f"`bounds` must be in order, the lower first; got {low:g} and {high:g}.")
    if not high - low <= _check.LARGEST:
        raise ValueError(f"`bounds` must be at most {_check.LARGEST:g} apart; got {low:g} and {high:g}.")
    return low, high
