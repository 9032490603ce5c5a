"""Upper confidence bounds on the mean reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._index import checked_bounds, log_t, of_tried
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
        clock = 2 * log_t(state)

        def bound(pulls: Float64Array) -> Float64Array:
            # (sum + sqrt(2 n ln t)) / n in place: the largest part of a simulation
            upper = pulls * clock
            np.sqrt(upper, out=upper)
            if high - low != 1:
                upper *= high - low
            upper += state.sums
            upper /= pulls
            return upper

        return of_tried(state, bound)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)


@dataclass(frozen=True)
class UCB1Tuned(IndexPolicy):
    """UCB1 with a bound that is narrower where rewards vary little.

    Answers: which arm next, where rewards are bounded and some arms vary much less than others?

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
    For rewards in [0, 1] the index is the mean plus sqrt(ln t / n min(1/4, s^2 + sqrt(2 ln t / n))), with t rewards so
    far, n of this arm and their variance s^2, n below it [1]_; other bounds are scaled to these. Its authors found it
    better than UCB1 throughout and proved nothing: `UCBV` is the one with a guarantee.

    References
    ----------
    .. [1] Auer, Cesa-Bianchi and Fischer 2002, Machine Learning 47, sec. 4.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.UCB1Tuned()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1])
    >>> policy.index(state).round(4).tolist()
    [1.5241, 0.8706]
    """

    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "ucb1-tuned"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""
        low, high = self.bounds
        width = high - low
        clock = log_t(state)

        def bound(pulls: Float64Array) -> Float64Array:
            share = clock / pulls
            most = state.m2 / pulls / width / width + np.sqrt(2 * share)
            return np.asarray(state.sums / pulls + width * np.sqrt(share * np.minimum(most, 0.25)))

        return of_tried(state, bound)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)


@dataclass(frozen=True)
class UCBV(IndexPolicy):
    """UCB-V: the arm whose mean could be the largest, by the empirical Bernstein bound.

    Answers: which arm next, where rewards are bounded, some arms vary much less than others, and a guarantee is wanted?

    Parameters
    ----------
    bounds : (float, float)
        What no reward can lie below and above.
    zeta : float
        How fast exploration grows with ln t, above 0; the guarantee needs more than 1.
    c : float
        Weight of the term of the range, 0 or more; the guarantee is for 1.

    Raises
    ------
    ValueError
        A parameter outside its domain.

    Notes
    -----
    The index is the mean plus sqrt(2 s^2 E / n) + 3 c (high - low) E / n with E = zeta ln t, t rewards so far, n of
    this arm and their variance s^2, n below it [1]_. The defaults are those of the theorem, which explore much;
    `zeta=1, c=1/3` is the usual choice in practice, and explores less.

    References
    ----------
    .. [1] Audibert, Munos and Szepesvari 2009, Theoretical Computer Science 410(19), eq. 5 and thm 3.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.UCBV()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1])
    >>> policy.index(state).round(4).tolist()
    [4.955, 3.0516]
    """

    bounds: tuple[float, float] = (0.0, 1.0)
    zeta: float = 1.2
    c: float = 1.0
    kind: ClassVar[str] = "ucb-v"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))
        object.__setattr__(self, "zeta", _check.within("zeta", self.zeta, 0, np.inf))
        object.__setattr__(self, "c", _check.at_least("c", self.c, 0))

    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""
        low, high = self.bounds
        clock = self.zeta * log_t(state)
        further = 3 * self.c * (high - low) * clock

        def bound(pulls: Float64Array) -> Float64Array:
            return np.asarray((state.sums + np.sqrt(state.m2 * (2 * clock)) + further) / pulls)

        return of_tried(state, bound)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)
