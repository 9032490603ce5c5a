"""Strata whose split between two variants differs: one effect over all of them, and none of what lies between them.

Means of strata that are added up raw are biased where the split and the level both change from one to the next
(Simpson 1951; Crook, Frasca, Kohavi and Longbotham 2009, KDD, sec. 4). So each stratum is compared within itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from abkit import _tails
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, Interval, WholeLine, tail_of
from abkit.evidence import BaseEffect, Effect
from abkit.inference._quantile_effect import QuantileEffect
from abkit.inference._two_counts import TwoCounts
from abkit.logs import ThirdMoments
from abkit.suffstats import CoMoments
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: How often the search for an end quadruples its reach.
REACHES = 30
#: How near to its critical value the deviate at the end of a set is.
DIGITS = 1e-8
#: The largest difference of two proportions that can be tested.
LARGEST_DIFFERENCE = 1 - 2.0**-53


def stage_weights(n_control: Sequence[float], n_treatment: Sequence[float]) -> Float64Array:
    """Shares of n_c n_t / (n_c + n_t): what each stratum knows of a common difference, whatever its outcomes."""
    c, t = np.asarray(n_control, dtype=np.float64), np.asarray(n_treatment, dtype=np.float64)
    known = c * t / (c + t)
    return np.asarray(known / known.sum())


def standardised(strata: Sequence[CoMoments], weights: Float64Array) -> CoMoments:
    """Statistics whose means are the strata's means with these weights, and whose means vary as those do.

    With weights w and strata of n units, the mean is sum w mean, its covariance sum w^2 C / n, its third cumulant
    sum w^3 m3 / n^3. `n` is one more than Satterthwaite's degrees of freedom of the first variable's mean, so that it
    is the number of units that a single sample would need to know its variance as well.
    """
    n = np.array([float(part.n) for part in strata])
    mean = weights @ np.stack([part.mean for part in strata])
    parts = [w * w / size * part.covariance for w, size, part in zip(weights, n, strata, strict=True)]
    units = _effective(np.array([part[0, 0] for part in parts]), n)
    m2 = sum(parts) * (units * (units - 1.0))
    both = CoMoments(units, mean, (m2 + m2.T) / 2, strata[0].names)
    if not all(isinstance(part, ThirdMoments) for part in strata):
        return both
    thirds = [part for part in strata if isinstance(part, ThirdMoments)]
    m3 = None
    if all(part.m3 is not None for part in thirds):
        with np.errstate(over="ignore", invalid="ignore"):
            m3 = sum((w * units / size) ** 3 * part.m3 for w, size, part in zip(weights, n, thirds, strict=True))
        m3 = m3 if np.all(np.isfinite(m3)) else None
    return ThirdMoments.of(both, m3, sum(part.nonzero for part in thirds))


def _effective(variances: Float64Array, n: Float64Array) -> int:
    """Units with as many degrees of freedom as a sum of independent variances (Satterthwaite 1946, eq. 17)."""
    largest = float(variances.max())
    if not largest > 0:
        return int(n.sum())
    parts = variances / largest
    return max(round(float(parts.sum() ** 2 / (parts * parts / (n - 1)).sum())) + 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class CombinedEffect(BaseEffect):
    """The same null in every stratum: the strata's normal deviates, weighted and added up (Stouffer et al. 1949).

    `weights` add up to 1 and are the strata's shares of what is known; their roots weigh the deviates, so that the sum
    is standard normal under the null, and what it adds from look to look is independent of what it had.
    """

    effects: tuple[Effect, ...]
    weights: tuple[float, ...]
    df = math.inf

    @property
    def control(self) -> float:
        """The strata's controls, weighted."""
        return math.fsum(w * effect.control for w, effect in self._parts)

    @property
    def treatment(self) -> float:
        """The strata's treatments, weighted."""
        return math.fsum(w * effect.treatment for w, effect in self._parts)

    @property
    def estimate(self) -> float:
        """The strata's differences, weighted."""
        return math.fsum(w * effect.estimate for w, effect in self._parts)

    @property
    def stderr(self) -> float:
        """That of the weighted difference, for display: the test has no need of one."""
        return math.hypot(*(w * effect.stderr for w, effect in self._parts))

    def statistic(self, null: Null) -> float:
        """The weighted sum of deviates; a stratum without one adds nothing."""
        found = [(w, _deviate(effect, null)) for w, effect in self._parts]
        if all(math.isnan(z) for _, z in found):
            return math.nan
        return math.fsum(math.sqrt(w) * z for w, z in found if not math.isnan(z))

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Common differences whose statistic is within its critical values."""
        low, high = (-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE) if self._of_counts else (-math.inf, math.inf)
        return self._set(level, alternative, lambda null: null, self.estimate, (low, high))

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same as shares of each stratum's own control; everything where that is not above zero."""
        if method is not None or not min(effect.control for effect in self.effects) > 0:
            return WholeLine(level)
        start = self.estimate / self.control
        low = -1.0 if self._of_counts else -math.inf
        return self._set(level, alternative, Relative, start, (low, math.inf))

    @property
    def _parts(self) -> tuple[tuple[float, Effect], ...]:
        return tuple(zip(self.weights, self.effects, strict=True))

    @property
    def _of_counts(self) -> bool:
        return any(isinstance(effect, TwoCounts) for effect in self.effects)

    def _set(
        self,
        level: float,
        alternative: Alternative,
        null_of: Callable[[float], Null],
        start: float,
        bounds: tuple[float, float],
    ) -> ConfidenceSet:
        critical = _tails.critical(tail_of(level, alternative), math.inf)
        scale = self.stderr / (self.control if null_of is Relative else 1.0)
        scale = scale if 0 < scale < math.inf else abs(start) or 1.0

        def end(way: int, bound: float) -> float:
            def rising(distance: float) -> float:
                return -way * self.statistic(null_of(start + way * distance)) - critical

            return start + way * _first(rising, scale, abs(bound - start))

        low = -math.inf if alternative == "less" else end(-1, bounds[0])
        high = math.inf if alternative == "greater" else end(1, bounds[1])
        return WholeLine(level) if (low, high) == (-math.inf, math.inf) else Interval(low, high, level)


def _first(rising: Callable[[float], float], scale: float, limit: float) -> float:
    """How far one must go until a rising function is zero; the limit where it never is."""
    low, high = 0.0, min(2 * scale, limit)
    at_low, at_high = rising(low), rising(high)
    for _ in range(REACHES):
        if at_high >= 0:
            return _zero(rising, (low, high), (at_low, at_high), 1e-9 * scale)
        if high >= limit:
            break
        (low, at_low), high = (high, at_high), min(4 * high, limit)
        at_high = rising(high)
    return limit


def _zero(
    rising: Callable[[float], float], ends: tuple[float, float], values: tuple[float, float], width: float
) -> float:
    """Chords between two points (Dowell and Jarratt 1971, BIT 11, "Illinois"), until the deviate has its digits.

    Of a quantile the function has steps at the values of the data; the bracket then closes on one of them.
    """
    (low, high), (at_low, at_high) = ends, values
    if at_low >= 0:
        return low
    while high - low > width:
        middle = high - at_high * (high - low) / (at_high - at_low) if math.isfinite(at_high - at_low) else math.nan
        middle = middle if low < middle < high else low + (high - low) / 2
        value = rising(middle)
        if abs(value) <= DIGITS:
            return middle
        if value > 0:
            high, at_high, at_low = middle, value, at_low / 2
        else:
            low, at_low, at_high = middle, value, at_high / 2
    return high


def _deviate(effect: Effect, null: Null) -> float:
    """How far an estimate lies above a null, as a normal deviate that is as often above as below.

    Of a quantile, a null that two values tie on, or one beyond what the data show, counts half for either side.
    """
    if not isinstance(effect, QuantileEffect):
        return effect.statistic(null)
    greater, less = effect.pvalue(null, "greater"), effect.pvalue(null, "less")
    smaller = min(greater, less)
    middle = max(smaller - max(greater + less - 1, 0.0) / 2, smaller / 2, 5e-324)
    return math.copysign(max(-float(ndtri(middle)), 0.0), less - greater)
