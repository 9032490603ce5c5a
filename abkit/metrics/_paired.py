"""The mean difference within units that are seen under every variant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit.evidence import Effect, Sample
from abkit.inference import paired_test
from abkit.logs import Variable
from abkit.metrics._metric import Metric
from abkit.metrics._shifted import moved
from abkit.suffstats import CoMoments
from abkit.types import ROWS

ROUNDING = 1e-12


@dataclass(frozen=True)
class Paired(Metric):
    """The difference within units that are seen under every variant: of requests that both systems answered, of blocks.

    Parameters
    ----------
    value : str
        The column; where a unit has several rows under a variant they are added up. `ROWS` counts them.
    denominator : str, optional
        A column, or `ROWS`: the metric is then total over total, as in `Ratio`, such as the mean of a row, with
        the units as clusters. For rows that were randomised within blocks, such as regions, days or mailing routes.
    role, direction, margin, mde, missing
        See `Metric`. There are no covariates: each unit is compared with itself.

    Notes
    -----
    For logs in which every unit is seen under every variant, as in a shadow run or a crossover, so that all metrics of
    a plan are paired or none is. A treatment is compared on the units that were seen under it and under the control;
    the others are left out and counted by the check `pairs`. Tested by `paired_test`: Student's t of the differences.
    In a crossover the first variant must not change what the second one finds.

    With a denominator no unit is left out: one that lacks a variant adds zero to both totals of that variant. These
    are the totals of all rows, which leaving out small blocks would change, since it is they that lack a variant. The
    check `pairs` counts such units still. The two ratios are linearised with their covariance, as in cluster-robust
    least squares of rows on the variants (standard errors times sqrt(n / (n - 1)) for n units; n - 1 degrees of
    freedom). The variants' shares must be planned alike in all blocks: else the ratios differ as the blocks do, and
    `regression_test` with `strata` is needed. Rows of a smaller group that was randomised whole, such as a household,
    are covered where it lies within one block. A segment belongs to the unit, here to the block.

    Examples
    --------
    >>> import abkit as ab
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "request": [1, 1, 2, 2, 3, 3],
    ...     "system": ["old", "new"] * 3,
    ...     "ms": [120.0, 110.0, 80.0, 74.0, 310.0, 297.0],
    ... })
    >>> plan = ab.Experiment(unit="request", variant="system", control="old",
    ...                      metrics={"latency": ab.Paired("ms", direction="decrease")})
    >>> result = plan.analyze(log).result("latency")
    >>> round(result.estimate, 2), result.df, [round(end, 1) for end in result.interval(0.95)]
    (-9.67, 2.0, [-18.4, -0.9])
    """

    value: str
    denominator: str | None = None
    kind: ClassVar[str] = "paired"
    pairs: ClassVar[bool] = True

    def _check(self) -> None:
        _check.text("value", self.value)
        if self.denominator is not None:
            _check.text("denominator", self.denominator)
            if self.denominator == self.value:
                raise ValueError(f"`denominator` must differ from the value; got {self.value!r} twice.")
        self._refuse_covariates("each unit is compared with itself")

    def outcomes(self) -> tuple[Variable, ...]:
        """One total per unit and variant, or two."""
        columns = (self.value,) if self.denominator is None else (self.value, self.denominator)
        return tuple(Variable(column, "sum") for column in columns)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:  # noqa: ARG002
        """Mean of the differences, or of ratios their difference, from the co-moments that the treatment has."""
        if treatment.n < 2:
            raise ValueError(f"there are {treatment.n} pair(s), and at least 2 are needed")
        if not ratios(treatment):
            result = paired_test(treatment)
            return result.method, result.effect
        for variant, total in zip(("control", "treatment"), treatment.mean[1::2], strict=True):
            if total == 0:
                raise ValueError(f"the denominator `{self.denominator or ROWS}` adds up to zero in the {variant}")
        return "paired ratio", paired_test(shares_of_pairs(treatment)).effect

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every unit's value under the treatment, so that the difference becomes the effect; a ratio as in `Ratio`."""
        return shifted_pairs(moments, size)

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:
        """The pairs, which are the units of both variants."""
        return Sample(int(treatment.n), int(treatment.n), None, self.skewness(control, treatment))

    def values(self, control: CoMoments | None, treatment: CoMoments | None) -> tuple[float, float]:  # noqa: ARG002
        """The means of the pairs, or the ratios."""
        return pair_values(treatment)


def ratios(moments: CoMoments) -> bool:
    """Whether these are totals to be divided, by a denominator or by the rows of clusters, and not values of pairs."""
    return len(moments.names) == 4


def shifted_pairs(moments: CoMoments, size: float) -> CoMoments:
    """The treatment's mean, or ratio, so that its difference from the control's is this size."""
    control, treatment = pair_values(moments)
    new = control + size
    if not ratios(moments):
        return moved(moments, new, place=1)
    return moved(moments, new * float(moments.mean[3]), np.array([1.0, new - treatment]), place=2)


def pair_values(moments: CoMoments | None) -> tuple[float, float]:
    """The two means of pairs, or the two ratios."""
    if moments is None or not moments.n:
        return math.nan, math.nan
    if not ratios(moments):
        return float(moments.mean[0]), float(moments.mean[1])
    y_c, d_c, y_t, d_t = moments.mean.tolist()
    return y_c / d_c if d_c else math.nan, y_t / d_t if d_t else math.nan


def shares_of_pairs(moments: CoMoments) -> CoMoments:
    """Of two ratios within the same units, linearised, from (numerator, denominator) of the control and the treatment.

    The deviations of y / mean(m) - share m / mean(m) have the shares for means (the delta method).
    """
    means = moments.mean.reshape(2, 2)
    gradients = np.zeros((2, 4))
    with np.errstate(over="ignore", invalid="ignore"):
        shares = means[:, 0] / means[:, 1]
        for side in range(2):
            gradients[side, 2 * side : 2 * side + 2] = np.array([1.0, -shares[side]]) / means[side, 1]
    if not np.all(np.isfinite(gradients)):
        raise ValueError("a denominator's mean is too close to zero to divide by")
    m2 = gradients @ moments.m2 @ gradients.T
    terms = np.abs(gradients) @ np.abs(moments.m2) @ np.abs(gradients).T
    for side in range(2):  # where the terms cancel to their last digits, what is left is rounding
        if m2[side, side] <= ROUNDING * terms[side, side]:
            m2[side, :] = m2[:, side] = 0.0
    return CoMoments(moments.n, shares, (m2 + m2.T) / 2, ("control", "treatment"))
