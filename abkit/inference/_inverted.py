"""A test with a normal reference that knows how it is inverted upwards; downwards, the variants change places."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Self

from abkit import _tails
from abkit._sets import ConfidenceSet, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.types import Alternative, RelativeMethod


class InvertedEffect(BaseEffect):
    """The confidence sets of a difference of proportions, and of their ratio, from their upper ends alone."""

    __slots__ = ()

    @property
    @abstractmethod
    def estimate(self) -> float:
        """Treatment minus control."""

    @property
    @abstractmethod
    def control(self) -> float:
        """The control's proportion."""

    @property
    @abstractmethod
    def unpooled(self) -> MeanEffect:
        """The same proportions with the variances at the estimates (Wald)."""

    @property
    @abstractmethod
    def swapped(self) -> Self:
        """The treatment as the control."""

    @abstractmethod
    def upper(self, z: float) -> float:
        """The largest difference whose statistic is at least -z; z > 0."""

    @abstractmethod
    def upper_share(self, z: float) -> float:
        """The largest ratio, less one, whose statistic is at least -z; z > 0, and the control has successes."""

    @property
    def stderr(self) -> float:
        """Standard error at the estimates: for display; the test has one of its own for each null."""
        return self.unpooled.stderr

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Inversion of the test of the difference."""
        z = _tails.critical(tail_of(level, alternative), math.inf)
        return sided(self.end(-z), self.end(z), level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Inversion of the test of the ratio, less one; a named method uses the variances at the estimates."""
        if method is not None:
            return self.unpooled.relative(level, alternative, method)
        z = _tails.critical(tail_of(level, alternative), math.inf)
        return sided(self.share_end(-z), self.share_end(z), level, alternative)

    def end(self, z: float) -> float:
        """The difference whose statistic is -z."""
        if z == 0:
            return self.estimate
        return self.upper(z) if z > 0 else -self.swapped.upper(-z)

    def share_end(self, z: float) -> float:
        """The ratio, less one, whose statistic is -z."""
        if z < 0:
            return _inverse(self.swapped.share_end(-z))
        if self.control == 0:
            return math.inf
        return self.upper_share(z) if z > 0 else self.estimate / self.control


def _inverse(share: float) -> float:
    """The share of the treatment that a share of the control is: 1 / (1 + share) - 1."""
    if share == math.inf:
        return -1.0
    return -share / (1 + share) if share > -1 else math.inf


def checked_difference(null: float) -> float:
    """A null that a difference of proportions can have."""
    if not -1 < null < 1:
        raise ValueError(f"`null` must be between -1 and 1; got {null:g}.")
    return null


def standardise(gap: float, variance: float) -> float:
    """Gap over its standard error; what has no variance is zero or infinitely far."""
    if variance > 0:
        return gap / math.sqrt(variance)
    return math.copysign(math.inf, gap) if gap else 0.0
