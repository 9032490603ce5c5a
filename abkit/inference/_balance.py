"""Covariate balance: whether the variants started alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import finite_or_none
from abkit.suffstats import CoMoments


@dataclass(frozen=True, slots=True)
class BalanceResult:
    """The joint test of all covariates' means, and each one's standardised difference.

    `differences` are treatment minus control in standard deviations of a unit, the root of the mean of the two
    variants' variances; nan for a covariate that does not vary. `reason` says why `pvalue` is nan.
    """

    names: tuple[str, ...]
    differences: tuple[float, ...]
    statistic: float
    df: tuple[float, float]
    pvalue: float
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None."""
        return {
            "differences": {n: finite_or_none(d) for n, d in zip(self.names, self.differences, strict=True)},
            "statistic": finite_or_none(self.statistic),
            "df": [finite_or_none(df) for df in self.df],
            "pvalue": finite_or_none(self.pvalue),
            "reason": self.reason,
        }


def balance_test(control: object, treatment: object) -> BalanceResult:
    """Whether covariates measured before the experiment have the same means in two variants.

    Answers: were the units assigned at random, as far as their past can tell?

    Parameters
    ----------
    control, treatment : CoMoments of the same variables
        Covariates of the units of a variant. Each needs more units than there are covariates.

    Returns
    -------
    BalanceResult
        A p-value below about 0.001 means that the assignment leans on something: find the cause before any effect
        is read. Under random assignment one experiment in a thousand has it.

    Raises
    ------
    TypeError
        Something else than CoMoments.
    ValueError
        Different variables, or too few units.

    Notes
    -----
    T^2 = d' (S_c/n_c + S_t/n_t)^-1 d for the k differences d of the means, compared with
    (v k / (v - k + 1)) F(k, v - k + 1), with the degrees of freedom v of Krishnamoorthy and Yu [1]_, which are
    Welch's for one covariate. Covariates that repeat others are left out of k. One joint test keeps its level where a
    test of each covariate would alarm too often; as in [2]_ it is a test of the assignment, not a choice of
    covariates to adjust for. The means must be nearly normal.

    References
    ----------
    .. [1] Krishnamoorthy and Yu 2004, Statistics & Probability Letters 66(2), sec. 2.
    .. [2] Hansen and Bowers 2008, Statistical Science 23(2), sec. 3.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import CoMoments, balance_test
    >>> rng = np.random.default_rng(7)
    >>> names = ["age", "visits_before"]
    >>> control, treatment = (CoMoments.from_sample(rng.normal([40, 5], [12, 2], (500, 2)), names) for _ in range(2))
    >>> result = balance_test(control, treatment)
    >>> [round(difference, 3) for difference in result.differences], round(result.pvalue, 3)
    ([0.064, 0.067], 0.356)
    """
    control, treatment = _group("control", control), _group("treatment", treatment)
    if control.names != treatment.names:
        raise ValueError(f"`treatment` must hold the covariates {control.names}; got {treatment.names}.")
    distance = treatment.mean - control.mean
    spread = np.sqrt((np.diagonal(control.covariance) + np.diagonal(treatment.covariance)) / 2)
    alive = spread > 1e-12 * np.abs(control.mean)
    differences = np.where(alive, distance / np.where(alive, spread, 1.0), math.nan)
    found = (control.names, tuple(differences.tolist()))
    if not alive.any():
        return BalanceResult(*found, math.nan, (math.nan, math.nan), math.nan, "no covariate varies")
    statistic, k, v = _hotelling(distance, spread, alive, control, treatment)
    lower = v - k + 1
    if not lower > 0:
        return BalanceResult(*found, math.nan, (math.nan, math.nan), math.nan, "too few units for so many covariates")
    pvalue = float(fdtrc(k, lower, statistic * lower / (v * k)))
    return BalanceResult(*found, statistic, (float(k), lower), pvalue)


def _hotelling(
    distance: Float64Array, spread: Float64Array, alive: Any, control: CoMoments, treatment: CoMoments
) -> tuple[float, int, float]:
    """Hotelling's statistic with unequal covariances, its rank, and its degrees of freedom."""
    units = np.outer(spread[alive], spread[alive])
    c, t = (arm.covariance[np.ix_(alive, alive)] / units / int(arm.n) for arm in (control, treatment))
    inverse = np.linalg.pinv(c + t, rcond=1e-10, hermitian=True)
    d = distance[alive] / spread[alive]
    k = round(float(np.trace(inverse @ (c + t))))
    shares = ((c @ inverse, int(control.n)), (t @ inverse, int(treatment.n)))
    loss = sum((float(np.trace(s @ s)) + float(np.trace(s)) ** 2) / (n - 1) for s, n in shares)
    return float(d @ inverse @ d), k, (k + k * k) / loss


def _group(name: str, data: object) -> CoMoments:
    if not isinstance(data, CoMoments) or np.ndim(data.n):
        raise TypeError(f"`{name}` must be one group's CoMoments; got {_check.show(data)}.")
    if not int(data.n) > len(data.names):
        raise ValueError(f"`{name}` must have more units than covariates; got {data.n} and {len(data.names)}.")
    return data
