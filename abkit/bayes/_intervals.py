"""The shortest interval that holds a probability: the set of highest density, where that is one interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, ndtri

from abkit._check import Float64Array
from abkit.bayes._law import Law

_STEPS, _MOVES = 60, 20
_FURTHEST = 40.0
#: Shares of the error that are tried at first, and in each closer round.
_FIRST, _LATER, _ROUNDS = 41, 9, 9
_AT_NOTHING = 1e-6
#: Ends that move by no more than this share of what is between them stay where they are.
_STILL = 1e-13


def shortest(law: Any, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Ends between which there is all but `error`, with one density, or the end of what is possible.

    How much of the error lies below is found by secants: on the scale of its log odds the logarithm of one density over
    the other is nearly a straight line. A density that falls from the lowest possible effect on has its interval there;
    one that is higher at both ends than between them has two such sets, and this is the one at the higher end. What a
    mixture leaves of an effect may have several peaks, and values of their own probability: there widths are compared.
    """
    if _several_peaks(law):
        return _narrowest(law, error)
    floor = law.support[0] if isinstance(law, Law) else -np.inf
    if not np.isfinite(floor):
        return _of_one_height(law, error)
    low, high = np.full_like(error, floor), law.ends(error * expit(-_FURTHEST), error)[1]
    with np.errstate(all="ignore"):
        falls = law.pdf(np.nextafter(low, np.inf)) >= law.pdf(high)
    rest = np.flatnonzero(~falls)
    if rest.size:
        low[rest], high[rest] = _of_one_height(law.rows(rest), error[rest])
    return low, high


def _of_one_height(law: Any, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Ends of one density, where it rises before it falls."""
    odds, before, gap_before = np.zeros_like(error), np.full_like(error, np.nan), np.zeros_like(error)
    low, high = np.full_like(error, -np.inf), np.full_like(error, np.inf)
    for _ in range(_STEPS):
        ends, (low, high) = (low, high), law.ends(error * expit(odds), error * expit(-odds))
        with np.errstate(invalid="ignore"):
            moved = np.maximum(np.abs(low - ends[0]), np.abs(high - ends[1]))
        if np.all(moved <= _STILL * (high - low)):  # at the end of what is possible
            break
        with np.errstate(all="ignore"):
            gap = np.log(law.pdf(low)) - np.log(law.pdf(high))
            slope = np.clip((gap - gap_before) / (odds - before), 0.3, 30.0)
            step = np.where(np.isnan(slope), gap, gap / slope)
        following = np.clip(odds - np.clip(np.nan_to_num(step), -8.0, 8.0), -_FURTHEST, _FURTHEST)
        if np.all(np.abs(following - odds) <= 1e-11):
            break
        before, gap_before, odds = odds, gap, following
    return low, high


def _several_peaks(law: Any) -> bool:
    return len(getattr(getattr(law, "posterior", None), "means", ())) > 1


def _narrowest(law: Any, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Of some shares of the error that may lie below the best, then of closer ones beside it."""
    centre, reach = np.full_like(error, 0.5), 0.5
    a, b = law.ends(error * centre, error * centre)
    for points in (_FIRST, *[_LATER] * _ROUNDS):
        middle = centre
        for step in np.linspace(-reach, reach, points):
            share = np.clip(middle + step, 1e-12, 1 - 1e-12)
            low, high = law.ends(error * share, error * (1 - share))
            better = high - low < b - a
            centre, a, b = np.where(better, share, centre), np.where(better, low, a), np.where(better, high, b)
        reach *= 2 / (points - 1)
    if np.any((law.posterior.means == 0) & (law.posterior.sds == 0)):
        # the widths have a corner where an end reaches no effect, and the rounds come near it only
        a, b = (np.where(np.abs(end) <= _AT_NOTHING * (b - a), 0.0, end) for end in (a, b))
    return a, b


def shortest_effects(law: Law, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The same of effects: both ends move at once, so that no quantiles are found on the way."""
    if _several_peaks(law):
        return shortest(law, error)
    ends = np.stack(law.ends(error / 2))
    spread = np.maximum(ends[1] - ends[0], 1e-300)
    left, before, gap_before = np.arange(error.size), np.full_like(error, np.nan), np.zeros_like(error)
    for _ in range(_MOVES):
        if not left.size:
            return ends[0], ends[1]
        size, wanted = left.size, error[left]
        below, above, density = law.rows(np.concatenate([left, left])).look(ends[:, left].ravel())
        with np.errstate(all="ignore"):
            tails, heights = np.stack([below[:size], above[size:]]), density.reshape(2, size)
            odds, gap = np.log(tails[0] / tails[1]), np.log(heights[0] / heights[1])
            slope = np.clip((gap - gap_before[left]) / (odds - before[left]), 0.3, 30.0)
            step = np.where(np.isnan(slope), gap, gap / slope)
            following = odds - np.clip(step, -2.0, 2.0)
            z = ndtri(tails)
            lack = ndtri(np.stack([wanted * expit(following), wanted * expit(-following)])) - z
            move = np.array([[1.0], [-1.0]]) * lack * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / heights
            before[left], gap_before[left] = odds, gap
            ends[:, left] += np.where(np.isfinite(move), move, 0.0)
            done = (np.abs(move) < 1e-9 * spread[left]).all(axis=0)
        left = left[~done]
    ends[:, left] = shortest(law.rows(left), error[left])
    return ends[0], ends[1]


@dataclass(frozen=True, eq=False)
class OwnValue:
    """A variant's own posterior, as what the shortest interval asks of a law."""

    of: Any

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The values with these probabilities below the one and above the other."""
        return self.of.ppf(below), self.of.isf(below if above is None else above)

    def pdf(self, x: Any) -> Float64Array:
        """The density at x."""
        with np.errstate(all="ignore"):
            return np.asarray(np.exp(self.of.logpdf(x)))
