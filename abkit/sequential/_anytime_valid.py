"""Looks at any time, as many as one likes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from abkit import _check
from abkit.evidence import ASYMPTOTIC, BURN_IN, Effect, Sample
from abkit.sequential import _mixture
from abkit.sequential._design import Design
from abkit.sequential._guard import burn_in
from abkit.sequential._look import Look
from abkit.sequential._monitored import MonitoredEffect
from abkit.sequential._two_proportions import two_proportions_effect
from abkit.types import Guarantee


@dataclass(frozen=True, slots=True)
class AnytimeValid:
    """Looks at any time: with every hour or every row, planned or not.

    Parameters
    ----------
    alpha : float
        Probability of ever a false conclusion: with two sides the total, each direction having half of it; with one
        side each direction's own. Between 0 and 1; with one side below 0.5.
    tune_at : int
        The number of units, of a treatment and the control together, at which the intervals are narrowest. Any value
        is valid as long as it does not come from the same data; when ten times or a tenth of it was seen, the interval
        is 7% or 26% wider than it could be.
    sides : {2, 1}
        Whether `alpha` is shared by the two directions or held in each.

    Raises
    ------
    ValueError
        A field outside its domain.

    Notes
    -----
    Counts of a `Proportion` are compared exactly, at any allocation and however rare the event (`confidence_sequence`
    with two `Counts`). Everything else is asymptotic: estimate -+ multiplier x standard error, the
    multiplier that of the normal mixture [1]_ [2]_, which holds from a late enough start on. How late, depends on the
    smaller variant and on skewness: until then there is no interval, and the result says what is lacking.

    One-sided, the multiplier is that of the one-sided mixture [1]_, not the two-sided one at twice alpha.

    References
    ----------
    .. [1] Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49(2), eq. 14 and prop. 5.
    .. [2] Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of Statistics 52(6), theorem 2.2.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.AnytimeValid(alpha=0.05, tune_at=20_000)
    AnytimeValid(alpha=0.05, tune_at=20000, sides=2)
    """

    alpha: float = 0.05
    tune_at: int = 10_000
    sides: int = 2
    kind: ClassVar[str] = "anytime-valid"
    guarantee: ClassVar[Guarantee] = "anytime"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", _check.choice("sides", self.sides, (1, 2)))
        object.__setattr__(self, "alpha", _check.within("alpha", self.alpha, 0, 1 if self.sides == 2 else 0.5))
        object.__setattr__(self, "tune_at", _check.count("tune_at", self.tune_at, 1))

    @property
    def total(self) -> float:
        """Alpha of both directions together."""
        return self.alpha * (2 / self.sides)

    def look(self, number: int | Look | None, units: int) -> Look:
        """Any look will do."""
        if isinstance(number, Look):
            return number
        return Look(1 if number is None else number, (units,))

    def monitored(self, method: str, effect: Effect, sample: Sample, _look: Look) -> tuple[str, Effect]:
        """The exact answer of counts; else the effect against the mixture's bound, once the burn-in is over."""
        if sample.anytime is not None:
            return "mixture of bets", sample.anytime
        if sample.counts is not None:
            control, treatment = sample.counts
            return "likelihood-ratio mixture", two_proportions_effect(
                int(control.successes),
                int(control.n),
                int(treatment.successes),
                int(treatment.n),
                share=sample.share,
                tune_at=self.tune_at,
                sides=self.sides,
            )
        return f"{method}, normal mixture", MonitoredEffect(effect.normal(), self._bound(sample))

    def critical_values(self, tail: float, _look: Look, samples: Sequence[Sample]) -> tuple[float, ...]:
        """The normal deviate whose one-sided p-value is `tail`, at each look; infinite during the burn-in.

        Of the mixture: counts, which are compared exactly, have no such deviate.
        """
        return tuple(self._bound(sample).critical(tail) for sample in samples)

    def _bound(self, sample: Sample) -> MixtureBound | Waiting:
        wait = burn_in(sample.units, sample.smaller, sample.events, sample.skewness)
        return Waiting(wait) if wait else MixtureBound(self.at(sample.units), self.sides)

    def is_last(self, _look: Look) -> bool:
        """Never: there may always be another look."""
        return False

    def futility_bound(self, _look: Look) -> float | None:
        """None: nothing is given up."""
        return None

    def describe(self, _look: Look) -> str:
        """The monitor in words."""
        sides = f"{self.sides} side{'s' * (self.sides == 2)}"
        return f"any number of looks (alpha {self.alpha:g}, {sides}, narrowest at {self.tune_at:,} units)"

    def design(self, units: Sequence[float]) -> Design:
        """What these looks would give: the real type I error, power, and when it stops; see `Design`.

        Parameters
        ----------
        units : sequence of float
            Units of both variants at each look, rising. They are the design's information, so that an effect is the
            z that one unit gives on average: with equal variants of standard deviation s, difference / (2 s).

        Examples
        --------
        >>> import abkit as ab
        >>> daily = ab.AnytimeValid(alpha=0.05, tune_at=7000).design([1000.0 * day for day in range(1, 15)])
        >>> round(daily.alpha, 3), round(daily.power(0.1 / 2), 3)
        (0.012, 0.999)
        """
        return Design.from_bounds(
            units, [self.multiplier(n) for n in units], sides=self.sides, boundary="normal mixture"
        )

    def at(self, units: float) -> float:
        """How much has been seen, in units of the tuning constant."""
        return units / _mixture.tuning(self.tune_at, self.alpha, self.sides)

    def multiplier(self, units: float) -> float:
        """Half-width in standard errors of the interval at `units`, at the plan's alpha."""
        return MixtureBound(self.at(units), self.sides).critical(self.alpha / self.sides)


@dataclass(frozen=True, slots=True)
class MixtureBound:
    """The normal mixture at one look."""

    x: float
    sides: int
    validity: ClassVar[str] = ASYMPTOTIC
    reason: ClassVar[None] = None

    def tail(self, deviate: float) -> float:
        """One-sided p-value; of the two-sided mixture, half of its own, and 1 on the other side."""
        if self.sides == 1:
            return math.exp(min(0.0, -float(_mixture.log_evalue_greater(deviate, self.x))))
        return 0.5 * math.exp(min(0.0, -float(_mixture.log_evalue(deviate, self.x)))) if deviate > 0 else 1.0

    def critical(self, tail: float) -> float:
        """The deviate at which the mixture is 1 over the tail, or over both tails."""
        if self.sides == 1:
            return float(_mixture.multiplier_greater(self.x, tail)) if tail > 0 else math.inf
        if not tail > 0:
            return math.inf
        return float(_mixture.multiplier(self.x, 2 * tail)) if tail <= 0.5 else 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The burn-in: nothing is excluded yet."""

    reason: str
    validity: ClassVar[str] = BURN_IN

    def tail(self, deviate: float) -> float:  # noqa: ARG002
        """1: no deviate is evidence."""
        return 1.0

    def critical(self, tail: float) -> float:  # noqa: ARG002
        """Infinite."""
        return math.inf
