"""Sequences of a quantile, by the exact martingale of how many values lie below it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaln

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential._mixture import TUNE_AT, tuning
from abkit.sequential._ordered import Ordered, least_evidence, ordered
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray
from abkit.types import ALTERNATIVES, Alternative

_TINY = 1e-280
_OPPOSITE: dict[Alternative, Alternative] = {"two-sided": "two-sided", "greater": "less", "less": "greater"}


def quantile_sequence(
    data: object,
    treatment: object = None,
    *,
    q: float,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    tune_at: float | None = None,
    looks: object = None,
) -> ConfidenceSequence:
    """A quantile, or the difference of two variants' quantiles, at any time, whatever the distribution.

    Answers: where is the median, or the 99th percentile, and does it differ between variants, however often one looks?

    Parameters
    ----------
    data : array_like, shape (n,), or Histogram, or list of Histogram
        One value per unit; with `treatment`, the control's. Histograms hold all that was seen up to each look.
    treatment : like `data`, optional
        The treatment's; the answer is then of the treatment's quantile minus the control's.
    q : float
        Which quantile, between 0 and 1.
    alpha : float
        Probability that it is ever left out, between 0 and 1. Two variants have half of it each.
    alternative : {"two-sided", "greater", "less"}
        "greater": only the lower end, at the whole of alpha.
    tune_at : float, optional
        Number of values of a variant at which its sequence is narrowest; 10,000 unless given.
    looks : array_like of int, optional
        After how many values to answer; by default after each. With `treatment`, of each variant, shape (looks,) or
        (looks, 2), and by default at the end.

    Returns
    -------
    ConfidenceSequence
        An end is infinite where too few values lie beyond the quantile.

    Raises
    ------
    ValueError
        `q` is missing or not between 0 and 1, no values, or statistics other than histograms.

    Notes
    -----
    Whether a value lies at or below the q-quantile is an event of probability q, so for the right x the number S of
    such values makes B(a + S, b + n - S) / B(a, b) / (q^S (1 - q)^(n - S)) a martingale [1]_; a = k q, b = k (1 - q),
    with the k of the normal mixture at `tune_at`. On one side the beta distribution is cut at q. The S at which it
    stays below 1 / alpha are ranks between which the quantile lies at all times [2]_.

    Tied values: at the quantile itself each tied value can be given to either side by a coin such that the probability
    is q again. So x is left out only if every S from the number of values below it to the number at or below it is.

    Exact for independent values of one distribution, in any order. Rows of one unit are not independent: use one value
    a unit. For many quantiles at once use "cdf-band". Histograms give edges of buckets, which are never too narrow.

    References
    ----------
    .. [1] Robbins 1970, Annals of Mathematical Statistics 41(5), sec. 2.
    .. [2] Howard and Ramdas 2022, Bernoulli 28(3), thm 1.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> latency = np.random.default_rng(1).lognormal(3, 1, 20_000)
    >>> result = ab.confidence_sequence(latency, method="quantile", q=0.9, looks=[2_000, 20_000])
    >>> result.low.round(1).tolist(), result.high.round(1).tolist()
    ([63.5, 67.8], [81.2, 72.7])
    """
    q = _check.within("q", q, 0, 1)
    alpha = _check.within("alpha", alpha, 0, 1)
    _check.choice("alternative", alternative, ALTERNATIVES)
    at = TUNE_AT if tune_at is None else _check.within("tune_at", tune_at, 0, math.inf)
    arms = ordered(data, treatment, looks)
    if len(arms) == 1:
        return _one(arms[0], Ranks.tuned(q, alpha, alternative, at), alpha)
    return _two(arms[0], arms[1], Ranks.tuned(q, alpha / 2, alternative, at), alpha)


@dataclass(frozen=True, slots=True)
class Ranks:
    """The martingale of the number of values below the q-quantile; "greater": of there being too few."""

    q: float
    a: float
    b: float
    goal: float
    alternative: Alternative

    @staticmethod
    def tuned(q: float, alpha: float, alternative: Alternative, tune_at: float) -> Ranks:
        """The beta distribution that is narrowest at a number of values."""
        k = tuning(tune_at, alpha, 2 if alternative == "two-sided" else 1)
        return Ranks(q, k * q, k * (1 - q), -math.log(alpha), alternative)

    @property
    def opposite(self) -> Ranks:
        """The martingale of evidence on the other side."""
        return Ranks(self.q, self.a, self.b, self.goal, _OPPOSITE[self.alternative])

    def log(self, count: IntArray, n: IntArray) -> Float64Array:
        """Log of the martingale with `count` of n values below."""
        a, b, q = self.a, self.b, self.q
        chance = count * math.log(q) + (n - count) * math.log1p(-q)
        ratio = np.asarray(betaln(a + count, b + n - count) - betaln(a, b) - chance, dtype=np.float64)
        if self.alternative == "two-sided":
            return ratio
        if self.alternative == "less":
            return _cut(ratio, b, a, n - count, count, 1 - q)
        return _cut(ratio, a, b, count, n - count, q)

    def least(self, below: IntArray, upto: IntArray, n: IntArray) -> Float64Array:
        """The smallest it can be where tied values may lie on either side."""
        if self.alternative == "two-sided":
            return self.log(np.clip(self._bottom(n), below, upto), n)
        return self.log(upto if self.alternative == "greater" else below, n)

    def allowed(self, n: IntArray) -> tuple[IntArray, IntArray]:
        """The smallest and the largest count that do not reach the goal."""
        fewest, most = np.zeros_like(n), n.copy()
        if self.alternative != "less":
            fewest = self._last_held(self._bottom(n) if self.alternative == "two-sided" else n, -np.ones_like(n), n)
        if self.alternative != "greater":
            most = self._last_held(self._bottom(n) if self.alternative == "two-sided" else 0 * n, n + 1, n)
        return fewest, most

    def _bottom(self, n: IntArray) -> IntArray:
        """Where the two-sided martingale is smallest, and below 1; those of one side are so at their last count."""
        return np.asarray(np.clip(np.ceil(self.q * (n - 1)), 0, n), dtype=np.int64)

    def _last_held(self, held: IntArray, reached: IntArray, n: IntArray) -> IntArray:
        """The furthest count from one that does not reach the goal towards one that does, by bisection."""
        while np.any(np.abs(reached - held) > 1):
            middle = np.where(np.abs(reached - held) > 1, (held + reached) // 2, held)
            above = self.log(middle, n) >= self.goal
            held, reached = np.where(above, held, middle), np.where(above, middle, reached)
        return held


def _cut(ratio: Float64Array, a: float, b: float, count: IntArray, other: IntArray, q: float) -> Float64Array:
    """The martingale of the beta distribution below q; where its share has no digits, the first term of its series."""
    share = betainc(a + count, b + other, q)
    first = a * math.log(q) + b * math.log1p(-q) - np.log(a + count) - betaln(a, b)
    log = np.where(share > _TINY, ratio + np.log(np.maximum(share, _TINY)), first)
    return np.asarray(log - math.log(betainc(a, b, q)))


def _one(arm: Ordered, ranks: Ranks, alpha: float) -> ConfidenceSequence:
    low, high = _ends(arm, ranks)

    def log_evalue(null: float) -> Float64Array:
        return ranks.least(*arm.counts(null), arm.n)

    return ConfidenceSequence(
        "quantile", "exact", alpha, ranks.alternative, arm.n, arm.quantile(ranks.q), low, high, log_evalue
    )


def _two(control: Ordered, treatment: Ordered, ranks: Ranks, alpha: float) -> ConfidenceSequence:
    """Each variant's quantile at half of alpha."""
    low_t, high_t = _ends(treatment, ranks)
    low_c, high_c = _ends(control, ranks.opposite)

    def log_evalue(null: float) -> Float64Array:
        return np.array([_least(control, treatment, ranks, null, look) for look in range(control.n.size)])

    return ConfidenceSequence(
        method="quantile",
        validity="exact",
        alpha=alpha,
        alternative=ranks.alternative,
        n=control.n + treatment.n,
        estimate=treatment.quantile(ranks.q) - control.quantile(ranks.q),
        low=low_t - high_c,
        high=high_t - low_c,
        log_evalue=log_evalue,
    )


def _ends(arm: Ordered, ranks: Ranks) -> tuple[Float64Array, Float64Array]:
    fewest, most = ranks.allowed(arm.n)
    return arm.edges(fewest)[0], arm.edges(most + 1)[1]


def _least(control: Ordered, treatment: Ordered, ranks: Ranks, difference: float, look: int) -> float:
    n_c, n_t = control.n[look], treatment.n[look]
    return least_evidence(
        control.snapshot(look),
        treatment.snapshot(look),
        difference,
        lambda below, upto: ranks.opposite.least(below, upto, np.full(below.size, n_c)),
        lambda below, upto: ranks.least(below, upto, np.full(below.size, n_t)),
    ) - math.log(2)
