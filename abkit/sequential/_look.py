"""Which look at the data this is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from abkit import _check


@dataclass(frozen=True, slots=True)
class Look:
    """Which look this is, and how many units all variants together had at it, and at the earlier ones where known.

    Parameters
    ----------
    number : int
        From 1.
    units : tuple of int
        At each look so far, or at this one only; rising.
    last : bool, optional
        Whether no other look follows. By default what the plan says of this number.

    Examples
    --------
    >>> from abkit import Look
    >>> Look(2, (1000, 2500)).number
    2
    """

    number: int = 1
    units: tuple[int, ...] = ()
    last: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", _check.count("look", self.number, 1))
        units = tuple(_check.count("units", n) for n in self.units)
        if len(units) not in (0, 1, self.number):
            raise ValueError(f"`units` must have one number, or one for each of {self.number} looks; got {len(units)}.")
        if any(late < early for early, late in pairwise(units)):
            raise ValueError(f"`units` must not fall from look to look; got {units}.")
        object.__setattr__(self, "units", units)
