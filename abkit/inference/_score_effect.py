"""Score tests of two proportions, for their difference, their ratio and their odds ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit import _tails
from abkit._roots import crossing
from abkit._sets import Interval, tail_of
from abkit.inference._inverted import checked_difference, standardise
from abkit.inference._two_counts import TwoCounts
from abkit.types import Alternative, Null, Relative


@dataclass(frozen=True, slots=True)
class ScoreEffect(TwoCounts):
    """Two counts; the variance of each statistic is the maximum-likelihood one under the null that it tests.

    `inflation` multiplies that variance: 1, or N / (N - 1) after Miettinen and Nurminen.
    """

    inflation: float = 1.0

    def statistic(self, null: Null) -> float:
        """The score statistic of a difference, or of a ratio where the null is relative."""
        if isinstance(null, Relative):
            return self._share_statistic(null.value)
        return standardise(self.gap(checked_difference(null)), self.variance(null))

    def upper(self, z: float) -> float:
        """Inversion of the test of the difference."""
        if self.estimate == 1:
            return 1.0

        def beyond(null: float) -> float:
            return -self.gap(null) - z * math.sqrt(self.variance(null))

        return crossing(beyond, self.estimate, 1.0, self.hybrid(z), 1.0)

    def upper_share(self, z: float) -> float:
        """Inversion of the test of the ratio."""

        def beyond(share: float) -> float:
            return -self.gap(0.0, share) - z * math.sqrt(self.share_variance(share))

        return crossing(beyond, self.estimate / self.control, math.inf, self.hybrid_share(z), self.control)

    def odds_ratio(self, level: float, alternative: Alternative) -> Interval:
        """Inversion of the score test of the odds ratio (Cornfield, without continuity correction)."""
        z = _tails.critical(tail_of(level, alternative), math.inf)
        low = 0.0 if alternative == "less" else self.odds_end(-z)
        return Interval(low, math.inf if alternative == "greater" else self.odds_end(z), level)

    def variance(self, null: float) -> float:
        """Variance of the difference under the null."""
        if null < 0:
            return self.swapped.variance(-null)
        return self.inflation * restricted_variance(
            (self.successes_control, self.n_control), (self.successes_treatment, self.n_treatment), null
        )

    def _share_statistic(self, share: float) -> float:
        if share <= -1:  # below 0 a ratio is impossible
            return math.inf if share < -1 or self.successes_treatment else 0.0
        return standardise(self.gap(0.0, share), self.share_variance(share))

    def share_variance(self, share: float) -> float:
        """Variance of treatment - (1 + share) control under the null that it is zero."""
        ratio = 1 + share
        if share < 0:
            return ratio * ratio * self.swapped.share_variance(-share / ratio) if ratio > 0 else 0.0
        successes, n = self.successes_control + self.successes_treatment, self.n_control + self.n_treatment
        failures_t = self.n_treatment - self.successes_treatment
        # the treatment's failing share x is the positive root of n x^2 - b x - failures_t share:
        # Koopman 1984, Biometrics 40(2), eq. 2, in the failures, so that rates near 1 keep their digits
        b = n - successes - share * (successes + failures_t)
        root = math.sqrt(b * b + 4 * n * failures_t * share)
        x = (b + root) / (2 * n) if b >= 0 else 2 * failures_t * share / (root - b)
        success = 2 * successes * ratio / (2 * n - b + root)
        return self.inflation * success * (x / self.n_treatment + (x + share) / self.n_control)

    def odds_end(self, z: float) -> float:
        """The odds ratio whose statistic is -z."""
        if z < 0:
            end = self.swapped.odds_end(-z)
            return 1 / end if end else math.inf
        c, t = self.successes_control, self.successes_treatment
        failures_c, failures_t = self.n_control - c, self.n_treatment - t
        most = min(c, failures_t)
        if most == 0:
            return math.inf

        def variance(moved: float) -> float:
            cells = (t + moved, c - moved, failures_t - moved, failures_c + moved)
            return self.inflation / sum(1 / cell for cell in cells) if min(cells) > 0 else 0.0

        def beyond(moved: float) -> float:
            return moved - z * math.sqrt(variance(moved))

        # expected counts of both margins, `moved` units from the observed ones, stand for an odds ratio each
        guess = min(z * math.sqrt(variance(most / 2)), 0.75 * most)
        moved = crossing(beyond, 0.0, most, guess, 1.0) if z else 0.0
        return (t + moved) * (failures_c + moved) / ((c - moved) * (failures_t - moved))


def restricted_variance(control: tuple[float, int], treatment: tuple[float, int], null: float) -> float:
    """Variance of the difference at the maximum of the likelihood with the treatment `null` >= 0 above the control.

    Both counts are (successes, n).
    """
    if null >= 1:
        return 0.0
    (c, n_c), (t, n_t) = control, treatment
    if null == 0:
        return (c + t) * (n_c + n_t - c - t) / ((n_c + n_t) * n_c * n_t)
    room = 1 - null
    half = room / 2
    if c + t * half / (half + null) > (n_c - c) * half / (1 - half) + n_t - t:
        # the maximum is in the upper half: count failures, so that the smaller number is the one that is found
        (c, n_c), (t, n_t) = (n_t - t, n_t), (n_c - c, n_c)
    p = _restricted_control(c, n_c - c, t, n_t - t, null, room)
    return p * (1 - p) / n_c + (p + null) * (room - p) / n_t


def _restricted_control(c: float, failures_c: float, t: float, failures_t: float, null: float, room: float) -> float:
    """Where c/p + t/(p + null) = failures_c/(1 - p) + failures_t/(room - p) in the lower half of (0, room)."""
    if c == 0 and t * room <= null * (failures_c * room + failures_t):
        return 0.0
    low, high = 0.0, room / 2
    slope = failures_c + failures_t / room  # of the right side, held fixed for the first guess
    b = c + t - slope * null
    root = math.sqrt(b * b + 4 * slope * c * null)
    p = min((b + root) / (2 * slope) if b >= 0 else 2 * c * null / (root - b), high) if slope else high
    while True:  # Newton on the reciprocals of both sides, which are nearly straight
        left, rise = _harmonic(c, p, t, p + null)
        right, fall = _harmonic(failures_c, 1 - p, failures_t, room - p)
        low, high = (p, high) if left < right else (low, p)
        following = p - (left - right) / (rise + fall)
        if not low < following < high:
            following = low + (high - low) / 2
        if abs(following - p) <= 4e-16 * p or not low < following < high:
            return following
        p = following


def _harmonic(a: float, x: float, b: float, y: float) -> tuple[float, float]:
    """1 / (a/x + b/y), and its derivative where x and y move together."""
    if a == 0:
        return y / b, 1 / b
    weight = a * y + b * x
    return x * y / weight, (a * y * y + b * x * x) / (weight * weight)
