"""Bounds of the exact e-process of two proportions, for the difference as a normal deviate.

What the test rejects is a region of counts, not of differences. Among the counts with the same difference those that
the truth makes likeliest stand for the others: they lie on the line along which both proportions leave the truth in
the ratio of their variances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from abkit._roots import secant
from abkit.power._question import Question
from abkit.power._statistic import Statistic
from abkit.sequential import AnytimeValid
from abkit.sequential._two_proportions import TwoProportionsEffect
from abkit.types import Alternative, Null, Relative

_Bounds = tuple[float, ...]
#: Expected proportions nearer to 0 or 1 are of no use.
_EDGE = 1e-9


class Counts(NamedTuple):
    """What an exact test of two proportions needs beyond its drift: the true proportions, and the null; or arrays."""

    control: Any
    treatment: Any
    null: Any
    relative: bool


def compared_exactly(asked: Question, at: Statistic, control: Any, treatment: Any, null: Any) -> Statistic:
    """The statistic of two proportions, with what the monitor's exact test of them needs, where it has one."""
    exact = isinstance(asked.monitor, AnytimeValid)
    return at._replace(counts=Counts(control, treatment, null, asked.relative)) if exact else at


def bounds_of_counts(
    asked: Question, monitor: AnytimeValid, shares: _Bounds, units: tuple[float, float], counts: Counts
) -> tuple[_Bounds, _Bounds]:
    """Above and below, at these shares of the units; where only one way is tested, nothing is rejected below."""
    two = asked.alternative == "two-sided"
    goal = -math.log(float(asked.alpha) / (2 if two and monitor.sides == 1 else 1))
    names: tuple[Alternative, ...] = ("greater", "less") if two else (asked.alternative,)
    each = [
        _Side(monitor, units, counts, name, "two-sided" if two and monitor.sides == 2 else name).bounds(shares, goal)
        for name in names
    ]
    return each[0], tuple(-bound for bound in each[1]) if two else (-math.inf,) * len(shares)


@dataclass(frozen=True)
class _Side:
    """Where the test rejects in one direction."""

    monitor: AnytimeValid
    units: tuple[float, float]
    counts: Counts
    way: Alternative
    evidence: Alternative

    @cached_property
    def _line(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Both proportions on the null, and how far they move for a deviate of 1 with one of these shares of units."""
        control, treatment, null, relative = self.counts
        weight, shift = (1 + null, 0.0) if relative else (1.0, null)
        var_c = weight * control * (1 - control) / self.units[0]
        var_t = treatment * (1 - treatment) / self.units[1]
        variance = weight * var_c + var_t
        gap = (treatment - weight * control - shift) / variance
        step = (1.0 if self.way == "greater" else -1.0) / math.sqrt(variance)
        return (control + var_c * gap, treatment - var_t * gap), (-var_c * step, var_t * step)

    def bounds(self, shares: _Bounds, goal: float) -> _Bounds:
        """The deviate at which log E is `goal`, at each look; infinite where no counts have as much."""
        result: list[float] = []
        guess = math.sqrt(2 * goal) + 1
        for share in reversed(shares):
            bound = self._bound(share, goal, guess)
            guess = bound if math.isfinite(bound) else guess
            result.append(bound)
        return tuple(reversed(result))

    def _bound(self, share: float, goal: float, guess: float) -> float:
        (c, t), (step_c, step_t) = self._line
        step_c, step_t = step_c / math.sqrt(share), step_t / math.sqrt(share)
        n_c, n_t = share * self.units[0], share * self.units[1]
        monitor, planned = self.monitor, self.units[1] / (self.units[0] + self.units[1])
        null: Null = Relative(self.counts.null) if self.counts.relative else self.counts.null

        def excess(deviate: float) -> float:
            x_c, x_t = _within(c + step_c * deviate) * n_c, _within(t + step_t * deviate) * n_t
            effect = TwoProportionsEffect(x_c, n_c, x_t, n_t, planned, monitor.tune_at, monitor.sides)
            return math.sqrt(2 * max(effect.log_evalue(null, self.evidence), 0.0)) - math.sqrt(2 * goal)

        farthest = min(_room(c, step_c), _room(t, step_t))
        if farthest <= 0 or excess(farthest) < 0:
            return math.inf
        return secant(excess, min(guess, farthest / 2), 1.0, 0.0, farthest)


def _within(proportion: float) -> float:
    return min(max(proportion, _EDGE), 1 - _EDGE)


def _room(start: float, step: float) -> float:
    """How many steps a proportion can go before it is 0 or 1."""
    return ((1.0 if step > 0 else 0.0) - start) / step if step else math.inf
