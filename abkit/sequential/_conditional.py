"""What the rest of a group-sequential experiment may still bring, given where it stands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from abkit import _check
from abkit.sequential._canonical import log_crossings, walk

if TYPE_CHECKING:
    from abkit.sequential._analysis import Analysed


def conditional_power(design: Analysed, look: int, z: float, effect: float | None) -> float:
    """See `Design.conditional_power`."""
    now = _now(design, look, z)
    effect = now[1] / math.sqrt(now[0]) if effect is None else _check.number("effect", effect)
    return _rejection_ahead(design, look, now[1], (effect, 0.0))


def predictive_power(design: Analysed, look: int, z: float, prior: tuple[float, float] | None) -> float:
    """See `Design.predictive_power`."""
    seen, z = _now(design, look, z)
    if prior is None:
        return _rejection_ahead(design, look, z, (z / math.sqrt(seen), 1 / seen))
    mean, sd = prior
    mean, precision = _check.number("prior", mean), _check.within("prior", sd, 0, math.inf) ** -2
    variance = 1 / (seen + precision)
    return _rejection_ahead(design, look, z, (variance * (z * math.sqrt(seen) + mean * precision), variance))


def _now(design: Analysed, look: int, z: float) -> tuple[float, float]:
    """Information and statistic at a look that leaves others to come."""
    last = len(design.information)
    if not _check.count("look", look, 1) < last:
        raise ValueError(f"`look` must leave a look to come: below {last}; got {look}.")
    return design.information[look - 1], _check.number("z", z)


def _rejection_ahead(design: Analysed, look: int, z: float, effect: tuple[float, float]) -> float:
    """P(cross a critical value at a look to come), when the effect is normal with a mean and a variance.

    What is added to the score z sqrt(I) between now and a look at a distance t is effect t + W(t), W a Brownian motion.
    With a normal effect that is, divided by 1 + variance t, the same process at a distance t / (1 + variance t), with
    the mean as its effect: one recursion gives power at an effect and predictive power.
    """
    mean, variance = effect
    seen, now = design.information[look - 1], np.array(design.information[look:])
    spread = 1 + variance * (now - seen)
    distance = (now - seen) / spread

    def shifted(bounds: tuple[float, ...]) -> list[float]:
        moved = (np.array(bounds) * np.sqrt(now) - z * math.sqrt(seen)) / (spread * np.sqrt(distance))
        return [float(bound) for bound in moved]

    upper = shifted(design.critical_values[look:])
    harm = _real(design.harm, look, design)
    futility = _real(design.futility if design.binding else None, look, design)
    if design.lower_critical_values is None:
        lower = shifted(tuple(max(pair) for pair in zip(harm, futility, strict=True)))
        above, _ = log_crossings(walk(distance.tolist(), lower, upper, (mean, mean)), lower, upper, mean)
        return min(float(np.exp(above).sum()), 1.0)
    lower = shifted(design.lower_critical_values[look:])
    ends = shifted(tuple(-bound for bound in futility)), shifted(futility)
    gaps = [(low, high) if low < high else None for low, high in zip(*ends, strict=True)]
    looks = walk(distance.tolist(), lower, upper, (mean, mean), gaps)
    above, below = log_crossings(looks, lower, upper, mean)
    return min(float(np.exp(above).sum() + np.exp(below).sum()), 1.0)


def _real(bounds: tuple[float | None, ...] | None, look: int, design: Analysed) -> tuple[float, ...]:
    """Bounds of the looks to come; minus infinity where there is none."""
    given = (None,) * len(design.information) if bounds is None else bounds
    return tuple(-math.inf if bound is None else bound for bound in given[look:])
