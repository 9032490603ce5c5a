"""The share of requests that two releases answer differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from abkit import _check
from abkit.evidence import Effect, Sample
from abkit.inference._share_effect import ShareEffect
from abkit.logs import Block, Compare, Variable
from abkit.metrics._metric import Metric
from abkit.metrics._paired import pair_values, ratios, shifted_pairs
from abkit.metrics._paired_proportion import cells, cluster_effect, paired_moments
from abkit.sequential._pair_bets import PairBetsEffect
from abkit.suffstats import CoMoments
from abkit.types import ROWS, Direction, Missing, Relative, Role


@dataclass(frozen=True)
class Disagreement(Metric):
    """The share of requests that two releases answer differently, as in a shadow run.

    Parameters
    ----------
    value : str
        The column of the answers: text, numbers, booleans or times.
    tolerance : float or Relative
        By how much two numbers may differ and still count as the same: in the column's unit, or as a share of the size
        of the control's number. At least 0.
    role : {"guardrail", "deterioration"}
        See `Metric`.
    margin : float
        The largest share of different answers that is tolerated, above 0 and below 1.
    missing : {"error", "drop", "zero"}
        What an answer means that one release lacks, or both. error: one that only one of them lacks is a difference;
        where both lack it, the log is refused. zero: likewise, but where both lack it they agree. drop: both such
        requests are left out.

    Notes
    -----
    The exact binomial test at one look, and with `AnytimeValid` bets on each request, exact at any time. For a margin
    of 1%, 370 requests without any difference are enough at one look (alpha 0.05, two-sided). Where requests are
    clustered (`Shadow(cluster=...)`), the share is linearised. Whether a different answer is a worse one it cannot say.
    A release that answers at random differs from itself: the margin must be above what two runs of the old one differ
    by.

    Examples
    --------
    >>> import abkit as ab
    >>> import pandas as pd
    >>> log = pd.DataFrame({"answer_old": ["yes", "no"] * 500, "answer_new": ["yes", "no"] * 499 + ["yes", None]})
    >>> plan = ab.Experiment(strategy=ab.Shadow(suffixes={"old": "_old", "new": "_new"}), control="old",
    ...                      metrics={"answers": ab.Disagreement("answer", margin=0.01)})
    >>> result = plan.analyze(log).result("answers").with_null(0.01)
    >>> result.estimate, round(result.pvalue, 4)
    (0.001, 0.0356)
    """

    value: str
    tolerance: float | Relative = 0.0
    role: Role = field(default="guardrail", kw_only=True)
    direction: Direction = field(default="decrease", kw_only=True)
    kind: ClassVar[str] = "disagreement"
    pairs: ClassVar[bool] = True

    def _check(self) -> None:
        _check.text("value", self.value)
        if self.value == ROWS:
            raise ValueError("`value` must be a column of answers; got ROWS.")
        if isinstance(self.tolerance, Relative):
            _check.at_least("tolerance", self.tolerance.value, 0)
        else:
            object.__setattr__(self, "tolerance", _check.at_least("tolerance", self.tolerance, 0))
        if self.role not in ("guardrail", "deterioration"):
            raise ValueError(f"`role` must be 'guardrail' or 'deterioration' for a disagreement; got {self.role!r}.")
        if self.direction != "decrease":
            raise ValueError("`direction` must be 'decrease' for a disagreement: fewer different answers are better.")
        if not isinstance(self.margin, float) or not 0 < self.margin < 1:
            raise ValueError(
                "`margin` must be the largest tolerated share of different answers, above 0 and below 1, such as 0.01; "
                f"got {_check.show(self.margin)}."
            )
        self._refuse_covariates("a request is compared with itself")

    def outcomes(self) -> tuple[Variable, ...]:
        """The answers, of which it only counts whether they differ."""
        return (Variable(self.value, "max"),)

    def block(self, name: str, missing: Missing) -> Block:
        """The column, and how its two sides are compared."""
        return Block(name, self.outcomes(), self.missing or missing, compare=Compare(self.tolerance))

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:  # noqa: ARG002
        """Exact binomial test of the requests that differ; of clusters, of a ratio."""
        if ratios(treatment):
            return cluster_effect(treatment)
        _, _, differ, alike = cells(treatment)
        return "binomial", ShareEffect(differ, differ + alike)

    def caution(self, control: CoMoments, treatment: CoMoments) -> None:
        """None: the test is exact."""

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:  # noqa: ARG002
        """The requests, and of those that are not clustered what bets on them have won."""
        n = int(treatment.n)
        if ratios(treatment):
            return Sample(n, n)
        _, _, differ, alike = cells(treatment)
        return Sample(n, n, anytime=PairBetsEffect(0, 0, differ, alike, only_more=True))

    def values(self, control: CoMoments | None, treatment: CoMoments | None) -> tuple[float, float]:  # noqa: ARG002
        """Zero, as the control does not differ from itself, and the share."""
        return pair_values(treatment)

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """A share of this size differs."""
        if not 0 <= size <= 1:
            raise ValueError(f"a share of different answers must be from 0 to 1; got {size:g}")
        return shifted_pairs(moments, size) if ratios(moments) else paired_moments(moments, int(moments.n), size, 0.0)
