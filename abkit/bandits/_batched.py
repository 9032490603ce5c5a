"""A policy that learns when a whole batch of rewards is in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._contextual import of_the_chosen
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm, State, checked_arms, frozen
from abkit.bandits._wrapper import Wrapper

#: The place of a reward whose arm has been taken away.
GONE = -1.0
ROWS = ("places", "rewards", "propensities", "contexts")


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class BatchState(State):
    """What an inner policy knows, and the rewards that it has not been told of.

    Parameters
    ----------
    known : State
        Of the inner policy, as of the last full batch.
    waiting : float array, shape (1,)
        How many rewards wait.
    places, rewards, propensities : float array, shape (size,)
        The rewards that wait, their arms' places and propensities, and zeros behind them; 0 is no propensity.
    contexts : float array, shape (size, dimension)
        The contexts of their arms; without columns where the policy reads none.
    """

    arms: tuple[Arm, ...]
    known: State
    waiting: Float64Array
    places: Float64Array
    rewards: Float64Array
    propensities: Float64Array
    contexts: Float64Array
    kind: ClassVar[str] = "batch"
    shared: ClassVar[tuple[str, ...]] = ("waiting", *ROWS)

    @classmethod
    @cache
    def arrays(cls) -> tuple[str, ...]:
        """The names of the fields that are arrays."""
        return cls.shared

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, with the kind."""
        plain = {name: getattr(self, name).tolist() for name in self.arrays()}
        return {"kind": self.kind, "arms": list(self.arms), "known": self.known.to_dict(), **plain}

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read what `to_dict` wrote; refuses what it cannot have written."""
        fields_ = {"kind", "arms", "known", *cls.arrays()}
        if not isinstance(data, dict) or set(data) != fields_ or data["kind"] != cls.kind:
            raise ValueError(f"`data` must have kind {cls.kind!r} and exactly the fields {sorted(fields_)}.")
        known = State.from_dict(data["known"])
        arrays = {name: _check.sample(name, data[name], 1) for name in cls.arrays() if name != "contexts"}
        contexts = _check.sample("contexts", data["contexts"], 2)
        state = cls(checked_arms(data["arms"]), known, **arrays, contexts=contexts)
        state.check()
        return frozen(state)  # type: ignore[return-value]

    def check(self) -> None:
        """Refuse a batch that cannot be."""
        size = len(self.places)
        if self.known.arms != self.arms:
            raise ValueError("`known` must be of the same arms.")
        if len({size, *(len(getattr(self, name)) for name in ROWS)}) > 1 or self.waiting.shape != (1,):
            raise ValueError("`places` and what goes with them must be of one length, and `waiting` of length 1.")
        if not 0 <= self.waiting[0] < size or self.waiting[0] % 1:
            raise ValueError(f"`waiting` must be a whole number below {size}; got {self.waiting[0]:g}.")
        if not np.isin(self.places, np.arange(-1, len(self.arms))).all():
            raise ValueError("`places` must be places of arms, or -1.")
        if self.propensities.min() < 0 or self.propensities.max() > 1:
            raise ValueError("`propensities` must be from 0 to 1.")

    def copy(self) -> Self:
        """The same in arrays of its own; what the inner policy knows is replaced at a full batch, not written to."""
        arrays = {name: getattr(self, name).copy() for name in self.arrays()}
        return type(self)(self.arms, self.known, **arrays)

    def with_arm(self, arm: Arm) -> Self:
        """The same with one more arm, of which nothing is known."""
        known = self.known.with_arm(arm)
        return replace(self, arms=known.arms, known=known)

    def without_arm(self, arm: Arm) -> Self:
        """The same without an arm, and without its rewards that wait."""
        gone, known = self.index(arm), self.known.without_arm(arm)
        places = np.where(self.places == gone, GONE, self.places - (self.places > gone))
        places.setflags(write=False)
        return replace(self, arms=known.arms, known=known, places=places)


@dataclass(frozen=True)
class Batched(Wrapper):
    """A policy that learns only when a whole batch of rewards is in.

    Answers: which arm next, where the rule that serves decisions is renewed after every so many rewards?

    Parameters
    ----------
    policy : Policy
        The inner policy.
    size : int
        Rewards in a batch, of all arms together.

    Raises
    ------
    ValueError
        A size below 1.

    Notes
    -----
    Within a batch the inner policy decides with the state as of the last full one, so that propensities do not change.
    Rewards that wait are part of the state. A deterministic policy gives a whole batch to one arm; at the beginning,
    where arms without a reward come first, each choice is one of all arms. Regret grows by at most the order of the
    size for each arm [1]_.

    References
    ----------
    .. [1] Perchet, Rigollet, Chassang and Snowberg 2016, Annals of Statistics 44(2).

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.Batched(ab.bandits.EpsilonGreedy(0.2), 2)
    >>> state = policy.update(policy.init(["a", "b"]), "a", 1.0)
    >>> policy.propensities(state).tolist(), policy.propensities(policy.update(state, "b", 0.0)).tolist()
    ([0.5, 0.5], [0.9, 0.1])
    """

    size: int = 100
    kind: ClassVar[str] = "batched"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "size", _check.count("size", self.size, 1))

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> BatchState:
        """What is known before any reward."""
        known = frozen(self.policy.empty(arms, runs))
        places, rewards, propensities = (np.zeros((self.size, *runs)) for _ in range(3))
        contexts = np.zeros((self.size, *runs, self._dimension()))
        return BatchState(arms, known, np.zeros((1, *runs)), places, rewards, propensities, contexts)

    def pick(self, state: BatchState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return super().pick(state.known, rng, context)

    def probabilities(self, state: BatchState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        return super().probabilities(state.known, context)

    def absorb(
        self, state: BatchState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Keep rewards, at most one a run; where the batch is full, tell the inner policy."""
        if len(state.places) != self.size:
            raise ValueError(f"`state` must have batches of {self.size}; got batches of {len(state.places)}.")
        places, rewards, propensities, contexts, waiting = _by_runs(state)
        width = waiting.size
        arm, runs = np.divmod(np.atleast_1d(place), width)
        slot = waiting[runs].astype(np.intp)
        places[slot, runs] = arm
        rewards[slot, runs] = reward
        propensities[slot, runs] = 0.0 if propensity is None else propensity
        if context is not None:
            contexts[slot, runs] = of_the_chosen(state, place, context)
        waiting[runs] += 1
        full = runs[slot == self.size - 1]
        if full.size:
            self._tell(state, full)

    def _tell(self, state: BatchState, full: IntArray) -> None:
        """What waits in these runs, in its order."""
        places, rewards, propensities, contexts, waiting = _by_runs(state)
        width, known = waiting.size, state.known.copy()
        for row in range(self.size):
            runs = full[places[row, full] != GONE]
            if not runs.size:
                continue
            place = places[row, runs].astype(np.intp) * width + runs
            given = (
                place,
                rewards[row, runs],
                propensities[row, runs] if self.policy.needs_propensity else None,
                contexts[row, runs] if contexts.shape[-1] else None,
            )
            live = not state.waiting.shape[1:]
            self.policy.absorb(known, *((None if item is None else item[0] for item in given) if live else given))
        for rows in (places, rewards, propensities, contexts):
            rows[:, full] = 0.0
        waiting[full] = 0
        object.__setattr__(state, "known", frozen(known))

    def _dimension(self) -> int:
        inner: Any = self.policy
        while isinstance(inner, Wrapper):
            inner = inner.policy
        return int(getattr(inner, "dimension", 0))


def _by_runs(state: BatchState) -> tuple[Any, ...]:
    """Rows with the runs along the second axis; a live state is one run."""
    size, width = len(state.places), state.waiting.size
    rows = (getattr(state, name).reshape(size, width) for name in ("places", "rewards", "propensities"))
    return (*rows, state.contexts.reshape(size, width, state.contexts.shape[-1]), state.waiting.reshape(width))
