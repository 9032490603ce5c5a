"""Where a rising chance passes a target: whole arrays at once, each element in a bracket of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array

_LEAST, _MOST = 1e-300, 1 - 2.0**-53
_EPSILON = 2.0**-52
_STEPS = 250
#: The product of two steps of a secant, in parts of x, is about the error of the point after them.
_ERROR, _LAST = 1e-14, 1e-4
#: What is left of the deviate where nothing is left of the power.
_EXACT = 1e-14


def passes(
    chance: Callable[..., Float64Array],
    target: Float64Array,
    guess: Float64Array,
    drift: Float64Array,
    low: Float64Array,
    high: Float64Array,
    args: tuple[Float64Array, ...],
) -> Float64Array:
    """The positive x at which `chance(x, *args)` rises to `target`; nan where it does not, from `low` to `high`.

    Secant steps on the probit scale, where a chance of rejection is nearly a line in the drift; x is to be in
    proportion to the drift, which at the guess is about `drift`. A step that leaves the bracket, or stalls, is
    replaced by one to the bracket's middle. At an x of zero the chance is below the target.
    """
    result, index = np.full(target.shape, np.nan), np.arange(target.size)
    goal, here = ndtri(target), np.clip(guess, low, high)
    below, above = low <= 0, np.zeros(here.shape, dtype=bool)  # whether the ends have been looked at
    before, value_before = np.zeros_like(here), np.full_like(here, np.nan)
    for step in range(_STEPS):
        found = chance(here, *args)
        value = ndtri(np.clip(found, _LEAST, _MOST)) - goal
        lacks = value < 0
        outside = np.where(lacks, here >= high, here <= low)
        low, high, below, above = np.where(lacks, here, low), np.where(lacks, high, here), below | lacks, above | ~lacks
        slope = _slope(value - value_before, here - before) if step else drift / here
        ahead, behind = np.abs(value / slope), np.abs(here - before)
        following = np.clip(np.clip(here - value / slope, here / 4, here * 4), low, high)
        exact = (np.abs(found - target) <= 2 * _EPSILON * target) | (np.abs(value) <= _EXACT)
        near = ~outside & ((ahead / here) * (behind / here) <= _ERROR) & (ahead <= _LAST * here)
        closed = below & above & (high - low <= 4 * _EPSILON * high)
        done = exact | near | closed
        result[index[done]] = np.where(exact, here, np.where(near, following, high))[done]
        left = ~(done | outside)
        if not left.any():
            break
        looked = np.where(following <= low, below, (following >= high) & above)
        stalls = (np.abs(value) > np.abs(value_before) / 2) & (step % 3 == 2)
        here, before = np.where(looked | stalls | np.isnan(following), _middle(low, high), following), here
        index, args = index[left], tuple(part[left] for part in args)
        goal, target, low, high, here, before, value_before = (
            part[left] for part in (goal, target, low, high, here, before, value)
        )
        below, above = below[left], above[left]
    return result


def _slope(rise: Float64Array, run: Float64Array) -> Float64Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = np.asarray(rise / run)
    return np.where(slope > 0, slope, np.nan)


def _middle(low: Float64Array, high: Float64Array) -> Float64Array:
    """That of the logarithms, where the ends are far apart."""
    apart = np.where(low > 0, np.sqrt(low) * np.sqrt(high), high / 8)
    return np.where(high <= 4 * low, low + (high - low) / 2, apart)
