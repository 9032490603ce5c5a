"""Instances that are updated one after another, beside those not yet updated: the order is what chance gave."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._resample import IntArray
from abkit.inference._thresholds import Thresholds
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: Up to so many orders each is taken once; else so many less one are drawn.
ORDERS = 10_000
#: Squares of anything smaller add up to a number.
LARGEST = 1e150
NO_COMPARISON = "no instance was updated beside one that was not yet, with buckets before both"


@dataclass(frozen=True, slots=True, eq=False)
class UpdateOrderEffect(BaseEffect):
    """The difference in differences, what other orders of update make of it, and the shift at which each is as large.

    `control` is what the updated instances would have had without the update. `centre` and `spread`: mean and
    covariance matrix, over orders, of the statistic and of what a unit of shift gives it. `shares` of the tails are
    what this look may spend of those against "greater" and "less"; the rest is spent at other looks.
    """

    control: float
    treatment: float
    centre: tuple[float, float]
    spread: tuple[float, float, float]
    thresholds: Thresholds
    shares: tuple[float, float] = (1.0, 1.0)
    caution: str | None = None
    undefined: str = "every order of update gives the same statistic"

    @property
    def estimate(self) -> float:
        """Updated minus not yet updated."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard deviation over orders, the estimated effect taken out."""
        return self._error(self.estimate)

    @property
    def df(self) -> float:
        """Infinite: there is no t reference."""
        return math.inf

    @property
    def floor(self) -> float:
        """The smallest one-sided p-value that there can be: of the order that was used itself."""
        return self.thresholds.own / self.thresholds.total

    def statistic(self, null: Null) -> float:
        """Distance from what orders give under the null in standard deviations: for display, and its sign."""
        if not self.spread[0] > 0:
            return math.nan
        shift = self._shift(null)
        if not math.isfinite(shift):
            return -shift
        gap = self.estimate - shift - (self.centre[0] - shift * self.centre[1])
        error = self._error(shift)
        return gap / error if error > 0 else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Share of orders, over the share of the tail that this look may spend."""
        shift = self._shift(null)
        if math.isnan(shift):
            return 1.0
        above = _over(self.thresholds.above(shift), self.shares[0])
        below = _over(self.thresholds.below(shift), self.shares[1])
        if alternative == "two-sided":
            return min(1.0, 2 * min(above, below))
        return above if alternative == "greater" else below

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Shifts of all updated cells that the test does not reject."""
        return sided(*self._ends(level, alternative), level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:  # noqa: ARG002
        """The same shifts as shares of what the updated instances would have had: of their mean less the shift."""
        if self.treatment == 0:
            return NoInterval(level, "the updated instances' mean is zero, and nothing is a share of it")
        low, high = self._ends(level, alternative)
        return sided(self._share(low), self._share(high), level, alternative)

    def _ends(self, level: float, alternative: Alternative) -> tuple[float, float]:
        tail = tail_of(level, alternative)
        low, high = self.shares
        return self.thresholds.low(tail * low), self.thresholds.high(tail * high)

    def _shift(self, null: Null) -> float:
        """The shift that a null means: a share r of m - d, where m is the updated mean, is d = m r / (1 + r)."""
        if not isinstance(null, Relative):
            return null
        sign = math.copysign(1.0, self.treatment)
        if self.treatment == 0:
            return math.nan
        rest = 1 + sign * null.value
        return sign * self.treatment * null.value / rest if rest > 0 else -sign * math.inf

    def _share(self, shift: float) -> float:
        rest = self.treatment - shift
        sign = math.copysign(1.0, self.treatment)
        if math.isinf(shift):
            return shift if shift * sign > 0 else -sign
        return shift / abs(rest) if rest * sign > 0 else sign * math.inf

    def _error(self, shift: float) -> float:
        variance, covariance, of_shift = self.spread
        square = variance - 2 * shift * covariance + shift * shift * of_shift
        return math.sqrt(square) if square > 1e-13 * variance else 0.0


def update_order_effect(
    values: Float64Array,
    exposed: Float64Array,
    updated: IntArray,
    settle: int = 1,
    shares: tuple[float, float] = (1.0, 1.0),
) -> UpdateOrderEffect:
    """The effect of an update that reached instances one after another.

    Parameters
    ----------
    values : array, shape (instances, buckets)
        The metric of each instance in each bucket of time.
    exposed : array, shape (instances, buckets)
        The share of the cell that ran the new version: 0 before the update, 1 once it has settled, never falling.
    updated : array of int, shape (instances,)
        The bucket in which the instance was updated; the number of buckets, or more, where it was not.
    settle : int
        Buckets from the update on that do not count.
    shares : pair of float
        Of the tails against "greater" and "less", what this look may spend.

    Raises
    ------
    ValueError
        There is nothing to compare.

    Notes
    -----
    For instances updated in bucket g, and each later bucket b: their mean of (value in b less the mean of all buckets
    before g), less the same mean of the instances not yet updated in b. The statistic is the mean of these
    over g and b, with weights n m / (n + m) of the n instances updated and the m not yet: known from the order alone.
    Instances that were updated before are never a comparison. Its distribution is that over all orders of update, with
    as many instances at each time. Under a shift d of all updated cells, the statistic of an order is A - d c, with its
    statistic A of the values and c of `exposed`, and c is at most 1, which the order that was used has. So an order is
    as large as the one used, D, exactly when d is at least (D - A) / (1 - c).

    References
    ----------
    .. [1] Callaway and Sant'Anna 2021, Journal of Econometrics 225(2), eq. 2.4 (not yet treated) and sec. 3.
    .. [2] Ji, Fink, Robyn and Small 2017, Annals of Applied Statistics 11(1), sec. 3.
    """
    buckets, largest = values.shape[1], float(np.abs(values).max())
    if not largest < LARGEST:
        raise ValueError(f"values up to {largest:g} are too large to be compared")
    times, cohort = np.unique(np.minimum(updated, buckets), return_inverse=True)
    sizes = np.bincount(cohort)
    weights = order_weights(times, sizes, buckets, settle)
    flat = values - values.mean(axis=1, keepdims=True)
    flat -= flat.mean(axis=0)
    orders, exact = _orders(tuple(int(size) for size in sizes))

    def over_orders(cells: Float64Array) -> tuple[float, Float64Array]:
        scores = cells @ weights.T
        drawn = np.zeros(orders.shape[1])
        for score, number in zip(scores, orders, strict=True):
            drawn += score[number]
        return float(np.take_along_axis(scores, cohort[:, None], axis=1).sum()), drawn

    (seen, drawn), (_, moved) = over_orders(flat), over_orders(exposed)
    rest = 1 - moved
    same = rest <= 1e-9  # an order that compares the same cells as the one used
    rounding = 64 * float(np.spacing(max(largest, 1e-300)))
    own = int(same.sum()) + (not exact)
    thresholds = Thresholds.of((seen - drawn[~same]) / rest[~same], rounding, own)
    treated = np.maximum(weights, 0)[cohort] * (np.arange(buckets) >= updated[:, None] + settle)
    mean = float((treated * values).sum() / treated.sum())
    centre = float(drawn.mean()), float(moved.mean())
    a, b = drawn - centre[0], moved - centre[1]
    noise = float((a * a).mean()) if np.ptp(drawn) > 1e-13 * largest else 0.0
    return UpdateOrderEffect(
        mean - seen, mean, centre, (noise, float((a * b).mean()), float((b * b).mean())), thresholds, shares
    )


def order_weights(times: IntArray, sizes: IntArray, buckets: int, settle: int) -> Float64Array:
    """The weight of each bucket of an instance, by when it was updated, shape (times, buckets)."""
    weights, place, total = np.zeros((len(times), buckets)), np.arange(buckets), 0.0
    waiting = times[:, None] > place
    left = waiting.T @ sizes  # instances not yet updated, by bucket
    for k, (time, size) in enumerate(zip(times, sizes, strict=True)):
        later = (place >= time + settle) & (left > 0)
        if time == 0 or not later.any():
            continue
        each = later * size * left / (size + left)
        compared = waiting * np.divide(each, left, out=np.zeros(buckets), where=left > 0)
        change = -compared
        change[:, :time] += compared.sum(axis=1, keepdims=True) / time
        change[k] += each / size
        change[k, :time] -= each.sum() / size / time
        weights += change
        total += float(each.sum())
    if not total:
        raise ValueError(NO_COMPARISON)
    return weights / total


def count_orders(sizes: IntArray) -> int:
    """In how many orders instances can be updated, with so many at each time."""
    left, total = int(sizes.sum()), 1
    for size in sizes:
        total *= math.comb(left, int(size))
        left -= int(size)
    return total


@lru_cache(maxsize=32)
def _orders(sizes: tuple[int, ...]) -> tuple[IntArray, bool]:
    """The number of the time of each instance in each order: of all orders, or of too many the same choice always."""
    instances = sum(sizes)
    if count_orders(np.array(sizes)) <= ORDERS:
        orders, exact = np.array(_every(sizes), dtype=np.int64).reshape(-1, instances), True
    else:
        rng = np.random.Generator(np.random.PCG64([instances, *sizes]))
        base = np.repeat(np.arange(len(sizes)), sizes)
        orders, exact = rng.permuted(np.broadcast_to(base, (ORDERS - 1, instances)), axis=1), False
    return np.ascontiguousarray(orders.T), exact


def _every(sizes: tuple[int, ...]) -> list[list[int]]:
    """All orders: the places of each number in turn among those that are left."""
    orders = [[-1] * sum(sizes)]
    for number, size in enumerate(sizes):
        longer = []
        for order in orders:
            free = [i for i, taken in enumerate(order) if taken < 0]
            for chosen in combinations(free, size):
                new = order.copy()
                for i in chosen:
                    new[i] = number
                longer.append(new)
        orders = longer
    return orders


def _over(tail: float, share: float) -> float:
    return min(1.0, tail / share) if share > 0 else 1.0
