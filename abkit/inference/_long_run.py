"""The long-run variance of an autocorrelated series, short or long, and the degrees of freedom that go with it.

The series is freed of most of its persistence by a first-order filter, the rest is measured by the lowest cosines,
and the filter's gain is put back. What the filter's own uncertainty costs is in the degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from abkit._check import Float64Array

#: Series of fewer values have no answer.
FEWEST = 8
#: Cosines a series: this times n^(2/3), the rate of Lazarus, Lewis, Stock and Watson (2018, J. Bus. Econ. Stat. 36(4)).
COSINES = 0.6
#: More cosines than these would gain next to nothing: their t is the normal.
MOST_COSINES = 64
#: Standard errors by which the persistence is rounded up: short series hide theirs.
CAUTION = 0.2
#: Standard errors from which the autocorrelations beyond the first have a say.
SEEN = 2.0
LARGEST = 0.99
#: With less than one degree of freedom a t has neither mean nor meaning: some two independent values are left.
LEAST_DF = 1.0


@dataclass(frozen=True, slots=True)
class LongRun:
    """n times the variance of a series' mean as n grows, and the t that goes with it.

    The mean of n values has the variance `variance` / n, and a linear contrast sum(w x) that of `variance` sum(w^2)
    where w changes slowly. `persistence` is the first-order autocorrelation that was allowed for. `reason` says why
    there is no answer: too few values, or too few for the persistence that they show.
    """

    variance: float
    df: float
    persistence: float
    n: int
    reason: str | None = None


def long_run(values: Float64Array, fitted: int = 1) -> LongRun:
    """The long-run variance of one series, about its mean; `fitted` counts its mean and what else was fitted to it."""
    n = values.size
    if n < FEWEST + fitted - 1:
        reason = f"a series of {n} value(s) is too short to tell persistence from change: at least {FEWEST} are needed"
        return LongRun(math.nan, math.nan, math.nan, n, reason)
    deviations = centred(values)
    share = persistence(deviations, fitted)
    wave = waves(deviations, share)
    df = float(degrees(n, share, wave.shape[-1]))
    return LongRun(float((wave * wave).mean()), df, float(share), n, short_of(n, float(share), df))


def short_of(n: int, share: float, df: float) -> str | None:
    """Why a series is too short for its persistence, where it is."""
    if df >= LEAST_DF:
        return None
    return (
        f"{n} values are too few for a persistence of {share:.2f} from one to the next: "
        f"they are worth {max(n * (1 - share) / (1 + share), 1):.1f} independent ones"
    )


def centred(values: Float64Array) -> Float64Array:
    """Deviations from the mean of the last axis; zero where they are the rounding of equal values."""
    deviations: Float64Array = values - values.mean(axis=-1, keepdims=True)
    largest = np.abs(values).max(axis=-1, keepdims=True)
    flat = np.abs(deviations).max(axis=-1, keepdims=True) <= 8 * np.finfo(np.float64).eps * largest
    return np.where(flat, 0.0, deviations)


def persistence(deviations: Float64Array, fitted: int = 1) -> Float64Array:
    """First-order autocorrelation of series along the last axis, from 0, corrected for its bias and rounded up.

    The first autocorrelation is corrected as Kendall (1954, Biometrika 41) has it, each fitted regressor taking
    (1 + rho) / n. Noise of measurement upon a persistent series hides in the first and not in how the second and third
    fall off; where these can be seen, the larger of the two counts.
    """
    n = deviations.shape[-1]
    scaled = _scaled(deviations)
    first, second, third = (_autocorrelation(scaled, lag) for lag in (1, 2, 3))
    share = (first + fitted / n) / (1 - (fitted + 2) / n)
    earlier, later = first + second + 3 * fitted / n, second + third + 4 * fitted / n
    seen = earlier > SEEN / math.sqrt(n)
    decay = np.where(seen, later / np.where(seen, earlier, 1.0), 0.0)
    share = np.clip(np.maximum(share, decay), 0.0, LARGEST)
    rounded_up = share + CAUTION * np.sqrt((1 - share * share) / n)
    result: Float64Array = np.minimum(rounded_up, LARGEST)
    return result


def waves(deviations: Float64Array, share: Float64Array) -> Float64Array:
    """Amplitudes of the lowest cosines, the filter's gain put back: their mean square is the long-run variance.

    The mean product of those of two series is their long-run covariance.
    """
    gain = np.asarray(share)[..., None]
    innovations = deviations[..., 1:] - gain * deviations[..., :-1]
    amplitudes: Float64Array = innovations @ _cosines(innovations.shape[-1]) / (1 - gain)
    return amplitudes


def degrees(n: int, share: Float64Array, cosines: int) -> Float64Array:
    """Degrees of freedom: 2 over the variance of the logarithm of the long-run variance (delta method)."""
    result: Float64Array = 2 / (2 / cosines + 4 * (1 + share) / (n * (1 - share)))
    return result


@lru_cache(maxsize=8)
def _cosines(n: int) -> Float64Array:
    count = min(max(2, int(COSINES * n ** (2 / 3))), MOST_COSINES)
    place = (np.arange(n) + 0.5) / n
    table: Float64Array = math.sqrt(2 / n) * np.cos(math.pi * np.outer(place, np.arange(1, count + 1)))
    table.flags.writeable = False
    return table


def _scaled(deviations: Float64Array) -> Float64Array:
    """Series of unit length; flat ones stay zero."""
    largest = np.abs(deviations).max(axis=-1, keepdims=True)
    result = deviations / np.where(largest > 0, largest, 1.0)
    length = np.sqrt((result * result).sum(axis=-1, keepdims=True))
    scaled: Float64Array = result / np.where(length > 0, length, 1.0)
    return scaled


def _autocorrelation(scaled: Float64Array, lag: int) -> Float64Array:
    result: Float64Array = np.einsum("...i,...i->...", scaled[..., lag:], scaled[..., :-lag])
    return result
