"""The effect of an arm against the control, from the weighted scores of a policy's decisions."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp

from abkit.bandits._adaptive import adaptive_effect, skewness_of
from abkit.evidence import Sample
from abkit.inference._caution import FEWEST_UNITS, LARGEST_SKEWNESS
from abkit.inference._mean_effect import MeanEffect
from abkit.logs import Choices, Contrast

METHOD = "adaptively weighted AIPW"
INSTEAD = "keep a minimum share for each variant, and wait for more decisions"
#: The sizes of a bet against the propensities, from steep to shallow: it does not matter how much has been seen.
BETS = 2.0 ** np.arange(2, -14, -1)


def contrast_effect(contrast: Contrast) -> MeanEffect:
    """Control's and treatment's mean, in the weights of the decisions; a ValueError says why there is none."""
    unit = contrast.unit
    found = adaptive_effect(contrast.moments)
    return MeanEffect(
        contrast.center + unit * found.control,
        contrast.center + unit * found.treatment,
        unit * unit * found.var_control,
        unit * unit * found.var_treatment,
        unit * unit * found.covariance,
        found.df,
    )


def contrast_sample(contrast: Contrast) -> Sample:
    """How much the decisions hold; the clock is their number, as each adds about the same variance."""
    fewer = min(contrast.n_control, contrast.n_treatment)
    return Sample(int(contrast.moments.n), fewer, contrast.events, skewness_of(contrast.moments))


def contrast_caution(contrast: Contrast) -> str | None:
    """Why the estimate may be too far from normal for its error rate."""
    fewer = min(contrast.n_control, contrast.n_treatment)
    if fewer < FEWEST_UNITS:
        return f"a variant was chosen {fewer} times only, too few for the error rate to be near its nominal level"
    skewed = abs(skewness_of(contrast.moments))
    if skewed > LARGEST_SKEWNESS:
        return (
            f"the estimate is skewed ({skewed:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal), so the "
            f"error rate may miss its nominal level; {INSTEAD}"
        )
    return None


def choices_pvalue(choices: dict[str, Choices]) -> float:
    """p-value of the propensities being those by which the variants were chosen; of as many looks as one likes.

    With M the excess of choices and V its variance, exp(b M - (e^|b| - 1 - |b|) V) is a supermartingale for every b
    (Freedman 1975, Annals of Probability 3(1), eq. 1.6), and the mean of several a test at any time (Ville).
    """
    variants = list(choices.values())
    variants = variants[1:] if len(variants) == 2 else variants  # of two, one's choices are those of the other
    bets = np.concatenate([BETS, -BETS])
    cost = np.expm1(np.abs(bets)) - np.abs(bets)
    found = [
        logsumexp(bets * m - cost * v) - math.log(len(bets))
        for variant in variants
        for m, v in zip(variant.excess, variant.variance, strict=True)
    ]
    return min(1.0, len(found) * math.exp(-max(*found, -1.0)))
