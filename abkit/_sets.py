"""Confidence sets: which values of a parameter a test does not reject."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from scipy.special import betaincinv

from abkit.types import Alternative


class Level(float):
    """A confidence level with its complement, which near 1 has more digits than 1 minus the level."""

    error: float

    def __new__(cls, error: float) -> Self:
        """The level 1 - error."""
        level = super().__new__(cls, 1 - error)
        level.error = error
        return level


@dataclass(frozen=True, slots=True)
class Interval:
    """All values from `low` to `high`; an end is infinite where the test has one side.

    Examples
    --------
    >>> from abkit import Interval
    >>> low, high = Interval(-0.1, 0.3, 0.95)
    >>> Interval(-0.1, 0.3, 0.95).contains(0)
    True
    """

    low: float
    high: float
    level: float

    shape = "bounded"

    def contains(self, value: float) -> bool:
        """Whether the test at 1 - level does not reject `value`."""
        return self.low <= value <= self.high

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))


def binomial_interval(count: int, runs: int, level: float) -> Interval:
    """The rates that the exact binomial test does not reject (Clopper and Pearson 1934, Biometrika 26)."""
    tail = (1 - level) / 2
    low = float(betaincinv(count, runs - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, runs - count, 1 - tail)) if count < runs else 1.0
    return Interval(low, high, level)


@dataclass(frozen=True, slots=True)
class HalfLines:
    """All values up to `below`, and all from `above`: everything but what lies between them.

    A relative effect has this set when the control's mean cannot be told from zero but the difference can.

    Examples
    --------
    >>> from abkit import HalfLines
    >>> HalfLines(-1.5, 0.2, 0.95).contains(0)
    False
    """

    below: float
    above: float
    level: float

    shape = "half-lines"

    def contains(self, value: float) -> bool:
        """Whether the test at 1 - level does not reject `value`."""
        return value <= self.below or value >= self.above


@dataclass(frozen=True, slots=True)
class WholeLine:
    """Every value: the data exclude nothing at this level.

    Examples
    --------
    >>> from abkit import WholeLine
    >>> WholeLine(0.95).contains(1e9)
    True
    """

    level: float

    shape = "whole-line"

    @property
    def low(self) -> float:
        """Minus infinity."""
        return -math.inf

    @property
    def high(self) -> float:
        """Infinity."""
        return math.inf

    def contains(self, value: float) -> bool:  # noqa: ARG002 - the face of a confidence set
        """Always true."""
        return True

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))


@dataclass(frozen=True, slots=True)
class NoInterval:
    """There is no such set: the test has no answer on this scale; `reason` says why.

    Examples
    --------
    >>> from abkit import mann_whitney_test
    >>> mann_whitney_test([1, 2, 3], [2, 3, 4]).relative(0.95).shape
    'none'
    """

    level: float
    reason: str

    shape = "none"

    def contains(self, value: float) -> bool:
        """Refused: a set that does not exist neither holds nor leaves out a value."""
        raise ValueError(f"there is no interval that could hold {value:g}: {self.reason}")


ConfidenceSet = Interval | HalfLines | WholeLine | NoInterval


def sided(low: float, high: float, level: float, alternative: Alternative) -> Interval:
    """The interval that belongs to an alternative: one end is infinite where there is one side."""
    return Interval(-math.inf if alternative == "less" else low, math.inf if alternative == "greater" else high, level)


def tail_of(level: float, alternative: Alternative) -> float:
    """The probability that is left out at each end of a confidence set that has one."""
    error = level.error if isinstance(level, Level) else 1 - level
    return error / 2 if alternative == "two-sided" else error


def finite_or_none(value: Any) -> Any:
    """None in place of a nan or an infinity: nothing else leaves the process."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def set_to_dict(region: ConfidenceSet) -> dict[str, Any]:
    """A confidence set as JSON; an infinite end is None."""
    if isinstance(region, HalfLines):
        below, above = finite_or_none(region.below), finite_or_none(region.above)
        return {"shape": region.shape, "below": below, "above": above, "level": region.level}
    if isinstance(region, NoInterval):
        return {"shape": region.shape, "reason": region.reason, "level": region.level}
    low, high = finite_or_none(region.low), finite_or_none(region.high)
    return {"shape": region.shape, "low": low, "high": high, "level": region.level}
