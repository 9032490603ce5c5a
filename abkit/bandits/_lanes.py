"""A policy in many runs at once: any policy by its own hooks; the fastest in tables of which only what changes is made.

A lane is a run. Positions are flat: place * runs + run.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._epsilon_greedy import EpsilonGreedy
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._state import Arm, MeanState
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
        self.means = np.full((len(arms), runs), np.inf)
        self.lane_of = np.tile(np.arange(runs), len(arms))
        self._best, self._is_best = np.empty(runs), np.empty((len(arms), runs), dtype=bool)

    def learn(self, flat: IntArray, reward: Float64Array, *_: Any) -> Float64Array:
        """Learn one reward a run; returns the pulls of its arm."""
        pulls, sums = self.pulls[flat] + 1, self.sums[flat] + reward
        self.pulls[flat], self.sums[flat] = pulls, sums
        self.means.reshape(-1)[flat] = sums / pulls
        self.t += 1
        return pulls

    def probabilities(self, context: None = None) -> Float64Array:
        """The probability of each arm in each run, before it is chosen."""
        pulls, sums = self.pulls.reshape(-1, self.runs), self.sums.reshape(-1, self.runs)
        # squared deviations are not kept: policies with tables do not look at them
        return self.policy.probabilities(MeanState(self.arms, pulls, sums, np.zeros_like(sums)))

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

    def choose(self, context: None = None) -> IntArray:
        """The flat position of the arm chosen in each run, in any order of the runs."""
        chosen, epsilon = self.largest(self.means), self.policy.epsilon
        if self.policy.gap is not None:
            epsilon = min(epsilon, self.policy.c * len(self.means) / (self.policy.gap**2 * max(self.t, 1)))
        u = self.rng.random(self.runs)
        # a number below epsilon, of which it is a share, is another uniform number
        anyone = (u < epsilon).nonzero()[0]
        if anyone.size:
            place = np.minimum(u[anyone] / epsilon * len(self.means), len(self.means) - 1).astype(np.intp)
            chosen[anyone] = place * self.runs + self.lane_of.take(chosen.take(anyone))
        return chosen


class BoundTables(_Tables):
    """UCB1: the score is the mean and a multiple of 1 / sqrt(n)."""

    policy: UCB1

    def __init__(self, policy: UCB1, arms: tuple[Arm, ...], runs: int, rng: np.random.Generator) -> None:
        super().__init__(policy, arms, runs, rng)
        self.widths, self.scores = np.zeros_like(self.means), np.empty_like(self.means)

    def choose(self, context: None = None) -> IntArray:
        """The flat position of the arm chosen in each run, in any order of the runs."""
        low, high = self.policy.bounds
        factor = (high - low) * math.sqrt(2 * math.log(max(self.t, 1)))
        np.multiply(self.widths, factor, out=self.scores)
        np.add(self.scores, self.means, out=self.scores)
        return self.largest(self.scores)

    def learn(self, flat: IntArray, reward: Float64Array, *_: Any) -> Float64Array:
        """Learn one reward a run; returns the pulls of its arm."""
        pulls = super().learn(flat, reward)
        self.widths.reshape(-1)[flat] = 1 / np.sqrt(pulls)
        return pulls


#: By the very class: a subclass may choose otherwise.
TABLES: dict[type, Any] = {EpsilonGreedy: GreedyTables, UCB1: BoundTables}
