"""A quantile of rows or of per-unit totals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import Effect
from abkit.inference import quantile_caution, quantile_effect
from abkit.logs import Block, Buckets, Distribution, Variable
from abkit.metrics._metric import Metric
from abkit.suffstats import CoMoments
from abkit.types import ROWS, Missing

FINEST = 1e-5  # finer buckets are as many as the values themselves, and all of them come back from the log

ROUNDING = 1e-12


@dataclass(frozen=True)
class Quantile(Metric):
    """A quantile of a column, such as the 99th percentile of a request's latency.

    Parameters
    ----------
    value : str
        The column. Zero and negative values are allowed. `ROWS`, with `per="unit"`, is how many rows a unit has.
    q : float
        Which quantile, between 0 and 1: 0.5 is the median.
    per : {"row", "unit"}
        "row": of all rows, where the rows of a unit may depend on each other; a unit with many rows counts for
        more. "unit": of units, whose rows are added up. The same where each unit has one row.
    accuracy : float
        Largest relative error of the values reported, at least 1e-5 and below 0.5. The engine counts values in
        logarithmic buckets, and only the counts come back.
    role, direction, margin, mde, missing
        See `Metric`. There are no covariates: a quantile is not adjusted by them.

    Notes
    -----
    Tested by `quantile_test` of the two histograms. With rows, the variance of the share of them below the quantile
    is that of a ratio clustered by unit, over that of independent rows: the design effect. It is measured at the
    bucket of the variant's own quantile, within a segment too, on the segment's rows.

    A quantile costs the engine one query more, since it must be known before the rows below it are counted.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Quantile("latency_ms", 0.99, direction="decrease", role="guardrail", margin=ab.relative(0.05)).null()
    Relative(value=0.05)
    """

    value: str
    q: float
    per: Literal["unit", "row"] = "row"
    accuracy: float = 0.001
    kind: ClassVar[str] = "quantile"

    def _check(self) -> None:
        _check.text("value", self.value)
        object.__setattr__(self, "q", _check.within("q", self.q, 0, 1))
        _check.choice("per", self.per, ("unit", "row"))
        object.__setattr__(self, "accuracy", _check.within("accuracy", self.accuracy, 0, 0.5))
        if self.accuracy < FINEST:
            raise ValueError(f"`accuracy` must be at least {FINEST:g}; got {self.accuracy:g}.")
        if self.value == ROWS and self.per == "row":
            raise ValueError("`value` must be a column where `per` is 'row'; the number of ROWS is that of a unit.")
        self._refuse_covariates("a quantile is not adjusted by them")

    def outcomes(self) -> tuple[Variable, ...]:
        """The column, added up per unit."""
        return (Variable(self.value, "sum"),)

    def block(self, name: str, missing: Missing) -> Block:
        """The column, and which quantile of it in which buckets."""
        return Block(name, self.outcomes(), self.missing or missing, Buckets(self.q, self.accuracy, self.per))

    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """Difference of quantiles, from histograms with their design effects."""
        c, t = _distribution(control), _distribution(treatment)
        for variant, n in (("control", c.n), ("treatment", t.n)):
            if n < 2:
                raise ValueError(f"the {variant} has {n} unit(s), and at least 2 are needed")
        effects = [design_effect(c), design_effect(t)]
        if min(effects) == 0:
            raise ValueError("every unit has the same share of its values below the quantile, which has no variance")
        effect = quantile_effect(c.histogram, t.histogram, self.q, *effects)
        return "quantile", effect.moved(c.moved, t.moved) if c.moved or t.moved else effect

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:
        """Of few values beyond the quantile."""
        variants = (_distribution(control), _distribution(treatment))
        return quantile_caution(self.q, ((variant.histogram.n, design_effect(variant)) for variant in variants))

    def of(self, moments: CoMoments) -> float:
        """The quantile itself."""
        found = _distribution(moments)
        return found.histogram.quantile(self.q) + found.moved

    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """Every value by as much: the buckets keep their counts, at other places."""
        found = _distribution(moments)
        return replace(found, moved=found.moved + size)


def design_effect(distribution: Distribution) -> float:
    """How many times the variance of a share of values exceeds that of as many independent values.

    With y_i of the m_i values of unit i below a place, G units, N values and p = sum(y) / N: the cluster-robust
    variance G / (G - 1) sum((y_i - p m_i)^2) / N^2 over p (1 - p) / (N - 1), which is 1 where every unit has one value
    (Kish 1965, Survey Sampling, sec. 8.2). The larger of those at the two ends of the quantile's bucket. Where all
    values lie on one side of both, as they may within a segment, nothing is known of how they cluster; then
    sum(m_i^2) / N, as if the values of a unit were all alike.
    """
    units, size = int(distribution.n), float(distribution.mean[2])
    values, found = units * size, []
    for end in (0, 1):
        share = float(distribution.mean[end]) / size
        if 0 < share < 1:
            variance = units / (units - 1) * _residual(distribution.m2[np.ix_([end, 2], [end, 2])], share) / values**2
            found.append(variance / (share * (1 - share) / (values - 1)))
    return max(found) if found else float(distribution.m2[2, 2]) / values + size


def _residual(m2: Float64Array, share: float) -> float:
    """Sum of squares of (y - share m); 0 where it is the rounding of its terms."""
    weights = np.array([1.0, -share])
    terms = np.abs(weights) @ np.abs(m2) @ np.abs(weights)
    residual = float(weights @ m2 @ weights)
    return residual if residual > ROUNDING * terms else 0.0


def _distribution(moments: CoMoments) -> Distribution:
    if not isinstance(moments, Distribution):
        raise TypeError(f"`moments` must hold a histogram; got {_check.show(moments)}.")
    return moments
