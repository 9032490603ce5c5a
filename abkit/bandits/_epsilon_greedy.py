"""Epsilon-greedy: mostly the arm with the best mean, sometimes any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._index import of_tried
from abkit.bandits._policy import IntArray, MeanPolicy, largest, shares_of_largest
from abkit.bandits._state import MeanState


@dataclass(frozen=True)
class EpsilonGreedy(MeanPolicy):
    """Epsilon-greedy: the arm with the best mean, but with probability epsilon any arm.

    Answers: which arm next, where every arm must keep a known share of the traffic?

    Parameters
    ----------
    epsilon : float
        The probability of an arm at random, from 0 to 1; with `gap` the largest that it may be.
    gap : float, optional
        Smallest difference of the best mean and another, above 0: epsilon then falls as c K / (gap^2 t).
    c : float
        How slowly it falls; read with `gap` only.

    Raises
    ------
    ValueError
        A parameter outside its domain.

    Notes
    -----
    With K arms and t rewards so far, epsilon_t = min(epsilon, c K / (gap^2 t)) [1]_. Arms without a reward come first;
    equal means tie, and any of them is chosen. The propensity of an arm is epsilon_t / K, plus (1 - epsilon_t) /
    (number of best arms) where it is one of these. A fixed epsilon has regret that grows with t; a falling one needs
    a gap that nobody knows beforehand, and the c of the theorem explores much.

    References
    ----------
    .. [1] Auer, Cesa-Bianchi and Fischer 2002, Machine Learning 47, fig. 3 and thm 3.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> policy = ab.bandits.EpsilonGreedy(0.1)
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b"], [0.0, 1.0])
    >>> policy.select(state, rng=np.random.default_rng(1))
    Choice(arm='b', propensity=0.95)
    """

    epsilon: float = 0.1
    gap: float | None = None
    c: float = 5.0
    kind: ClassVar[str] = "epsilon-greedy"

    def __post_init__(self) -> None:
        epsilon = _check.at_least("epsilon", self.epsilon, 0)
        if epsilon > 1:
            raise ValueError(f"`epsilon` must be at most 1; got {epsilon:g}.")
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "c", _check.within("c", self.c, 0, np.inf))
        if self.gap is not None:
            object.__setattr__(self, "gap", _check.within("gap", self.gap, 0, np.inf))

    def pick(self, state: MeanState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        arms, epsilon = len(state.arms), self._epsilon(state)
        if state.pulls.ndim == 1:
            return np.asarray(rng.integers(arms)) if rng.random() < epsilon else largest(_greedy(state), rng)
        place = largest(_greedy(state), rng)
        explorers = np.flatnonzero(rng.random(place.size) < epsilon)
        place[explorers] = rng.integers(arms, size=explorers.size)
        return place

    def probabilities(self, state: MeanState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        epsilon = self._epsilon(state)
        return np.asarray((1 - epsilon) * shares_of_largest(_greedy(state)) + epsilon / len(state.arms))

    def _epsilon(self, state: MeanState) -> Float64Array | float:
        if self.gap is None:
            return self.epsilon
        scale = self.c * len(state.arms) / self.gap / self.gap
        return np.minimum(self.epsilon, scale / np.maximum(state.t, 1.0))


def _greedy(state: MeanState) -> Float64Array:
    """The mean of each arm, and infinity of one that was never pulled."""
    return of_tried(state, lambda pulls: state.sums / pulls)
