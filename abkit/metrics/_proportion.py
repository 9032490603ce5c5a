"""The share of units with an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from abkit import _check
from abkit.evidence import Effect, Sample
from abkit.inference import linear_effect, mean_arm, proportion_caution
from abkit.inference._caution import Shape, shape_of_sum
from abkit.inference._score_effect import ScoreEffect
from abkit.logs import Variable
from abkit.metrics._metric import Metric, lent_skewness, require_units
from abkit.metrics._shifted import stretched
from abkit.suffstats import CoMoments, Counts
from abkit.types import ROWS

ROUNDING = 1e-12


@dataclass(frozen=True)
class Proportion(Metric):
    """The share of units that have an outcome, such as the conversion rate per user.

    Parameters
    ----------
    value : str
        A column of 0 and 1, or of booleans; a unit succeeds if any of its rows does.
    role, direction, margin, mde, covariates, missing
        See `Metric`.

    Notes
    -----
    Tested by `proportion_test` (score); with covariates as a `Mean` of zeros and ones.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Proportion("converted", role="guardrail", margin=0.002).null()
    -0.002
    """

    value: str
    kind: ClassVar[str] = "proportion"

    def _check(self) -> None:
        _check.text("value", self.value)
        if self.value == ROWS:
            raise ValueError("`value` must be a column of 0 and 1; got ROWS.")
        for name, size in (("margin", self.margin), ("mde", self.mde)):
            if isinstance(size, float) and not size < 1:
                raise ValueError(f"`{name}` must be below 1; got {size:g}. In per cent it is {size / 100:g}.")

    def outcomes(self) -> tuple[Variable, ...]:
        """One if any row of the unit has a one."""
        return (Variable(self.value, "max", binary=True),)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Score test of two counts; with covariates, adjusted means."""
        if self.covariates:
            require_units(control, treatment)
            return "welch, covariate-adjusted", linear_effect(mean_arm(control), mean_arm(treatment))
        return "score", ScoreEffect(_successes(control), int(control.n), _successes(treatment), int(treatment.n))

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:
        """Of few successes or failures."""
        return None if self.covariates else proportion_caution(_counts(control), _counts(treatment), "score")

    def skewness(self, control: CoMoments, treatment: CoMoments) -> float | None:
        """That of the difference of the two shares, which their counts tell."""
        return lent_skewness(*(_shape(_counts(moments)) for moments in (control, treatment)))

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:
        """Units and events, of the rarer kind, and the counts themselves unless covariates adjust them."""
        counts = _counts(control), _counts(treatment)
        smaller = min(int(held.n) for held in counts)
        events = min(min(int(c.successes), int(c.n - c.successes)) for c in counts if c.n == smaller)
        skewness = lent_skewness(*map(_shape, counts))
        units = sum(int(held.n) for held in counts)
        return Sample(units, smaller, events, skewness, None if self.covariates else counts)

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """The rate, with the variance of a binomial one."""
        rate = float(moments.mean[0]) + size
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate of {moments.mean[0]:g} cannot change by {size:g}: it would be {rate:g}")
        n = int(moments.n)
        return stretched(moments, rate, n * rate * (1 - rate) if n > 1 else 0.0)


def _successes(moments: CoMoments) -> float:
    """A whole number where rounding alone keeps it from being one; of hypothetical units there may be parts."""
    found = int(moments.n) * float(moments.mean[0])
    return whole if abs(found - (whole := round(found))) <= ROUNDING * max(whole, 1) else found


def _counts(moments: CoMoments) -> Counts:
    return Counts(int(moments.n), round(int(moments.n) * float(moments.mean[0])))


def _shape(counts: Counts) -> Shape:
    """Of a share p, from the sums of squares n p (1 - p) and of cubes n p (1 - p) (1 - 2 p) of units' deviations."""
    n, successes = int(counts.n), int(counts.successes)
    squares = successes * (n - successes) / max(n, 1)
    return shape_of_sum(n, squares, squares * (n - 2 * successes) / max(n, 1))
