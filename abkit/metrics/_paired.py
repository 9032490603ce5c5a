"""The mean difference within units that are seen under every variant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit.evidence import Effect
from abkit.inference import paired_test
from abkit.logs import Variable
from abkit.metrics._metric import Metric
from abkit.suffstats import CoMoments


@dataclass(frozen=True)
class Paired(Metric):
    """The mean difference within units, such as the latency of requests that both systems answered.

    Parameters
    ----------
    value : str
        The column; where a unit has several rows under a variant they are added up. `ROWS` counts them.
    role, direction, margin, missing
        See `Metric`. There are no covariates: each unit is compared with itself.

    Notes
    -----
    For logs in which every unit is seen under every variant, as in a shadow run or a crossover, so that all metrics of
    a plan are paired or none is. A treatment is compared on the units that were seen under it and under the control;
    the others are left out and counted by the check `pairs`. Tested by `paired_test`: Student's t of the differences.
    In a crossover the first variant must not change what the second one finds.

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
    kind: ClassVar[str] = "paired"
    pairs: ClassVar[bool] = True

    def _check(self) -> None:
        _check.text("value", self.value)
        self._refuse_covariates("each unit is compared with itself")

    def outcomes(self) -> tuple[Variable, ...]:
        """One total per unit and variant."""
        return (Variable(self.value, "sum"),)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:  # noqa: ARG002
        """Mean of the differences, from the co-moments of the pairs, which the treatment has."""
        if treatment.n < 2:
            raise ValueError(f"there are {treatment.n} pair(s), and at least 2 are needed")
        result = paired_test(treatment)
        return result.method, result.effect

    def values(self, control: CoMoments | None, treatment: CoMoments | None) -> tuple[float, float]:  # noqa: ARG002
        """The means of the pairs."""
        if treatment is None or not treatment.n:
            return math.nan, math.nan
        return float(treatment.mean[0]), float(treatment.mean[1])


def shares_of_pairs(moments: CoMoments) -> CoMoments:
    """Of two ratios within the same units, linearised, from (numerator, denominator) of the control and the treatment.

    The deviations of y / mean(m) - share m / mean(m) have the shares for means (the delta method).
    """
    means = moments.mean.reshape(2, 2)
    shares, gradients = means[:, 0] / means[:, 1], np.zeros((2, 4))
    for side in range(2):
        gradients[side, 2 * side : 2 * side + 2] = np.array([1.0, -shares[side]]) / means[side, 1]
    m2 = gradients @ moments.m2 @ gradients.T
    return CoMoments(moments.n, shares, (m2 + m2.T) / 2, ("control", "treatment"))
