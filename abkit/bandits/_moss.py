"""MOSS: least regret in the worst case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._index import checked_bounds, of_tried
from abkit.bandits._policy import IndexPolicy, check_bounds
from abkit.bandits._state import MeanState


@dataclass(frozen=True)
class MOSS(IndexPolicy):
    """MOSS: an upper bound that stops exploring an arm once it had its share of the horizon.

    Answers: which arm next, where the number of decisions is known and the worst problem of that length counts?

    Parameters
    ----------
    horizon : int, optional
        How many decisions there will be; without it, the rewards so far stand for it (anytime MOSS).
    bounds : (float, float)
        What no reward can lie below and above.

    Raises
    ------
    ValueError
        A horizon below 1, or bounds that are not two numbers in order.

    Notes
    -----
    The index is the mean plus (high - low) sqrt(max(ln(T / (K n)), 0) / n), with K arms, n rewards of this one and the
    horizon T [1]_. Its regret is at most of the order sqrt(K T), which no policy can better in the worst case; on an
    easy problem, where gaps are large, `KLUCB` and `IMED` lose less.

    References
    ----------
    .. [1] Audibert and Bubeck 2009, COLT, sec. 2.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.MOSS(horizon=100)
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1])
    >>> policy.index(state).round(4).tolist()
    [2.9779, 1.7686]
    """

    horizon: int | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "moss"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))
        if self.horizon is not None:
            object.__setattr__(self, "horizon", _check.count("horizon", self.horizon, 1))
            _check.number("horizon", self.horizon)

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""
        low, high = self.bounds
        share = (state.t if self.horizon is None else self.horizon) / len(state.arms)

        def bound(pulls: Float64Array) -> Float64Array:
            left = np.log(np.maximum(share / pulls, 1.0))
            return np.asarray((state.sums + (high - low) * np.sqrt(pulls * left)) / pulls)

        return of_tried(state, bound)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)
