"""Sums of rows as scores of rows: an estimate, its variance, and its difference from what the log itself gave."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from abkit._check import Float64Array
from abkit.adapters._bandit_query import Cell, DecisionSums
from abkit.suffstats._base import IntArray


@dataclass(frozen=True, eq=False)
class Groups:
    """The rows of each cell and arm: how many, the sums of their features, and these features' co-moments.

    A row's score is linear in its features within a group, so that any score's mean and variance follow.
    """

    cells: list[Cell]
    arms: list[str]
    n: Float64Array
    sums: Float64Array
    m2: Float64Array

    @classmethod
    def of(cls, found: DecisionSums, features: tuple[str, ...]) -> Groups:
        """Periods pooled, sums of squares about the means of the groups."""
        keys = list(dict.fromkeys(zip(found.cells, found.arms, strict=True)))
        place = {key: i for i, key in enumerate(keys)}
        into = np.array([place[key] for key in zip(found.cells, found.arms, strict=True)])
        pooled = {name: np.bincount(into, values, len(keys)).astype(np.float64) for name, values in found.sums.items()}
        n = pooled["n"]
        sums = np.stack([pooled[name] for name in features], axis=1)
        products = np.empty((len(keys), len(features), len(features)))
        for i, first in enumerate(features):
            for j, second in enumerate(features[i:], i):
                products[:, i, j] = products[:, j, i] = pooled[f"{first} {second}"]
        m2 = products - sums[:, :, None] * sums[:, None, :] / n[:, None, None]
        return cls([cell for cell, _ in keys], [arm for _, arm in keys], n, sums, m2)

    @property
    def means(self) -> Float64Array:
        """The mean of the first feature in each group, which is the reward."""
        return np.asarray(self.sums[:, 0] / self.n)

    def scaled(self, factor: float) -> Groups:
        """The same with every weight times a factor: features are (x, u, u x) with u the weight less 1."""
        change = np.array([[1, 0, 0], [0, factor, 0], [factor - 1, 0, factor]])
        sums = self.sums @ change.T
        sums[:, 1] += (factor - 1) * self.n
        return Groups(self.cells, self.arms, self.n, sums, change @ self.m2 @ change.T)

    def per_cell(self) -> tuple[IntArray, Float64Array]:
        """The place of each group's cell, and how many rows each cell has."""
        place = {cell: i for i, cell in enumerate(dict.fromkeys(self.cells))}
        into = np.array([place[cell] for cell in self.cells])
        return into, np.bincount(into, self.n).astype(np.float64)

    def mean_and_square(self, constant: Float64Array, slopes: Float64Array) -> tuple[float, float]:
        """The mean of constant + slopes . features over all rows, and the sum of squares about it."""
        total = float(self.n.sum())
        # scores of 1e200 are no rewards; sums of them are refused where they are read
        means = constant + np.einsum("gf,gf->g", slopes, self.sums) / self.n
        mean = math.fsum(self.n * means) / total
        within = np.einsum("gf,gfh,gh->g", slopes, self.m2, slopes)
        between = self.n * (means - mean) ** 2
        return mean, max(0.0, math.fsum(np.maximum(within, 0.0)) + math.fsum(between))


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error, and the same of its difference from the mean reward of the log."""

    value: float
    stderr: float
    difference: float
    difference_stderr: float

    def with_error(self, variance: float) -> Estimate:
        """The same with a further variance that is independent."""
        stderr, apart = (math.sqrt(error**2 + variance) for error in (self.stderr, self.difference_stderr))
        return replace(self, stderr=stderr, difference_stderr=apart)


def mean_of_scores(groups: Groups, shift: float, constant: Float64Array, slopes: Float64Array) -> Estimate:
    """Of scores, one a row, that are independent."""
    mean, square = groups.mean_and_square(constant, slopes)
    apart = slopes.copy()
    apart[:, 0] -= 1
    _, square_apart = groups.mean_and_square(constant, apart)
    n = float(groups.n.sum())
    on_policy = groups.mean_and_square(np.zeros_like(constant), _unit(groups))[0]
    of_mean = n * (n - 1)
    return Estimate(mean + shift, math.sqrt(square / of_mean), mean - on_policy, math.sqrt(square_apart / of_mean))


def weighted(groups: Groups, shift: float) -> Estimate:
    """The mean of v r, inverse propensity weighting."""
    G = len(groups.n)  # noqa: N806
    slopes = np.tile([1.0, shift, 1.0], (G, 1))
    return mean_of_scores(groups, shift, np.zeros(G), slopes)


def self_normalised(groups: Groups, shift: float) -> Estimate:
    """The mean of r weighted by v, with the standard error of a ratio of two means."""
    n = float(groups.n.sum())
    x, u, ux = groups.sums.sum(axis=0)
    total = n + u
    value = (x + ux) / total
    G = len(groups.n)  # noqa: N806
    slopes = np.tile([1.0, -value, 1.0], (G, 1))
    constant = np.full(G, -value)
    _, square = groups.mean_and_square(constant, slopes)
    on_policy = x / n
    apart = slopes * (n / total) - _unit(groups)
    _, square_apart = groups.mean_and_square(constant * (n / total) + on_policy, apart)
    return Estimate(
        float(value + shift), float(math.sqrt(square) / total), float(value - on_policy), math.sqrt(square_apart) / n
    )


def doubly_robust(groups: Groups, shift: float, shares: Shares) -> Estimate:
    """The model's value of the target, plus what the model leaves, weighted."""
    q, k, left = shares.q - shift, shares.k, shares.own
    constant = shares.direct - shift - k * q - left * (groups.means - k * q)
    slopes = np.stack([k + left * (1 - k), -k * q, k], axis=1)
    return mean_of_scores(groups, shift, constant, slopes)


def direct(groups: Groups, shift: float, shares: Shares) -> Estimate:
    """The value that the model predicts; where the log's own means are the model, with the standard error of these."""
    n, slopes = float(groups.n.sum()), np.zeros_like(groups.sums)
    into, rows = groups.per_cell()
    weights = shares.target * rows[into] / n
    if shares.estimated:
        # so that weights^2 s^2 / n of each mean add up, its variance s^2 without bias
        slopes[:, 0] = weights * n / groups.n * np.sqrt(groups.n / np.maximum(groups.n - 1, 1)) * math.sqrt(1 - 1 / n)
    means = groups.sums[:, 0] / groups.n
    found = mean_of_scores(groups, shift, shares.direct - shift - slopes[:, 0] * means, slopes)
    lone = shares.estimated & (groups.n == 1)
    if not np.any(lone):
        return found
    spread = groups.m2[:, 0, 0].sum() / max(float((groups.n - 1).sum()), 1.0)  # of one row, that of the others
    return found.with_error(math.fsum(weights[lone] ** 2) * spread)


def of_row_scores(groups: Groups, shift: float, origin: float) -> Estimate:
    """The mean of scores that the query has computed, less `origin`."""
    found = mean_of_scores(groups, origin, np.zeros(len(groups.n)), scores_of(groups))
    return replace(found, difference=found.difference + (origin - shift))


def scores_of(groups: Groups) -> Float64Array:
    """Slopes of the scores that the query has computed."""
    slopes = np.zeros_like(groups.sums)
    slopes[:, 1] = 1.0
    return slopes


@dataclass(frozen=True, eq=False)
class Shares:
    """What target and model say of each group.

    Parameters
    ----------
    target : float array, shape (groups,)
        The target's probability of the group's arm in its cell.
    direct : float array, shape (groups,)
        The target's value in the group's cell, as the model has it.
    q, k : float array, shape (groups,)
        What predicts a row's reward is r - k (r - q): with k = n / (n - 1) the mean of the group's other rows.
    estimated : bool
        Whether the log's own means are the model.
    """

    target: Float64Array
    direct: Float64Array
    q: Float64Array
    k: Float64Array
    estimated: bool

    @property
    def own(self) -> Float64Array:
        """By how much a row's own arm moves its cell's predicted value, where its reward is left out."""
        return self.target if self.estimated else np.zeros_like(self.target)


def _unit(groups: Groups) -> Float64Array:
    """Slopes of the reward itself."""
    slopes = np.zeros_like(groups.sums)
    slopes[:, 0] = 1.0
    return slopes
