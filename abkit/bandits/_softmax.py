"""Softmax: better arms more often, by the exponential of their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray, MeanPolicy, drawn
from abkit.bandits._state import MeanState


@dataclass(frozen=True)
class Softmax(MeanPolicy):
    """Softmax (Boltzmann exploration): each arm with a probability that grows exponentially with its mean.

    Answers: which arm next, where traffic should follow the means smoothly and every arm should keep some?

    Parameters
    ----------
    temperature : float
        In the unit of the reward, above 0. An arm whose mean is one temperature higher is chosen 2.72 times as often.

    Raises
    ------
    ValueError
        A temperature that is not above 0.

    Notes
    -----
    The propensity of arm a is exp(m_a / temperature) / sum_b exp(m_b / temperature) [1]_, and arms are drawn with just
    these probabilities. Arms without a reward come first: while there are any, each of them has an equal share and the
    others have none. How uncertain a mean is has no say: with a fixed temperature regret grows with t, and an arm that
    began badly may be left for very long. `Thompson` needs no temperature.

    References
    ----------
    .. [1] Sutton and Barto 1998, Reinforcement Learning, eq. 2.2.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.Softmax(0.5)
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b"], [0.0, 0.35])
    >>> policy.propensities(state).round(4).tolist()
    [0.3318, 0.6682]
    """

    temperature: float = 0.1
    kind: ClassVar[str] = "softmax"

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperature", _check.within("temperature", self.temperature, 0, np.inf))

    def pick(self, state: MeanState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return drawn(self.probabilities(state), rng)

    def probabilities(self, state: MeanState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        means, untried = state.means, state.pulls == 0
        below = means - means.max(axis=0)
        # beyond 800 temperatures the exponential is 0, and the quotient could overflow
        weights = np.exp(np.maximum(below, -800 * self.temperature) / self.temperature)
        weights = np.where(untried.any(axis=0), untried, weights)
        return np.asarray(weights / weights.sum(axis=0))
