"""Which other arm beats a leader that is almost certainly the best: drawn without waiting until it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln, logit

from abkit._check import Float64Array
from abkit.bandits._policy import IntArray, drawn
from abkit.posterior import Beta, Gamma, Normal

#: Tries at once, and how often; about one in a hundred succeeds where the odds are 1e-300.
_TRIES, _ROUNDS = 16, 100
NOBODY = -1
#: Probabilities below 1e-300 are taken as that: below the first all rivals' are, above the second none that counts.
_FLOORED, _FREE = -700.0, -600.0


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The leader beside each other arm, both posteriors moved to where they are equally large.

    The densities as they were are the moved ones times exp(log_bound - tilt (scale(rival) - scale(leader))), which is
    exp(log_bound) at most where the rival is larger.
    """

    leaders: Any
    rivals: Any
    log_bound: Float64Array
    tilt: Float64Array
    scale: Callable[[Float64Array], Float64Array]


def challengers(posterior: Any, leader: IntArray, rng: np.random.Generator) -> IntArray:
    """The best arm of a draw, given that it is not the leader, for a posterior of shape (arms, runs).

    Exact, by rejection: a rival with the bound of its odds, a draw from the moved pair and the other arms, which stands
    if the rival is the largest, with the probability that the densities say. Where every rival's probability is below
    1e-300, any of them, as their propensities are then the same; `NOBODY` near there, and where none stood.
    """
    found, lanes_ = np.full(leader.shape, NOBODY, dtype=np.intp), np.arange(leader.size)
    posterior = posterior.take(lambda array: np.broadcast_to(array, posterior.shape))
    pairs = _MOVED[type(posterior)](posterior, posterior.take(lambda array: array[leader, lanes_]))
    bound = pairs.log_bound.copy()
    bound[leader, lanes_] = -np.inf
    most = bound.max(axis=0)
    odds = np.where(most < _FLOORED, bound > -np.inf, np.exp(bound - most))
    floored = np.flatnonzero(most < _FLOORED)
    found[floored] = drawn(odds[:, floored], rng)
    for _ in range(_ROUNDS):
        open_ = np.flatnonzero((found == NOBODY) & (most > _FREE))
        if not open_.size:
            break
        lanes = np.repeat(open_, _TRIES)
        rival, won = _tried(posterior, pairs, odds, leader, lanes, rng)
        won = won.reshape(-1, _TRIES)
        hit = won.any(axis=1)
        found[open_[hit]] = rival.reshape(won.shape)[hit, won[hit].argmax(axis=1)]
    return found


def _tried(
    posterior: Any, pairs: _Pairs, odds: Float64Array, leader: IntArray, lanes: IntArray, rng: np.random.Generator
) -> tuple[IntArray, Any]:
    """A rival in each of these runs, and whether it stands."""
    rival, tries = drawn(odds[:, lanes], rng), np.arange(lanes.size)
    ahead = pairs.rivals.take(lambda array: array[rival, lanes]).sample(rng)
    behind = pairs.leaders.take(lambda array: array[rival, lanes]).sample(rng)
    rest = posterior.take(lambda array: array[:, lanes]).sample(rng)
    rest[rival, tries] = -np.inf
    rest[leader[lanes], tries] = behind
    with np.errstate(invalid="ignore"):
        surplus = pairs.tilt[rival, lanes] * (pairs.scale(ahead) - pairs.scale(behind))
    return rival, (rest.max(axis=0) < ahead) & (rng.standard_exponential(lanes.size) >= surplus)


def _of_shares(rivals: Beta, leaders: Beta) -> _Pairs:
    n, of_leader = rivals.a + rivals.b, leaders.a + leaders.b
    behind = rivals.a / n < leaders.a / of_leader
    pooled = (rivals.a + leaders.a) / (n + of_leader)
    rest = (rivals.b + leaders.b) / (n + of_leader)
    moved = Beta(np.where(behind, n * pooled, rivals.a), np.where(behind, n * rest, rivals.b))
    lowered = Beta(np.where(behind, of_leader * pooled, leaders.a), np.where(behind, of_leader * rest, leaders.b))
    log_bound = betaln(moved.a, moved.b) - betaln(rivals.a, rivals.b)
    log_bound += betaln(lowered.a, lowered.b) - betaln(leaders.a, leaders.b)
    return _Pairs(lowered, moved, log_bound, leaders.a - lowered.a, logit)


def _of_counts(rivals: Gamma, leaders: Gamma) -> _Pairs:
    behind = rivals.k / rivals.rate < leaders.k / leaders.rate
    share = (rivals.rate + leaders.rate) / (rivals.k + leaders.k)
    moved = Gamma(rivals.k, np.where(behind, rivals.k * share, rivals.rate))
    lowered = Gamma(leaders.k + 0 * share, np.where(behind, leaders.k * share, leaders.rate))
    log_bound = rivals.k * np.log(rivals.rate / moved.rate) + leaders.k * np.log(leaders.rate / lowered.rate)
    return _Pairs(lowered, moved, log_bound, lowered.rate - leaders.rate, _as_it_is)


def _of_means(rivals: Normal, leaders: Normal) -> _Pairs:
    v, of_leader = rivals.sd**2, leaders.sd**2
    gap = np.maximum(leaders.location - rivals.location, 0.0)
    tilt = gap / (v + of_leader)
    moved = Normal(rivals.location + tilt * v, rivals.sd)
    lowered = Normal(leaders.location - tilt * of_leader, leaders.sd + 0 * v)
    return _Pairs(lowered, moved, -gap * tilt / 2, tilt, _as_it_is)


def _as_it_is(values: Float64Array) -> Float64Array:
    return values


_MOVED: dict[type, Callable[[Any, Any], _Pairs]] = {Beta: _of_shares, Gamma: _of_counts, Normal: _of_means}
#: Posteriors that can be moved.
MOVABLE = tuple(_MOVED)
