"""Sequences for an arm's mean, and for the difference of two, from decisions that depended on earlier rewards."""

from __future__ import annotations

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._adaptive import Chosen
from abkit.bandits._index import checked_bounds
from abkit.bandits._weighted_sequence import Bets, Scores, weighted_sequence
from abkit.sequential._sequence import ConfidenceSequence
from abkit.types import ALTERNATIVES, Alternative

BETS: tuple[Bets, ...] = ("betting", "empirical-bernstein")
METHOD = "adaptive"


def contrast_sequence(  # noqa: PLR0913 - the choices of a sequence
    chosen: Chosen,
    reward: Float64Array,
    propensity: Float64Array,
    *,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
    looks: object = None,
    bets: Bets = "betting",
    caution: str | None = None,
) -> ConfidenceSequence:
    """Treatment minus control, in arrays of shape (2, n) and rewards of shape (n,)."""
    y, width = _scaled(reward, bounds, alpha, alternative, bets)
    usable = np.all(propensity > 0, axis=0)
    e = np.where(usable, propensity, 1.0)
    guess = _guesses(chosen, y)
    gap = guess[1] - guess[0]
    gain = np.where(chosen & usable, (y - guess) / e, 0.0)
    # (1 + treatment - control) / 2 is in [0, 1]
    x = (1 + gap + gain[1] - gain[0]) / 2
    least = (1 + gap - np.maximum(guess[1] / e[1], (1 - guess[0]) / e[0])) / 2
    most = (1 + gap + np.maximum((1 - guess[1]) / e[1], guess[0] / e[0])) / 2
    spread = np.where(usable, np.sum(1 / e, axis=0) / 4, np.inf)
    return weighted_sequence(
        *_both(x, least, most, spread),
        possible=(-width, width),
        alpha=alpha,
        alternative=alternative,
        looks=looks,
        bets=bets,
        method=METHOD,
        caution=caution,
    )


def arm_sequence(  # noqa: PLR0913 - the choices of a sequence
    chosen: Chosen,
    reward: Float64Array,
    propensity: Float64Array,
    *,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
    looks: object = None,
    bets: Bets = "betting",
    caution: str | None = None,
) -> ConfidenceSequence:
    """The mean of one arm, in arrays of shape (n,)."""
    y, _ = _scaled(reward, bounds, alpha, alternative, bets)
    usable = propensity > 0
    e = np.where(usable, propensity, 1.0)
    guess = _guesses(chosen[None], y)[0]
    x = guess + np.where(chosen & usable, (y - guess) / e, 0.0)
    least, most = guess - guess / e, guess + (1 - guess) / e
    spread = np.where(usable, 1 / e, np.inf)
    return weighted_sequence(
        *_both(x, least, most, spread),
        possible=checked_bounds(bounds),
        alpha=alpha,
        alternative=alternative,
        looks=looks,
        bets=bets,
        method=METHOD,
        caution=caution,
    )


def _both(x: Float64Array, least: Float64Array, most: Float64Array, spread: Float64Array) -> tuple[Scores, Scores]:
    """Scores and their mirror image, with what each is known to be at least."""
    up = Scores(x, np.maximum(-least, 0.0), spread)
    return up, Scores(1 - x, np.maximum(most - 1, 0.0), spread)


def _scaled(
    reward: Float64Array, bounds: object, alpha: float, alternative: Alternative, bets: Bets
) -> tuple[Float64Array, float]:
    """Rewards on [0, 1], and the width of their bounds."""
    _check.within("alpha", alpha, 0, 1)
    _check.choice("alternative", alternative, ALTERNATIVES)
    _check.choice("bets", bets, BETS)
    low, high = checked_bounds(bounds)
    outside = reward[(reward < low) | (reward > high)]
    if outside.size:
        raise ValueError(
            f"`reward` must lie within `bounds`, {low:g} to {high:g}; got {outside.size} outside, the first "
            f"{outside[0]:g}."
        )
    return np.clip((reward - low) / (high - low), 0.0, 1.0), high - low


def _guesses(chosen: Chosen, y: Float64Array) -> Float64Array:
    """The mean of each arm's rewards before each decision, with one of 1/2 among them."""
    seen, sums = (
        np.concatenate([np.zeros((len(chosen), 1)), np.cumsum(values, axis=1)[:, :-1]], axis=1)
        for values in (chosen.astype(np.float64), np.where(chosen, y, 0.0))
    )
    return np.asarray((0.5 + sums) / (1 + seen))
