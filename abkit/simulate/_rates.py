"""Shares and means over runs, with their Monte-Carlo errors."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._sets import Interval, binomial_interval

#: A rate is surely above a bound where a binomial of that bound reaches it less often than this.
SURE = 0.001


class Rate(float):
    """A share of runs: a number that knows how surely it is known.

    Parameters
    ----------
    count, runs : int
        How many of how many.

    Examples
    --------
    >>> import abkit as ab
    >>> rate = ab.simulate.Rate(24, 1_000)
    >>> rate < 0.025, f"{rate:.1%}", round(rate.stderr, 4)
    (True, '2.4%', 0.0048)
    >>> low, high = rate.interval(0.95)
    >>> round(low, 4), round(high, 4)
    (0.0154, 0.0355)
    """

    __slots__ = ("count", "runs")
    count: int
    runs: int

    def __new__(cls, count: int, runs: int) -> Self:
        self = super().__new__(cls, count / runs)
        self.count, self.runs = count, runs
        return self

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]  # of a copy, not of a float
        return self.count, self.runs

    @property
    def stderr(self) -> float:
        """Its Monte-Carlo standard error; 0 where the count is 0 or all, for which `interval` stands."""
        return math.sqrt(self * (1 - self) / self.runs)

    def interval(self, level: float = 0.95) -> Interval:
        """The exact binomial interval (Clopper and Pearson 1934, Biometrika 26)."""
        return binomial_interval(self.count, self.runs, _check.within("level", level, 0, 1))

    def surely_above(self, limit: float) -> bool:
        """Whether the lower end of the exact one-sided interval at 99.9% lies above a limit."""
        return self.interval(1 - 2 * SURE).low > limit

    def to_dict(self) -> dict[str, float | int]:
        """Plain values for JSON."""
        low, high = self.interval()
        shared = {"value": float(self), "stderr": self.stderr, "low": low, "high": high}
        return {"count": self.count, "runs": self.runs, **shared}


class Average(float):
    """A mean over runs: a number with its Monte-Carlo standard error.

    Parameters
    ----------
    value, stderr : float
        The mean, and its standard error.

    Examples
    --------
    >>> import abkit as ab
    >>> looks = ab.simulate.Average(3.5, 0.02)
    >>> looks / 20, looks.stderr
    (0.175, 0.02)
    """

    __slots__ = ("stderr",)
    stderr: float

    def __new__(cls, value: float, stderr: float) -> Self:
        self = super().__new__(cls, value)
        self.stderr = stderr
        return self

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]  # of a copy, not of a float
        return float(self), self.stderr

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {"value": float(self), "stderr": self.stderr}


def rate_of(which: npt.NDArray[np.bool_]) -> Rate:
    """The share of true values."""
    return Rate(int(np.count_nonzero(which)), len(which))


def average_of(values: npt.NDArray[np.float64] | npt.NDArray[np.intp]) -> Average:
    """The mean; of one value the error is 0."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Average(float(np.mean(values)), spread / math.sqrt(len(values)))
