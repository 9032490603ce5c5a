"""A policy in many runs at once: any policy by its own hooks; the fastest in tables of which only what changes is made.

A lane is a run. Positions are flat: place * runs + run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._beta_draws import BetaDraws
from abkit.bandits._epsilon_greedy import EpsilonGreedy
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._state import Arm, MeanState
from abkit.bandits._thompson import PRIORS, Thompson
from abkit.bandits._ucb import UCB1

#: So many ties are looked at one by one.
FEW = 32


class Lanes:
    """Any policy, by its own `pick` and `absorb`."""

    def __init__(self, policy: Policy[Any], arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        self.policy, self.runs, self.rng = policy, runs, rng
        self.state = policy.empty(arms, (runs,))
        self.lanes, self.pulls = np.arange(runs), np.zeros(len(arms) * runs)

    def choose(self, context: Float64Array | None = None) -> IntArray:
        """The flat position of the arm chosen in each run."""
        flat: IntArray = self.policy.pick(self.state, self.rng, context) * self.runs + self.lanes
        self.pulls[flat] += 1
        return flat

    def probabilities(self, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm in each run, before it is chosen."""
        return self.policy.probabilities(self.state, context)

    def learn(
        self, flat: IntArray, reward: Float64Array, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards of at most one decision a run."""
        self.policy.absorb(self.state, flat, reward, propensity, context)


class _Tables:
    """Pulls, sums and scores by flat position, in arrays that are used again; for rewards that are known at once."""

    def __init__(self, policy: Any, arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        self.policy, self.arms, self.runs, self.rng, self.t = policy, arms, runs, rng, 0
        size = len(arms) * runs
        self.pulls, self.sums = np.zeros(size), np.zeros(size)
        self.shape = len(arms), runs
        self.lane_of = np.tile(np.arange(runs), len(arms))
        self._best, self._is_best = np.empty(runs), np.empty(self.shape, dtype=bool)

    def count(self, flat: IntArray, reward: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Count one reward a run; returns the pulls of its arm and their sum."""
        pulls, sums = self.pulls[flat] + 1, self.sums[flat] + reward
        self.pulls[flat], self.sums[flat] = pulls, sums
        self.t += 1
        return pulls, sums

    def probabilities(self, context: None = None) -> Float64Array:
        """The probability of each arm in each run, before it is chosen."""
        pulls, sums = self.pulls.reshape(-1, self.runs), self.sums.reshape(-1, self.runs)
        # squared deviations are not kept: policies with tables do not look at them
        return np.asarray(self.policy.probabilities(MeanState(self.arms, pulls, sums, np.zeros_like(sums))))

    def largest(self, scores: Float64Array) -> IntArray:
        """The flat position of the largest score in each run, any of them where several are equal."""
        np.maximum.reduce(scores, axis=0, out=self._best)
        np.equal(scores, self._best, out=self._is_best)
        flat: IntArray = self._is_best.reshape(-1).nonzero()[0]
        return flat if flat.size == self.runs else self._untied(flat)

    def _untied(self, flat: IntArray) -> IntArray:
        """One of the positions of each run, each with the same probability: reservoir sampling."""
        lanes, chosen = self.lane_of.take(flat), np.empty(self.runs, dtype=np.intp)
        chosen[lanes] = flat
        others = flat[chosen.take(lanes) != flat]
        if others.size > FEW:
            return self._untied_many(chosen, lanes)
        seen: dict[int, int] = {}
        for other, u in zip(others.tolist(), self.rng.random(others.size).tolist(), strict=True):
            lane = other % self.runs
            seen[lane] = seen.get(lane, 1) + 1
            if u * seen[lane] < 1:
                chosen[lane] = other
        return chosen

    def _untied_many(self, chosen: IntArray, lanes: IntArray) -> IntArray:
        several = (np.bincount(lanes) > 1).nonzero()[0]
        ties = self._is_best[:, several]
        wanted = self.rng.integers(ties.sum(axis=0))
        chosen[several] = (ties.cumsum(axis=0) > wanted).argmax(axis=0) * self.runs + several
        return chosen


class GreedyTables(_Tables):
    """Epsilon-greedy: the score is the mean."""

    policy: EpsilonGreedy

    def __init__(self, policy: EpsilonGreedy, arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        super().__init__(policy, arms, runs, rng)
        self.means = np.full(self.shape, np.inf)

    def learn(self, flat: IntArray, reward: Float64Array, *_: Any) -> None:
        """Learn one reward a run."""
        pulls, sums = self.count(flat, reward)
        self.means.reshape(-1)[flat] = sums / pulls

    def choose(self, context: None = None) -> IntArray:
        """The flat position of the arm chosen in each run, in any order of the runs."""
        chosen, epsilon = self.largest(self.means), self.policy.epsilon
        if self.policy.gap is not None:
            epsilon = min(epsilon, self.policy.c * self.shape[0] / (self.policy.gap**2 * max(self.t, 1)))
        u = self.rng.random(self.runs)
        # a number below epsilon, of which it is a share, is another uniform number
        anyone = (u < epsilon).nonzero()[0]
        if anyone.size:
            place = np.minimum(u[anyone] / epsilon * self.shape[0], self.shape[0] - 1).astype(np.intp)
            chosen[anyone] = place * self.runs + self.lane_of.take(chosen.take(anyone))
        return chosen


class BoundTables(_Tables):
    """UCB1: the score is the mean and a multiple of 1 / sqrt(n)."""

    policy: UCB1

    def __init__(self, policy: UCB1, arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        super().__init__(policy, arms, runs, rng)
        self.means, self.widths = np.full(self.shape, np.inf), np.zeros(self.shape)
        self.scores = np.empty(self.shape)

    def choose(self, context: None = None) -> IntArray:
        """The flat position of the arm chosen in each run, in any order of the runs."""
        low, high = self.policy.bounds
        factor = (high - low) * math.sqrt(2 * math.log(max(self.t, 1)))
        np.multiply(self.widths, factor, out=self.scores)
        np.add(self.scores, self.means, out=self.scores)
        return self.largest(self.scores)

    def learn(self, flat: IntArray, reward: Float64Array, *_: Any) -> None:
        """Learn one reward a run."""
        pulls, sums = self.count(flat, reward)
        self.means.reshape(-1)[flat] = sums / pulls
        self.widths.reshape(-1)[flat] = 1 / np.sqrt(pulls)


class ThompsonTables(_Tables):
    """Thompson sampling of beta posteriors: the score is a draw."""

    policy: Thompson

    def __init__(self, policy: Thompson, arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        super().__init__(policy, arms, runs, rng)
        self.prior = beta_prior(policy)
        self.draws = BetaDraws(self.prior[0], self.prior[1], self.shape, rng)

    def choose(self, context: None = None) -> IntArray:
        """The flat position of the arm chosen in each run, in any order of the runs."""
        return self.largest(self.draws.draw())

    def learn(self, flat: IntArray, reward: Float64Array, *_: Any) -> None:
        """Learn one reward a run."""
        pulls, sums = self.count(flat, reward)
        a, b = self.prior
        self.draws.put(flat, a + sums, b + (pulls - sums))


def beta_prior(policy: Thompson) -> tuple[float, ...]:
    """The parameters of the beta that an arm has before its first reward."""
    return PRIORS["bernoulli"][1] if policy.prior is None else policy.prior


def lanes_of(policy: Policy[Any], *, tables: bool) -> Any:
    """Which lanes a policy has. Tables are for the very class: a subclass may choose otherwise."""
    if tables and type(policy) is EpsilonGreedy:
        return GreedyTables
    if tables and type(policy) is UCB1:
        return BoundTables
    if tables and type(policy) is Thompson and policy.family == "bernoulli" and min(beta_prior(policy)) >= 1:
        return ThompsonTables
    return Lanes
