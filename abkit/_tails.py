"""Tail probabilities and quantiles of the normal, t and chi-square distributions.

Always the small tail itself, never one minus the large one, so p-values hold their digits down to 1e-300.
"""

from __future__ import annotations

import math

from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from abkit.types import Alternative


def survival(statistic: float, df: float) -> float:
    """P(T > statistic) of Student's t; the normal where df is infinite."""
    return float(ndtr(-statistic) if math.isinf(df) else stdtr(df, -statistic))


def critical(tail: float, df: float) -> float:
    """The point that T exceeds with probability `tail`."""
    if tail >= 1:
        return -math.inf
    return -float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail))


def pvalue(statistic: float, df: float, alternative: Alternative) -> float:
    """p-value of a t or z statistic; nan stays nan."""
    if alternative == "two-sided":
        return min(1.0, 2 * survival(abs(statistic), df))
    return survival(statistic if alternative == "greater" else -statistic, df)


def chi_square_survival(statistic: float, df: float) -> float:
    """P(X > statistic) of the chi-square distribution."""
    return float(chdtrc(df, statistic))
