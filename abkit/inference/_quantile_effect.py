"""The difference of two quantiles, from confidence distributions of each.

Between order statistics r and r + 1 of n lies the q-quantile with the probability that r of n independent units are
below it: the binomial Bin(n, q), whatever the distribution of the units. That is a distribution of confidence over the
line, and the difference of two quantiles has the convolution of two of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, ndtri

from abkit import _tails
from abkit._check import Float64Array
from abkit._roots import first_reached
from abkit._sets import ConfidenceSet, HalfLines, Interval, WholeLine, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.suffstats import Histogram
from abkit.suffstats._base import IntArray
from abkit.types import Alternative, Null, Relative, RelativeMethod

SMALLEST = 5e-324
#: Beyond this share of the control's quantile the relative effect counts as infinite.
INFINITE_SHARE = 1e15
LARGEST = 1e300
_LOG_SMALLEST = 745.0
_ROUNDING = 2.0**-50

_Lowest = Callable[["Confidence", "Confidence", float], float]


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """Where one quantile Q may lie: confidence at distinct values, linear in between.

    The rows of `tails` are P(Q < value), P(Q <= value), P(Q >= value) and P(Q > value). What the first value has below
    it, and the last above it, lies beyond the data: nobody knows where.
    """

    values: Float64Array
    tails: Float64Array
    estimate: float

    @property
    def lowest(self) -> float:
        """Confidence that the quantile is below the data."""
        return float(self.tails[0, 0])

    @property
    def highest(self) -> float:
        """Confidence that the quantile is above the data."""
        return float(self.tails[3, -1])

    @property
    def stderr(self) -> float:
        """Half the width of the central interval of one standard normal (Woodruff 1952); else infinite."""
        points, reached = np.repeat(self.values, 2), self.tails[:2].ravel(order="F")
        low, high = _tails.survival(1.0, math.inf), _tails.survival(-1.0, math.inf)
        if not reached[0] <= low < high <= reached[-1]:
            return math.inf
        ends = np.interp([low, high], reached, points)
        return float(ends[1] - ends[0]) / 2

    @property
    def mirrored(self) -> Confidence:
        """That of the same units with the opposite sign."""
        return Confidence(-self.values[::-1], self.tails[::-1, ::-1], -self.estimate)

    def moved(self, by: float) -> Confidence:
        """That of the same units with their values larger by a number."""
        return Confidence(self.values + by, self.tails, self.estimate + by)

    def trimmed(self, tail: float) -> Confidence:
        """Without the values beyond which, on either side, lies at most `tail`; that counts as unknown."""
        low = int(np.searchsorted(self.tails[1], tail, "right"))
        high = int(np.searchsorted(self.tails[2, ::-1], tail, "right"))
        keep = slice(max(low - 1, 0), len(self.values) - max(high - 1, 0))
        return Confidence(self.values[keep], self.tails[:, keep], self.estimate)

    def split_at_zero(self) -> Confidence:
        """With zero among the values, where it lies between two."""
        i = int(np.searchsorted(self.values, 0.0))
        if i in (0, len(self.values)) or self.values[i] == 0:
            return self
        share = -self.values[i - 1] / (self.values[i] - self.values[i - 1])
        low, high = self.tails[[1, 3], i - 1] + share * (self.tails[[0, 2], i] - self.tails[[1, 3], i - 1])
        tails = np.insert(self.tails, i, [low, low, high, high], axis=1)
        return Confidence(np.insert(self.values, i, 0.0), tails, self.estimate)

    def distribution(self, points: Float64Array) -> tuple[Float64Array, Float64Array]:
        """P(Q < point) and P(Q <= point)."""
        below, upto, last = self.tails[0], self.tails[1], len(self.values) - 1
        first, after = np.searchsorted(self.values, points), np.searchsorted(self.values, points, "right")
        i, j = np.clip(after - 1, 0, last), np.clip(after, 0, last)
        gap = self.values[j] - self.values[i]
        share = (points - self.values[i]) / np.where(gap > 0, gap, math.inf)
        linear = np.where(after == 0, below[0], upto[i] + share * (below[j] - upto[i]))
        hit = after > first
        return np.where(hit, below[np.minimum(first, last)], linear), np.where(hit, upto[i], linear)

    @property
    def masses(self) -> tuple[Float64Array, Float64Array]:
        """Confidence at each value, and between each two; from the smaller tail, which has the digits."""
        below, upto, least, above = self.tails
        at = np.where(upto < 0.5, upto - below, least - above)
        between = np.where(upto[:-1] < 0.5, below[1:] - upto[:-1], above[:-1] - least[1:])
        return np.maximum(at, 0.0), np.maximum(between, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class QuantileEffect(BaseEffect):
    """Treatment's quantile minus control's; every answer is a probability that T <= C + null or T >= C + null."""

    of_control: Confidence
    of_treatment: Confidence

    @property
    def control(self) -> float:
        """The control's quantile."""
        return self.of_control.estimate

    @property
    def treatment(self) -> float:
        """The treatment's quantile."""
        return self.of_treatment.estimate

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, for display: the test has no need of one."""
        return math.hypot(self.of_control.stderr, self.of_treatment.stderr)

    @property
    def df(self) -> float:
        """Infinite: no variance is estimated."""
        return math.inf

    def moved(self, control: float, treatment: float) -> QuantileEffect:
        """The effect where all values of the variants are larger by these numbers."""
        return QuantileEffect(self.of_control.moved(control), self.of_treatment.moved(treatment))

    def statistic(self, null: Null) -> float:
        """The normal deviate of the two-sided p-value, on the side of the null that the smaller one-sided one names."""
        greater, less = self.pvalue(null, "greater"), self.pvalue(null, "less")
        deviate = max(-float(ndtri(max(min(greater, less), SMALLEST))), 0.0)
        return math.copysign(deviate, less - greater) if deviate > 0 else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Confidence that the difference is at most the null ("greater"), or at least ("less")."""
        if alternative == "greater":
            return _at_most(self.of_control, self.of_treatment, null)
        if alternative == "less":
            return _at_most(self.of_control.mirrored, self.of_treatment.mirrored, _opposite(null))
        return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences whose one-sided confidence is at least what the level leaves out at each end."""
        return self._set(level, alternative, _lowest_difference)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Shares of the control's quantile that the same test does not reject; a named method uses the stderr."""
        if method is None:
            found = self._set(level, alternative, _lowest_share)
            none = isinstance(found, Interval) and found.low == found.high and math.isinf(found.low)
            return HalfLines(-math.inf, math.inf, level) if none else found
        if math.isinf(self.stderr):
            return WholeLine(level)
        c, t = self.of_control, self.of_treatment
        effect = MeanEffect(c.estimate, t.estimate, c.stderr**2, t.stderr**2, 0.0, math.inf)
        return effect.relative(level, alternative, method)

    def _set(self, level: float, alternative: Alternative, lowest: _Lowest) -> ConfidenceSet:
        tail = tail_of(level, alternative)
        control, treatment = self.of_control.trimmed(1e-12 * tail), self.of_treatment.trimmed(1e-12 * tail)
        low = -math.inf if alternative == "less" else lowest(control, treatment, tail)
        high = math.inf if alternative == "greater" else -lowest(control.mirrored, treatment.mirrored, tail)
        return WholeLine(level) if (low, high) == (-math.inf, math.inf) else Interval(low, high + 0.0, level)


def quantile_effect(
    control: Histogram, treatment: Histogram, q: float, deff_control: float = 1.0, deff_treatment: float = 1.0
) -> QuantileEffect:
    """The difference of the q-quantiles of two histograms.

    Parameters
    ----------
    control, treatment : Histogram
        Each of at least 2 values.
    q : float
        Between 0 and 1.
    deff_control, deff_treatment : float
        Design effects, above 0: how many times the variance of the share of values up to the quantile exceeds that
        of independent values; 1 where the values are independent.
    """
    return QuantileEffect(
        of_histogram("control", control, q, deff_control), of_histogram("treatment", treatment, q, deff_treatment)
    )


def of_histogram(name: str, data: Histogram, q: float, deff: float) -> Confidence:
    """Confidence distribution of a histogram's quantile."""
    if data.n < 2:
        raise ValueError(f"`{name}` must have at least 2 values; got {data.n}.")
    _refuse_huge(name, data.values)
    last = np.cumsum(data.counts)
    first = last - data.counts + 1
    low, high = _ranks_that_matter(data.n, q, deff)
    kept = slice(int(np.searchsorted(last, low)), int(np.searchsorted(first, high, "right")))
    return _confidence(data.values[kept], first[kept], last[kept], data.n, q, deff)


def of_sample(name: str, sample: Float64Array, q: float, deff: float) -> Confidence:
    """Confidence distribution of a sample's quantile; only the part of the sample that matters is put in order."""
    n = sample.size
    if n < 2:
        raise ValueError(f"`{name}` must have at least 2 values; got {n}.")
    _refuse_huge(name, sample)
    low, high = _ranks_that_matter(n, q, deff)
    part = np.sort(np.partition(sample, (low - 1, high - 1))[low - 1 : high])
    starts = np.flatnonzero(np.concatenate([[True], part[1:] > part[:-1]]))
    first = low + starts
    return _confidence(part[starts], first, np.append(first[1:] - 1, high), n, q, deff)


def _refuse_huge(name: str, values: Float64Array) -> None:
    largest = float(np.max(np.abs(values)))
    if largest > LARGEST:
        raise ValueError(f"`{name}` must be at most {LARGEST:g} in size; got {largest:g}.")


def _confidence(values: Float64Array, first: IntArray, last: IntArray, n: int, q: float, deff: float) -> Confidence:
    tails, tied = _tails_at(first, n, q, deff)[[0, 0, 1, 1]], last > first
    tails[1::2, tied] = _tails_at(last[tied], n, q, deff)
    rank = min(max(q * (n + 1 / 3) + 1 / 3, 1.0), float(n))
    whole = math.floor(rank)
    low, high = (float(values[np.searchsorted(last, r)]) for r in (whole, min(whole + 1, n)))
    return Confidence(values, tails, low + (rank - whole) * (high - low))


def _ranks_that_matter(n: int, q: float, deff: float) -> tuple[int, int]:
    """Ranks beyond which the confidence is below the smallest number that there is, by Bernstein's inequality."""
    reach = deff * (_LOG_SMALLEST + math.sqrt(2 * _LOG_SMALLEST * q * (1 - q) * n / deff))
    return max(math.floor(n * q - reach), 1), min(math.ceil(n * q + reach) + 1, n)


def _tails_at(ranks: IntArray, n: int, q: float, deff: float) -> Float64Array:
    """P(Q <= x_(r)) and P(Q >= x_(r)), with the ranks of n / deff independent units in place of those of n."""
    effective = n / deff
    rank = (ranks - 0.5) / deff + 0.5
    return np.array([betainc(effective + 1 - rank, rank, 1 - q), betainc(rank, effective + 1 - rank, q)])


def _opposite(null: Null) -> Null:
    return Relative(-null.value) if isinstance(null, Relative) else -null


def _at_most(control: Confidence, treatment: Confidence, null: Null) -> float:
    """P(T <= C + null), with what is unknown in its favour; the far values only where they count."""
    c, t = control.trimmed(1e-22), treatment.trimmed(1e-22)
    probability = _probability(c, t, null)
    return probability if probability > 1e-9 else _probability(control, treatment, null)


def _probability(control: Confidence, treatment: Confidence, null: Null) -> float:
    if not isinstance(null, Relative):
        moved = control.values + null
        rounding = _ROUNDING * np.maximum(np.abs(control.values), abs(null))
        finite = _overtaken(treatment, moved, rounding, *control.masses)
        return min(1.0, finite + control.highest + control.lowest * treatment.lowest)
    return _share_probability(control.split_at_zero(), treatment, null.value)


def _share_probability(control: Confidence, treatment: Confidence, share: float) -> float:
    """P(T <= C + share |C|): values from zero up are stretched by 1 + share, those below by 1 - share."""
    at, between = control.masses
    zero = int(np.searchsorted(control.values, 0.0))
    total = 0.0
    for mass, upwards in ((control.highest, 1 + share >= 0), (control.lowest, 1 - share <= 0)):
        total += mass * (1.0 if upwards else treatment.lowest)
    if zero < len(at):
        total += _overtaken_stretched(treatment, control.values[zero:], 1 + share, at[zero:], between[zero:])
    if zero:
        end = min(zero + 1, len(at))  # the gap up to zero belongs to the negative values, zero itself does not
        own = np.where(np.arange(end) < zero, at[:end], 0.0)
        total += _overtaken_stretched(treatment, control.values[:end], 1 - share, own, between[: end - 1])
    return min(1.0, total)


def _overtaken_stretched(
    treatment: Confidence, values: Float64Array, factor: float, at: Float64Array, between: Float64Array
) -> float:
    points = values * factor
    rounding = _ROUNDING * np.abs(points)
    if factor < 0:
        points, rounding, at, between = points[::-1], rounding[::-1], at[::-1], between[::-1]
    return _overtaken(treatment, points, rounding, at, between)


def _overtaken(
    treatment: Confidence, points: Float64Array, rounding: Float64Array, at: Float64Array, between: Float64Array
) -> float:
    """P(T <= V) for a V with these masses at points, and spread evenly between them.

    On the union of both grids T's distribution function is linear and V's density constant: the trapezoid is exact.
    """
    points = _snapped(points, treatment.values, rounding)
    _, reached = treatment.distribution(points)
    total = float(at @ reached)
    if len(points) == 1:
        return total
    widths = np.diff(points)
    inside = treatment.values[(treatment.values > points[0]) & (treatment.values < points[-1])]
    grid = np.sort(np.concatenate([points, inside]), kind="stable")  # two runs: one merge
    left, right = treatment.distribution(grid)
    gap = np.minimum(np.searchsorted(points, grid[:-1], "right") - 1, len(between) - 1)
    mass = between[gap] * (np.diff(grid) / np.where(widths > 0, widths, math.inf)[gap])
    return total + float(mass @ (right[:-1] + left[1:])) / 2 + float(between[widths == 0] @ reached[:-1][widths == 0])


def _snapped(points: Float64Array, values: Float64Array, rounding: Float64Array) -> Float64Array:
    """Points that differ from a value in rounding only are that value: 10 + 1% of 10 is 10.1."""
    i = np.searchsorted(values, points)
    for near in (values[np.maximum(i - 1, 0)], values[np.minimum(i, len(values) - 1)]):
        points = np.where(np.abs(points - near) <= rounding, near, points)
    return points


def _lowest_difference(control: Confidence, treatment: Confidence, tail: float) -> float:
    """The lowest null whose one-sided confidence is at least `tail`."""
    if control.highest + (1 - control.highest) * treatment.lowest >= tail:
        return -math.inf
    c, t = control.values, treatment.values
    rounding = max(_ROUNDING * float(max(np.abs(t).max(), np.abs(c).max())), SMALLEST)

    def attained(low: float, high: float) -> Float64Array:
        gaps = t[np.minimum(np.searchsorted(t, c + low, "right"), len(t) - 1)] - c
        return np.asarray(gaps[(gaps > low) & (gaps <= high + 4 * rounding)])

    ends = float(t[0] - c[-1]), float(t[-1] - c[0])
    return first_reached(lambda null: _probability(control, treatment, null), tail, *ends, rounding, attained)


def _lowest_share(control: Confidence, treatment: Confidence, tail: float) -> float:
    """The lowest relative null whose one-sided confidence is at least `tail`, on a scale that has both infinities."""
    split = control.split_at_zero()
    c, t = control.values[control.values != 0], treatment.values
    exact: dict[float, float] = {}  # the scale and back loses a digit

    def rising(s: float) -> float:
        return _share_probability(split, treatment, _share(s))

    def attained(low: float, high: float) -> Float64Array:
        i = np.searchsorted(t, c + _share(low) * np.abs(c), "right")
        shares = np.append((t[np.minimum(i, len(t) - 1)] - c) / np.abs(c), (-1, 1))  # there all of one sign becomes 0
        scaled = shares / (1 + np.abs(shares))
        near = (scaled > low) & (scaled <= high + 8 * _ROUNDING)
        exact.update(zip(scaled[near].tolist(), shares[near].tolist(), strict=True))
        return np.asarray(scaled[near])

    edge = INFINITE_SHARE / (1 + INFINITE_SHARE)
    if rising(-edge) >= tail:
        return -math.inf
    found = first_reached(rising, tail, -edge, edge, _ROUNDING, attained)
    return exact.get(found, _share(found))


def _share(s: float) -> float:
    return s / (1 - abs(s)) if math.isfinite(s) else s
