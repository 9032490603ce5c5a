"""A local level with regression: its changes made independent, and its forecast for every draw of the parameters.

y[t] = level[t] + controls[t] b + noise[t], level[t + 1] = level[t] + drift[t]. The changes of y from one bucket to
the next that is observed have the covariance drift^2 G + noise^2 T, with G the diagonal of the gaps and T tridiagonal,
whatever the parameters: so one eigendecomposition turns them into independent normals with variances drift^2 +
noise^2 times an eigenvalue, and the likelihood costs no filter. Taking changes is a flat prior on the first level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Independent combinations of the changes of a series, in units of their own size.

    `values[i]` is normal with mean `regressors[i] @ coefficients` and variance level^2 + noise^2 `eigenvalues[i]`.
    `unit` is the size of a change of the series, and `units` those of its regressors: a coefficient on this scale is
    that on the series' own times units / unit. `basis` and `roots` lead back: the changes are
    unit * roots * (basis @ values).
    """

    values: Float64Array
    regressors: Float64Array
    eigenvalues: Float64Array
    unit: float
    units: Float64Array
    basis: Float64Array
    roots: Float64Array

    def back(self, values: Float64Array) -> Float64Array:
        """Changes over the root of their gap, in units of their size, from values of this kind along the last axis."""
        return values @ self.basis.T


def make_changes(times: Float64Array, series: Float64Array, regressors: Float64Array) -> Changes:
    """From the observed buckets of a series, shape (n,), and what explains it, shape (n, k)."""
    gaps = np.diff(times)
    eigenvalues, basis = decompose(gaps)
    roots = np.sqrt(gaps)
    values = basis.T @ (np.diff(series) / roots)
    columns = basis.T @ (np.diff(regressors, axis=0) / roots[:, None])
    unit = float(np.sqrt(np.mean(values**2)))
    units = np.sqrt(np.mean(columns**2, axis=0))
    return Changes(values / unit, columns / units, eigenvalues, unit, units, basis, roots)


def decompose(gaps: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Eigenvalues and vectors of what independent noise does to changes over the roots of their gaps."""
    from scipy.linalg import eigh_tridiagonal

    if gaps.size == 1:
        return 2 / gaps, np.ones((1, 1))
    eigenvalues, basis = eigh_tridiagonal(2 / gaps, -1 / np.sqrt(gaps[:-1] * gaps[1:]))
    return np.asarray(eigenvalues, dtype=np.float64), np.asarray(basis, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of the parameters on the series' own scale: two arrays of shape (draws,) and one of shape (draws, k)."""

    noise: Float64Array
    level: Float64Array
    coefficients: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """The series without a switch, given each draw: normal, with these means of each bucket, shape (draws, buckets).

    `spread` is the variance of the last level given the draw, and `ahead` how many buckets each bucket lies ahead.
    """

    means: Float64Array
    spread: Float64Array
    ahead: Float64Array
    draws: Draws

    def mean(self) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation, given each draw, of the mean over all buckets."""
        k = self.ahead.size
        # the mean of min(ahead[i], ahead[j]) over all pairs: ahead is sorted
        shared = float(self.ahead @ (2 * (k - np.arange(k)) - 1)) / k**2
        variance = self.spread + self.draws.level**2 * shared + self.draws.noise**2 / k
        return self.means.mean(axis=1), np.sqrt(variance)

    def paths(self, rng: np.random.Generator) -> Float64Array:
        """One path of the series a draw."""
        n, k = self.means.shape
        steps = np.sqrt(np.diff(self.ahead, prepend=0.0)) * self.draws.level[:, None] * rng.standard_normal((n, k))
        start = np.sqrt(self.spread) * rng.standard_normal(n)
        noise = self.draws.noise[:, None] * rng.standard_normal((n, k))
        return self.means + start[:, None] + np.cumsum(steps, axis=1) + noise


def forecast(
    past: tuple[Float64Array, Float64Array, Float64Array], times: Float64Array, regressors: Float64Array, draws: Draws
) -> Forecast:
    """From the past as times, series and regressors, for later buckets: Kalman's filter for all draws at once."""
    before, series, explained = past
    noise, level = draws.noise**2, draws.level**2
    mean = series[0] - draws.coefficients @ explained[0]
    variance = noise.copy()
    for gap, value, row in zip(np.diff(before), series[1:], explained[1:], strict=True):
        variance = variance + gap * level
        gain = variance / (variance + noise)
        mean = mean + gain * (value - draws.coefficients @ row - mean)
        variance = gain * noise
    means = mean[:, None] + draws.coefficients @ regressors.T
    return Forecast(means, variance, times - before[-1], draws)


def waves(times: Float64Array, season: float, most: int = 6) -> Float64Array:
    """A season as sines and cosines, shape (n, 2 * harmonics): a smooth shape that returns every `season` buckets."""
    harmonics = np.arange(1, min(most, int(season // 2)) + 1)
    angles = 2 * np.pi * np.multiply.outer(times, harmonics) / season
    both = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return both[:, np.ptp(both, axis=0) > 1e-9]  # at half a season the sine is zero everywhere
