"""Count, mean and centred second moment of one variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats._base import IntArray, Statistics, real_numbers, same_shape, scalar, whole_numbers

#: The squares of smaller deviations have few digits, or none.
SMALLEST = 1e-152


@dataclass(frozen=True, slots=True, eq=False)
class Moments(Statistics):
    """Count, mean and sum of squared deviations of a sample: all that a test of means needs.

    Parameters
    ----------
    n : int, or int array of any shape
        Number of units, at least 0. An array describes many groups at once.
    mean : float, or float array of the same shape
        Sample mean, in the variable's own unit. 0 where n is 0.
    m2 : float, or float array of the same shape
        Sum of squared deviations from the mean, in the unit squared; at least 0, and 0 where n < 2.

    Raises
    ------
    TypeError
        float32, Decimal, or another type that would lose digits silently.
    ValueError
        Negative or contradictory fields, nan, infinity, or shapes that differ.

    Notes
    -----
    Deviations, not raw squares: at an offset of 1e9 a sum of squares keeps no digit of the variance.
    `+` pools disjoint samples without their data. With d = b.mean - a.mean, mean = a.mean + d b.n / n and
    m2 = a.m2 + b.m2 + d^2 a.n b.n / n (Chan, Golub and LeVeque 1983, The American Statistician 37(3), eq. 2.1).
    Not for samples that share units.

    Examples
    --------
    >>> from abkit import Moments
    >>> Moments.from_sample([1, 2, 4]) + Moments.from_sample([3, 5])
    Moments(n=5, mean=3.0, m2=10.0)
    >>> Moments.from_sample([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3]).m2
    5.0
    """

    n: int | IntArray
    mean: float | Float64Array
    m2: float | Float64Array
    kind: ClassVar[str] = "moments"

    def __post_init__(self) -> None:
        n, mean, m2 = whole_numbers("n", self.n), real_numbers("mean", self.mean), real_numbers("m2", self.m2)
        same_shape(np.shape(n), mean=mean, m2=m2)
        if np.any(np.asarray(m2) < 0):
            raise ValueError(f"`m2` must be at least 0; got {float(np.min(m2)):g}.")
        if np.any((np.asarray(n) < 2) & (np.asarray(m2) != 0)):
            raise ValueError("`m2` must be 0 where `n` is below 2.")
        if np.any((np.asarray(n) == 0) & (np.asarray(mean) != 0)):
            raise ValueError("`mean` must be 0 where `n` is 0.")
        for name, value in (("n", n), ("mean", mean), ("m2", m2)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_sample(cls, values: object, argument: str = "values") -> Self:
        """Statistics of the observations themselves, one value a unit, by two passes.

        Refuses, by the name of the `argument`, values whose squares 64-bit numbers do not hold.

        Examples
        --------
        >>> from abkit import Moments
        >>> Moments.from_sample([12, 10, 11])
        Moments(n=3, mean=11.0, m2=2.0)
        """
        sample = _check.observations(argument, values)
        if sample.size == 0:
            return cls(0, 0.0, 0.0)
        mean, deviations = centre(argument, sample)
        return cls(int(sample.size), float(mean), float(deviations @ deviations))

    def __add__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        same_shape(np.shape(self.n), other=other.n)
        n = np.asarray(self.n) + np.asarray(other.n)
        share = np.asarray(other.n) / np.maximum(n, 1)
        distance = np.asarray(other.mean) - np.asarray(self.mean)
        mean = np.where(np.asarray(self.n) == 0, other.mean, self.mean + distance * share)
        m2 = self.m2 + other.m2 + distance**2 * (np.asarray(self.n) * share)
        return Moments(scalar(n), scalar(mean), scalar(m2))

    @property
    def variance(self) -> float | Float64Array:
        """Sample variance, m2 / (n - 1); nan where n is below 2."""
        n = np.asarray(self.n)
        return scalar(np.where(n > 1, self.m2 / np.maximum(n - 1, 1), np.nan))  # type: ignore[no-any-return]


def centre(name: str, sample: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Mean along the first axis, and the deviations from it, corrected once for the mean's own rounding."""
    low, high = sample.min(axis=0), sample.max(axis=0)
    if np.array_equal(low, high):  # constant: no rounding is left as a spread
        return sample[0], np.zeros_like(sample)
    spread = (high - low)[high > low].min()
    if spread < SMALLEST:
        raise ValueError(
            f"`{name}` must spread over at least {SMALLEST:g}, so that squares do not vanish; got {spread:g}. "
            "Choose a smaller unit."
        )
    provisional = sample.mean(axis=0)
    deviations = sample - provisional
    correction = deviations.mean(axis=0)
    return provisional + correction, deviations - correction
