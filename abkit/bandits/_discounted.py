"""A policy that forgets old rewards little by little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._state import TINY, MeanState
from abkit.bandits._wrapper import Wrapper, runs_of


@dataclass(frozen=True)
class Discounted(Wrapper):
    """A policy whose old rewards count less and less: each reward takes a share of the weight of all before it.

    Answers: which arm next, where the arms' means drift?

    Parameters
    ----------
    policy : Policy
        One that learns from sums of rewards, such as `UCB1`, `KLUCB`, `EpsilonGreedy` or `Softmax`.
    discount : float
        The weight that is left at each further reward, above 0 and at most 1. Some 1 / (1 - discount) rewards count.

    Raises
    ------
    ValueError
        A discount outside its domain, or a policy whose state is not sums of rewards.

    Notes
    -----
    After t rewards arm a has n_a = sum_s discount^(t - s) 1{a_s = a}, and its sum and squared deviations with the same
    weights; the inner policy reads these, with t the total of all n_a. Around `UCB1` this is discounted UCB [1]_ with
    B = high - low and xi = 1/2: m_a + 2 B sqrt(xi ln(sum n) / n_a); the theorem wants xi > 1/2 by any amount. An arm
    whose weight falls below 1e-12 is one that was never pulled. Time is counted in rewards, not in days: with late
    rewards the discount begins when they come in.

    References
    ----------
    .. [1] Garivier and Moulines 2011, Algorithmic Learning Theory, LNCS 6925, sec. 2.1.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.Discounted(ab.bandits.UCB1(), 0.5)
    >>> policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1]).pulls.tolist()
    [0.25, 1.5]
    """

    discount: float = 0.99
    kind: ClassVar[str] = "discounted"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_means()
        discount = _check.within("discount", self.discount, 0, np.inf)
        if discount > 1:
            raise ValueError(f"`discount` must be at most 1; got {discount:g}.")
        object.__setattr__(self, "discount", discount)

    def absorb(
        self, state: MeanState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place, of which there is at most one a run."""
        arrays = state.pulls, state.sums, state.m2
        if np.size(place) == state.pulls[0].size:
            for array in arrays:
                np.multiply(array, self.discount, out=array)
            forgotten = (state.pulls < TINY) & (state.pulls > 0)
            if forgotten.any():
                for array in arrays:
                    array[forgotten] = 0.0
        else:
            self._fade_some(state, place)
        super().absorb(state, place, reward)

    def _fade_some(self, state: MeanState, place: Any) -> None:
        runs = runs_of(state, place)
        left = state.pulls[:, runs] * self.discount
        kept = np.where(left < TINY, 0.0, self.discount)
        for array in (state.pulls, state.sums, state.m2):
            array[:, runs] *= kept
