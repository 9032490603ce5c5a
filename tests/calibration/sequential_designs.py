"""What is simulated for sequences: streams of units in order of arrival, with who got the treatment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from abkit.sequential import _guard

Array = np.ndarray
ALPHA = 0.05
#: Share of the units that the treatment gets.
SHARES = {"50:50": 0.5, "5:95": 0.05, "1:99": 0.01}
#: Streams that are held at once: their cumulative sums then fit in the processor's cache.
TOGETHER = 8


@dataclass(frozen=True)
class Data:
    """One kind of metric: `draw(rng, shape)`, its mean, and what is no event."""

    name: str
    draw: Callable[[np.random.Generator, tuple[int, ...]], Array]
    mean: float
    common: float = math.nan


def bernoulli(rate: float, name: str) -> Data:
    """Zeros and ones."""
    return Data(name, lambda rng, shape: (rng.random(shape) < rate).astype(float), rate, 0.0)


def poisson(rate: float) -> Data:
    """Counts of events."""
    return Data(f"Poisson, mean {rate:g}", lambda rng, shape: rng.poisson(rate, shape).astype(float), rate, 0.0)


NORMAL = Data("normal", lambda rng, shape: rng.standard_normal(shape), 0.0)
LOGNORMAL = Data("lognormal, sigma 2", lambda rng, shape: np.exp(2 * rng.standard_normal(shape)), math.exp(2))
UNIFORM = Data("uniform", lambda rng, shape: rng.random(shape), 0.5)
ASSIGNMENTS = Data("assignments", lambda rng, shape: np.empty(shape), 0.0)
ONE_PERCENT, ONE_PER_MILLE = bernoulli(0.01, "Bernoulli 1%"), bernoulli(0.001, "Bernoulli 0.1%")
RARE_COUNTS, COUNTS = poisson(0.05), poisson(1.0)
ZEROS = Data(
    "98% zeros, else exponential",
    lambda rng, shape: np.where(rng.random(shape) < 0.02, rng.standard_exponential(shape), 0.0),
    0.02,
    0.0,
)
MEANS = (NORMAL, LOGNORMAL, bernoulli(0.1, "Bernoulli 10%"), ONE_PERCENT, ONE_PER_MILLE, RARE_COUNTS, COUNTS, ZEROS)


def streams(
    rng: np.random.Generator, data: Data, share: float, runs: int, n: int, treatment: Data | None = None
) -> Iterator[tuple[Array, Array]]:
    """Blocks of streams: each unit's metric, and whether it got the treatment, which by default changes nothing."""
    for first in range(0, runs, TOGETHER):
        shape = (min(TOGETHER, runs - first), n)
        values, treated = data.draw(rng, shape), rng.random(shape) < share
        yield values if treatment is None else np.where(treated, treatment.draw(rng, shape), values), treated


@dataclass(frozen=True)
class Variant:
    """One variant after each unit of the stream: cumulative units, events and moments."""

    n: Array
    events: Array
    mean: Array
    variance: Array
    third: Array

    @staticmethod
    def of(values: Array, chosen: Array, data: Data, add: Callable[[Array], Array]) -> Variant:
        """`add`: cumulative sums along a stream, or its totals. Powers are about the true mean, which keeps digits."""
        n = np.maximum(add(chosen.astype(float)), 1e-9)
        distance = np.where(chosen, values - data.mean, 0.0)
        square = distance * distance
        mean, second, third = (add(power) / n for power in (distance, square, square * distance))
        variance = np.maximum(second - mean * mean, 0.0)
        events = add((chosen & (values != data.common)).astype(float))
        return Variant(n, events, mean, variance, third - mean * (3 * second - 2 * mean * mean))

    @property
    def shape(self) -> _guard.Shape:
        return _guard.Shape.of(self.n, self.variance, self.third)


def deviates(values: Array, treated: Array, mean: float) -> Array:
    """Welch's statistic of no difference after each unit; 0 where it is undefined."""
    n_t = np.cumsum(treated, axis=1, dtype=float)
    n_c = np.arange(1.0, values.shape[1] + 1) - n_t
    distance = values - mean
    of_t = distance * treated
    sum_t, square_t = np.cumsum(of_t, axis=1), np.cumsum(of_t * distance, axis=1)
    sum_c, square_c = np.cumsum(distance, axis=1) - sum_t, np.cumsum(distance * distance, axis=1) - square_t
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_t, mean_c = sum_t / n_t, sum_c / n_c
        of_mean_t = (square_t / n_t - mean_t * mean_t) / (n_t - 1)
        of_mean_c = (square_c / n_c - mean_c * mean_c) / (n_c - 1)
        z = (mean_t - mean_c) / np.sqrt(np.maximum(of_mean_t + of_mean_c, 1e-12))
    return np.where((n_t >= 2) & (n_c >= 2), z, 0.0)


def burnt_in(values: Array, treated: Array, data: Data, add: Callable[[Array], Array]) -> Array:
    """Whether the guard's burn-in is over: its rule on arrays."""
    control, treatment = (Variant.of(values, chosen, data, add) for chosen in (~treated, treated))
    smaller = np.minimum(control.n, treatment.n)
    events = np.where(treatment.n <= control.n, treatment.events, control.events)
    over = (smaller >= _guard.FEWEST_UNITS) & (events >= _guard.FEWEST_EVENTS)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.abs(_guard.skewness(control.shape, treatment.shape))
    return np.asarray(over & (skewness <= _guard.LARGEST_SKEWNESS))


def cumulative(values: Array) -> Array:
    """Sums up to each unit."""
    return np.cumsum(values, axis=1)


def total(values: Array) -> Array:
    """Sums of whole streams."""
    return np.sum(values, axis=1)


def burn_in_ends(rng: np.random.Generator, data: Data, share: float, runs: int, n: int) -> float:
    """Median number of units of both variants at which the burn-in is first over; infinite where it is not."""
    ends = []
    for values, treated in streams(rng, data, share, runs, n):
        over = burnt_in(values, treated, data, cumulative)
        ends.extend(np.where(over.any(axis=1), over.argmax(axis=1) + 1.0, math.inf))
    return float(np.median(ends))
