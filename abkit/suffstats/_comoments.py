"""Count, means and centred co-moments of several variables of the same units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats._base import IntArray, Statistics, real_numbers, same_shape, scalar, whole_numbers
from abkit.suffstats._moments import Moments, centre


@dataclass(frozen=True, slots=True, eq=False)
class CoMoments(Statistics):
    """Count, means and sums of products of deviations: what ratios and covariate adjustment need.

    Parameters
    ----------
    n : int, or int array of shape (...)
        Number of units.
    mean : float array, shape (..., k)
        Means of the k variables. 0 where n is 0.
    m2 : float array, shape (..., k, k)
        Sums of products of deviations, symmetric; the diagonal is each variable's own m2.
    names : sequence of str, length k
        The variables, in order, each once.

    Raises
    ------
    TypeError
        float32, Decimal, or another type that would lose digits silently.
    ValueError
        Shapes that do not fit, an asymmetric m2, a negative diagonal, nan or infinity.

    Notes
    -----
    `+` pools disjoint samples as `Moments` does, with the outer product of the means' distance
    (Chan, Golub and LeVeque 1983; Pebay 2008, SAND2008-6212, eq. 3.11).

    Examples
    --------
    >>> from abkit import CoMoments
    >>> s = CoMoments.from_sample([[1, 10], [2, 20], [3, 60]], names=["visits", "revenue"])
    >>> s.mean.tolist(), s.m2.tolist()
    ([2.0, 30.0], [[2.0, 50.0], [50.0, 1400.0]])
    >>> s.moments("revenue")
    Moments(n=3, mean=30.0, m2=1400.0)
    """

    n: int | IntArray
    mean: Float64Array
    m2: Float64Array
    names: tuple[str, ...]
    kind: ClassVar[str] = "comoments"

    def __post_init__(self) -> None:
        n, names = whole_numbers("n", self.n), _check.names("names", self.names)
        k = len(names)
        mean, m2 = np.asarray(real_numbers("mean", self.mean, (k,))), np.asarray(real_numbers("m2", self.m2, (k, k)))
        shape = np.shape(n)
        same_shape((*shape, k), mean=mean)
        same_shape((*shape, k, k), m2=m2)
        if not np.array_equal(m2, np.swapaxes(m2, -1, -2)):
            raise ValueError("`m2` must be symmetric.")
        if np.any(np.diagonal(m2, axis1=-2, axis2=-1) < 0):
            raise ValueError("`m2` must have a diagonal of at least 0.")
        if np.any((np.asarray(n) < 2)[..., None, None] & (m2 != 0)):
            raise ValueError("`m2` must be 0 where `n` is below 2.")
        if np.any((np.asarray(n) == 0)[..., None] & (mean != 0)):
            raise ValueError("`mean` must be 0 where `n` is 0.")
        for name, value in (("n", n), ("mean", mean), ("m2", m2), ("names", names)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_sample(cls, values: object, names: Sequence[str], argument: str = "values") -> Self:
        """Statistics of the observations themselves: one row a unit, one column a variable.

        Refuses, by the name of the `argument`, values whose squares 64-bit numbers do not hold.
        """
        sample = _check.observations(argument, values, ndim=2)
        if sample.shape[0] == 0:
            return cls(0, np.zeros(sample.shape[1]), np.zeros((sample.shape[1],) * 2), tuple(names))
        mean, deviations = centre(argument, sample)
        products = deviations.T @ deviations
        return cls(int(sample.shape[0]), mean, (products + products.T) / 2, tuple(names))

    @classmethod
    def of_one(cls, moments: Moments, name: str) -> CoMoments:
        """Those of one variable of one group, whose moments have been checked."""
        found = object.__new__(CoMoments)
        values = (moments.n, np.array([moments.mean]), np.array([[moments.m2]]), (name,))
        for field, value in zip(("n", "mean", "m2", "names"), values, strict=True):
            object.__setattr__(found, field, value)
        return found

    def __add__(self, other: CoMoments) -> CoMoments:
        if not isinstance(other, CoMoments):
            return NotImplemented
        if other.names != self.names:
            raise ValueError(f"`other` must hold the variables {self.names}; got {other.names}.")
        same_shape(np.shape(self.n), other=other.n)
        n = np.asarray(self.n) + np.asarray(other.n)
        share = np.asarray(other.n / np.maximum(n, 1))[..., None]
        distance = other.mean - self.mean
        mean = np.where(np.asarray(self.n)[..., None] == 0, other.mean, self.mean + distance * share)
        weight = (np.asarray(self.n)[..., None] * share)[..., None]
        m2 = self.m2 + other.m2 + weight * (distance[..., :, None] * distance[..., None, :])
        return CoMoments(scalar(n), mean, m2, self.names)

    def moments(self, name: str) -> Moments:
        """The moments of one of the variables."""
        i = self.names.index(_check.choice("name", name, self.names))
        return Moments(self.n, scalar(self.mean[..., i]), scalar(self.m2[..., i, i]))

    @property
    def covariance(self) -> Float64Array:
        """Sample covariance matrix, m2 / (n - 1); nan where n is below 2."""
        n = np.asarray(self.n)[..., None, None]
        return np.where(n > 1, self.m2 / np.maximum(n - 1, 1), np.nan)
