"""How many values fall into each of the logarithmic buckets of a stated relative error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats._base import LARGEST_COUNT, IntArray, Statistics, same_shape, whole_numbers

SMALLEST_ACCURACY = 1e-9
_LOG_SMALLEST = math.log(5e-324)
_LOG_LARGEST = math.log(1.7976931348623157e308)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(Statistics):
    """Counts in logarithmic buckets: all that a test of quantiles needs, to a stated relative error.

    Parameters
    ----------
    accuracy : float
        Relative error of a bucket's representative, above 1e-9 and below 0.5. Callers that name none mean 0.001.
    keys : int array, shape (k,)
        Numbers of the buckets that hold anything, ascending, each once. Their order is that of the values.
    counts : int array, shape (k,)
        How many values each of them holds, at least 1.

    Raises
    ------
    TypeError
        Keys or counts that are not whole numbers.
    ValueError
        Keys out of order, repeated or outside the range of 64-bit numbers; a count below 1; shapes that differ.

    Notes
    -----
    With a = accuracy and gamma = (1 + a) / (1 - a), bucket i = ceil(ln x / ln gamma) holds the x above
    gamma^(i - 1) up to gamma^i, and 2 gamma^i / (gamma + 1) = (1 - a) gamma^i is within a of each, relatively [1]_.
    One whole number names a bucket of any sign: 0 is the value zero, i + offset that of x > 0, and -(i + offset)
    that of x < 0 with the i of the size of x. The offset, ceil(745 / ln gamma), makes i + offset positive for every
    64-bit number down to the smallest, 5e-324; the relative error holds from 2.3e-308, below which such numbers
    themselves lose digits. A value at the very edge of two buckets may fall into either, as logarithms are rounded.

    `+` adds the counts: exact, in any order.

    References
    ----------
    .. [1] Masson, Rim and Lee 2019, PVLDB 12(12), sec. 2.1.

    Examples
    --------
    >>> from abkit import Histogram
    >>> h = Histogram.from_sample([120, 95, 0, 310, 95.01], accuracy=0.01) + Histogram.from_sample([80], accuracy=0.01)
    >>> h.n, h.counts.tolist(), h.values.round(1).tolist()
    (6, [1, 1, 2, 1, 1], [0.0, 80.6, 94.6, 120.3, 308.0])
    """

    accuracy: float
    keys: IntArray
    counts: IntArray
    kind: ClassVar[str] = "histogram"

    def __post_init__(self) -> None:
        accuracy = _check.within("accuracy", self.accuracy, SMALLEST_ACCURACY, 0.5)
        keys, counts = _keys(self.keys, accuracy), np.atleast_1d(np.asarray(whole_numbers("counts", self.counts)))
        same_shape(keys.shape, counts=counts)
        if np.any(keys[1:] <= keys[:-1]):
            raise ValueError("`keys` must be in ascending order, each once.")
        if np.any(counts < 1):
            raise ValueError("`counts` must be at least 1; got 0.")
        if counts.sum(dtype=float) > LARGEST_COUNT:
            raise ValueError("`counts` must add up to at most 2**53.")
        for array in (keys, counts):
            array.flags.writeable = False
        for name, value in (("accuracy", accuracy), ("keys", keys), ("counts", counts)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_sample(cls, values: object, accuracy: float = 0.001) -> Self:
        """Histogram of the observations themselves.

        Examples
        --------
        >>> from abkit import Histogram
        >>> Histogram.from_sample([1, 1, 2.5]).counts.tolist()
        [2, 1]
        """
        keys, counts = np.unique(cls.key_of(values, accuracy), return_counts=True)
        return cls(accuracy, keys, counts)

    @classmethod
    def from_keys(cls, keys: npt.ArrayLike, counts: npt.ArrayLike, accuracy: float = 0.001) -> Self:
        """Histogram of counted keys in any order; counts of a key that comes more than once are added up."""
        distinct, place = np.unique(np.asarray(keys), return_inverse=True)
        counted = np.atleast_1d(np.asarray(whole_numbers("counts", np.asarray(counts))))
        same_shape(place.shape, counts=counted)
        totals = np.zeros(distinct.size, dtype=np.int64)
        np.add.at(totals, place, counted)
        return cls(accuracy, distinct, totals)

    @staticmethod
    def scale(accuracy: float) -> tuple[float, int]:
        """Give an engine ln gamma and the offset: the key of x is sign(x) (ceil(ln |x| / ln gamma) + offset)."""
        log_gamma = 2 * math.atanh(_check.within("accuracy", accuracy, SMALLEST_ACCURACY, 0.5))
        return log_gamma, math.ceil(745 / log_gamma)

    @staticmethod
    def key_of(values: object, accuracy: float = 0.001) -> IntArray:
        """The key of each value.

        Examples
        --------
        >>> from abkit import Histogram
        >>> Histogram.key_of([-1.0, 0.0, 1.0, 1.01], accuracy=0.01).tolist()
        [-37249, 0, 37249, 37250]
        """
        log_gamma, offset = Histogram.scale(accuracy)
        sample = _check.sample("values", values)
        size = np.abs(sample)
        size[size == 0] = 1.0
        return np.asarray(np.sign(sample) * (np.ceil(np.log(size) / log_gamma) + offset), dtype=np.int64)

    def __add__(self, other: Histogram) -> Histogram:
        if not isinstance(other, Histogram):
            return NotImplemented
        if other.accuracy != self.accuracy:
            raise ValueError(f"`other` must have the accuracy {self.accuracy:g}; got {other.accuracy:g}.")
        keys, counts = np.concatenate([self.keys, other.keys]), np.concatenate([self.counts, other.counts])
        return Histogram.from_keys(keys, counts, self.accuracy)

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @property
    def values(self) -> Float64Array:
        """Each bucket's representative, ascending."""
        log_gamma, offset = self.scale(self.accuracy)
        exponent = (np.abs(self.keys) - offset) * log_gamma + math.log1p(-self.accuracy)
        return np.sign(self.keys) * np.exp(np.clip(exponent, _LOG_SMALLEST, _LOG_LARGEST))

    def below(self, keys: npt.ArrayLike) -> IntArray:
        """How many values lie in buckets before each key; in its own bucket lie below(key + 1) - below(key)."""
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        return ends[np.searchsorted(self.keys, np.asarray(keys))]

    def quantile(self, q: float) -> float:
        """The q-quantile: linear between representatives at rank q (n + 1/3) + 1/3, as `quantile_test` has it."""
        _check.within("q", q, 0, 1)
        if self.n == 0:
            raise ValueError("`q` must be asked of at least 1 value; the histogram is empty.")
        rank = min(max(q * (self.n + 1 / 3) + 1 / 3, 1.0), float(self.n))
        ends, values = np.cumsum(self.counts), self.values
        low, high = (float(values[np.searchsorted(ends, whole)]) for whole in (math.floor(rank), math.ceil(rank)))
        return low + (rank - math.floor(rank)) * (high - low)


def _keys(keys: object, accuracy: float) -> IntArray:
    array = np.atleast_1d(np.array(keys))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"`keys` must be a list of whole numbers; got {_check.show(keys)}.")
    log_gamma, offset = Histogram.scale(accuracy)
    largest = offset + math.ceil(_LOG_LARGEST / log_gamma)
    if array.size and not -largest <= int(array.min()) <= int(array.max()) <= largest:
        raise ValueError(f"`keys` must be from {-largest} to {largest}; got {_check.show(keys)}.")
    return array.astype(np.int64)
