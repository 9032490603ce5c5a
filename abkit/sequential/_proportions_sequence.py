"""The difference of two proportions at every look, exactly."""

from __future__ import annotations

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import Interval, Level
from abkit.sequential._cumulative import in_order, pairs_of_looks
from abkit.sequential._sequence import ConfidenceSequence
from abkit.sequential._two_proportions import TwoProportionsEffect, two_proportions_effect
from abkit.suffstats import Counts
from abkit.suffstats._base import IntArray, Statistics
from abkit.types import Alternative


def proportions_sequence(
    control: object,
    treatment: object,
    *,
    alpha: float,
    alternative: Alternative,
    tune_at: float,
    share: float,
    looks: object = None,
) -> ConfidenceSequence:
    """Treatment minus control at every look, from the evidence of `two_proportions_effect`."""
    counts = _counts(control, treatment, looks)
    sides = 2 if alternative == "two-sided" else 1
    n_control, ones_control, n_treatment, ones_treatment = counts.tolist()
    cells = zip(ones_control, n_control, ones_treatment, n_treatment, strict=True)
    effects = [
        two_proportions_effect(*cell, share=share, tune_at=tune_at, sides=sides) if cell[1] and cell[3] else None
        for cell in cells
    ]

    def log_evalue(null: float) -> Float64Array:
        return np.array([_log_evalue(effect, null, alternative) for effect in effects])

    ends = [_ends(effect, alpha, alternative) for effect in effects]
    low, high = np.array(ends).T
    estimate = np.array([effect.estimate if effect else np.nan for effect in effects])
    n = np.asarray(counts[0] + counts[2])
    return ConfidenceSequence("beta-binomial", "exact", alpha, alternative, n, estimate, low, high, log_evalue)


def _ends(effect: TwoProportionsEffect | None, alpha: float, alternative: Alternative) -> tuple[float, float]:
    found = effect.interval(Level(alpha), alternative) if effect else None
    if isinstance(found, Interval):
        return found.low, found.high
    return (-np.inf if alternative == "less" else -1.0), (np.inf if alternative == "greater" else 1.0)


def _log_evalue(effect: TwoProportionsEffect | None, null: float, alternative: Alternative) -> float:
    if effect is None:
        return 0.0
    beyond = {"greater": effect.estimate > null, "less": effect.estimate < null}.get(alternative, True)
    return effect.log_evalue(null, alternative) if beyond else -np.inf  # a bound: the least over the null is below 1


def _counts(control: object, treatment: object, looks: object) -> IntArray:
    """Units and ones of the control and of the treatment at each look, shape (4, looks)."""
    if isinstance(control, Statistics) or isinstance(treatment, Statistics):
        if not (isinstance(control, Counts) and isinstance(treatment, Counts)):
            raise TypeError("`data` and `treatment` must both be Counts, or both zeros and ones.")
        if looks is not None:
            raise ValueError("`looks` must be left out with statistics, which have their looks.")
        named = (("data", control), ("treatment", treatment))
        arms = [in_order(name, arm.n, arm.successes, _failures(arm)) for name, arm in named]
        if arms[0][0].size != arms[1][0].size:
            raise ValueError("`treatment` must have as many looks as `data`.")
        return np.array([column for n, ones, _ in arms for column in (n, ones)])
    samples = [_zeros_and_ones("data", control), _zeros_and_ones("treatment", treatment)]
    each = pairs_of_looks(looks, samples[0].size, samples[1].size)
    columns = []
    for sample, n in zip(samples, each.T, strict=True):
        columns += [n, np.concatenate([[0], np.cumsum(sample)]).astype(np.int64)[n]]
    return np.array(columns)


def _failures(counts: Counts) -> IntArray:
    return np.asarray(np.asarray(counts.n) - np.asarray(counts.successes))


def _zeros_and_ones(name: str, data: object) -> Float64Array:
    sample = _check.sample(name, data)
    if np.any((sample != 0) & (sample != 1)):
        raise ValueError(f"`{name}` must be 0 or 1.")
    return sample
