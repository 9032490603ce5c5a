"""Root finding, for the inversion of a monotone test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array

_EPSILON = 2.0**-52
_SMALLEST = 5e-324
_SMALL_VALUE = 1e-6


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
        following = here - value / tangent if 0 < tangent < math.inf else math.nan
        smallest = _EPSILON * max(abs(here), here - start)
        if value == 0 or abs(following - here) <= smallest or high - low <= smallest:
            return here
        if abs(following - here) <= step:
            step = max(abs(following - here) / 2, smallest)
        else:  # it no longer closes in: halve the bracket, then begin anew
            following, step = math.nan, math.inf
        before, value_before, here = here, value, following


def first_reached(
    rising: Callable[[float], float],
    target: float,
    low: float,
    high: float,
    tolerance: float,
    attained: Callable[[float, float], Iterable[float]],
) -> float:
    """The first point from `low` up at which a rising function, which may have steps, is at least `target`.

    Interpolation on the normal scale, truncated so that it is never slower than bisection by more than a step
    (Oliveira and Takahashi 2021, ACM TOMS 47(1), "ITP"). A step can only be at the points that `attained` gives,
    those between two others.
    """
    goal = float(ndtri(target))

    def lack(x: float) -> float:
        value = rising(x)
        deviate = float(ndtri(min(max(value, _SMALLEST), 1 - 2.0**-53))) - goal
        return min(deviate, -_SMALLEST) if value < target else max(deviate, 0.0)

    at_low, at_high = lack(low), lack(high)
    if at_low >= 0:
        return low
    if at_high < 0:
        return math.inf
    width, steps = high - low, math.ceil(math.log2(max((high - low) / tolerance, 1.0)))
    while high - low > tolerance:
        x = _step(low, high, at_low, at_high, 0.2 * ((high - low) / width), tolerance * 2.0**steps)
        if not low < x < high:
            break
        steps, value = steps - 1, lack(x)
        if value < 0:
            low, at_low = x, value
        else:
            high, at_high = x, value
    found = next((float(x) for x in attained(low, high) if rising(float(x)) >= target), high)
    return found + 0.0  # no negative zero


def _step(low: float, high: float, at_low: float, at_high: float, shift: float, reach: float) -> float:
    """Where the chord crosses zero, moved towards the middle, and no further from it than bisection can make good."""
    middle = low + (high - low) / 2
    chord = low - at_low * (high - low) / (at_high - at_low)
    moved = chord + math.copysign(shift * (high - low), middle - chord)
    x = moved if abs(moved - chord) <= abs(middle - chord) else middle
    reach = max(reach - (high - low) / 2, 0.0)
    x = x if abs(x - middle) <= reach else middle + math.copysign(reach, chord - middle)
    return x if low < x < high else middle


def secant(
    rising: Callable[[float], float], guess: float, slope: float, low: float = -math.inf, high: float = math.inf
) -> float:
    """Where a smooth rising function passes zero: secant steps in a bracket, for functions that cost much to evaluate.

    Values are to be of the order of 1. It ends when the next step is below 1e-10 of the answer, or of 1 / `slope`, and
    takes that step without looking; or, where the function is too steep for that, at the last point below the root.
    """
    here, value, smallest = guess, rising(guess), 1e-10 / slope
    value_before = math.inf
    for _ in range(200):
        low, high = (here, high) if value < 0 else (low, here)
        following = here - value / slope if 0 < slope < math.inf else math.nan
        near = max(1e-10 * abs(here), smallest)
        if abs(following - here) <= near and abs(value) <= _SMALL_VALUE:
            return following
        bracketed = math.isfinite(high - low)
        if bracketed and high - low <= 4 * _EPSILON * max(abs(low), abs(high)):
            return low
        stuck = bracketed and abs(value) > abs(value_before) / 2
        if stuck or not low < following < high:
            wide = 2 * max(abs(here - guess), 1e10 * smallest)
            following = low + (high - low) / 2 if bracketed else here + (wide if value < 0 else -wide)
        before, value_before, here = here, value, following
        value = rising(here)
        slope = (value - value_before) / (here - before) if here != before else math.inf
    return here


def secants(rising: Callable[[Float64Array], Float64Array], guess: Float64Array, high: Float64Array) -> Float64Array:
    """`secant` for many functions at once, whose slopes are about 1, between 0 and `high`; an element each.

    Where a function is below zero up to `high` the element has no meaning.
    """
    low, here, slope = np.zeros_like(guess), guess, np.ones_like(guess)
    value, value_before = rising(here), np.full_like(guess, np.inf)
    for _ in range(200):
        low, high = np.where(value < 0, here, low), np.where(value < 0, high, here)
        following = here - value / np.where(slope > 0, slope, np.nan)
        near = np.abs(following - here) <= 1e-10 * np.maximum(np.abs(here), 1.0)
        narrow = high - low <= 4 * _EPSILON * np.maximum(np.abs(low), np.abs(high))
        if np.all(near | narrow):
            break
        inside = (low < following) & (following < high) & ~(np.abs(value) > np.abs(value_before) / 2)
        following = np.where(near | narrow, here, np.where(inside, following, low + (high - low) / 2))
        before, value_before, here = here, value, following
        value, apart = rising(here), here - before
        slope = np.where(apart != 0, (value - value_before) / np.where(apart != 0, apart, 1.0), slope)
    return np.where(near & ~narrow, following, low)
