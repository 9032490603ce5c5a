"""The mean of a per-unit total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from abkit import _check
from abkit.evidence import Effect
from abkit.inference import Arm, linear_effect, mean_arm
from abkit.logs import Variable
from abkit.metrics._metric import Metric, checked_cap, require_units
from abkit.metrics._shifted import moved
from abkit.suffstats import CoMoments
from abkit.types import Cap


@dataclass(frozen=True)
class Mean(Metric):
    """The mean per unit of a column's total, such as revenue per user.

    Parameters
    ----------
    value : str
        The column; where a unit has several rows they are added up. `ROWS` counts them.
    cap : Cap, optional
        Units above the threshold count as the threshold.
    role, direction, margin, mde, covariates, missing
        See `Metric`.

    Notes
    -----
    Tested by `welch_test`; with covariates, by the regression adjustment of Lin (2013) from co-moments, which for
    one covariate is CUPED. Not for metrics whose rows, not units, were randomised.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Mean("revenue", covariates="revenue_before", cap=ab.Cap(quantile=0.999)).kind
    'mean'
    """

    value: str
    cap: Cap | None = None
    kind: ClassVar[str] = "mean"
    thirds: ClassVar[int] = 1

    def _check(self) -> None:
        _check.text("value", self.value)
        checked_cap("cap", self.cap)

    def outcomes(self) -> tuple[Variable, ...]:
        """One total per unit."""
        return (Variable(self.value, "sum", self.cap),)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of means, adjusted where there are covariates."""
        require_units(control, treatment)
        method = "welch, covariate-adjusted" if self.covariates else "welch"
        return method, linear_effect(mean_arm(control), mean_arm(treatment))

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every unit's total by as much."""
        return moved(moments, float(moments.mean[0]) + size)

    def _arm(self, moments: CoMoments) -> Arm:
        return mean_arm(moments)
