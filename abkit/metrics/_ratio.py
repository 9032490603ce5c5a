"""The ratio of two per-unit totals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit.evidence import Effect
from abkit.inference import Arm, few_for_delta, linear_effect, ratio_arm
from abkit.logs import Variable
from abkit.metrics._metric import Metric, checked_cap, require_units
from abkit.metrics._shifted import moved
from abkit.suffstats import CoMoments
from abkit.types import Cap


@dataclass(frozen=True)
class Ratio(Metric):
    """Total of one column over total of another, such as clicks per view, with units as clusters.

    Parameters
    ----------
    numerator, denominator : str
        The columns; where a unit has several rows they are added up. `ROWS` as the denominator counts rows: the
        mean of a row, with the standard error clustered by unit.
    cap, denominator_cap : Cap, optional
        Caps of the units' numerators and denominators, each found on the same units.
    role, direction, margin, mde, covariates, missing
        See `Metric`.

    Notes
    -----
    Tested by `ratio_test` (delta method); covariates adjust the linearised ratio.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Ratio("voted", ab.ROWS, role="success").denominator
    'ROWS'
    """

    numerator: str
    denominator: str
    cap: Cap | None = None
    denominator_cap: Cap | None = None
    kind: ClassVar[str] = "ratio"
    thirds: ClassVar[int] = 2

    def _check(self) -> None:
        _check.text("numerator", self.numerator)
        _check.text("denominator", self.denominator)
        if self.numerator == self.denominator:
            raise ValueError(f"`denominator` must differ from the numerator; got {self.numerator!r} twice.")
        checked_cap("cap", self.cap)
        checked_cap("denominator_cap", self.denominator_cap)

    def outcomes(self) -> tuple[Variable, ...]:
        """Numerator and denominator per unit."""
        return Variable(self.numerator, "sum", self.cap), Variable(self.denominator, "sum", self.denominator_cap)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of ratios by the delta method, adjusted where there are covariates."""
        require_units(control, treatment)
        for variant, moments in (("control", control), ("treatment", treatment)):
            if moments.mean[1] == 0:
                raise ValueError(f"the denominator `{self.denominator}` adds up to zero in the {variant}")
        method = "delta, covariate-adjusted" if self.covariates else "delta"
        return method, linear_effect(ratio_arm(control), ratio_arm(treatment))

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:
        """Of few units, or of a skewed estimate."""
        return few_for_delta(int(control.n), int(treatment.n)) or super().caution(control, treatment)

    def of(self, moments: CoMoments) -> float:
        """The ratio of the means; nan where the denominator's is zero."""
        return float(moments.mean[0]) / float(moments.mean[1]) if moments.mean[1] else math.nan

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every unit's numerator by so many of its denominators: the linearised ratio keeps its variance."""
        return moved(moments, float(moments.mean[0]) + size * float(moments.mean[1]), np.array([1.0, size]))

    def _arm(self, moments: CoMoments) -> Arm | None:
        return arm_of_ratio(moments)


def arm_of_ratio(moments: CoMoments) -> Arm | None:
    """A ratio as a linear value; None where there is nothing to divide by."""
    try:
        return ratio_arm(moments) if moments.mean[1] else None
    except ValueError:
        return None
