"""Events per unit, and per unit of exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit.evidence import Effect
from abkit.inference import Arm, few_for_delta, quasi_effect
from abkit.logs import Variable
from abkit.metrics._mean import Mean
from abkit.metrics._metric import Metric, checked_cap, require_units
from abkit.metrics._ratio import arm_of_ratio
from abkit.metrics._shifted import squares_of_counts, stretched
from abkit.suffstats import CoMoments
from abkit.types import ROWS, Cap

ROUNDING = 1e-12


@dataclass(frozen=True)
class Count(Mean):
    """Events per unit, such as orders per user: the mean of a whole number that is never negative.

    Parameters
    ----------
    value : str
        The column of counts; where a unit has several rows they are added up. `ROWS` counts the rows themselves.
    cap : Cap, optional
        Units above the threshold count as the threshold.
    role, direction, margin, mde, covariates, missing
        See `Metric`.

    Notes
    -----
    The numbers are those of `Mean`, which for counts is quasi-Poisson regression, each variant with its own dispersion
    (`rate_test`, method "quasi"): it holds however unevenly the events fall on the units. Besides, a count refuses
    what shows in the sums of a variant that is not one: a negative mean, a total that is not whole, or squares that
    add up to less than the values do.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Count("orders", margin=ab.relative(0.02)).kind
    'count'
    """

    kind: ClassVar[str] = "count"

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of the events per unit, adjusted where there are covariates."""
        return _method(self), super().effect(control, treatment)[1]

    def check_values(self, control: CoMoments, treatment: CoMoments) -> None:
        """Refuse sums that counts do not have."""
        _require_counts(self.value, self.cap, control, treatment)

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every unit's rate of events by the same factor, with the variance of counts about these rates."""
        mean = float(moments.mean[0])
        new = _checked_mean(mean, mean + size)
        return stretched(moments, new, squares_of_counts(float(moments.m2[0, 0]), int(moments.n), mean, new))


@dataclass(frozen=True)
class Rate(Metric):
    """Events per unit of exposure, such as errors per hour of use: total over total, with units as clusters.

    Parameters
    ----------
    value : str
        The column of counts; where a unit has several rows they are added up.
    exposure : str
        The column of what the events are counted in, never negative, added up likewise. `ROWS` counts rows.
    cap : Cap, optional
        Units with more events than the threshold count as the threshold.
    role, direction, margin, mde, covariates, missing
        See `Metric`.

    Notes
    -----
    Tested by `rate_test` with the method "quasi", whose numbers are those of `Ratio`: it holds however unevenly the
    events fall on the units. Besides, the events are refused as those of `Count` are, and an exposure that adds up to
    zero or less. Where the treatment changes the exposure, the rate is another question than events per unit.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Rate("errors", "hours", role="guardrail", direction="decrease", margin=ab.relative(0.05)).exposure
    'hours'
    """

    value: str
    exposure: str
    cap: Cap | None = None
    kind: ClassVar[str] = "rate"
    thirds: ClassVar[int] = 2

    def _check(self) -> None:
        _check.text("value", self.value)
        _check.text("exposure", self.exposure)
        if self.value == ROWS:
            raise ValueError("`value` must be a column of counts; got ROWS. For rows per unit use Count(ROWS).")
        if self.value == self.exposure:
            raise ValueError(f"`exposure` must differ from the value; got {self.value!r} twice.")
        checked_cap("cap", self.cap)

    def outcomes(self) -> tuple[Variable, ...]:
        """Events and exposure per unit."""
        return Variable(self.value, "sum", self.cap), Variable(self.exposure, "sum")

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of the rates by quasi-likelihood, adjusted where there are covariates."""
        require_units(control, treatment)
        for variant, moments in (("control", control), ("treatment", treatment)):
            if not moments.mean[1] > 0:
                raise ValueError(f"the exposure `{self.exposure}` does not add up to more than zero in the {variant}")
        return _method(self), quasi_effect(control, treatment)

    def check_values(self, control: CoMoments, treatment: CoMoments) -> None:
        """Refuse sums that counts do not have."""
        _require_counts(self.value, self.cap, control, treatment)

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:
        """Of few units, or of a skewed estimate."""
        return few_for_delta(int(control.n), int(treatment.n)) or super().caution(control, treatment)

    def of(self, moments: CoMoments) -> float:
        """All events over all exposure; nan where there is none."""
        return float(moments.mean[0]) / float(moments.mean[1]) if moments.mean[1] else math.nan

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """As for `Count`, in each unit's deviation from what its exposure lets expect."""
        mean, exposure = moments.mean[:2].tolist()
        rate, new = self.of(moments), _checked_mean(mean, mean + size * exposure)
        residual = np.array([1.0, -rate])
        squares = max(float(residual @ moments.m2[:2, :2] @ residual), 0.0)
        return stretched(moments, new, squares_of_counts(squares, int(moments.n), mean, new), (rate, rate + size))

    def _arm(self, moments: CoMoments) -> Arm | None:
        return arm_of_ratio(moments)


def _checked_mean(mean: float, new: float) -> float:
    """Events are never negative."""
    if not min(mean, new) >= 0:
        raise ValueError(f"{mean:g} events per unit cannot become {new:g}")
    return new


def _method(metric: Metric) -> str:
    return "quasi, covariate-adjusted" if metric.covariates else "quasi"


def _require_counts(column: str, cap: Cap | None, control: CoMoments, treatment: CoMoments) -> None:
    """Refuse sums that whole numbers of at least zero cannot have; a capped total need not be whole."""
    for variant, moments in (("control", control), ("treatment", treatment)):
        total = int(moments.n) * float(moments.mean[0])
        squares = float(moments.m2[0, 0]) + total * float(moments.mean[0])
        slack = ROUNDING * max(abs(total), squares, 1.0)
        if total < -slack:
            raise ValueError(f"`{column}` has negative values in the {variant}, which no count has")
        if cap is None and (abs(total - round(total)) > slack or squares < total - slack):
            raise ValueError(f"`{column}` has values in the {variant} that are not whole numbers, as counts are")
