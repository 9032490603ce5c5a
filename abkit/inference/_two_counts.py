"""Two binomial counts: what their score test and their hybrid score interval share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from abkit import _tails
from abkit.evidence import BaseEffect, ConfidenceSet, sided, tail_of
from abkit.inference._mean_effect import MeanEffect
from abkit.types import Alternative, RelativeMethod


@dataclass(frozen=True, slots=True)
class TwoCounts(BaseEffect):
    """Two counts and a test with a normal reference that knows how it is inverted upwards.

    The lower end of a set is the upper one of the swapped variants.
    """

    successes_control: int
    n_control: int
    successes_treatment: int
    n_treatment: int

    @property
    def control(self) -> float:
        """The control's proportion."""
        return self.successes_control / self.n_control

    @property
    def treatment(self) -> float:
        """The treatment's proportion."""
        return self.successes_treatment / self.n_treatment

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.gap(0.0)

    @property
    def stderr(self) -> float:
        """Standard error of the estimate, unpooled: for display; the test has one of its own for each null."""
        return self.unpooled.stderr

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    @property
    def unpooled(self) -> MeanEffect:
        """The same proportions with each its own variance (Wald)."""
        c, t = self.successes_control, self.successes_treatment
        var_c = c * (self.n_control - c) / self.n_control**3
        var_t = t * (self.n_treatment - t) / self.n_treatment**3
        return MeanEffect(self.control, self.treatment, var_c, var_t, 0.0, math.inf)

    @property
    def swapped(self) -> Self:
        """The treatment as the control."""
        return replace(
            self,
            successes_control=self.successes_treatment,
            n_control=self.n_treatment,
            successes_treatment=self.successes_control,
            n_treatment=self.n_control,
        )

    def gap(self, null: float, share: float = 0.0) -> float:
        """Treatment - (1 + share) control - null, rounded once: whole numbers lose nothing near an end of the range."""
        (a, b), (r, s) = null.as_integer_ratio(), share.as_integer_ratio()
        of_control = (r + s) * self.successes_control * self.n_treatment
        difference = s * self.successes_treatment * self.n_control - of_control
        both = s * self.n_control * self.n_treatment
        return (b * difference - a * both) / (b * both)

    @abstractmethod
    def upper(self, z: float) -> float:
        """The largest difference whose statistic is at least -z; z > 0."""

    @abstractmethod
    def upper_share(self, z: float) -> float:
        """The largest ratio, less one, whose statistic is at least -z; z > 0, and the control has successes."""

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Inversion of the test of the difference."""
        z = _tails.critical(tail_of(level, alternative), math.inf)
        return sided(self.end(-z), self.end(z), level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Inversion of the test of the ratio, less one; a named method uses the unpooled variances."""
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
            share = self.swapped.share_end(-z)
            return -share / (1 + share) if share < math.inf else -1.0
        if self.successes_control == 0:
            return math.inf
        return self.upper_share(z) if z > 0 else self.estimate / self.control

    def hybrid(self, z: float) -> float:
        """Newcombe's upper end of the difference."""
        return self.estimate + math.hypot(*self._reaches(z))

    def hybrid_share(self, z: float) -> float:
        """The upper end of the ratio, less one, that the same hybrid gives; the control has successes."""
        up, down = self._reaches(z)
        c, t = self.control, self.treatment
        rest = (c - down) * (c + down)
        return (t * c + math.sqrt((t * down) ** 2 + up * up * rest)) / rest - 1

    def _reaches(self, z: float) -> tuple[float, float]:
        """How far Wilson's upper limit lies above the treatment, and his lower one below the control."""
        failures = self.n_treatment - self.successes_treatment
        return wilson_reach(failures, self.n_treatment, z), wilson_reach(self.successes_control, self.n_control, z)


def wilson_reach(successes: int, n: int, z: float) -> float:
    """How far Wilson's lower limit lies below the proportion (Wilson 1927, JASA 22(158))."""
    lean = z * (n - 2 * successes) / (2 * n)
    variance = successes * (n - successes) / n
    root = math.sqrt(variance + z * z / 4)
    # two forms of one number: neither subtracts nearly equal terms
    return z * variance / (n * (root + lean)) if lean >= 0 else z * (root - lean) / (n + z * z)
