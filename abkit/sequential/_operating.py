"""What known bounds give: the chance of stopping at each look, for any effect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array
from abkit.sequential._boundaries import Bounds, secant
from abkit.sequential._canonical import Looks, log_crossings, walk

_SPAN = 8.0  # of drifts that share one recursion
_FARTHEST = 1e4
_LARGEST = 1e100  # drift, whose square must be finite


@dataclass(frozen=True, eq=False, slots=True)
class Stopping:
    """The chance of stopping at each look; the looks are the last axis.

    Parameters
    ----------
    up, down : float array, shape (..., looks)
        Rejecting upwards, and downwards; with one side, downwards is harm.
    futility : float array, shape (..., looks)
        Stopping for futility.
    """

    up: Float64Array
    down: Float64Array
    futility: Float64Array

    @property
    def total(self) -> Float64Array:
        """Stopping at each look for any reason; what is left then stops at the last."""
        early = (self.up + self.down + self.futility)[..., :-1]
        return np.concatenate([early, np.maximum(1 - early.sum(axis=-1, keepdims=True), 0.0)], axis=-1)


@dataclass(frozen=True, slots=True)
class Regions:
    """Where each look stops: above `upper`, below `lower`, and for futility below, or within -+, `futility`.

    Bounds are infinite where there is none.
    """

    information: Bounds
    upper: Bounds
    lower: Bounds
    futility: Bounds
    sides: int

    def stopping(self, effects: Float64Array) -> Stopping:
        """At effects in any array; those near each other share one recursion."""
        parts = np.empty((3, effects.size, len(self.information)))
        root = math.sqrt(self.information[-1])
        flat = np.clip(effects.ravel(), -_LARGEST / root, _LARGEST / root)
        order = np.argsort(flat, kind="stable")
        for chosen in _groups(flat, order, _SPAN / root):
            looks = self._looks((float(flat[chosen[0]]), float(flat[chosen[-1]])))
            parts[:, chosen] = self._stopped(looks, flat[chosen])
        up, down, futility = parts.reshape((3, *effects.shape, len(self.information)))
        return Stopping(up, down, futility)

    def drift(self, power: float, least: float) -> float:
        """The expected z at the last look at which the power upwards is this; `least`, that of one look, is less."""
        root, farthest = math.sqrt(self.information[-1]), 1.5 * least
        while farthest < _FARTHEST * least:
            excess = self._excess((least / root, farthest / root), power)
            if excess(farthest) >= 0:
                return min(max(secant(excess, least, 1.0), least), farthest)
            farthest *= 1.5
        raise ValueError(f"`power` must be within reach of the bounds; no effect gives {power:g}.")

    def _excess(self, effects: tuple[float, float], power: float) -> Callable[[float], float]:
        """Power upwards at a drift over the power wanted, on the normal scale, where it is almost a straight line."""
        looks, root, goal = self._looks(effects), math.sqrt(self.information[-1]), float(ndtri(power))

        def excess(drift: float) -> float:
            rejected = self._stopped(looks, np.array([drift / root]))[0].sum()
            return float(ndtri(min(rejected, 1 - 2.0**-53))) - goal

        return excess

    def _looks(self, effects: tuple[float, float]) -> tuple[Looks, ...]:
        if self.sides == 1:
            lower = tuple(max(pair) for pair in zip(self.lower, self.futility, strict=True))
            return walk(self.information, lower, self.upper, effects)
        gaps = [(-f, f) if f > 0 else None for f in self.futility]
        return walk(self.information, self.lower, self.upper, effects, gaps)

    def _stopped(self, looks: tuple[Looks, ...], effects: Float64Array) -> Float64Array:
        """Up, down and for futility, shape (3, effects, looks)."""
        up, down = (np.exp(part) for part in log_crossings(looks, self.lower, self.upper, effects))
        if all(f == -math.inf for f in self.futility):
            return np.stack([up, down, np.zeros_like(up)])
        inner = self.futility if self.sides == 1 else tuple(max(f, 0.0) for f in self.futility)
        outer = self.lower if self.sides == 1 else tuple(-f for f in inner)
        ends = (log_crossings(looks, bounds, self.upper, effects)[1] for bounds in (inner, outer))
        below_inner, below_outer = (np.exp(end) for end in ends)
        return np.stack([up, down, np.maximum(below_inner - below_outer, 0.0)])


def _groups(flat: Float64Array, order: np.ndarray, span: float) -> list[np.ndarray]:
    """Runs of the sorted effects, each no wider than a span."""
    groups, first = [], 0
    values = flat[order]
    while first < values.size:
        end = int(np.searchsorted(values, values[first] + span, side="right"))
        groups.append(order[first:end])
        first = end
    return groups
