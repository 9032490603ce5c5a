"""IMED: indexed minimum empirical divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._divergence import check_family_reward, checked_family, kl
from abkit.bandits._index import checked_bounds, of_tried
from abkit.bandits._policy import IndexPolicy
from abkit.bandits._state import TINY, MeanState


@dataclass(frozen=True)
class IMED(IndexPolicy):
    """IMED: the arm that was tried least, for the evidence that it is not the best.

    Answers: the question of `KLUCB`, without a bound to invert.

    Parameters
    ----------
    family : {"bernoulli", "gaussian", "poisson", "exponential"}
        The distribution of rewards; "bernoulli" holds for all rewards within the bounds.
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
    The index is -(n kl(mean, largest mean) + ln n), with n rewards of this arm; the largest is chosen, which is the
    smallest of Honda and Takemura [1]_. That of the arm with the largest mean is -ln n. The regret reaches the limit of
    Lai and Robbins where the family is right. While an arm gives nothing but the largest reward that there can be, an
    arm that gave less has index -infinity and is not chosen.

    References
    ----------
    .. [1] Honda and Takemura 2015, Journal of Machine Learning Research 16, alg. 1.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.IMED()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "a", "b", "b", "b"], [1, 0, 1, 0, 0])
    >>> policy.index(state).round(4).tolist()
    [-0.6931, -1.2685]
    """

    family: str = "bernoulli"
    sd: float = 1.0
    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "imed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", checked_family(self.family))
        object.__setattr__(self, "sd", _check.within("sd", self.sd, 0, np.inf))
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""

        def evidence(pulls: Float64Array) -> Float64Array:
            means = state.sums / pulls
            if self.family == "bernoulli":
                low, high = self.bounds
                means = np.clip((means - low) / (high - low), 0.0, 1.0)
            best = _best(state, means)
            return np.asarray(-pulls * kl(self.family, means, best, self.sd) - np.log(pulls))

        return of_tried(state, evidence)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards that the family cannot give."""
        check_family_reward(self.family, self.bounds, reward)


def _best(state: MeanState, means: Float64Array) -> Float64Array:
    """The largest mean of the arms that were tried."""
    if state.pulls.min() > TINY:
        return np.asarray(means.max(axis=0))
    tried = np.where(state.pulls > TINY, means, -np.inf).max(axis=0)
    return np.where(np.isfinite(tried), tried, 0.0)
