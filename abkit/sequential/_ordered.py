"""Order statistics of what had been seen at each look, from values in arrival order or from histograms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential._cumulative import numbers_of_looks, pairs_of_looks
from abkit.suffstats import Histogram
from abkit.suffstats._base import IntArray, Statistics


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Values seen at one look, ascending: between which edges each lies, and how many have come with each."""

    lows: Float64Array
    highs: Float64Array
    ends: IntArray

    def counts(self, x: Float64Array) -> tuple[IntArray, IntArray]:
        """How many values are surely below each x, and how many may be at or below it."""
        return self.ends[np.searchsorted(self.highs, x)], self.ends[np.searchsorted(self.lows, x, side="right")]

    def shares(self, x: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Which share of the values is surely at or below each x, and which may be."""
        sure, may = (self.ends[np.searchsorted(edges, x, side="right")] for edges in (self.highs, self.lows))
        return sure / self.ends[-1], may / self.ends[-1]


class Ordered(ABC):
    """One variant at each look."""

    n: IntArray

    @abstractmethod
    def snapshot(self, look: int) -> Snapshot:
        """All that had been seen at a look."""

    @abstractmethod
    def edges(self, ranks: IntArray) -> tuple[Float64Array, Float64Array]:
        """Edges of the value of each look's rank; infinite for ranks outside 1 to n."""

    @abstractmethod
    def counts(self, x: float) -> tuple[IntArray, IntArray]:
        """At each look, how many values are surely below x, and how many may be at or below it."""

    @abstractmethod
    def middle(self, ranks: IntArray) -> Float64Array:
        """What the value of each look's rank counts as."""

    def quantile(self, q: float) -> Float64Array:
        """The sample quantile at each look, linear at rank q (n + 1/3) + 1/3 (Hyndman and Fan 1996, definition 8)."""
        rank = np.clip(q * (self.n + 1 / 3) + 1 / 3, 1.0, self.n)
        whole = np.floor(rank).astype(np.int64)
        low, high = self.middle(whole), self.middle(np.minimum(whole + 1, self.n))
        return np.asarray(low + (rank - whole) * (high - low))


@dataclass(frozen=True, eq=False)
class Values(Ordered):
    """The values themselves."""

    x: Float64Array
    n: IntArray

    def snapshot(self, look: int) -> Snapshot:
        ordered = np.sort(self.x[: self.n[look]])
        return Snapshot(ordered, ordered, np.arange(ordered.size + 1))

    def edges(self, ranks: IntArray) -> tuple[Float64Array, Float64Array]:
        inside = self.middle(np.clip(ranks, 1, self.n))
        value = np.where(ranks < 1, -np.inf, np.where(ranks > self.n, np.inf, inside))
        return value, value

    def middle(self, ranks: IntArray) -> Float64Array:
        """The value of each look's rank, bit by bit of its place among all (Claude, Navarro and Ordonez 2015)."""
        order = np.argsort(self.x, kind="stable")
        current = np.empty(order.size, dtype=np.int64)
        current[order] = np.arange(order.size)
        left, right, rank = np.zeros_like(self.n), self.n.copy(), ranks - 1
        place = np.zeros_like(self.n)
        for bit in reversed(range(int(order.size - 1).bit_length())):
            one = (current >> bit) & 1 == 1
            zeros = np.concatenate([[0], np.cumsum(~one)])
            among = zeros[right] - zeros[left]
            up = rank >= among
            rank = np.where(up, rank - among, rank)
            left = np.where(up, zeros[-1] + left - zeros[left], zeros[left])
            right = np.where(up, zeros[-1] + right - zeros[right], zeros[right])
            place |= up.astype(np.int64) << bit
            current = np.concatenate([current[~one], current[one]])
        return np.asarray(self.x[order[place]])

    def counts(self, x: float) -> tuple[IntArray, IntArray]:
        below, upto = (np.cumsum(inside, dtype=np.int64) for inside in (self.x < x, self.x <= x))
        return below[self.n - 1], upto[self.n - 1]


@dataclass(frozen=True, eq=False)
class Buckets(Ordered):
    """Cumulative histograms, one a look. Ends of intervals are edges of buckets, so that none is too narrow."""

    at: tuple[Histogram, ...]
    n: IntArray

    def snapshot(self, look: int) -> Snapshot:
        histogram = self.at[look]
        inner, outer = (histogram.values / (1 + sign * histogram.accuracy) for sign in (1, -1))
        ends = np.concatenate([[0], np.cumsum(histogram.counts)])
        return Snapshot(np.minimum(inner, outer), np.maximum(inner, outer), ends)

    def edges(self, ranks: IntArray) -> tuple[Float64Array, Float64Array]:
        lows, highs = np.empty(self.n.size), np.empty(self.n.size)
        for look, rank in enumerate(ranks):
            seen = self.snapshot(look)
            bucket = int(np.searchsorted(seen.ends[1:], rank))
            beyond = -np.inf if rank < 1 else np.inf
            inside = 1 <= rank <= self.n[look]
            lows[look], highs[look] = (seen.lows[bucket], seen.highs[bucket]) if inside else (beyond, beyond)
        return lows, highs

    def middle(self, ranks: IntArray) -> Float64Array:
        pairs = zip(self.at, ranks, strict=True)
        return np.array([float(h.values[np.searchsorted(np.cumsum(h.counts), rank)]) for h, rank in pairs])

    def counts(self, x: float) -> tuple[IntArray, IntArray]:
        found = [self.snapshot(look).counts(np.array([x])) for look in range(self.n.size)]
        return np.array([below[0] for below, _ in found]), np.array([upto[0] for _, upto in found])


Evidence = Callable[[IntArray, IntArray], Float64Array]


def least_evidence(
    control: Snapshot, treatment: Snapshot, difference: float, of_control: Evidence, of_treatment: Evidence
) -> float:
    """The least evidence against any two quantiles that differ by so much; each variant's is of counts about its own.

    Both are constant between values and no larger at them, so the least is at an edge of a value of either.
    """
    at_c, at_t = (np.concatenate([seen.lows, seen.highs]) for seen in (control, treatment))
    in_c, in_t = np.concatenate([at_c, at_t - difference]), np.concatenate([at_c + difference, at_t])
    return float(np.maximum(of_control(*control.counts(in_c)), of_treatment(*treatment.counts(in_t))).min())


def ordered(data: object, treatment: object, looks: object) -> list[Ordered]:
    """One variant or two, at each look, with at least one value."""
    arms = [data] if treatment is None else [data, treatment]
    names = ("data", "treatment")
    if any(_is_histogram(arm) for arm in arms):
        if looks is not None:
            raise ValueError("`looks` must be left out with histograms, of which each is a look.")
        return _of_histograms([_histograms(name, arm) for name, arm in zip(names, arms, strict=False)])
    samples = [_sample(name, arm) for name, arm in zip(names, arms, strict=False)]
    if treatment is None:
        return [Values(samples[0], numbers_of_looks(looks, samples[0].size))]
    each = pairs_of_looks(looks, samples[0].size, samples[1].size)
    if np.any(each < 1):
        raise ValueError(f"`looks` must be at least 1 of each variant; got {_check.show(looks)}.")
    return [Values(sample, each[:, i].copy()) for i, sample in enumerate(samples)]


def _is_histogram(data: object) -> bool:
    return isinstance(data, Histogram) or (
        isinstance(data, (list, tuple)) and any(isinstance(item, Histogram) for item in data)
    )


def _sample(name: str, data: object) -> Float64Array:
    if isinstance(data, Statistics):
        raise ValueError(f"`{name}` must be values or Histogram: quantiles cannot be had from {type(data).__name__}.")
    sample = _check.sample(name, data)
    if sample.size == 0:
        raise ValueError(f"`{name}` must hold at least 1 value; got none.")
    return sample


def _histograms(name: str, data: object) -> Buckets:
    listed = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not all(isinstance(item, Histogram) for item in listed):
        raise TypeError(f"`{name}` must be a Histogram, or one a look, as the other data are; got {_check.show(data)}.")
    n = np.array([histogram.n for histogram in listed])
    if np.any(n < 1) or np.any(np.diff(n) < 0):
        raise ValueError(f"`{name}` must hold all that was seen up to each look, at least 1 value; got {n.tolist()}.")
    return Buckets(listed, n)


def _of_histograms(arms: list[Buckets]) -> list[Ordered]:
    if arms[0].n.size != arms[-1].n.size:
        raise ValueError(f"`treatment` must have as many looks as `data`; got {arms[-1].n.size} and {arms[0].n.size}.")
    return [*arms]
