"""A policy that knows the last rewards only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm, MeanState, State
from abkit.bandits._wrapper import Wrapper

#: Where the window holds no reward.
NOTHING = -1.0


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class WindowState(MeanState):
    """The last rewards, and what they add up to.

    Parameters
    ----------
    pulls, sums, m2 : float array, shape (arms,)
        Rewards in the window, their sum, and their squared deviations from their mean, added up.
    places, rewards : float array, shape (window,)
        The place of the arm of each reward, or -1, and the reward, in a ring.
    seen : float array, shape (1,)
        Rewards so far: the next one is written at `seen` modulo the window.
    """

    arms: tuple[Arm, ...]
    pulls: Float64Array
    sums: Float64Array
    m2: Float64Array
    places: Float64Array
    rewards: Float64Array
    seen: Float64Array
    kind: ClassVar[str] = "window"
    shared: ClassVar[tuple[str, ...]] = ("places", "rewards", "seen")

    @classmethod
    def of(cls, window: int, arms: tuple[Arm, ...], runs: tuple[int, ...]) -> WindowState:
        """Before any reward."""
        pulls, sums, m2 = (np.zeros((len(arms), *runs)) for _ in range(3))
        ring = np.full((window, *runs), NOTHING)
        return cls(arms, pulls, sums, m2, ring, np.zeros_like(ring), np.zeros((1, *runs)))

    def check(self) -> None:
        """Refuse statistics that no rewards could have given."""
        # called by the class: `super()` without arguments does not work in a class that is made again for its slots
        MeanState.check(self)
        if self.places.shape != self.rewards.shape or self.places.size == 0 or self.seen.shape != (1,):
            raise ValueError("`places` and `rewards` must be of one length, at least 1, and `seen` of length 1.")
        if not np.isin(self.places, np.arange(-1, len(self.arms))).all() or self.seen[0] % 1 or self.seen[0] < 0:
            raise ValueError("`places` and `seen` must be whole numbers, a place of an arm or -1, and at least 0.")
        if not np.array_equal(self.pulls, np.bincount(_held(self.places), minlength=len(self.arms))):
            raise ValueError("`pulls` must count the `places`.")

    def without_arm(self, arm: Arm) -> WindowState:
        """The same without an arm; other rewards leave the window when they would have."""
        gone = self.index(arm)
        fewer = State.without_arm(self, arm)
        places = np.where(self.places == gone, NOTHING, self.places - (self.places > gone))
        rewards = np.where(self.places == gone, 0.0, self.rewards)
        places.setflags(write=False)
        rewards.setflags(write=False)
        return replace(fewer, places=places, rewards=rewards)

    def absorb(self, place: Any, reward: Any) -> None:
        """Add rewards in place, at most one a run, and take out those that are as old as the window is long."""
        window, width = len(self.places), self.seen.size
        places, rewards = self.places.reshape(window, width), self.rewards.reshape(window, width)
        seen, arm, run = self.seen.reshape(width), place // width, place % width
        slot = seen[run].astype(np.intp) % window
        oldest = places[slot, run]
        if isinstance(place, np.ndarray):
            full = oldest != NOTHING
            self._remove(oldest[full].astype(np.intp) * width + run[full], rewards[slot, run][full])
        elif oldest != NOTHING:
            self._remove(int(oldest), rewards[slot, run])
        places[slot, run], rewards[slot, run] = arm, reward
        seen[run] += 1
        MeanState.absorb(self, place, reward)
        round_again = slot == window - 1
        if np.any(round_again):
            self._count_again(places, rewards, np.atleast_1d(run)[np.atleast_1d(round_again)])

    def _remove(self, place: Any, reward: Any) -> None:
        pulls, sums, m2 = (array.reshape(-1) for array in (self.pulls, self.sums, self.m2))
        n = pulls[place] - 1
        total = np.where(n > 0, sums[place] - reward, 0.0)
        off = reward * n - total
        m2[place] = np.where(n > 1, np.maximum(m2[place] - off * off / (n * (n + 1) + (n == 0)), 0.0), 0.0)
        pulls[place], sums[place] = n, total

    def _count_again(self, places: Float64Array, rewards: Float64Array, runs: IntArray) -> None:
        """The sums of some runs from their rings: what was rounded in adding and taking out must not add up."""
        held = places[:, runs] != NOTHING
        place = (places[:, runs].astype(np.intp) * len(runs) + np.arange(len(runs)))[held]
        values, size = rewards[:, runs][held], len(self.arms) * len(runs)
        pulls, sums = np.bincount(place, minlength=size), np.bincount(place, values, minlength=size)
        off = values - sums[place] / pulls[place]
        for array, counted in (
            (self.pulls, pulls),
            (self.sums, sums),
            (self.m2, np.bincount(place, off * off, minlength=size)),
        ):
            array.reshape(len(self.arms), -1)[:, runs] = counted.reshape(len(self.arms), -1)


@dataclass(frozen=True)
class SlidingWindow(Wrapper):
    """A policy that knows the last rewards only.

    Answers: which arm next, where means change now and then, so that rewards beyond some age are worthless?

    Parameters
    ----------
    policy : Policy
        One that learns from sums of rewards, such as `UCB1`, `KLUCB`, `EpsilonGreedy` or `Softmax`.
    window : int
        How many rewards, of all arms together, are kept.

    Raises
    ------
    ValueError
        A window below 1, or a policy whose state is not sums of rewards.

    Notes
    -----
    The inner policy reads the pulls, sums and squared deviations of the last `window` rewards, with t = min(rewards so
    far, window). Around `UCB1` this is sliding-window UCB [1]_ with B = high - low and xi = 2:
    m_a + B sqrt(xi ln min(t, window) / n_a). An arm without a reward in the window is one that was never pulled: it is
    chosen next. Sums are kept up to date at each reward, and counted again each time that the window has gone round,
    so that rounding does not add up. The state holds the window: `update` copies it, at a cost that grows with it.

    References
    ----------
    .. [1] Garivier and Moulines 2011, Algorithmic Learning Theory, LNCS 6925, sec. 2.2.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.SlidingWindow(ab.bandits.UCB1(), 2)
    >>> policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [1, 0, 1]).pulls.tolist()
    [0.0, 2.0]
    """

    window: int = 1000
    kind: ClassVar[str] = "sliding-window"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_means()
        object.__setattr__(self, "window", _check.count("window", self.window, 1))

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> WindowState:
        """What is known before any reward."""
        return WindowState.of(self.window, arms, runs)

    def absorb(
        self, state: WindowState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place, of which there is at most one a run."""
        if len(state.places) != self.window:
            raise ValueError(f"`state` must have a window of {self.window}; got one of {len(state.places)}.")
        state.absorb(place, reward)


def _held(places: Float64Array) -> Any:
    return places[places != NOTHING].astype(np.intp)
