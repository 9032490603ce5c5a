"""Order statistics of the sums of all pairs, n^2 / 2 of them, without making them all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array

IntArray = npt.NDArray[np.int64]

#: As many sums as are made and sorted at once.
FEW = 300_000
SAMPLED = 40_000


def sums_of_pairs(values: Float64Array) -> Float64Array:
    """values[i] + values[j] for every i <= j, unordered."""
    rows, columns = np.triu_indices(values.size)
    return values[rows] + values[columns]


def kth_sum(values: Float64Array, k: int) -> float:
    """The k-th smallest of the sums of pairs (i <= j) of sorted values, k from 1.

    Row i of the sums ascends in j. Two pivots, out of a systematic sample of the sums that are left, bracket the one
    that is wanted and leave about one in a hundred of them.
    """
    n = values.size
    if n * (n + 1) // 2 <= FEW:
        return float(np.partition(sums_of_pairs(values), k - 1)[k - 1])
    low, high = np.arange(n), np.full(n, n)
    left = n * (n + 1) // 2
    alone = False
    while left > max(FEW, 2 * n):
        pivots = _pivots(values, low, high, k / left, alone)
        ends = [
            np.clip(_first_at_least(values, pivot), low, high) for pivot in (pivots[0], np.nextafter(pivots[1], np.inf))
        ]
        smaller, upto = (int((end - low).sum()) for end in ends)
        if k <= smaller:
            high = ends[0]
        elif k > upto:
            low, k = ends[1], k - upto
        elif pivots[0] == pivots[1]:
            return pivots[0]
        else:
            low, high, k = ends[0], ends[1], k - smaller
        before, left = left, int((high - low).sum())
        alone = left == before  # two pivots that are all there is: then one of them
    return float(np.partition(_sums_at(values, low, high, np.arange(left)), k - 1)[k - 1])


def _pivots(values: Float64Array, low: IntArray, high: IntArray, share: float, alone: bool) -> tuple[float, float]:
    left = int((high - low).sum())
    chosen = ((np.arange(SAMPLED) + 0.5) * (left / SAMPLED)).astype(np.int64)
    sample = np.sort(_sums_at(values, low, high, chosen))
    margin = 0 if alone else 2 * int(SAMPLED**0.5)
    first, last = (int(min(max(share * SAMPLED + side, 0), SAMPLED - 1)) for side in (-margin, margin))
    return float(sample[first]), float(sample[last])


def _sums_at(values: Float64Array, low: IntArray, high: IntArray, places: IntArray) -> Float64Array:
    """Sums by their place among those that are left, row after row."""
    ends = np.cumsum(high - low)
    rows = np.searchsorted(ends, places, side="right")
    columns = high[rows] - (ends[rows] - places)
    return np.asarray(values[rows] + values[columns])


def _first_at_least(values: Float64Array, pivot: float) -> IntArray:
    """For each row the first column whose sum, as it is rounded, is not below a pivot."""
    first = np.searchsorted(values, pivot - values)
    padded = np.concatenate([[-np.inf], values, [np.inf]])
    while True:  # the difference was rounded: look again at the sums themselves
        back = values + padded[first] >= pivot
        ahead = values + padded[first + 1] < pivot
        if not (back.any() or ahead.any()):
            return first
        first[back] = np.searchsorted(values, padded[first[back]], side="left")
        first[ahead] = np.searchsorted(values, padded[first[ahead] + 1], side="right")
