"""Upper confidence bounds on the mean reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IndexPolicy, check_bounds
from abkit.bandits._state import MeanState


@dataclass(frozen=True)
class UCB1(IndexPolicy):
    """UCB1: the arm whose mean could be the largest, by Hoeffding's bound.

    Answers: which arm next, where rewards are bounded and nothing else is known?

    Parameters
    ----------
    bounds : (float, float)
        What no reward can lie below and above.

    Raises
    ------
    ValueError
        Bounds that are not two numbers in order.

    Notes
    -----
    The index is the mean plus (high - low) sqrt(2 ln t / n), with t rewards so far and n of this arm [1]_. Choices are
    deterministic but for ties, so that a log of them says nothing of the arms that were not chosen. `KLUCB` has
    the same guarantee with less regret where rewards are 0 or 1.

    References
    ----------
    .. [1] Auer, Cesa-Bianchi and Fischer 2002, Machine Learning 47, fig. 1.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> policy = ab.bandits.UCB1()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1])
    >>> policy.index(state).round(4).tolist()
    [2.4823, 1.5481]
    >>> policy.select(state, rng=np.random.default_rng(1)).arm
    'a'
    """

    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "ucb1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""
        low, high = self.bounds
        return pulled(state, state.means + (high - low) * np.sqrt(2 * log_t(state) / state_pulls(state)))

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)


def checked_bounds(bounds: object) -> tuple[float, float]:
    """Two finite numbers in order."""
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(f"`bounds` must be two numbers (low, high); got {_check.show(bounds)}.")
    low, high = (_check.number("bounds", bound) for bound in bounds)
    if not low < high:
        raise ValueError(f"`bounds` must be in order, the lower first; got {low:g} and {high:g}.")
    return low, high


def pulled(state: MeanState, index: Float64Array) -> Float64Array:
    """An index, and infinity where an arm was never pulled."""
    return np.where(state.pulls > 0, index, np.inf)


def state_pulls(state: MeanState) -> Float64Array:
    """Pulls, and 1 where there are none, to divide by."""
    return np.where(state.pulls > 0, state.pulls, 1.0)


def log_t(state: MeanState) -> Float64Array:
    """The logarithm of how many rewards there are so far, which is 0 before the second."""
    return np.log(np.maximum(state.t, 1.0))
