"""Root finding, for the inversion of a monotone test."""

from __future__ import annotations

import math
from collections.abc import Callable

_EPSILON = 2.0**-52


def bisect(decreasing: Callable[[float], float], low: float, high: float) -> float:
    """Where a decreasing function passes zero between two points, to the last bit; the nearer end where it does not."""
    if not decreasing(low) > 0:
        return low
    if decreasing(high) > 0:
        return high
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return middle
        if decreasing(middle) > 0:
            low = middle
        else:
            high = middle


def crossing(rising: Callable[[float], float], low: float, high: float, guess: float, slope: float) -> float:
    """Where a smooth function that is negative above `low` passes zero: secant steps that a bracket keeps in bounds.

    The first step goes from `guess` with `slope`. The function may be zero at `low` itself, which is not the answer.
    `high` may be infinite.
    """
    start, before, value_before = low, guess, rising(guess)
    here, step = guess - value_before / slope, math.inf
    if abs(here - guess) <= _EPSILON * max(abs(guess), guess - low):
        return guess
    low, high = (guess, high) if value_before < 0 else (low, guess)
    while True:
        if not low < here < high:
            here = low + (high - low) / 2 if math.isfinite(high) else low + 2 * max(low - start, 1.0)
        value = rising(here)
        low, high = (here, high) if value < 0 else (low, here)
        tangent = (value - value_before) / (here - before) if here != before else 0.0
        following = here - value / tangent if tangent > 0 else math.nan
        smallest = _EPSILON * max(abs(here), here - start)
        if value == 0 or abs(following - here) <= smallest or high - low <= smallest:
            return here
        if not abs(following - here) <= step:  # it no longer closes in
            following = math.nan
        before, value_before, step = here, value, max(abs(following - here) / 2, smallest)
        here = following
