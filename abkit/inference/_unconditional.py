"""Exact probabilities of regions of 2 x 2 tables, the proportions unknown.

A region is given by its frontier: for each number of the control's successes, the fewest successes of the treatment
that belong to it. With more successes of the treatment, or fewer of the control, a table stays in the region
(Barnard's convexity), so that its probability rises with the treatment's proportion and falls with the control's:
among all pairs of proportions whose difference is at most d, it is largest where the difference is d.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from abkit._check import Float64Array

IntArray = npt.NDArray[np.intp]
#: Tables whose statistics differ by rounding only are as extreme as each other.
TIE = 1e-9
LOG_ZERO = -1e5
HALVINGS = 52
CELLS = 1_000_000
PEAKS, ROUNDS, POINTS = 3, 4, 9


def score_frontier(n_control: int, n_treatment: int, nulls: Float64Array, thresholds: Float64Array) -> IntArray:
    """For each null the tables whose score statistic is at least the threshold, shape (nulls, n_control + 1)."""
    control = np.broadcast_to(np.arange(n_control + 1.0), (len(nulls), n_control + 1))
    outside = np.full(control.shape, -1)
    inside = np.full(control.shape, n_treatment + 1)
    while np.any(inside - outside > 1):
        middle = np.clip((inside + outside) // 2, 0, n_treatment)
        reached = _score(control, n_control, middle, n_treatment, nulls[:, None]) >= thresholds[:, None]
        inside, outside = np.where(reached, middle, inside), np.where(reached, outside, middle)
    return inside


def fisher_frontier(control: int, n_control: int, treatment: int, n_treatment: int) -> IntArray:
    """The tables whose one-sided Fisher p-value for a higher treatment is at most that of the table given."""
    log_c, log_t = _log_binomials(n_control), _log_binomials(n_treatment)

    def tails(total: int) -> tuple[int, Float64Array]:
        low, high = max(0, total - n_control), min(n_treatment, total)
        logs = log_t[low : high + 1] + log_c[total - high : total - low + 1][::-1]
        weights = np.exp(logs - logs.max())
        return low, np.cumsum(weights[::-1])[::-1] / weights.sum()

    low, observed = tails(control + treatment)
    limit = observed[treatment - low] * (1 + TIE)
    # for each total, the most successes of the control with which a table is still in the region
    most = np.empty(n_control + n_treatment + 1, dtype=np.intp)
    for total in range(len(most)):
        low, tail = tails(total)
        most[total] = total - low - np.searchsorted(-tail, -limit)
    successes = np.arange(n_control + 1)
    frontier = np.searchsorted(np.maximum.accumulate(most), successes) - successes
    return np.asarray(np.minimum(frontier, n_treatment + 1)[None, :])


def largest_probability(
    n_control: int,
    n_treatment: int,
    nulls: Float64Array,
    above: IntArray,
    below: IntArray | None = None,
    floor: float = 0.0,
) -> Float64Array:
    """For each null the largest probability of its region among the proportions that differ by the null.

    With `below`, tables with fewer successes of the treatment than it belong to the region too. What is clearly
    below `floor` is found roughly.
    """
    angles = np.linspace(0, math.pi / 2, 16 + 4 * math.isqrt(n_control + n_treatment))
    pieces = max(1, CELLS // (len(angles) * (n_control + n_treatment)))
    largest = np.empty(len(nulls))
    for i in range(0, len(nulls), pieces):
        part = slice(i, i + pieces)
        region = _Region(n_control, n_treatment, nulls[part, None], above[part], None if below is None else below[part])
        largest[part] = region.maximise(angles, floor)
    return np.minimum(largest, 1.0)


class _Region:
    """Regions of tables, one a null, and their probabilities at a proportion of the control."""

    def __init__(
        self, n_control: int, n_treatment: int, nulls: Float64Array, above: IntArray, below: IntArray | None
    ) -> None:
        self.log_c, self.log_t = _log_binomials(n_control), _log_binomials(n_treatment)
        self.nulls, self.above, self.below = nulls, above, below
        self.low, self.high = np.maximum(0.0, -nulls), np.minimum(1.0, 1.0 - nulls)

    def maximise(self, angles: Float64Array, floor: float) -> Float64Array:
        # a binomial's spread is the same at every angle, and more than the step of the grid
        values = self.probability(np.broadcast_to(angles, (len(self.nulls), len(angles))))
        largest: Float64Array = values.max(axis=1)
        if 2 * float(largest.max()) < floor:
            return largest
        padded = np.pad(values, ((0, 0), (1, 1)), constant_values=-1.0)
        peaks = np.where((values >= padded[:, :-2]) & (values >= padded[:, 2:]), values, -1.0)
        centres, width = angles[np.argsort(peaks, axis=1)[:, -PEAKS:]], float(angles[1])
        for _ in range(ROUNDS):
            around, found = self._around(centres, width)
            centres = np.take_along_axis(around, found.argmax(axis=2)[..., None], axis=2)[..., 0]
            largest = np.maximum(largest, found.max(axis=(1, 2)))
            width *= 2 / (POINTS - 1)
        _, found = self._around(_vertex(around, found), 0.0)
        return np.asarray(np.maximum(largest, found.max(axis=(1, 2))))

    def _around(self, centres: Float64Array, width: float) -> tuple[Float64Array, Float64Array]:
        offsets = np.linspace(-width, width, POINTS) if width else np.zeros(1)
        around = np.clip(centres[..., None] + offsets, 0.0, math.pi / 2)
        return around, self.probability(around.reshape(len(around), -1)).reshape(around.shape)

    def probability(self, angles: Float64Array) -> Float64Array:
        share = np.square(np.sin(angles))
        control = self.low + (self.high - self.low) * share
        treatment = np.clip(control + self.nulls, 0.0, 1.0)
        of_control, of_treatment = _binomial(self.log_c, control), _binomial(self.log_t, treatment)
        tails = np.cumsum(of_treatment[..., ::-1], axis=-1)[..., ::-1]
        reached = _at(np.concatenate([tails, np.zeros((*tails.shape[:-1], 1))], axis=-1), self.above)
        if self.below is not None:
            heads = np.cumsum(of_treatment, axis=-1)
            reached += _at(np.concatenate([np.zeros((*heads.shape[:-1], 1)), heads], axis=-1), self.below)
        return np.asarray(np.einsum("...i,...i->...", of_control, reached))


def _vertex(x: Float64Array, y: Float64Array) -> Float64Array:
    """Where the parabola through the largest of the points, and its neighbours, is highest."""
    middle = np.clip(y.argmax(axis=-1), 1, y.shape[-1] - 2)[..., None]
    left, top, right = (np.take_along_axis(y, middle + i, axis=-1)[..., 0] for i in (-1, 0, 1))
    bend = left - 2 * top + right
    step = np.where(bend < 0, (left - right) / np.where(bend < 0, 2 * bend, 1.0), 0.0)
    at = np.take_along_axis(x, middle, axis=-1)[..., 0]
    return np.asarray(at + np.clip(step, -1, 1) * (x[..., -1] - x[..., 0]) / (x.shape[-1] - 1))


def _at(values: Float64Array, index: IntArray) -> Float64Array:
    shape = (*values.shape[:-1], index.shape[-1])
    return np.asarray(np.take_along_axis(values, np.broadcast_to(index[:, None, :], shape), axis=-1))


def _binomial(log_binomials: Float64Array, share: Float64Array) -> Float64Array:
    """Probabilities of all numbers of successes, on a new last axis."""
    n = len(log_binomials) - 1
    successes = np.arange(n + 1.0)
    with np.errstate(divide="ignore"):
        hit, miss = np.maximum(np.log(share), LOG_ZERO), np.maximum(np.log1p(-share), LOG_ZERO)
    return np.asarray(np.exp(log_binomials + hit[..., None] * successes + miss[..., None] * (n - successes)))


def _log_binomials(n: int) -> Float64Array:
    parts = gammaln(np.arange(n + 1) + 1.0)
    return np.asarray(parts[-1] - parts - parts[::-1])


def _score(
    control: Float64Array, n_control: int, treatment: Float64Array, n_treatment: int, null: Float64Array
) -> Float64Array:
    """The score statistic of a difference, as `ScoreEffect` has it, for many tables at once."""
    low, high = np.maximum(0.0, -null) + 0 * control, np.minimum(1.0, 1.0 - null) + 0 * control
    missed_control, missed_treatment = n_control - control, n_treatment - treatment
    gap = treatment / n_treatment - control / n_control - null
    with np.errstate(divide="ignore", invalid="ignore"):  # where the range has shrunk to its end
        for _ in range(HALVINGS):
            p = (low + high) / 2
            q = p + null
            rising = control / p + treatment / q > missed_control / (1 - p) + missed_treatment / (1 - q)
            low, high = np.where(rising, p, low), np.where(rising, high, p)
        q = p + null
        score = gap / np.sqrt(q * (1 - q) / n_treatment + p * (1 - p) / n_control)
    return np.where(gap == 0, 0.0, score)
