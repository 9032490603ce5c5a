"""The difference of two shares of the same units: errors, or right answers, of releases that saw the same requests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit.evidence import Effect, Sample
from abkit.inference import paired_test
from abkit.inference._paired_effect import PairedScoreEffect
from abkit.logs import Variable
from abkit.metrics._metric import Metric
from abkit.metrics._paired import pair_values, ratios, shares_of_pairs, shifted_pairs
from abkit.metrics._shifted import rounded_count
from abkit.sequential._pair_bets import PairBetsEffect
from abkit.suffstats import CoMoments
from abkit.types import ROWS

#: Fewer discordant pairs than this, and the score test's error is off by over a percentage point.
FEWEST = 4


@dataclass(frozen=True)
class PairedProportion(Metric):
    """The share of units with an outcome, where every unit is seen under every variant: errors of a shadow release.

    Parameters
    ----------
    value : str
        A column of 0 and 1, or of booleans.
    role, direction, margin, mde, missing
        See `Metric`. There are no covariates: each unit is compared with itself.

    Notes
    -----
    All that counts are the pairs by outcome, of which only those that differ tell the variants apart. At one look it is
    Tango's score test, which without a margin is McNemar's (`mcnemar_test`); with `AnytimeValid` bets on each pair,
    whose error rate is exact at any time, however rare the outcome. Where units are clustered (`Shadow(cluster=...)`),
    the shares are linearised with the clusters' covariance, as in `Paired`.

    A right answer is an outcome too: log 1 where an answer agrees with its label, and null where no label has come yet,
    with `missing="drop"`; the check `missing` counts them.

    Examples
    --------
    >>> import abkit as ab
    >>> import pandas as pd
    >>> log = pd.DataFrame({"error_old": [0] * 995 + [1] * 5, "error_new": [0] * 994 + [1] * 6})
    >>> plan = ab.Experiment(strategy=ab.Shadow(suffixes={"old": "_old", "new": "_new"}), control="old", metrics={
    ...     "errors": ab.PairedProportion("error", role="guardrail", direction="decrease", margin=0.01)})
    >>> result = plan.analyze(log).result("errors").with_null(0.01)
    >>> round(result.estimate, 4), round(result.pvalue, 5), result.validity
    (0.001, 0.03556, 'exact')
    """

    value: str
    kind: ClassVar[str] = "paired-proportion"
    pairs: ClassVar[bool] = True

    def _check(self) -> None:
        _check.text("value", self.value)
        if self.value == ROWS:
            raise ValueError("`value` must be a column of 0 and 1; got ROWS.")
        for name, size in (("margin", self.margin), ("mde", self.mde)):
            if isinstance(size, float) and not size < 1:
                raise ValueError(f"`{name}` must be below 1; got {size:g}. In per cent it is {size / 100:g}.")
        self._refuse_covariates("each unit is compared with itself")

    def outcomes(self) -> tuple[Variable, ...]:
        """One of a pair's side if any of its rows has a one."""
        return (Variable(self.value, "max", binary=True),)

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:  # noqa: ARG002
        """Score test of the pairs by outcome, which the co-moments tell; of clusters, of two ratios."""
        if ratios(treatment):
            return cluster_effect(treatment)
        return "mcnemar, score", PairedScoreEffect(*cells(treatment))

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:  # noqa: ARG002
        """Of few pairs that differ."""
        if ratios(treatment):
            return None
        _, c, t, _ = cells(treatment)
        if c + t >= FEWEST:
            return None
        return f"only {c + t:g} pair(s) are discordant, and the score test needs {FEWEST}: AnytimeValid bets are exact"

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:  # noqa: ARG002
        """The pairs, and of those that are not clustered what bets on them have won."""
        n = int(treatment.n)
        if ratios(treatment):
            return Sample(n, n)
        both, c, t, neither = cells(treatment)
        return Sample(n, n, anytime=PairBetsEffect(both, c, t, neither))

    def values(self, control: CoMoments | None, treatment: CoMoments | None) -> tuple[float, float]:  # noqa: ARG002
        """The two shares."""
        return pair_values(treatment)

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """The treatment's share is the control's and the effect; the correlation stays as far as it can."""
        if ratios(moments):
            return shifted_pairs(moments, size)
        control = float(moments.mean[0])
        new = control + size
        if not 0 <= new <= 1:
            raise ValueError(f"a rate of {control:g} cannot change by {size:g}: it would be {new:g}")
        n = int(moments.n)
        spread = math.sqrt(float(moments.m2[0, 0]) * float(moments.m2[1, 1]))
        between = float(moments.m2[0, 1]) / spread if spread else 1.0
        product = between * math.sqrt(control * (1 - control) * new * (1 - new))
        least, most = max(control + new - 1, 0.0) - control * new, min(control, new) - control * new
        return paired_moments(moments, n, new, n * min(max(product, least), most))


def paired_moments(moments: CoMoments, n: int, share: float, between: float) -> CoMoments:
    """The treatment's share, its binomial variance, and how it goes with the control's."""
    mean, m2 = moments.mean.copy(), moments.m2.copy()
    mean[1] = share
    m2[1, 1] = n * share * (1 - share)
    m2[0, 1] = m2[1, 0] = between
    return CoMoments(n, mean, m2 if n > 1 else np.zeros_like(m2), moments.names)


def cluster_effect(moments: CoMoments) -> tuple[str, Effect]:
    """The difference of two shares of rows, from totals of clusters."""
    if moments.n < 2:
        raise ValueError(f"there are {moments.n} cluster(s), and at least 2 are needed")
    return "paired ratio", paired_test(shares_of_pairs(moments)).effect


def cells(moments: CoMoments) -> tuple[int, int, int, int]:
    """Pairs with the outcome on both sides, on the control's, on the treatment's, and on none.

    Of hypothetical pairs there may be parts, which is why they are not always whole.
    """
    n, (c, t) = int(moments.n), (float(mean) for mean in moments.mean)
    both = n * c * t + float(moments.m2[0, 1])
    found = (both, n * c - both, n * t - both, n - n * c - n * t + both)
    return tuple(rounded_count(max(cell, 0.0), n) for cell in found)  # type: ignore[return-value]
