"""An effect as it counts at a look: its normal deviate, held against the bound of a monitor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from scipy.special import ndtri

from abkit import _tails
from abkit._sets import ConfidenceSet, Level, NoInterval, WholeLine, tail_of
from abkit.evidence import BaseEffect, Effect
from abkit.types import Alternative, Null, RelativeMethod


class Bound(Protocol):
    """What a look asks of a normal deviate: one side of a monitor."""

    @property
    def validity(self) -> str:
        """When the error rate holds."""

    @property
    def reason(self) -> str | None:
        """Why nothing is excluded yet, where that is so."""

    def tail(self, deviate: float) -> float:
        """One-sided p-value of a deviate towards the alternative; at most 1, and falling."""

    def critical(self, tail: float) -> float:
        """The deviate whose one-sided p-value is `tail`."""


@dataclass(frozen=True, slots=True)
class MonitoredEffect(BaseEffect):
    """An effect whose p-values and sets are those of a monitor's bound at one look.

    Any effect will do, since it is only asked for its one-sided p-values, as normal deviates, and for its sets at the
    level at which a fixed test has the bound as its critical value (Jennison and Turnbull 2000, sec. 3.3 and 4.4).
    """

    effect: Effect
    bound: Bound

    @property
    def estimate(self) -> float:
        """The effect's own estimate."""
        return self.effect.estimate

    @property
    def stderr(self) -> float:
        """The effect's own standard error."""
        return self.effect.stderr

    @property
    def df(self) -> float:
        """Infinite: the reference is normal."""
        return math.inf

    @property
    def control(self) -> float:
        """The control's value."""
        return self.effect.control

    @property
    def treatment(self) -> float:
        """The treatment's value."""
        return self.effect.treatment

    @property
    def scale(self) -> str:  # type: ignore[override]
        """The effect's own scale."""
        return self.effect.scale

    @property
    def undefined(self) -> str:  # type: ignore[override]
        """Why the effect's statistic is undefined, where it is."""
        return self.effect.undefined

    @property
    def validity(self) -> str:  # type: ignore[override]
        """When the error rate holds."""
        return self.bound.validity

    @property
    def caution(self) -> str | None:  # type: ignore[override]
        """Why nothing is excluded yet, where that is so."""
        return self.bound.reason

    def statistic(self, null: Null) -> float:
        """The effect's own statistic."""
        return self.effect.statistic(null)

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """p-value of the bound; two-sided, twice the smaller one."""
        up, down = self._deviates(null)
        if alternative == "two-sided":
            return min(1.0, 2 * self.bound.tail(max(up, down)))
        return self.bound.tail(up if alternative == "greater" else down)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences whose p-value is at least 1 - level."""
        return self._set(level, alternative, lambda fixed: self.effect.interval(fixed, alternative))

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """The same as shares of the control's value."""
        return self._set(level, alternative, lambda fixed: self.effect.relative(fixed, alternative, method))

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """The same as odds ratios."""
        return self._set(level, alternative, lambda fixed: self.effect.odds_ratio(fixed, alternative))

    def _set(self, level: float, alternative: Alternative, fixed: Callable[[float], ConfidenceSet]) -> ConfidenceSet:
        error = _tails.survival(self.bound.critical(tail_of(level, alternative)), math.inf)
        if not 0 < error < 1:  # no deviate is beyond the bound
            at_any = fixed(0.5)
            return replace(at_any, level=level) if isinstance(at_any, NoInterval) else WholeLine(level)
        return replace(fixed(Level(2 * error if alternative == "two-sided" else error)), level=level)

    def _deviates(self, null: Null) -> tuple[float, float]:
        """How far the data lie above the null, and how far below it, as normal deviates."""
        if type(self.effect).pvalue is BaseEffect.pvalue and math.isinf(self.effect.df):
            z = self.effect.statistic(null)
            return z, -z
        greater, less = (self.effect.pvalue(null, side) for side in ("greater", "less"))
        return -float(ndtri(greater)), -float(ndtri(less))
