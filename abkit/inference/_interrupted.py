"""Interrupted time series: whether a series jumped at a switch by more than it moves by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.inference._autoregression import fit_autoregression
from abkit.inference._change_effect import ChangeEffect
from abkit.inference._mean_effect import MeanEffect

#: Buckets before the switch that the first ones after it are compared with; older ones come in by the level.
LEAD = 16
FEWEST_BEFORE = 30
MOST_AFTER = 1_000
#: A window of the past with more than this share of its buckets missing is no placebo.
MOST_MISSING = 0.1
FEWEST_PLACEBOS = 50
#: The square of a larger value may be none.
LARGEST = 1e100


@dataclass(frozen=True, slots=True, eq=False)
class InterruptedSeries:
    """The level change after each bucket that follows the switch, as it was known then.

    `estimate` and `stderr` have one entry a bucket with a value; `position` is how many buckets after the switch it
    lies. `baseline` is the level expected without a switch, averaged over the buckets so far, and `baseline_stderr` its
    error. `rate` is the information that a later bucket adds. `placebos` has one row a pseudo switch in the past and
    one column a bucket after it: the largest size of the standardised change so far, upwards (0) and downwards (1).
    `noisier` is how many times as large the variance is after the switch as `stderr` has it from before, at least 1,
    and `noisier_df` its degrees of freedom; of one bucket 0.
    """

    position: Float64Array
    estimate: Float64Array
    stderr: Float64Array
    df: float
    baseline: Float64Array
    baseline_stderr: Float64Array
    rate: float
    before: int
    placebos: tuple[Float64Array, Float64Array]
    noisier: Float64Array
    noisier_df: Float64Array

    @property
    def floor(self) -> float:
        """The smallest rank p-value that the placebo switches can show, the switch itself among them."""
        return 1 / (1 + len(self.placebos[0]))

    def effect(self, sign: float, look: int = -1) -> ChangeEffect:
        """The change as an effect on the expected level, of a metric that is better upwards (1) or downwards (-1)."""
        c, change = float(self.baseline[look]), float(self.estimate[look])
        level, own = float(self.baseline_stderr[look]) ** 2, float(self.stderr[look]) ** 2
        harm = MeanEffect(c, c + change, level, level + own, level, self.df)
        df = float(self.noisier_df[look])
        raised = level + own * float(self.noisier[look])
        gain = MeanEffect(c, c + change, level, raised, level, min(df, self.df)) if df > 0 else None
        return ChangeEffect(harm, gain, sign)

    def clock(self, tune_at: float) -> Float64Array:
        """How far information has come after each bucket, in buckets, so that `tune_at` of them are `tune_at`."""
        information = 1 / self.stderr**2
        expected = information[0] + max(tune_at - 1, 0) * self.rate
        return np.asarray(tune_at * information / expected)

    def rank(self, look: int = -1) -> float:
        """Two-sided rank p-value of the change among the placebo switches."""
        z = abs(float(self.estimate[look] / self.stderr[look]))
        beyond = np.maximum(*(maxima[:, look] for maxima in self.placebos)) >= z
        return float((1 + np.count_nonzero(beyond)) / (1 + beyond.size))


def interrupted_series(
    values: object, switch: int, *, controls: object = None, season: int | None = None
) -> InterruptedSeries:
    """Level change of a series at a switch, with the series' own autocorrelation.

    Answers: did the series jump at the switch by more than it moves by itself, and by how much?

    Parameters
    ----------
    values : array of shape (buckets,)
        The metric in each bucket of equal length, in order; nan where there is none, or it shall not count.
    switch : int
        The place of the first bucket after the switch.
    controls : array of shape (controls, buckets), optional
        Series that the switch cannot touch; what they explain before the switch is taken off.
    season : int, optional
        How many buckets a season has: the baseline is then the mean of the same place in earlier seasons, of which
        there must be at least two before the switch.

    Returns
    -------
    InterruptedSeries

    Raises
    ------
    ValueError
        Too few buckets, or a series that does not vary before the switch.

    Notes
    -----
    Before the switch, the series less its baseline and its controls is fitted as an autoregression. The change is then
    estimated by generalised least squares from the last buckets before the switch and those after it: with z the
    whitened series and a the whitened step, ``sum(a z) / sum(a a)``, of variance ``1 / sum(a a)``. Such estimates have
    independent increments [1]_, so that monitors of looks hold for them. All nuisance parameters come from before the
    switch. Degrees of freedom are those of a variance of correlated values, ``n / (1 + 2 sum(rho^2))``. The same
    estimate at every pseudo switch in the past gives the placebo distribution [2]_; where its spread is larger than the
    autoregression says, the standard error is raised to it.

    The design is observational: whatever else happened at the switch is in the change [3]_.

    References
    ----------
    .. [1] Jennison and Turnbull 2000, Group Sequential Methods, sec. 11.3.
    .. [2] Abadie, Diamond and Hainmueller 2010, JASA 105(490), sec. 3.4.
    .. [3] Bernal, Cummins and Gasparrini 2017, Int. J. Epidemiology 46(1).

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> calm = 100 + np.random.default_rng(1).normal(0, 2, 300)
    >>> calm[288:] += 5
    >>> found = ab.interrupted_series(calm, 288)
    >>> round(float(found.estimate[-1]), 1), round(float(found.stderr[-1]), 1)
    (5.4, 0.4)
    """
    series, others = _checked(values, switch, controls)
    residual, expected, seasons = _less_baseline(series, switch, season)
    n, q = int(np.count_nonzero(np.isfinite(residual[:switch]))), len(others)
    if n < FEWEST_BEFORE:
        raise ValueError(f"{n} buckets with a value before the switch, where at least {FEWEST_BEFORE} are needed")
    moved = np.zeros((0, series.size))
    if q:
        residual, expected, moved = _less_controls(residual, expected, others, switch, season)
    offsets = _offsets(residual, switch)
    after = offsets[offsets >= 0]
    if not after.size:
        raise ValueError("no bucket with a value after the switch")
    if after[-1] >= MOST_AFTER:
        raise ValueError(f"more than {MOST_AFTER:,} buckets after the switch; choose a longer bucket")
    noise = fit_autoregression(residual[:switch], int(offsets[-1] - offsets[0]), centred=season is None)
    if not noise.varies(series[:switch]):
        raise ValueError("the series does not vary before the switch, which says nothing of how it moves by itself")
    covariance = noise.covariances[np.abs(offsets[:, None] - offsets)]
    level = 0.0 if season else noise.long_run / n
    step = (offsets >= 0).astype(np.float64)
    root: Float64Array = np.asarray(np.linalg.cholesky(covariance + level), dtype=np.float64)
    weights = np.linalg.solve(root, np.column_stack([step, residual[switch + offsets]]))
    first = int(np.count_nonzero(offsets < 0))
    a, z = weights[first:].T
    information = np.cumsum(a * a)
    scores = _placebo_scores(residual[:switch], offsets, root, a) / np.sqrt(information)
    inflation = _inflation(scores)
    counts = np.arange(1, after.size + 1)
    slopes = noise.long_run * np.sum((np.cumsum(moved[:, switch + after], axis=1) / counts) ** 2, axis=0)
    stderr = np.sqrt(inflation / information + slopes)
    left = np.cumsum(z * z) - np.cumsum(a * z) ** 2 / information
    own = np.cumsum(np.cumsum(covariance[first:, first:], 0).diagonal() * 2 - covariance[0, 0]) / counts**2
    return InterruptedSeries(
        after.astype(np.float64),
        np.cumsum(a * z) / information,
        stderr,
        max(noise.df - q - 1, 1.0),
        np.cumsum(expected[switch + after]) / counts,
        np.sqrt(np.maximum(own, 0) / seasons) if season else np.full(after.size, math.sqrt(level)),
        1 / noise.long_run,
        n,
        _maxima(scores / np.sqrt(inflation)),
        np.asarray(np.maximum(left / np.maximum(counts - 1, 1) / inflation, 1.0), dtype=np.float64),
        (counts - 1).astype(np.float64),
    )


def _checked(values: object, switch: int, controls: object) -> tuple[Float64Array, Float64Array]:
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or np.any(np.abs(series) > LARGEST):
        raise ValueError(
            f"`values` must be nan or at most {LARGEST:g} in size, in one dimension; got {_check.show(values)}."
        )
    if not 0 < switch < series.size:
        raise ValueError(f"`switch` must be a place within the {series.size} buckets; got {switch}.")
    others = np.empty((0, series.size)) if controls is None else np.atleast_2d(np.asarray(controls, dtype=np.float64))
    if others.shape[1:] != series.shape or np.any(np.abs(others) > LARGEST):
        raise ValueError(
            f"`controls` must have {series.size} buckets each, nan or at most {LARGEST:g}; got shape {others.shape}."
        )
    return series, others


def _less_baseline(series: Float64Array, switch: int, season: int | None) -> tuple[Float64Array, Float64Array, int]:
    """The series less its level, or less the same place in the other seasons; the baseline, and how many seasons.

    A bucket before the switch is held against the other seasons only, so that it is as far from its baseline as one
    after the switch is from its own.
    """
    if season is None:
        seen = np.isfinite(series[:switch])
        level = float(np.mean(series[:switch][seen])) if seen.any() else math.nan
        return series - level, np.full(series.size, level), 1
    count = switch // season
    if count < 2:
        raise ValueError(f"{count} full seasons before the switch, where at least 2 are needed")
    past = series[switch - count * season : switch].reshape(count, season)
    seen = np.isfinite(past)
    n = seen.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(n > 0, np.where(seen, past, 0).sum(0) / n, np.nan)
        left = (past - means) * np.where(n > 1, n / (n - 1), np.nan)
    places = (np.arange(series.size) - switch) % season
    residual = series - means[places]
    residual[: switch - count * season] = np.nan
    residual[switch - count * season : switch] = left.ravel()
    return residual, means[places], count


def _less_controls(
    residual: Float64Array, expected: Float64Array, others: Float64Array, switch: int, season: int | None
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """What the controls explain before the switch is taken off, and counts as expected.

    Last, the controls in directions in which their slopes have uncorrelated errors, of the noise's own variance.
    """
    moves = np.array([_less_baseline(other, switch, season)[0] for other in others])
    known = np.isfinite(residual[:switch]) & np.all(np.isfinite(moves[:, :switch]), axis=0)
    if np.count_nonzero(known) < FEWEST_BEFORE:
        raise ValueError(f"fewer than {FEWEST_BEFORE} buckets before the switch have a value of every control")
    left, sizes, right = np.linalg.svd(moves[:, :switch][:, known].T, full_matrices=False)
    if not sizes[-1] > sizes[0] * 1e-10:
        raise ValueError("the controls do not vary before the switch, or one follows from the others")
    slopes = right.T @ (left.T @ residual[:switch][known] / sizes)
    explained = slopes @ moves
    return residual - explained, expected + explained, (right @ moves) / sizes[:, None]


def _offsets(residual: Float64Array, switch: int) -> Float64Array:
    """Where, from the switch on, the buckets lie that enter the estimate: the last ones before it and all after."""
    places = np.flatnonzero(np.isfinite(residual))
    before = places[places < switch][-LEAD:]
    return np.asarray(np.concatenate([before, places[places >= switch]]) - switch)


def _placebo_scores(past: Float64Array, offsets: Float64Array, root: Float64Array, a: Float64Array) -> Float64Array:
    """Sums of a z at every pseudo switch whose window lies in the past, after each bucket that follows it."""
    first, last = -int(offsets[0]), int(past.size - 1 - offsets[-1])
    if last - first + 1 < FEWEST_PLACEBOS:
        return np.empty((0, a.size))
    windows = past[np.arange(first, last + 1)[:, None] + offsets]
    gaps = ~np.isfinite(windows)
    windows = np.where(gaps, 0.0, windows)[gaps.mean(axis=1) <= MOST_MISSING]
    if len(windows) < FEWEST_PLACEBOS:
        return np.empty((0, a.size))
    inverse = np.linalg.solve(root, np.eye(len(root)))[-a.size :] * a[:, None]
    return np.asarray(windows @ np.cumsum(inverse, axis=0).T)


def _inflation(scores: Float64Array) -> Float64Array:
    """By how much placebo scores vary more than they should; it never falls from look to look."""
    if not len(scores):
        return np.ones(scores.shape[1])
    return np.maximum.accumulate(np.maximum(np.mean(scores * scores, axis=0), 1.0))


def _maxima(scores: Float64Array) -> tuple[Float64Array, Float64Array]:
    return np.maximum.accumulate(scores, axis=1), np.maximum.accumulate(-scores, axis=1)
