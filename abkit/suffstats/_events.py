"""How many events in how much exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats._base import LARGEST_COUNT, IntArray, Statistics, real_numbers, same_shape, scalar, whole_numbers


@dataclass(frozen=True, slots=True, eq=False)
class Events(Statistics):
    """Events and exposure: all that a test of Poisson rates needs.

    Parameters
    ----------
    events : int, or int array of any shape
        Number of events, at least 0.
    exposure : float, or float array of the same shape
        Time, requests, visits, ... in which they were counted; at least 0, and above 0 where there are events.

    Raises
    ------
    TypeError
        Events that are not whole numbers, or an exposure that would lose digits silently.
    ValueError
        Negative numbers, or events without exposure.

    Examples
    --------
    >>> from abkit import Events
    >>> Events(events=17, exposure=1200.5) + Events.from_sample([[2, 10.0], [0, 4.5]])
    Events(events=19, exposure=1215.0)
    """

    events: int | IntArray
    exposure: float | Float64Array
    kind: ClassVar[str] = "events"

    def __post_init__(self) -> None:
        events, exposure = whole_numbers("events", self.events), real_numbers("exposure", self.exposure)
        same_shape(np.shape(events), exposure=exposure)
        if np.any(np.asarray(exposure) < 0):
            raise ValueError(f"`exposure` must be at least 0; got {float(np.min(exposure)):g}.")
        if np.any((np.asarray(exposure) == 0) & (np.asarray(events) > 0)):
            raise ValueError("`exposure` must be above 0 where there are events.")
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "exposure", exposure)

    @classmethod
    def from_sample(cls, values: object) -> Self:
        """Add up rows of (events, exposure), or counts of an exposure of 1 each."""
        rows = count_rows("values", values)
        return cls(int(rows[:, 0].sum()), float(rows[:, 1].sum()))

    def __add__(self, other: Events) -> Events:
        if not isinstance(other, Events):
            return NotImplemented
        same_shape(np.shape(self.events), other=other.events)
        return Events(
            scalar(np.asarray(self.events) + np.asarray(other.events)),
            scalar(np.asarray(self.exposure) + np.asarray(other.exposure)),
        )


def count_rows(name: str, values: object) -> Float64Array:
    """Rows of whole numbers of events and of their exposure, which is 1 where it is not given."""
    rows = _check.sample(name, values, ndim=(1, 2))
    if rows.ndim == 1:
        rows = np.column_stack([rows, np.ones(len(rows))])
    if rows.shape[1] != 2:
        raise ValueError(f"`{name}` must have two columns, events and exposure; got {rows.shape[1]}.")
    strange = rows[:, 0][(rows[:, 0] < 0) | (rows[:, 0] != np.floor(rows[:, 0])) | (rows[:, 0] > LARGEST_COUNT)]
    if strange.size and strange[0] > LARGEST_COUNT:
        raise ValueError(f"`{name}` must have at most 2**53 events in a row; got {strange[0]:g}.")
    if strange.size:
        raise ValueError(f"`{name}` must have whole numbers of events, at least 0; got {strange[0]:g}.")
    if np.any(rows[:, 1] <= 0):
        raise ValueError(f"`{name}` must have an exposure above 0 in every row; got {rows[:, 1].min():g}.")
    return rows
