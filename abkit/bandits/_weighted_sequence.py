"""Means of inverse-propensity scores at any time: bets on scores that are bounded on the side they are bet against.

A score x_t has the wanted mean given the past, and lies above a bound that was known before it came; nothing bounds it
from above, so that propensities may be as small as they like. Scores are on the scale where the mean is in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from abkit._check import Float64Array
from abkit.sequential._betting import Wager
from abkit.sequential._bounded import LARGEST_BET, refuse_impossible
from abkit.sequential._cumulative import numbers_of_looks
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray
from abkit.types import Alternative

Bets = Literal["betting", "empirical-bernstein"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores whose mean, given those before, is the same number in [0, 1].

    Parameters
    ----------
    x : float array, shape (n,)
        The scores, in order of arrival.
    below : float array, shape (n,), or float
        x is at least -below; at least 0, and known before x.
    spread : float array, shape (n,), or float
        The variance of x as it is expected before x comes, up to a factor: bets are inverse to it. Infinite where x
        says nothing.
    """

    x: Float64Array
    below: Float64Array | float = 0.0
    spread: Float64Array | float = 1.0


def bets_on(scores: Scores, goal: float) -> Float64Array:
    """How much of the capital each score is bet with, before it comes.

    With u = 1 / spread and v the mean of u (x - mean)^2 so far, bet = u sqrt(2 goal / (v sum(u) log(1 + t))), of which
    Waudby-Smith and Ramdas (2024, JRSS B 86(1), eq. 26) have the case u = 1; and no more than half of the capital.
    """
    u = np.broadcast_to(1 / np.asarray(scores.spread, dtype=np.float64), scores.x.shape)
    t = np.maximum(np.cumsum(u > 0), 1)
    information = np.cumsum(u)
    squares = np.cumsum(u * (scores.x - _means_before(scores.x, u)) ** 2)
    variance = np.concatenate([[0.25], (0.25 + squares[:-1]) / (t[:-1] + 1)])
    scale = variance * np.where(information > 0, information, 1.0) * np.log1p(t)
    return np.asarray(np.minimum(u * np.sqrt(2 * goal / scale), LARGEST_BET / (1 + np.asarray(scores.below))))


class Betting(Wager):
    """The capital of bets that do not depend on the mean they are against."""

    __slots__ = ()

    def __init__(self, scores: Scores, goal: float) -> None:
        for name, value in (("x", scores.x), ("bet", bets_on(scores, goal)), ("goal", goal)):
            object.__setattr__(self, name, value)

    def estimate(self, looks: IntArray) -> Float64Array:
        """The mean weighted by bets."""
        return _weighted(self.bet, self.x, looks)


class Bernstein:
    """The empirical Bernstein bound of the same capital: wider, and one pass.

    The sum of bet (x - m) - psi(b) ((x - mean) / (1 + below))^2 with b = bet (1 + below) and psi(b) = -log(1 - b) - b
    (Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro 2022, sec. 2, with a bound a score).
    """

    def __init__(self, scores: Scores, goal: float) -> None:
        self.bet, self.x, self.goal = bets_on(scores, goal), scores.x, goal
        reach = 1 + np.asarray(scores.below)
        size = (scores.x - _means_before(scores.x, np.where(self.bet > 0, 1.0, 0.0))) / reach
        self.cost = np.cumsum(size**2 * (-np.log1p(-self.bet * reach) - self.bet * reach))

    def estimate(self, looks: IntArray) -> Float64Array:
        """The mean weighted by bets."""
        return _weighted(self.bet, self.x, looks)

    def ends(self, looks: IntArray) -> Float64Array:
        """Where the log capital, which is linear in m, is at its goal."""
        made = np.cumsum(self.bet)[looks - 1]
        lack = (self.goal + self.cost[looks - 1]) / np.where(made > 0, made, 1.0)
        return np.where(made > 0, np.clip(self.estimate(looks) - lack, 0.0, 1.0), 0.0)

    def log_capital(self, null: Float64Array, looks: IntArray) -> Float64Array:
        """The log capital at each look against the null of that look."""
        won, made = np.cumsum(self.bet * self.x)[looks - 1], np.cumsum(self.bet)[looks - 1]
        return np.asarray(won - null * made - self.cost[looks - 1])


CAPITALS: dict[str, Callable[[Scores, float], Betting | Bernstein]] = {
    "betting": Betting,
    "empirical-bernstein": Bernstein,
}


def weighted_sequence(  # noqa: PLR0913 - what a sequence is asked
    up: Scores,
    down: Scores,
    *,
    possible: tuple[float, float],
    alpha: float,
    alternative: Alternative,
    looks: object = None,
    bets: Bets = "betting",
    method: str = "importance-weighted",
    caution: str | None = None,
) -> ConfidenceSequence:
    """The sequence of a parameter that lies in `possible`, from scores of it and of its mirror image.

    The mean of `up` is where the parameter lies between the ends of `possible`, from 0 to 1, and that of `down` is 1
    less it. Each side has half of alpha, or all of it where only one is asked for.
    """
    numbers = numbers_of_looks(looks, up.x.size)
    sides = 2 if alternative == "two-sided" else 1
    goal, start, width = math.log(sides / alpha), possible[0], possible[1] - possible[0]
    above, under = CAPITALS[bets](up, goal), CAPITALS[bets](down, goal)

    def log_evalue(null: float) -> Float64Array:
        refuse_impossible(null, possible)
        m = np.full(numbers.size, min(max((null - start) / width, 0.0), 1.0))
        found = [] if alternative == "less" else [above.log_capital(m, numbers)]
        found += [] if alternative == "greater" else [under.log_capital(1 - m, numbers)]
        return np.asarray(np.max(found, axis=0) - math.log(len(found)))

    nothing = np.full(numbers.size, math.inf)
    return ConfidenceSequence(
        method=f"{method}, {bets}",
        validity="exact",
        alpha=alpha,
        alternative=alternative,
        n=numbers,
        estimate=start + width * np.clip((above.estimate(numbers) + 1 - under.estimate(numbers)) / 2, 0.0, 1.0),
        low=-nothing if alternative == "less" else start + width * above.ends(numbers),
        high=nothing if alternative == "greater" else start + width * (1 - under.ends(numbers)),
        log_evalue=log_evalue,
        order_matters=True,
        caution=caution,
    )


def _weighted(bet: Float64Array, x: Float64Array, looks: IntArray) -> Float64Array:
    made = np.cumsum(bet)[looks - 1]
    return np.where(made > 0, np.cumsum(bet * x)[looks - 1] / np.where(made > 0, made, 1.0), 0.5)


def _means_before(x: Float64Array, u: Float64Array) -> Float64Array:
    """The mean weighted by u of what came before, and of one score of 1/2; within [0, 1], where the truth is."""
    sums, weights = (np.concatenate([[0.0], np.cumsum(values[:-1])]) for values in (u * x, u))
    return np.asarray(np.clip((0.5 + sums) / (1 + weights), 0.0, 1.0))
