"""What is still to come of counts: how probable each number of successes or events is, given those so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.bayes._log_factors import log_betas, log_gammas
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma

#: Numbers are left out whose probability is below this, and the next ones beyond.
_TAIL = 1e-18
_DEVIATES = 9.0
Succeeds = Callable[[Float64Array, Float64Array], Float64Array]
#: More numbers than this are taken in groups of the same size.
MOST = 2**18


@dataclass(frozen=True, eq=False)
class Future:
    """Numbers that may come, in groups of `stride`; `number` is the middle of each, `probability` that of the group."""

    number: Float64Array
    probability: Float64Array
    stride: int

    def at_least(self, smallest: Float64Array) -> Float64Array:
        """P(number >= smallest), for whole numbers, evenly within a group."""
        upto = np.concatenate([[0.0], self.probability[::-1].cumsum()])[::-1]
        edges = np.append(self.number - self.stride / 2, self.number[-1] + self.stride / 2)
        return np.asarray(np.interp(smallest - 0.5, edges, upto))


def future_of(posterior: Beta | Gamma, more: float) -> Future:
    """The successes among so many more units, or the events in so much more exposure."""
    if not more:
        return Future(np.zeros(1), np.ones(1), 1)
    low, high = float(posterior.ppf(_TAIL)), float(posterior.isf(_TAIL))
    if isinstance(posterior, Beta):
        spread = _DEVIATES * np.sqrt(more * np.array([low * (1 - low), high * (1 - high)]))
        most = more
    else:
        spread, most = _DEVIATES * np.sqrt(more * np.array([low, high])), np.inf
    first = max(0.0, np.floor(more * low - spread[0] - 40))
    last = min(most, np.ceil(more * high + spread[1] + 40))
    stride = max(1, int(np.ceil((last - first + 1) / MOST)))
    starts = np.arange(first, last + 1, stride)
    number = np.minimum(starts + (stride - 1) / 2, last)
    log_probability = (
        _log_binomial(posterior, more, number) if isinstance(posterior, Beta) else _log_poisson(posterior, more, number)
    )
    probability = np.exp(log_probability - log_probability.max())
    kept = np.flatnonzero(probability > 1e-22)
    number, probability = number[kept[0] : kept[-1] + 1], probability[kept[0] : kept[-1] + 1]
    return Future(number, probability / probability.sum(), stride)


def _log_binomial(posterior: Beta, more: float, k: Float64Array) -> Float64Array:
    """The beta-binomial, but for a constant: B(a + k, b + m - k) / (B(a, b) B(k + 1, m - k + 1))."""
    return np.asarray(-log_betas(Beta(k + 1, more - k + 1), posterior, 1.0, 1.0))


def _log_poisson(posterior: Gamma, more: float, k: Float64Array) -> Float64Array:
    """The negative binomial, but for a constant: as a gamma's shape and rate k + 1 and the exposure."""
    one, both = Gamma(k + 1, np.asarray(more)), Gamma(posterior.k + k, posterior.rate + more)
    return np.asarray(-log_gammas(one, posterior, both, 1.0))


def smallest_successes(succeeds: Succeeds, first: Float64Array, second: Future) -> Float64Array:
    """For each number of one variant, the smallest of the other with which there is success; if none, one more.

    `succeeds(first, second)` is above 0 where there is; it falls with the first, rises with the second, and is smooth
    in both, which need not be whole. So the root is a polynomial in the first, of as high a degree as it takes to be
    right to 0.001; where it then lies near a whole number, that number itself is asked. Of numbers that come in groups,
    0.001 of a group will do.
    """
    low, high = float(np.floor(second.number[0])), float(np.ceil(second.number[-1]))
    start, end = (_falls(succeeds, first, at) for at in (low, high))
    smallest = np.full(first.shape, high + 1)
    smallest[:start] = low
    inside = first[start:end]
    if len(inside):
        guess, error = _polynomial(succeeds, inside, low, high, second.stride)
        near = np.flatnonzero((np.abs(guess - np.round(guess)) < max(0.01, 5 * error)) & (second.stride == 1))
        found, whole = np.ceil(guess), np.round(guess[near])
        if near.size:
            found[near] = np.where(succeeds(inside[near], whole) > 0, whole, whole + 1)
        smallest[start:end] = found
    return np.asarray(np.clip(smallest, low, high + 1))


def _falls(succeeds: Succeeds, first: Float64Array, second: float) -> int:
    """How many of the first there are with which this second succeeds."""
    low, high = 0, len(first)
    while low < high:
        middle = (low + high) // 2
        if succeeds(first[middle : middle + 1], np.array([second]))[0] > 0:
            low = middle + 1
        else:
            high = middle
    return low


def _polynomial(
    succeeds: Succeeds, inside: Float64Array, low: float, high: float, stride: int
) -> tuple[Float64Array, float]:
    if len(inside) < 80:
        return _root(succeeds, inside, low, high, stride), 1e-5
    before, error = None, np.inf
    for degree in (16, 32, 64, 128, 256):
        fit = np.polynomial.Chebyshev.interpolate(
            lambda x: _root(succeeds, x, low, high, stride), degree, domain=[inside[0], inside[-1]]
        )
        guess = fit(inside)
        error = np.inf if before is None else float(np.abs(guess - before).max())
        before = guess
        if error < 1e-3 * stride:
            break
    return guess, error


def _root(succeeds: Succeeds, first: Float64Array, low: float, high: float, stride: int) -> Float64Array:
    """Where success begins, by secants in a bracket; just outside the bracket where its ends say all."""
    a, b = np.full(first.shape, low), np.full(first.shape, high)
    fa, fb = succeeds(first, a), succeeds(first, b)
    root = np.where(fa > 0, low - 0.5, np.where(fb <= 0, high + 0.5, np.nan))
    for _ in range(60):
        left = np.flatnonzero(np.isnan(root))
        if not left.size:
            break
        x, y, fx, fy = a[left], b[left], fa[left], fb[left]
        middle = x - fx * (y - x) / (fy - fx)
        middle = np.where((x < middle) & (middle < y), middle, (x + y) / 2)
        # the end that stays is weakened, as in the Illinois method, so that both close in
        value = succeeds(first[left], middle)
        up = value > 0
        a[left], b[left] = np.where(up, x, middle), np.where(up, middle, y)
        fa[left], fb[left] = np.where(up, fx / 2, value), np.where(up, value, fy / 2)
        done = (np.abs(value) < 1e-13) | (b[left] - a[left] < 1e-5 * stride)
        root[left[done]] = middle[done]
    return np.where(np.isnan(root), (a + b) / 2, root)
