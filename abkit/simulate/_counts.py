"""The critical deviates of counts that are compared exactly: where the evidence of the expected counts suffices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

from abkit.sequential._two_proportions import TwoProportionsEffect
from abkit.types import Null

_FARTHEST = 60.0
_NONE = 1e-6
_PRICE = 20.0


@dataclass(frozen=True, slots=True)
class ExpectedCounts:
    """What two variants are expected to count at a look, at any deviate of their difference.

    Given the difference, the units' noise is shared between the variants in proportion to their variances.

    Parameters
    ----------
    n_control, n_treatment : float
        Units.
    rate : float
        The control's share of units with an outcome.
    moved : float
        The true deviate of the difference: its expected z.
    share : float
        The planned share of the treatment.
    tune_at : float
    sides : int
    """

    n_control: float
    n_treatment: float
    rate: float
    moved: float
    share: float
    tune_at: float
    sides: int

    def critical(self, tail: float, null: Null, at_null: float, way: float) -> float:
        """How many deviates above (`way` 1) or below (-1) a null, which is itself the deviate `at_null`, p is `tail`.

        Infinite where no counts have it.
        """
        if not self.n_control or not self.n_treatment or not tail > 0:
            return math.inf
        return _critical(self, tail, null, at_null, way)

    def log_evidence(self, null: Null, deviate: float, way: float) -> float:
        """Log of the evidence against a null of the counts with this deviate of their difference."""
        cells = zip(self._rates(deviate), (self.n_control, self.n_treatment), strict=True)
        (control, n_c), (treatment, n_t) = ((_successes(p, n), n) for p, n in cells)
        effect = TwoProportionsEffect(control, n_c, treatment, n_t, self.share, self.tune_at, self.sides)
        if self.sides == 2:
            return effect.log_evalue(null, "two-sided")
        return effect.log_evalue(null, "greater" if way > 0 else "less")

    def _rates(self, deviate: float) -> tuple[float, float]:
        """The shares of both variants at a deviate of their difference."""
        stderr = math.sqrt(self.rate * (1 - self.rate) * (1 / self.n_control + 1 / self.n_treatment))
        of_control = self.n_treatment / (self.n_control + self.n_treatment)
        control = self.rate - of_control * stderr * (deviate - self.moved)
        return control, control + stderr * deviate

    def farthest(self, at_null: float, way: float) -> float:
        """How many deviates from the null both shares are still between 0 and 1."""
        start, step = self._rates(at_null), self._rates(at_null + way)
        room = [_FARTHEST]
        for here, there in zip(start, step, strict=True):
            speed = there - here
            if speed:
                room.append(((1.0 if speed > 0 else 0.0) - here) / speed)
        return min(room)


@lru_cache(maxsize=1 << 14)
def _critical(counts: ExpectedCounts, tail: float, null: Null, at_null: float, way: float) -> float:
    from scipy.optimize import brentq

    goal = -math.log(2 * tail if counts.sides == 2 else tail)

    @cache
    def excess(deviate: float) -> float:
        return counts.log_evidence(null, at_null + way * deviate, way) - goal

    farthest = counts.farthest(at_null, way)
    # evidence is about half the square of the deviate, less what is paid for not knowing the effect
    low, high = math.sqrt(2 * goal), math.sqrt(2 * goal + _PRICE)
    if not high < farthest or not excess(high) > 0:
        high = farthest
        if not high > 0 or not excess(high) > 0:
            return math.inf
    if not low < high or not excess(low) < 0:
        low = 0.0
    return float(brentq(excess, low, high, xtol=1e-5)) if excess(low) < 0 else 0.0


def _successes(rate: float, n: float) -> float:
    """An expected number, none or all where rounding alone keeps it from them."""
    found = rate * n
    return 0.0 if found < _NONE else n if found > n - _NONE else found
