"""What policies around another policy share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray, Policy
from abkit.bandits._state import Arm, MeanState, State


@dataclass(frozen=True)
class Wrapper(Policy[Any]):
    """A policy around another: it does as the inner one does, where a subclass does not say otherwise.

    Parameters
    ----------
    policy : Policy
        The inner policy.
    """

    policy: Policy[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.policy, Policy):
            raise TypeError(f"`policy` must be a policy such as UCB1(); got {_check.show(self.policy)}.")

    @property
    def randomised(self) -> bool:  # type: ignore[override]
        """Whether arms are chosen at random."""
        return self.policy.randomised

    @property
    def needs_propensity(self) -> bool:  # type: ignore[override]
        """Whether `update` must be told the probability with which the arm was chosen."""
        return self.policy.needs_propensity

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> Any:
        """What is known before any reward."""
        return self.policy.empty(arms, runs)

    def pick(self, state: Any, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return self.policy.pick(state, rng, context)

    def probabilities(self, state: Any, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        return self.policy.probabilities(state, context)

    def absorb(
        self, state: Any, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place."""
        self.policy.absorb(state, place, reward, propensity, context)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards that the inner policy is not made for."""
        self.policy.check_reward(reward)

    def check_context(self, context: object) -> Float64Array | None:
        """The context as the inner policy reads it."""
        return self.policy.check_context(context)

    def check_propensity(self, propensity: object) -> float | None:
        """The propensity as the inner policy reads it."""
        return self.policy.check_propensity(propensity)

    def _require_means(self) -> None:
        """Old rewards can be forgotten where the inner policy knows sums of rewards, and nothing else."""
        known: State = self.policy.empty((0,))
        if type(known) is not MeanState:
            raise ValueError(
                f"`policy` must learn from sums of rewards, as UCB1 does, to be put into {type(self).__name__}; "
                f"got {type(self.policy).__name__}, whose state is of the kind {known.kind!r}."
            )


def runs_of(state: MeanState, place: Any) -> IntArray:
    """In which run of a simulation each place is; a live state is one run."""
    return np.atleast_1d(np.asarray(place % max(state.pulls[0].size, 1), dtype=np.intp))
