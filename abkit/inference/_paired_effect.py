"""The score test of two proportions of the same pairs, for their difference and for their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit._roots import crossing
from abkit.inference._inverted import InvertedEffect, checked_difference, standardise
from abkit.inference._mean_effect import MeanEffect
from abkit.suffstats._paired_counts import PairCells
from abkit.types import Null, Relative


@dataclass(frozen=True, slots=True)
class PairedScoreEffect(PairCells, InvertedEffect):
    """Pairs by outcome; the variance of each statistic is the maximum-likelihood one under the null that it tests."""

    @property
    def unpooled(self) -> MeanEffect:
        """The same proportions with the variances at the estimates (Wald)."""
        n, c, t = self.n, self.both + self.control_only, self.both + self.treatment_only
        var_c, var_t = c * (n - c) / n**3, t * (n - t) / n**3
        return MeanEffect(c / n, t / n, var_c, var_t, (self.both * n - c * t) / n**3, math.inf)

    def statistic(self, null: Null) -> float:
        """The score statistic of a difference, or of a ratio where the null is relative."""
        if not isinstance(null, Relative):
            return standardise(self.gap(checked_difference(null)), self.variance(null))
        if null.value <= -1:  # below 0 a ratio is impossible
            return math.inf if null.value < -1 or self.treatment else 0.0
        return standardise(self.gap(0.0, null.value), self.share_variance(null.value))

    def gap(self, null: float, share: float = 0.0) -> float:
        """Treatment - (1 + share) control - null, rounded once."""
        (a, b), (r, s) = null.as_integer_ratio(), share.as_integer_ratio()
        difference = s * (self.treatment_only - self.control_only) - r * (self.both + self.control_only)
        return (b * difference - a * s * self.n) / (b * s * self.n)

    def upper(self, z: float) -> float:
        """Inversion of the test of the difference."""
        if self.estimate == 1:
            return 1.0

        def beyond(null: float) -> float:
            return -self.gap(null) - z * math.sqrt(self.variance(null))

        reach = z * math.sqrt(self.control_only + self.treatment_only + 1) / self.n
        return crossing(beyond, self.estimate, 1.0, self.estimate + min(reach, (1 - self.estimate) / 2), 1.0)

    def upper_share(self, z: float) -> float:
        """Inversion of the test of the ratio."""

        def beyond(share: float) -> float:
            return -self.gap(0.0, share) - z * math.sqrt(self.share_variance(share))

        lowest, c, t = self.estimate / self.control, self.both + self.control_only, self.both + self.treatment_only
        reach = z * math.sqrt((self.control_only + self.treatment_only + 1) / (c * (t + 0.5)))
        return crossing(beyond, lowest, math.inf, lowest + (t + 0.5) / c * math.expm1(reach), self.control)

    def variance(self, null: float) -> float:
        """Variance of the difference under the null."""
        if null < 0:
            return self.swapped.variance(-null)
        if null >= 1:
            return 0.0
        # the share of control-only pairs is the positive root of 2 n p^2 - b p - control_only null (1 - null):
        # Tango 1998, Statistics in Medicine 17(8), eq. 4
        b = (self.control_only + self.treatment_only) * (1 - null) - 2 * null * (self.n - self.treatment_only)
        only = _positive_root(2 * self.n, b, self.control_only * null * (1 - null))
        return (2 * only + null * (1 - null)) / self.n

    def share_variance(self, share: float) -> float:
        """Variance of treatment - (1 + share) control under the null that it is zero."""
        ratio = 1 + share
        if share < 0:
            return ratio * ratio * self.swapped.share_variance(-share / ratio) if ratio > 0 else 0.0
        # the share of pairs without a success stays as observed; that of control-only pairs is the positive root of
        # (1 + ratio) n p^2 - b p - control_only share some: Nam and Blackwelder 2002, Statistics in Medicine 21(5)
        some = (self.n - self.neither) / self.n
        b = self.control_only + self.treatment_only - (1 + ratio) * share * (self.both + self.control_only)
        only = _positive_root((1 + ratio) * self.n, b, self.control_only * share * some)
        return (share * some + (1 + ratio) * only) / self.n


def _positive_root(a: float, b: float, c: float) -> float:
    """The root of a x^2 - b x - c that is not negative, without cancellation; a > 0, c >= 0."""
    root = math.sqrt(b * b + 4 * a * c)
    if b >= 0:
        return (b + root) / (2 * a)
    return 2 * c / (root - b)
