"""The Poisson bootstrap: one pass over rows in any order, on any number of machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

from abkit import _check
from abkit._check import Float64Array

BLOCK = 2**17
#: P(count <= k) of a Poisson count with a mean of 1, as shares of 2**64.
CUTS = tuple(int(min(float(pdtr(k, 1.0)) * 2.0**64, 2.0**64 - 2049)) for k in range(18))


@dataclass(frozen=True, slots=True, eq=False)
class PoissonBootstrap:
    """Weighted sums of rows for each resample, mergeable with `+`; data for `bootstrap_test`.

    In each resample each unit has a Poisson(1) weight that is a hash of the seed, the unit and the resample. So the
    rows of a unit have one weight wherever and in whatever order they are read, and whole units are drawn.

    Parameters
    ----------
    seed : int
        The same for all parts.
    n : int
        Rows.
    total : float
        Sum of the values.
    weights, sums : float array, shape (resamples,)
        Per resample the sum of the weights, and of the values times their weights.

    Notes
    -----
    The number of rows of a resample varies, with a relative standard deviation of 1 / sqrt(n), which a mean does not
    feel to first order [1]_ [2]_. Values of a large offset should have it subtracted, since sums are kept.

    References
    ----------
    .. [1] Hanley and MacGibbon 2006, Computer Methods and Programs in Biomedicine 83(1).
    .. [2] Chamandy, Muralidharan, Najmi and Naidu 2012, Estimating Uncertainty for Massive Data Streams, sec. 3.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import PoissonBootstrap
    >>> values = np.arange(100.0)
    >>> whole = PoissonBootstrap.from_rows(values, np.arange(100), seed=1)
    >>> parts = [PoissonBootstrap.from_rows(values[i::2], np.arange(100)[i::2], seed=1) for i in (0, 1)]
    >>> whole.mean, bool(np.allclose((parts[0] + parts[1]).means, whole.means))
    (49.5, True)
    """

    seed: int
    n: int
    total: float
    weights: Float64Array
    sums: Float64Array

    @classmethod
    def from_rows(cls, values: object, units: object, *, seed: int, resamples: int = 2_000) -> PoissonBootstrap:
        """Weighted sums of some rows.

        Parameters
        ----------
        values : array_like, shape (n,)
            One value a row.
        units : array_like of int, shape (n,)
            The unit of each row.
        seed : int
            From 0 to 2**63.
        resamples : int
            At least 100.
        """
        y, labels = _check.observations("values", values), np.asarray(units)
        if labels.dtype.kind not in "iu" or labels.shape != y.shape:
            raise TypeError(f"`units` must be a whole number for each row; got {labels.dtype} of shape {labels.shape}.")
        seed, resamples = _check.count("seed", seed), _check.count("resamples", resamples, 100)
        keys = _hashed(_hashed(np.full(1, seed, np.uint64)) ^ labels.astype(np.uint64))
        weights, sums, rows = np.zeros(resamples), np.zeros(resamples), max(1, BLOCK // resamples)
        streams = _hashed(np.arange(resamples, dtype=np.uint64))
        for start in range(0, len(y), rows):
            counts = _poisson(keys[start : start + rows, None] ^ streams)
            weights += counts.sum(axis=0)
            sums += np.einsum("ij,i->j", counts, y[start : start + rows])
        return cls(seed, len(y), float(y.sum()), weights, sums)

    @property
    def mean(self) -> float:
        """Mean of all rows."""
        return self.total / self.n

    @property
    def means(self) -> Float64Array:
        """Mean of each resample."""
        return self.sums / self.weights

    def __add__(self, other: Any) -> PoissonBootstrap:
        if not isinstance(other, PoissonBootstrap):
            return NotImplemented
        if (self.seed, len(self.sums)) != (other.seed, len(other.sums)):
            raise ValueError("`other` must have the same seed and number of resamples.")
        return PoissonBootstrap(
            self.seed,
            self.n + other.n,
            self.total + other.total,
            self.weights + other.weights,
            self.sums + other.sums,
        )


def _poisson(keys: npt.NDArray[np.uint64]) -> Float64Array:
    uniform = _hashed(keys)
    counts = np.zeros(uniform.shape)
    for cut in CUTS:
        above = uniform >= np.uint64(cut)
        if not above.any():
            break
        counts += above
    return counts


def _hashed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Steele, Lea and Flood 2014 (OOPSLA), the mixing function of SplitMix64 in its best variant."""
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
