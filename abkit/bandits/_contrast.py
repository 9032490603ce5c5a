"""The effect of an arm against the control, from the weighted scores of a policy's decisions."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from abkit._check import Float64Array
from abkit.bandits._adaptive import adaptive_effect
from abkit.evidence import Sample
from abkit.inference._caution import LARGEST_SKEWNESS
from abkit.inference._mean_effect import MeanEffect
from abkit.logs import Choices, Contrast
from abkit.suffstats._base import IntArray

METHOD = "adaptively weighted AIPW"
INSTEAD = "keep a minimum share for each variant, and wait for more decisions"
#: Below this, policies at rare outcomes were found to err up to five times as often as they should.
FEWEST_EVENTS = 10
FEWEST_DF = 30
#: The sizes of a bet against the propensities, from steep to shallow: it does not matter how much has been seen.
BETS = np.concatenate([sign * 2.0 ** np.arange(2, -14, -1) for sign in (1, -1)])


def contrast_effect(contrast: Contrast) -> MeanEffect:
    """Control's and treatment's mean, in the weights of the decisions; a ValueError says why there is none."""
    if contrast.expected < FEWEST_EVENTS:
        raise ValueError(
            f"the variant chosen less often has {contrast.events:,} outcomes other than the commonest, where at least "
            f"{FEWEST_EVENTS} should be expected: wait for more decisions"
        )
    return adaptive_effect(contrast.moments, contrast.center, contrast.unit)


def contrast_sample(contrast: Contrast) -> Sample:
    """How much the decisions hold; the clock is their number, as each adds about the same variance."""
    fewer = min(contrast.n_control, contrast.n_treatment)
    return Sample(int(contrast.moments.n), fewer, contrast.events, contrast.skewness)


def contrast_caution(contrast: Contrast, df: float) -> str | None:
    """Why the estimate may be too far from normal for its error rate."""
    if df < FEWEST_DF:
        return (
            f"few decisions carry most of the estimate (df {df:.0f}), so the error rate may miss its level; {INSTEAD}"
        )
    skewed = abs(contrast.skewness)
    if skewed > LARGEST_SKEWNESS:
        return (
            f"the estimate is skewed ({skewed:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal), so the "
            f"error rate may miss its nominal level; {INSTEAD}"
        )
    return None


def choices_pvalue(choices: dict[str, Choices], *, once: bool) -> float:
    """p-value of the propensities being those by which the variants were chosen.

    With M the excess of choices and V its variance, exp(b M - (e^b - 1 - b) V) is a supermartingale for every b > 0
    (Freedman 1975, Annals of Probability 3(1), eq. 1.6), and so for -M. The mean of several is a test at any time; at
    `once`, one look, the best b is Bennett's bound.
    """
    variants = list(choices.values())
    variants = variants[1:] if len(variants) == 2 else variants  # of two, one's choices are those of the other
    found = [pair for variant in variants for pair in zip(variant.excess, variant.variance, strict=True)]
    if once:
        bounds = [v * ((1 + abs(m) / v) * math.log1p(abs(m) / v) - abs(m) / v) for m, v in found if v > 0]
        return min(1.0, 2 * len(bounds) * math.exp(-max(bounds, default=0.0)))
    cost = np.expm1(np.abs(BETS)) - np.abs(BETS)
    return _pvalue([BETS * m - cost * v for m, v in found])


def lost_pvalue(arm: IntArray, propensities: Float64Array) -> float:
    """p-value of decisions being without a value whatever was chosen; of as many looks as one likes.

    Whether a value is there must then say nothing of the choice, so that among these decisions variants are as frequent
    as their propensities say: exp(b n - sum log(1 - e + e exp b)) is a martingale for every b.
    """
    found = []
    for k in range(1 if len(propensities) == 2 else 0, len(propensities)):
        e = np.clip(propensities[k], 0.0, 1.0)
        expected = np.array([np.log1p(e * math.expm1(bet)).sum() for bet in BETS])
        found.append(BETS * np.count_nonzero(arm == k) - expected)
    return _pvalue(found)


def _pvalue(logs: list[Float64Array]) -> float:
    """From the logarithms of bets that pay 1 on average: of the mean of each list, the best of all lists."""
    best = max(float(logsumexp(each)) - math.log(len(each)) for each in logs)
    return min(1.0, len(logs) * math.exp(-max(best, -1.0)))
