"""Bounds of the exact e-process of two proportions, for the difference as a normal deviate.

What the test rejects is a region of counts, not of differences. Among the counts with the same difference those that
the truth makes likeliest stand for the others: they lie on the line along which both proportions leave the truth in
the ratio of their variances.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit._roots import secants
from abkit.power._question import Question
from abkit.power._statistic import Statistic
from abkit.sequential import AnytimeValid
from abkit.sequential._many_proportions import log_evidence
from abkit.types import Alternative, Null, Relative

_Bounds = tuple[float, ...]
#: Expected proportions nearer to 0 or 1 are of no use.
_EDGE = 1e-9
_WAYS: tuple[Alternative, ...] = ("greater", "less")


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
    two, alpha = asked.alternative == "two-sided", float(asked.alpha)
    if not two:
        bounds = _bounds(monitor, shares, units, counts, asked.alternative, asked.alternative, alpha)
        return bounds, (-math.inf,) * len(shares)
    up, down = (bounds_one_way(monitor, shares, units, counts, way, alpha / 2) for way in _WAYS)
    return up, tuple(-bound for bound in down)


def bounds_one_way(
    monitor: AnytimeValid, shares: _Bounds, units: tuple[float, float], counts: Counts, way: Alternative, tail: float
) -> _Bounds:
    """Of a test both ways that has this error in each; how far the deviate goes this way, at least 0."""
    if monitor.sides == 2:
        return _bounds(monitor, shares, units, counts, way, "two-sided", 2 * tail)
    return _bounds(monitor, shares, units, counts, way, way, tail)


def _bounds(
    monitor: AnytimeValid,
    shares: _Bounds,
    units: tuple[float, float],
    counts: Counts,
    way: Alternative,
    evidence: Alternative,
    alpha: float,
) -> _Bounds:
    """The deviate at which log E is -log alpha, at each look; infinite where no counts have as much."""
    share_of_units, goal = np.array(shares), -math.log(alpha)
    n = share_of_units[:, None] * np.array(units)
    start, step = _line(units, counts, 1.0 if way == "greater" else -1.0)
    steps = step / np.sqrt(share_of_units)[:, None]
    null: Null = Relative(counts.null) if counts.relative else counts.null
    planned = units[1] / (units[0] + units[1])
    evidence_of = partial(log_evidence, share=planned, tune_at=monitor.tune_at, sides=monitor.sides)

    def excess(deviates: Float64Array, at: npt.NDArray[np.bool_]) -> Float64Array:
        proportions = np.clip(start + steps[at] * deviates[:, None], _EDGE, 1 - _EDGE)
        found = evidence_of(proportions * n[at], n[at], null, evidence)
        return np.asarray(np.sqrt(2 * np.maximum(found, 0.0)) - math.sqrt(2 * goal))

    farthest = np.array([min(_room(*pair) for pair in zip(start, each, strict=True)) for each in steps.tolist()])
    bounds, reached = np.full(len(n), np.inf), farthest > 0
    reached[reached] = excess(farthest[reached], reached) >= 0
    guess, most = math.sqrt(2 * goal) + 1, farthest[reached]
    bounds[reached] = secants(lambda deviates: excess(deviates, reached), np.minimum(guess, most / 2), most)
    return tuple(bounds.tolist())


def _line(units: tuple[float, float], counts: Counts, way: float) -> tuple[Float64Array, Float64Array]:
    """Both proportions on the null, and how far they move for a deviate of 1 with all of these units."""
    control, treatment, null, relative = counts
    weight, shift = (1 + null, 0.0) if relative else (1.0, null)
    var_c = weight * control * (1 - control) / units[0]
    var_t = treatment * (1 - treatment) / units[1]
    variance = weight * var_c + var_t
    gap = (treatment - weight * control - shift) / variance
    apart = np.array([-var_c, var_t])
    return np.array([control, treatment]) - apart * gap, apart * (way / math.sqrt(variance))


def _room(start: float, step: float) -> float:
    """How many steps a proportion can go before it is 0 or 1."""
    return ((1.0 if step > 0 else 0.0) - start) / step if step else math.inf
