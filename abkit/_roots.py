"""Bisection, for the inversion of a monotone test."""

from __future__ import annotations

from collections.abc import Callable


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
