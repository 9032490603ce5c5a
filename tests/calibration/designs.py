"""What is simulated: how the units of a variant are drawn, and what is true of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

Array = np.ndarray
SIZES = (20, 200, 20_000)
#: Share of the units that the control gets.
SPLITS = {"50:50": 0.5, "5:95": 0.05}


@dataclass(frozen=True)
class Data:
    """One kind of metric. `draw(rng, n, lift)` gives n units whose metric is (1 + lift) times as large."""

    name: str
    draw: Callable[[np.random.Generator, int, float], Array]
    mean: float
    above: Callable[[float], float]
    quantile: Callable[[float, float], float] | None = None
    binary: bool = False
    lift: float = 0.2

    def difference(self) -> float:
        """The true difference of means."""
        return self.mean * self.lift

    def probability(self) -> float:
        """The true P(T > C) + P(T = C)/2 - 1/2."""
        return self.above(self.lift)

    def log_odds(self) -> float:
        """The true log odds ratio of zeros and ones."""
        treatment = self.mean * (1 + self.lift)
        return math.log(treatment / (1 - treatment)) - math.log(self.mean / (1 - self.mean))

    def quantiles(self, q: float) -> float:
        """The true difference of the q-quantiles."""
        assert self.quantile is not None
        return self.quantile(q, self.lift) - self.quantile(q, 0.0)


TAIL_SHARE, TAIL_LOG, TAIL_SIGMA = 0.01, 3.0, 1.5


def heavy(rng: np.random.Generator, n: int, lift: float) -> Array:
    """Revenue of a shop where one visitor in a hundred buys."""
    return np.where(rng.random(n) < TAIL_SHARE, rng.lognormal(TAIL_LOG, TAIL_SIGMA, n), 0.0) * (1 + lift)


DATA = (
    Data(
        "normal",
        lambda rng, n, lift: rng.normal(10 * (1 + lift), 5, n),
        10.0,
        lambda lift: float(ndtr(10 * lift / (5 * math.sqrt(2)))) - 0.5,
        lambda q, lift: 10 * (1 + lift) + 5 * float(ndtri(q)),
    ),
    Data(
        "lognormal, sigma 2",
        lambda rng, n, lift: rng.lognormal(0, 2, n) * (1 + lift),
        math.exp(2),
        lambda lift: float(ndtr(math.log1p(lift) / (2 * math.sqrt(2)))) - 0.5,
        lambda q, lift: (1 + lift) * math.exp(2 * float(ndtri(q))),
    ),
    Data(
        "Bernoulli 1%",
        lambda rng, n, lift: (rng.random(n) < 0.01 * (1 + lift)).astype(float),
        0.01,
        lambda lift: 0.005 * lift,
        binary=True,
    ),
    Data(
        "99% zeros, heavy tail",
        heavy,
        TAIL_SHARE * math.exp(TAIL_LOG + TAIL_SIGMA**2 / 2),
        lambda lift: TAIL_SHARE**2 * (float(ndtr(math.log1p(lift) / (TAIL_SIGMA * math.sqrt(2)))) - 0.5),
    ),
)


def sizes(n: int, split: str) -> tuple[int, int]:
    """Units of control and treatment, n a variant on average."""
    control = round(2 * n * SPLITS[split])
    return control, 2 * n - control


def clustered(rng: np.random.Generator, clusters: int, lift: float) -> tuple[Array, Array]:
    """Rows in clusters of 1 to 50 that share a level, which is lower in large clusters; and the rows' clusters.

    The mean of a row is 10 (1 + lift).
    """
    size = rng.integers(1, 51, clusters)
    level = rng.normal(0, 3, clusters) + 0.1 * (MEAN_OF_ROWS - size)
    label = np.repeat(np.arange(clusters), size)
    return (10 + level[label] + rng.normal(0, 4, len(label))) * (1 + lift), label


#: The size of the cluster that a row is in, on average: sum of s^2 over sum of s, for s = 1 ... 50.
MEAN_OF_ROWS = sum(s * s for s in range(1, 51)) / sum(range(1, 51))


def paired(rng: np.random.Generator, n: int, lift: float) -> tuple[Array, Array]:
    """Two measurements of the same units, which differ by 10 lift on average."""
    level = rng.normal(10, 5, n)
    return level + rng.normal(0, 2, n), level + rng.normal(10 * lift, 2, n)


def paired_binary(rng: np.random.Generator, n: int, lift: float) -> tuple[Array, Array]:
    """Two yes-or-no measurements of the same units: 10% and 10% (1 + lift), alike in most units."""
    level = rng.random(n)
    again = rng.random(n) < 0.2
    control = level < 0.1
    treatment = np.where(again, rng.random(n), level) < 0.1 * (1 + lift)
    return control.astype(float), treatment.astype(float)


def events(rng: np.random.Generator, n: int, lift: float, *, spread: float = 0.0) -> Array:
    """Events and exposure of each unit, at a rate of 0.5 (1 + lift); `spread` is that of the units' own rates."""
    exposure = rng.uniform(0.5, 2.0, n)
    own = rng.gamma(1 / spread, spread, n) if spread else np.ones(n)
    return np.column_stack([rng.poisson(0.5 * (1 + lift) * own * exposure), exposure])
