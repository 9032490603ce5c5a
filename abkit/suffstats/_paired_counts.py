"""How many pairs succeeded on both sides, on one, and on none."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit.suffstats._base import IntArray, Statistics, same_shape, scalar, whole_numbers
from abkit.suffstats._counts import Counts


@dataclass(frozen=True, slots=True, eq=False)
class PairedCounts(Statistics):
    """Pairs by the outcome of their control and their treatment: all that a test of paired proportions needs.

    Parameters
    ----------
    both : int, or int array of any shape
        Pairs whose control and treatment both succeeded.
    control_only, treatment_only : int, or int array of the same shape
        Discordant pairs: only the one side succeeded.
    neither : int, or int array of the same shape
        Pairs without a success.

    Raises
    ------
    TypeError
        Numbers that are not whole.
    ValueError
        Negative numbers, or shapes that differ.

    Examples
    --------
    >>> from abkit import PairedCounts
    >>> PairedCounts(both=80, control_only=7, treatment_only=12, neither=1) + PairedCounts.from_sample([0, 1], [1, 1])
    PairedCounts(both=81, control_only=7, treatment_only=13, neither=1)
    """

    both: int | IntArray
    control_only: int | IntArray
    treatment_only: int | IntArray
    neither: int | IntArray
    kind: ClassVar[str] = "paired_counts"

    def __post_init__(self) -> None:
        cells = {field.name: whole_numbers(field.name, getattr(self, field.name)) for field in fields(self)}
        same_shape(np.shape(cells["both"]), **cells)
        for name, value in cells.items():
            object.__setattr__(self, name, value)
        whole_numbers("n", self.n)

    @classmethod
    def from_sample(cls, control: object, treatment: object) -> Self:
        """Count pairs of zeros and ones; the values at one place are a pair."""
        c, t = _binary("control", control), _binary("treatment", treatment)
        if c.size != t.size:
            raise ValueError(f"`treatment` must be as long as `control`; got {t.size} and {c.size}.")
        both = int(np.count_nonzero(c & t))
        only_c, only_t = int(np.count_nonzero(c)) - both, int(np.count_nonzero(t)) - both
        return cls(both, only_c, only_t, int(c.size) - both - only_c - only_t)

    def __add__(self, other: PairedCounts) -> PairedCounts:
        if not isinstance(other, PairedCounts):
            return NotImplemented
        same_shape(np.shape(self.both), other=other.both)
        return PairedCounts(
            *(
                scalar(np.asarray(getattr(self, field.name)) + np.asarray(getattr(other, field.name)))
                for field in fields(self)
            )
        )

    @property
    def n(self) -> int | IntArray:
        """Number of pairs."""
        return self.both + self.control_only + self.treatment_only + self.neither

    @property
    def control(self) -> Counts:
        """The controls alone."""
        return Counts(self.n, self.both + self.control_only)

    @property
    def treatment(self) -> Counts:
        """The treatments alone."""
        return Counts(self.n, self.both + self.treatment_only)


@dataclass(frozen=True, slots=True)
class PairCells:
    """One table of pairs by outcome, and what every effect on it estimates: the difference of the two shares."""

    both: int
    control_only: int
    treatment_only: int
    neither: int

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.both + self.control_only + self.treatment_only + self.neither

    @property
    def control(self) -> float:
        """The control's share."""
        return (self.both + self.control_only) / self.n

    @property
    def treatment(self) -> float:
        """The treatment's share."""
        return (self.both + self.treatment_only) / self.n

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return (self.treatment_only - self.control_only) / self.n

    @property
    def stderr(self) -> float:
        """Standard error at the observed shares: for display, since tests have one of their own for each null."""
        discordant, gap = self.control_only + self.treatment_only, self.treatment_only - self.control_only
        return math.sqrt((self.n * discordant - gap * gap) / self.n**3)

    @property
    def swapped(self) -> Self:
        """The treatment as the control."""
        return replace(self, control_only=self.treatment_only, treatment_only=self.control_only)


def _binary(name: str, values: object) -> npt.NDArray[np.bool_]:
    sample = _check.sample(name, values)
    ones: npt.NDArray[np.bool_] = sample == 1
    other = sample[~ones & (sample != 0)]
    if other.size:
        raise ValueError(f"`{name}` must be 0 or 1; got {other[0]:g}.")
    return ones
