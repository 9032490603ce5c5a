"""How many units, and how many of them succeeded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from abkit import _check
from abkit.suffstats._base import IntArray, Statistics, same_shape, scalar, whole_numbers
from abkit.suffstats._moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Counts(Statistics):
    """Units and successes: all that a test of proportions needs.

    Parameters
    ----------
    n : int, or int array of any shape
        Number of units, at least 0.
    successes : int, or int array of the same shape
        Units with the outcome, from 0 to n.

    Raises
    ------
    TypeError
        Numbers that are not whole.
    ValueError
        Negative numbers, or more successes than units.

    Examples
    --------
    >>> from abkit import Counts
    >>> Counts(n=200, successes=17) + Counts.from_sample([0, 1, 1, 0])
    Counts(n=204, successes=19)
    """

    n: int | IntArray
    successes: int | IntArray
    kind: ClassVar[str] = "counts"

    def __post_init__(self) -> None:
        n, successes = whole_numbers("n", self.n), whole_numbers("successes", self.successes)
        same_shape(np.shape(n), successes=successes)
        if np.any(np.asarray(successes) > np.asarray(n)):
            raise ValueError(f"`successes` must be at most `n`; got {_check.show(successes)} of {_check.show(n)}.")
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "successes", successes)

    @classmethod
    def from_sample(cls, values: object, argument: str = "values") -> Self:
        """Count the ones among zeros and ones; anything else is refused by the name of the `argument`."""
        sample = _check.sample(argument, values)
        other = sample[(sample != 0) & (sample != 1)]
        if other.size:
            raise ValueError(f"`{argument}` must be 0 or 1; got {other[0]:g}.")
        return cls(int(sample.size), int(sample.sum()))

    def __add__(self, other: Counts) -> Counts:
        if not isinstance(other, Counts):
            return NotImplemented
        same_shape(np.shape(self.n), other=other.n)
        return Counts(
            scalar(np.asarray(self.n) + np.asarray(other.n)),
            scalar(np.asarray(self.successes) + np.asarray(other.successes)),
        )

    def moments(self) -> Moments:
        """The same units as zeros and ones: mean p and m2 = n p (1 - p)."""
        n, k = np.asarray(self.n), np.asarray(self.successes)
        share = k / np.maximum(n, 1)
        return Moments(self.n, scalar(share), scalar((n - k) * share))
