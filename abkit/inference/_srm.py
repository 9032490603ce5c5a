"""Sample-ratio mismatch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abkit import _check, _tails
from abkit._sets import finite_or_none


@dataclass(frozen=True, slots=True)
class SrmResult:
    """Observed and expected numbers of units with the test that compares them.

    `reason` says why `pvalue` is nan (no units at all, or one variant only), or names a variant with units but
    no weight.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    df: int
    pvalue: float
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None."""
        return {
            "observed": list(self.observed),
            "expected": list(self.expected),
            "statistic": finite_or_none(self.statistic),
            "df": self.df,
            "pvalue": finite_or_none(self.pvalue),
            "reason": self.reason,
        }


def srm_test(
    counts: Mapping[Any, int] | Sequence[int], allocation: Mapping[Any, float] | Sequence[float] | None = None
) -> SrmResult:
    """Sample-ratio mismatch.

    Answers: are the numbers of units what the allocation promised?

    Parameters
    ----------
    counts : mapping of variant to units, or sequence of int
        Units seen in each variant. A variant of the allocation that is absent here counts as 0.
    allocation : mapping of variant to weight, or sequence of float, optional
        Intended shares or weights, at least 0, in any unit (1:1, 90:10, 0.9:0.1). Equal by default.

    Returns
    -------
    SrmResult
        A p-value below about 0.001 means that the split is broken: no effect estimated from it can be trusted.

    Raises
    ------
    ValueError
        No variants, a variant without a weight, lengths that differ, negative or all-zero weights.
    TypeError
        Counts that are not whole numbers.

    Notes
    -----
    Pearson's chi-square, sum (observed - expected)^2 / expected, with one degree of freedom less than there are
    variants with a weight [1]_. A variant of weight zero takes no degree of freedom; a single unit in it is
    impossible under the allocation, so the p-value is 0. The reference distribution is right while every
    expected number is at least about 5. One look only: looked at daily it alarms too often. Nor for a bandit, which
    changes the shares on purpose: there the logged propensities are to be held against the choices, which
    `ab.bandits.adaptive_test` does.

    References
    ----------
    .. [1] Fabijan et al. 2019, KDD, sec. 3: Diagnosing Sample Ratio Mismatch in Online Controlled Experiments.

    Examples
    --------
    >>> from abkit import srm_test
    >>> round(srm_test([821588, 815482], [0.5, 0.5]).pvalue, 9)
    1.822e-06
    >>> srm_test({"control": 500, "new": 480}, {"control": 1, "new": 1, "absent": 1}).pvalue < 1e-90
    True
    """
    units, weights = _aligned(counts, allocation)
    observed = tuple(_check.count("counts", unit) for unit in units)
    share = [_check.at_least("allocation", weight, 0) for weight in weights]
    if not max(share) > 0:
        raise ValueError("`allocation` must have a weight above 0.")
    total, largest = sum(observed), max(share)
    whole = math.fsum(weight / largest for weight in share)
    expected = tuple(total * (weight / largest / whole) for weight in share)
    df = sum(weight > 0 for weight in share) - 1
    if any(unit and not weight for unit, weight in zip(observed, share, strict=True)):
        return SrmResult(observed, expected, math.inf, df, 0.0, "units in a variant whose weight is zero")
    if total == 0 or df == 0:
        reason = "no units" if total == 0 else "one variant only"
        return SrmResult(observed, expected, math.nan, df, math.nan, reason)
    statistic = math.fsum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True) if e > 0)
    return SrmResult(observed, expected, statistic, df, _tails.chi_square_survival(statistic, df))


def _aligned(
    counts: Mapping[Any, int] | Sequence[int], allocation: Mapping[Any, float] | Sequence[float] | None
) -> tuple[list[int], list[float]]:
    if allocation is None:
        allocation = dict.fromkeys(counts, 1.0) if isinstance(counts, Mapping) else [1.0] * len(counts)
    if isinstance(counts, Mapping) != isinstance(allocation, Mapping):
        raise ValueError("`counts` and `allocation` must both be mappings or both be sequences.")
    if isinstance(counts, Mapping) and isinstance(allocation, Mapping):
        for variant in counts:
            if variant not in allocation:
                raise ValueError(f"`allocation` must have a weight for every variant; got none for {variant!r}.")
        counts, allocation = [counts.get(variant, 0) for variant in allocation], list(allocation.values())
    units, weights = list(counts), list(allocation)
    if not units or len(units) != len(weights):
        raise ValueError(f"`counts` and `allocation` must be equally long; got {len(units)} and {len(weights)}.")
    return units, weights
