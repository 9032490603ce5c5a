"""A monitor's bound that also asks the placebo switches of the past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _tails
from abkit._check import Float64Array
from abkit.evidence import ONE_LOOK
from abkit.inference._interrupted import InterruptedSeries
from abkit.sequential import AnytimeValid, Monitor
from abkit.sequential._anytime_valid import MixtureBound
from abkit.sequential._monitored import Bound


@dataclass(frozen=True, slots=True)
class OneLook:
    """The normal distribution itself."""

    validity: ClassVar[str] = ONE_LOOK
    reason: ClassVar[None] = None

    def tail(self, deviate: float) -> float:
        """One-sided p-value."""
        return _tails.survival(deviate, math.inf)

    def critical(self, tail: float) -> float:
        """The deviate with this one-sided p-value."""
        return _tails.critical(tail, math.inf) if tail > 0 else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboBound:
    """The larger of a bound's p-value and of the share of placebo switches that reached the deviate by now.

    Where no placebo switch did, the bound's p-value stands: the share cannot be smaller than one in their number.
    `reached` are the largest deviates of the placebo switches, in order.
    """

    bound: Bound
    reached: Float64Array
    reason: ClassVar[None] = None

    @property
    def validity(self) -> str:
        """That of the bound."""
        return self.bound.validity

    def tail(self, deviate: float) -> float:
        """One-sided p-value."""
        return max(self.bound.tail(deviate), self._share(deviate))

    def critical(self, tail: float) -> float:
        """The deviate from which on the p-value is at most `tail`."""
        allowed = math.floor(tail * self.reached.size)
        if not self.reached.size or allowed >= self.reached.size:
            return self.bound.critical(tail)
        beyond = float(np.nextafter(self.reached[self.reached.size - allowed - 1], math.inf))
        return max(self.bound.critical(tail), beyond)

    def _share(self, deviate: float) -> float:
        if not self.reached.size:
            return 0.0
        return float(self.reached.size - np.searchsorted(self.reached, deviate, side="left")) / self.reached.size


def placebo_bound(monitor: Monitor, series: InterruptedSeries) -> tuple[str, PlaceboBound]:
    """The name and the bound of a plan's monitor at the last bucket of a series."""
    up, down = (np.sort(maxima[:, -1]) for maxima in series.placebos)
    reached = np.maximum(up, down)
    if isinstance(monitor, AnytimeValid):
        clock = float(series.clock(monitor.tune_at)[-1])
        return "normal mixture", PlaceboBound(MixtureBound(monitor.at(clock), monitor.sides), reached)
    return "one look", PlaceboBound(OneLook(), reached)
