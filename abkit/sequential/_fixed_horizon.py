"""One look, at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from abkit import _check, _tails
from abkit.errors import PlanError
from abkit.evidence import Effect, Sample
from abkit.sequential._design import Design
from abkit.sequential._look import Look
from abkit.types import Guarantee


@dataclass(frozen=True, slots=True)
class FixedHorizon:
    """One look, at the end.

    Parameters
    ----------
    alpha : float
        Total error of the two-sided tests, between 0 and 1; each direction has half of it.

    Raises
    ------
    ValueError
        `alpha` is not between 0 and 1.

    Notes
    -----
    Looking again as data come in, and stopping when a result appears, makes false conclusions several times as
    frequent as `alpha` says. A second look is therefore refused; `Experiment.trajectory` shows it, and says that its
    bands are right at one look only.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.FixedHorizon(alpha=0.01)
    FixedHorizon(alpha=0.01)
    """

    alpha: float = 0.05
    kind: ClassVar[str] = "fixed-horizon"
    sides: ClassVar[int] = 2
    guarantee: ClassVar[Guarantee] = "fixed horizon"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _check.within("alpha", self.alpha, 0, 1))

    @property
    def total(self) -> float:
        """Alpha of both directions together."""
        return self.alpha

    def look(self, number: int | Look | None, units: int) -> Look:
        """The only look; another is refused, unless it is one of many that are shown beside each other."""
        if isinstance(number, Look):
            return number
        if number not in (None, 1):
            raise PlanError(
                f"`look` must be 1 for a fixed horizon; got {number}. A plan with looks names a monitor: "
                "GroupSequential(looks=...) for a schedule, AnytimeValid() for looks at any time."
            )
        return Look(1, (units,))

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
        >>> peeking = ab.FixedHorizon(0.05).design([1000.0 * day for day in range(1, 15)])
        >>> round(peeking.alpha, 2)
        0.22
        """
        return Design.from_bounds(units, [_tails.critical(self.alpha / 2, math.inf)] * len(units), boundary="fixed")

    def is_last(self, _look: Look) -> bool:
        """Always."""
        return True

    def futility_bound(self, _look: Look) -> float | None:
        """None: nothing is given up."""
        return None

    def describe(self, _look: Look) -> str:
        """Nothing: one look is what people expect."""
        return ""

    def monitored(self, method: str, effect: Effect, _sample: object, _look: Look) -> tuple[str, Effect]:
        """The effect itself."""
        return method, effect

    def critical_values(self, tail: float, _look: Look, samples: Sequence[Sample]) -> tuple[float, ...]:
        """The normal deviate whose one-sided p-value is `tail`: every look is taken for the only one."""
        return (_tails.critical(tail, math.inf),) * len(samples)
