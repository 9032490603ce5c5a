"""The fewest units, and the smallest effect, that have a power."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import ndtri

#: More units than this have no exact number.
MOST = 2**50
_LOG_LARGEST = 340.0  # of sizes whose squares are finite
_STEPS = 200


class Unanswerable(Exception):  # noqa: N818 - an answer, not a fault
    """There is no number; the message says why, as a sentence without its full stop."""


def probit(power: float) -> float:
    """The normal deviate of a power, within what floating point can tell from 0 and 1."""
    return float(ndtri(min(max(power, 1e-300), 1 - 2.0**-53)))


def fewest(power_of: Callable[[int], float], target: float, least: int, guess: float) -> int | None:
    """The smallest whole number with at least this power; None where none up to `MOST` has it.

    The power must not fall. Its normal deviate is nearly a straight line in the root of the number: regula falsi with
    the Illinois rule (Dowell and Jarratt 1971, BIT 11), rounded.
    """

    def lack(k: int) -> float:
        power = power_of(k)
        return (
            math.nextafter(0.0, 1.0) + max(probit(target) - probit(power), 0.0)
            if power < target
            else (min(probit(target) - probit(power), 0.0))
        )

    k = min(max(round(guess) if math.isfinite(guess) else MOST, least), MOST)
    low, at_low, high, at_high = least - 1, math.inf, MOST + 1, -math.inf
    factor = 1.02
    while math.isinf(at_low) or math.isinf(at_high):
        value = lack(k)
        low, at_low, high, at_high = (k, value, high, at_high) if value > 0 else (low, at_low, k, value)
        if high - low <= 1:
            return high if high <= MOST else None
        following = k * factor if value > 0 else k / factor
        k = min(max(round(following), low + 1), high - 1)
        factor = factor**2
    while high - low > 1:
        share = at_low / (at_low - at_high)
        root = math.sqrt(low) + share * (math.sqrt(high) - math.sqrt(low))
        k = min(max(round(root * root), low + 1), high - 1)
        value = lack(k)
        if value > 0:
            low, at_low, at_high = k, value, at_high / 2
        else:
            high, at_high, at_low = k, value, at_low / 2
    return high


def smallest(power_of: Callable[[float], float], target: float, guess: float) -> float | None:
    """The smallest size above 0 with this power; None where no size that can be has it.

    `power_of` raises `Unanswerable` for a size that cannot be; all larger ones then cannot either.
    """
    from scipy.optimize import brentq

    def lack(log_size: float) -> float:
        return probit(target) - probit(power_of(math.exp(log_size)))

    bracket = _bracket(lack, math.log(guess))
    return None if bracket is None else math.exp(brentq(lack, *bracket, xtol=1e-14, rtol=1e-14))


def _bracket(lack: Callable[[float], float], start: float) -> tuple[float, float] | None:
    """The logarithms of a size that is too small and of one that is large enough."""
    low, beyond = -math.inf, math.inf
    here, step = start, 0.25
    high = math.inf
    for _ in range(_STEPS):
        if not abs(here) < _LOG_LARGEST:
            return None
        try:
            value = lack(here)
        except Unanswerable:
            beyond = here
        else:
            low, high = (here, high) if value > 0 else (low, here)
        if math.isfinite(low) and math.isfinite(high):
            return low, high
        if math.isfinite(low) and math.isfinite(beyond):
            if beyond - low < 1e-12:
                return None
            here = (low + beyond) / 2
        else:
            here, step = (here + step if math.isfinite(low) else here - step), 2 * step
    return None
