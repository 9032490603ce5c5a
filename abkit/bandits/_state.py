"""What a policy knows: sufficient statistics of what each arm gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Self, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats._base import Statistics

Arm = str | int


@dataclass(frozen=True, slots=True, eq=False)
class State(Statistics):
    """What a policy knows of its arms; made by `init` and `update`, and never changed.

    Every field but `arms` is an array with one row an arm, unless it is named in `shared`. In a simulation a second
    axis counts the runs.

    Parameters
    ----------
    arms : tuple of str or int
        Names, in the order of the arrays' first axis.
    """

    arms: tuple[Arm, ...]
    kind: ClassVar[str] = "state"
    #: A state of each kind, to read what was written.
    kinds: ClassVar[dict[str, type[State]]] = {}
    #: Arrays whose rows are not arms.
    shared: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def register(cls, kind: type[State]) -> type[State]:
        """Make a kind of state known to `State.from_dict`."""
        cls.kinds[kind.kind] = kind
        return kind

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read what `to_dict` wrote; refuses another kind, missing or unknown fields, and numbers that cannot be."""
        if cls is State and isinstance(data, dict):
            if data.get("kind") not in [*cls.kinds]:
                _load_kinds()
            kind = _check.choice("kind", data.get("kind"), tuple(cls.kinds))
            return cast("Self", cls.kinds[kind].from_dict(data))
        raw = Statistics.from_dict.__func__(cls, data)  # type: ignore[attr-defined]
        arms = checked_arms(raw.arms)
        arrays = {
            name: _read(name, getattr(raw, name), None if name in cls.shared else len(arms)) for name in cls.arrays()
        }
        state = cls(arms, **arrays)
        state.check()
        return state

    def check(self) -> None:
        """Refuse statistics that no rewards could have given."""

    @classmethod
    @cache
    def arrays(cls) -> tuple[str, ...]:
        """The names of the fields that are arrays."""
        return tuple(field.name for field in fields(cls))[1:]

    def index(self, arm: object) -> int:
        """The place of an arm."""
        if isinstance(arm, np.generic):
            arm = arm.item()
        try:
            place = self.arms.index(cast("Arm", arm))
        except ValueError:
            place = -1
        if place < 0 or type(self.arms[place]) is not type(arm):
            listed = ", ".join(map(repr, self.arms))
            hint = _check.suggest(arm, self.arms)
            raise ValueError(f"`arm` must be one of {listed}; got {_check.show(arm)}.{hint}")
        return place

    def copy(self) -> Self:
        """The same in arrays of their own, which may be written to."""
        return type(self)(self.arms, *[getattr(self, name).copy() for name in self.arrays()])

    def with_arm(self, arm: Arm) -> Self:
        """The same with one more arm, of which nothing is known."""
        arms = checked_arms((*self.arms, arm))
        return replace(self, arms=arms, **self._rows(lambda name, rows: np.concatenate([rows, self.cold(name)])))

    def without_arm(self, arm: Arm) -> Self:
        """The same without an arm."""
        gone = self.index(arm)
        if len(self.arms) == 1:
            raise ValueError(f"`arm` must not be the only one; got {arm!r}.")
        arms = self.arms[:gone] + self.arms[gone + 1 :]
        return replace(self, arms=arms, **self._rows(lambda _, rows: np.delete(rows, gone, axis=0)))

    def cold(self, name: str) -> Float64Array:
        """The row of an array for an arm of which nothing is known."""
        return np.zeros_like(getattr(self, name)[:1])

    def _rows(self, change: Any) -> dict[str, Float64Array]:
        """Every array with one row an arm, changed."""
        return {name: _frozen(change(name, getattr(self, name))) for name in self.arrays() if name not in self.shared}


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class MeanState(State):
    """How often each arm was pulled, and its rewards' sum and sum of squared deviations from their mean.

    Sums, not means: equal rewards in another order are equal then, and tie exactly.

    Parameters
    ----------
    pulls, sums, m2 : float array, shape (arms,)
        Rewards seen, discounted where the policy discounts; their sum; and their squared deviations, added up.
    """

    arms: tuple[Arm, ...]
    pulls: Float64Array
    sums: Float64Array
    m2: Float64Array
    kind: ClassVar[str] = "means"

    @classmethod
    def empty(cls, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> MeanState:
        """Before any reward."""
        return cls(arms, *(np.zeros((len(arms), *runs)) for _ in range(3)))

    def check(self) -> None:
        """Refuse statistics that no rewards could have given."""
        for name in ("pulls", "m2"):
            smallest = float(getattr(self, name).min())
            if smallest < 0:
                raise ValueError(f"`{name}` must be at least 0; got {smallest:g}.")
        if np.any((self.pulls == 0) & ((self.sums != 0) | (self.m2 != 0))):
            raise ValueError("`sums` and `m2` must be 0 where `pulls` is 0.")

    @property
    def t(self) -> Float64Array:
        """Rewards seen so far, of all arms."""
        return np.asarray(self.pulls.sum(axis=0))

    @property
    def means(self) -> Float64Array:
        """Mean reward of each arm; 0 of one that was never pulled."""
        return np.asarray(self.sums / np.maximum(self.pulls, TINY))

    @property
    def variances(self) -> Float64Array:
        """Variance of each arm's rewards, with n and not n - 1 below it, as the indices of the literature take it."""
        return np.asarray(self.m2 / np.maximum(self.pulls, TINY))

    def absorb(self, place: Any, reward: Any) -> None:
        """Add rewards in place; `place` counts through the arrays as through one line."""
        pulls, sums, m2 = (array.reshape(-1) for array in (self.pulls, self.sums, self.m2))
        n, total = pulls[place], sums[place]
        # Welford's step without a mean of its own: (x - mean before)(x - mean after)
        off = reward * n - total
        m2[place] += off * off / (n * (n + 1) + (n == 0))
        pulls[place] = n + 1
        sums[place] = total + reward


#: Discounted pulls below this are none.
TINY = 1e-12


def checked_arms(arms: object) -> tuple[Arm, ...]:
    """Names of arms, or how many there are, whose names are then 0, 1, ..."""
    if isinstance(arms, (int, np.integer)) and not isinstance(arms, bool):
        return tuple(range(_check.count("arms", arms, 1)))
    if isinstance(arms, (str, dict)) or not isinstance(arms, (Sequence, np.ndarray)):
        raise TypeError(f"`arms` must be a list of names, or how many there are; got {_check.show(arms)}.")
    named = tuple(arm.item() if isinstance(arm, np.generic) else arm for arm in arms)
    for arm in named:
        if isinstance(arm, bool) or not isinstance(arm, (str, int)):
            raise TypeError(f"`arms` must be names or whole numbers; got {_check.show(arm)}.")
    if not named:
        raise ValueError("`arms` must have at least one arm; got none.")
    if len({str(arm) for arm in named}) < len(named):
        raise ValueError(f"`arms` must not repeat a name; got {_check.show(list(named))}.")
    return named


def frozen(state: State) -> State:
    """The same state, whose arrays cannot be written to any more."""
    for name in state.arrays():
        getattr(state, name).setflags(write=False)
    return state


def _load_kinds() -> None:
    """Each kind of state makes itself known when its module is loaded."""
    from abkit import bandits

    for home in bandits._HOMES:  # noqa: SLF001
        import_module(home)


def _frozen(array: Float64Array) -> Float64Array:
    array.setflags(write=False)
    return array


def _read(name: str, values: object, arms: int | None) -> Float64Array:
    array = _check.sample(name, values, (0, 1, 2, 3)) if np.size(np.asarray(values)) else np.zeros((arms or 0, 0))
    if arms is not None and array.ndim and array.shape[0] != arms:
        raise ValueError(f"`{name}` must have one row for each of {arms} arms; got {array.shape[0]}.")
    return _frozen(array)
