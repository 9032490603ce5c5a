"""The trend of a column over the days since exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from abkit import _check
from abkit.evidence import Effect
from abkit.inference import Arm, linear_effect, mean_arm
from abkit.logs import Variable
from abkit.metrics._metric import Metric, require_units
from abkit.metrics._shifted import moved
from abkit.suffstats import CoMoments
from abkit.types import ROWS


@dataclass(frozen=True)
class Trend(Metric):
    """How a unit's daily total changes per day since its exposure: whether an effect wears off or grows.

    Parameters
    ----------
    value : str
        The column; its rows of a unit and day are added up. `ROWS` counts them.
    day : str
        A column with the days since the unit's exposure: 0 up to below 1 is the first day. Rows before 0 and from
        `days` on do not count.
    days : int
        Over how many days, at least 2. Every unit must have been followed that long: leave out those exposed later,
        by the plan's `exposure` column.
    role, direction, margin, mde, covariates, missing
        See `Metric`. Often "quality" or "deterioration": a metric that watches another.

    Notes
    -----
    A unit's value is the least-squares slope of its daily totals, days without a row being zero; the metric is tested
    as a mean of these slopes, as in `novelty_test`.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Trend("revenue", day="days_since_exposure", days=7, role="deterioration").kind
    'trend'
    """

    value: str
    day: str
    days: int = 14
    kind: ClassVar[str] = "trend"
    thirds: ClassVar[int] = 1

    def _check(self) -> None:
        _check.text("value", self.value)
        _check.text("day", self.day)
        if self.day in (ROWS, self.value):
            raise ValueError(f"`day` must be a column of days since exposure; got {self.day!r}.")
        object.__setattr__(self, "days", _check.count("days", self.days, 2))

    def outcomes(self) -> tuple[Variable, ...]:
        """One slope per unit."""
        return (Variable(self.value, "sum", slope_over=(self.day, self.days)),)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of the means of the slopes, adjusted where there are covariates."""
        require_units(control, treatment)
        method = "novelty, covariate-adjusted" if self.covariates else "novelty"
        return method, linear_effect(mean_arm(control), mean_arm(treatment))

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every unit's slope by as much."""
        return moved(moments, float(moments.mean[0]) + size)

    def _arm(self, moments: CoMoments) -> Arm:
        return mean_arm(moments)

    def _events(self, moments: CoMoments) -> None:
        """A slope that is not zero is no event."""
