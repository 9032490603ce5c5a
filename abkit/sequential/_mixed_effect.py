"""A posterior that is a mixture of normal ones: what a prior of several kinds, or one with heavy tails, gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtri

from abkit._sets import ConfidenceSet, Interval, WholeLine, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.sequential._belief import loss_at
from abkit.types import Alternative, Null, Relative, RelativeMethod

_HALVINGS = 200
EPSILON = 2.0**-52


@dataclass(frozen=True, slots=True, eq=False)
class MixedEffect(BaseEffect):
    """Normal posteriors of two means, with their weights; a component that is one value has it among `atoms`.

    Tails are sums over components. The statistic is the normal deviate whose tail is the smaller of the two sides.
    """

    parts: tuple[Any, ...]
    weights: tuple[float, ...]
    atoms: tuple[float | None, ...]
    df = math.inf

    @property
    def control(self) -> float:
        """The control's posterior mean."""
        return math.fsum(w * part.control for w, part in self._weighted)

    @property
    def treatment(self) -> float:
        """The treatment's posterior mean."""
        return math.fsum(w * part.treatment for w, part in self._weighted)

    @property
    def estimate(self) -> float:
        """The difference's posterior mean."""
        return math.fsum(w * part.estimate for w, part in self._weighted)

    @property
    def stderr(self) -> float:
        """Its posterior standard deviation."""
        centre = self.estimate
        return math.sqrt(math.fsum(w * (part.variance + (part.estimate - centre) ** 2) for w, part in self._weighted))

    def statistic(self, null: Null) -> float:
        """The normal deviate of the smaller side; 0 where each side holds less than half."""
        up, down = self.pvalue(null, "greater"), self.pvalue(null, "less")
        z = -float(ndtri(min(up, down, 0.5)))
        return z if up < down else -z

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """The probability of the null's side, with the null itself; two-sided, twice the smaller one."""
        if alternative == "two-sided":
            return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))
        each = zip(self.weights, self.parts, self.atoms, strict=True)
        return min(1.0, math.fsum(w * _side(part, atom, null, alternative) for w, part, atom in each))

    def atom(self, null: Null) -> float:
        """The probability of the null itself."""
        value = null.value if isinstance(null, Relative) else null
        exact = (0.0,) if isinstance(null, Relative) else (value,)
        return math.fsum(w for w, atom in zip(self.weights, self.atoms, strict=True) if atom == value and atom in exact)

    def expected_loss(self, null: Null, way: float) -> float:
        """E max(null - D, 0), or E max(D - null, 0) where `way` is -1."""
        each = zip(self.weights, self.parts, self.atoms, strict=True)
        return math.fsum(w * _loss(part, atom, null, way) for w, part, atom in each)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """What is left when each end's tail is taken off."""
        tail = tail_of(level, alternative)
        each = [_ends(part, atom, level, alternative) for part, atom in zip(self.parts, self.atoms, strict=True)]
        return self._within(each, tail, lambda x: x, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same as shares of the control's mean; everything where one component's set is not bounded."""
        regions = [
            Interval(0.0, 0.0, level) if atom == 0 else part.relative(level, alternative, method)
            for part, atom in zip(self.parts, self.atoms, strict=True)
        ]
        if not all(isinstance(region, Interval) for region in regions):
            return WholeLine(level)
        ends = [(region.low, region.high) for region in regions]
        return self._within(ends, tail_of(level, alternative), Relative, level, alternative)

    @property
    def _weighted(self) -> Any:
        return zip(self.weights, self.parts, strict=True)

    def _within(
        self,
        each: list[tuple[float, float]],
        tail: float,
        null_of: Callable[[float], Null],
        level: float,
        alternative: Alternative,
    ) -> Interval:
        """The mixture's ends lie between the components'."""
        low = high = math.nan
        if alternative != "less":
            lows = [low for low, _ in each]
            low = _boundary(min(lows), max(lows), lambda x: self.pvalue(null_of(x), "greater") - tail)
        if alternative != "greater":
            highs = [high for _, high in each]
            high = -_boundary(-max(highs), -min(highs), lambda x: self.pvalue(null_of(-x), "less") - tail)
        return sided(low, high, level, alternative)


def _boundary(low: float, high: float, excess: Callable[[float], float]) -> float:
    """The smallest number in between at which this is not below 0, as it is at the upper end but for rounding."""
    from scipy.optimize import brentq

    if excess(low) >= 0:
        return low
    if excess(high) > 0:
        # where a component is one value there is a step, which has no root
        root, _ = brentq(excess, low, high, xtol=1e-300, rtol=4 * EPSILON, maxiter=40, full_output=True, disp=False)
        near = root - 16 * EPSILON * abs(root), root + 16 * EPSILON * abs(root)
        low = near[0] if low < near[0] and excess(near[0]) < 0 else low
        high = near[1] if near[1] < high and excess(near[1]) >= 0 else high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if excess(middle) >= 0 else (middle, high)
    return high


def _ends(part: Any, atom: float | None, level: float, alternative: Alternative) -> tuple[float, float]:
    return (atom, atom) if atom is not None else tuple(part.interval(level, alternative))


def _side(part: Any, atom: float | None, null: Null, alternative: Alternative) -> float:
    place = _place(atom, null)
    if atom is None or place is None:
        return float(part.pvalue(null, alternative))
    return float(atom <= place if alternative == "greater" else atom >= place)


def _place(atom: float | None, null: Null) -> float | None:
    """What an atom is compared with: a share of the control with no effect at all only, which no control changes."""
    if not isinstance(null, Relative):
        return null
    return null.value if atom == 0 or null.value == 0 else None


def _loss(part: Any, atom: float | None, null: Null, way: float) -> float:
    if atom is not None and (not isinstance(null, Relative) or null.value == 0):
        return max(way * ((0.0 if isinstance(null, Relative) else null) - atom), 0.0)
    gap = part.estimate - (null.value * abs(part.control) if isinstance(null, Relative) else null)
    return loss_at(way * gap, way * float(part.statistic(null)), part.stderr, math.inf)
