"""Every decision of a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._environment import Environment
from abkit.bandits._policy import IntArray


@dataclass(frozen=True, eq=False)
class Records:
    """Every decision of a simulation, in order along the first axis; runs are along the last, of contexts the second.

    Parameters
    ----------
    places : int array, shape (horizon, runs)
        The place of the arm that was chosen.
    rewards : float array, shape (horizon, runs)
    propensities : float array, shape (horizon, arms, runs)
        Of every arm, before the choice.
    contexts : float array, shape (horizon, runs, dimension), or None
    """

    places: IntArray
    rewards: Float64Array
    propensities: Float64Array
    contexts: Float64Array | None

    @classmethod
    def empty(cls, environment: Environment, horizon: int, runs: int) -> Records:
        """Room for so many decisions."""
        return cls(
            np.empty((horizon, runs), dtype=np.intp),
            np.empty((horizon, runs)),
            np.empty((horizon, len(environment.arms), runs)),
            np.empty((horizon, runs, environment.dimension)) if environment.dimension else None,
        )

    def keep(
        self, t: int, flat: IntArray, reward: Float64Array, every: Float64Array, context: Float64Array | None
    ) -> None:
        """Write down decision `t` of each run, whose positions are place * runs + run."""
        place, lane = np.divmod(flat, self.rewards.shape[1])
        self.places[t, lane], self.rewards[t, lane], self.propensities[t] = place, reward, every
        if self.contexts is not None and context is not None:
            self.contexts[t] = context

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Runs beside runs."""
        contexts = [part.contexts for part in parts if part.contexts is not None]
        return cls(
            np.concatenate([part.places for part in parts], axis=1),
            np.concatenate([part.rewards for part in parts], axis=1),
            np.concatenate([part.propensities for part in parts], axis=2),
            np.concatenate(contexts, axis=1) if contexts else None,
        )
