"""Posterior predictive checks of a local level with regression: waves, slow moves and jumps that it does not have."""

from __future__ import annotations

import numpy as np

from abkit._check import Float64Array
from abkit.mcmc._local_level import Changes

#: The chance that a model which is right fails one of the checks.
ALPHA = 0.001
MOST_DRAWS, BLOCKS = 500, 8
WAVE, SLOW, JUMP = "wave", "slow", "jump"
_FINDINGS = {
    WAVE: "the series before the switch has a wave that the model does not have; give `season`, or more controls",
    SLOW: "the slow moves of the series before the switch are not a random walk's; give `controls`, or a shorter past",
    JUMP: "the series before the switch has larger jumps than the model; leave out those buckets, or take a quantile",
}


def check_changes(
    changes: Changes, noise: Float64Array, level: Float64Array, slopes: Float64Array, rng: np.random.Generator
) -> dict[str, float]:
    """p-values: how often the model has as large a wave, as much or as little slow movement, as large a jump.

    Given a draw of the parameters the standardised values are independent standard normals, if the model is right.
    """
    rows = rng.choice(noise.size, size=min(MOST_DRAWS, noise.size), replace=False)
    noise, level = noise[rows, None], level[rows, None]
    left = changes.values - slopes[rows] @ changes.regressors.T
    standard = left / np.sqrt(level**2 + noise**2 * changes.eigenvalues)
    seen = _sizes(standard, changes.back(left))
    would: dict[str, list[Float64Array]] = {name: [] for name in _FINDINGS}
    for _ in range(BLOCKS):
        errors = noise * rng.standard_normal((rows.size, standard.shape[1] + 1))
        moved = level * rng.standard_normal(standard.shape) + np.diff(errors, axis=1) / changes.roots
        for name, sizes in _sizes(rng.standard_normal(standard.shape), moved).items():
            would[name].append(sizes)
    return {name: _pvalue(name, seen[name], np.concatenate(would[name])) for name in _FINDINGS}


def findings(pvalues: dict[str, float]) -> tuple[list[str], list[str]]:
    """What makes a forecast wrong, and what only makes its intervals too wide or too narrow."""
    said = {name: f"{_FINDINGS[name]} (p = {p:.2g})" for name, p in pvalues.items() if p < ALPHA}
    return [said[name] for name in (WAVE, SLOW) if name in said], [said[JUMP]] if JUMP in said else []


def _sizes(standard: Float64Array, moved: Float64Array) -> dict[str, Float64Array]:
    slowest = max(4, standard.shape[1] // 20)
    return {
        WAVE: np.max(standard**2, axis=1),
        SLOW: np.mean(standard[:, :slowest] ** 2, axis=1),
        JUMP: np.max(np.abs(moved), axis=1) / np.sqrt(np.mean(moved**2, axis=1)),
    }


def _pvalue(name: str, seen: Float64Array, would: Float64Array) -> float:
    """The share of pairs in which the model's number is the larger; slow movement can be too small, too."""
    above = 1 - np.searchsorted(np.sort(would), seen, side="left").mean() / would.size
    upper = float((above * would.size + 0.5) / (would.size + 1))
    return 2 * min(upper, 1 - upper) if name == SLOW else upper
