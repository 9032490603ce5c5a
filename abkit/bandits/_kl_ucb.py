"""KL-UCB: upper confidence bounds of one family of rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._divergence import check_family_reward, checked_family, kl_upper
from abkit.bandits._index import checked_bounds, log_t, of_tried
from abkit.bandits._policy import IndexPolicy
from abkit.bandits._state import TINY, MeanState


@dataclass(frozen=True)
class KLUCB(IndexPolicy):
    """KL-UCB: the arm whose mean could be the largest, by the divergence of its family of rewards.

    Answers: which arm next, with as little regret as any rule without randomness can have in the long run?

    Parameters
    ----------
    family : {"bernoulli", "gaussian", "poisson", "exponential"}
        The distribution of rewards; "bernoulli" holds for all rewards within the bounds.
    c : float
        Weight of ln ln t, 0 or more; 0 does best in practice, and the theorem needs 3.
    sd : float
        The standard deviation of gaussian rewards, above 0; other families do not read it.
    bounds : (float, float)
        What no reward can lie below and above, for "bernoulli"; other families do not read it.

    Raises
    ------
    ValueError
        An unknown family or a parameter outside its domain.

    Notes
    -----
    The index is the largest q with n kl(mean, q) <= ln t + c ln ln t, with t rewards so far and n of this arm [1]_,
    [2]_; a negative right side counts as 0. Rewards within bounds are scaled to [0, 1]; since none varies more than a
    Bernoulli reward of the same mean, its bound holds for them, and is wide where they vary little. The regret reaches
    the limit of Lai and Robbins where the family is right. A wrong family, or an `sd` that is too small, can lead to
    regret that grows with t.

    References
    ----------
    .. [1] Garivier and Cappe 2011, COLT, alg. 1.
    .. [2] Cappe, Garivier, Maillard, Munos and Stoltz 2013, Annals of Statistics 41(3), thm 1.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.KLUCB()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1])
    >>> policy.index(state).round(4).tolist()
    [1.0, 0.9082]
    """

    family: str = "bernoulli"
    c: float = 0.0
    sd: float = 1.0
    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "kl-ucb"

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", checked_family(self.family))
        object.__setattr__(self, "c", _check.at_least("c", self.c, 0))
        object.__setattr__(self, "sd", _check.within("sd", self.sd, 0, np.inf))
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""
        low, high = self.bounds
        clock = self._clock(state)

        def bound(pulls: Float64Array) -> Float64Array:
            means = state.sums / pulls
            if self.family == "bernoulli" and self.bounds != (0.0, 1.0):
                scaled = kl_upper(self.family, (means - low) / (high - low), clock / pulls)
                return np.asarray(low + (high - low) * scaled)
            return kl_upper(self.family, means, clock / pulls, self.sd)

        return of_tried(state, bound)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards that the family cannot give."""
        check_family_reward(self.family, self.bounds, reward)

    def _clock(self, state: MeanState) -> Float64Array:
        """The right side, ln t + c ln ln t."""
        clock = log_t(state)
        if not self.c:
            return clock
        return np.maximum(clock + self.c * np.log(np.maximum(clock, TINY)), 0.0)
