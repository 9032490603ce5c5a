"""The face of every environment: which rewards the arms give, to try policies on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm, checked_arms

#: Expected rewards of this size, whose squares over many decisions still add up.
LARGEST = 1e100


class Environment(ABC):
    """What the arms give. Subclasses are frozen dataclasses of their parameters; decisions are counted from 0.

    `expected` and `around` are what a policy does not see; `simulate` asks them.
    """

    kind: ClassVar[str]
    #: Environments by their names in files.
    kinds: ClassVar[dict[str, type[Environment]]] = {}
    #: Whether the expected rewards of a decision depend on when it is made.
    changes: ClassVar[bool] = False
    #: The number of values in a context, 0 without contexts.
    dimension: int = 0
    #: Rewards at the ends of what can come, where there are ends: what a policy must accept.
    extremes: ClassVar[tuple[float, float] | None] = None
    #: Names of the arms.
    arms: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            Environment.kinds[cls.kind] = cls

    @property
    def lai_robbins(self) -> float | None:
        """The constant C of the least regret, C ln t, that any good policy has in the end; None where none is known."""
        return None

    def contexts(self, t: int, runs: int, rng: np.random.Generator) -> Float64Array | None:
        """What is known of decision `t` before it is made, one row a run."""
        return None

    @abstractmethod
    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm at decision `t`; given contexts, of each arm and run."""

    @abstractmethod
    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward of decision `t` around each of these expected rewards."""

    def arrivals(self, t: int, runs: int, rng: np.random.Generator) -> int | IntArray:
        """Before which decision the rewards of decision `t` are known: of all runs, or of each."""
        return t + 1

    def to_dict(self) -> dict[str, Any]:
        """The environment as plain values, with its kind: the content of a plan file."""
        names = [field.name for field in fields(cast("Any", self))]
        return {"kind": self.kind, **{name: _plain(getattr(self, name)) for name in names}}

    @staticmethod
    def from_dict(data: object) -> Environment:
        """Read what `to_dict` wrote; fields that are left out have their defaults."""
        from abkit.bandits import _changing, _contexts, _delayed, _environments  # noqa: F401 - each makes its kinds known

        if not isinstance(data, Mapping) or "kind" not in data:
            raise ValueError(f"`environment` must be a mapping with a kind; got {_check.show(data)}.")
        made = Environment.kinds[_check.choice("environment.kind", data["kind"], sorted(Environment.kinds))]
        every = fields(cast("Any", made))
        known = [field.name for field in every]
        for name in data:
            if name not in (*known, "kind"):
                raise ValueError(
                    f"`environment.{name}` is not a field of {made.kind}; its fields are {', '.join(known)}."
                    f"{_check.suggest(name, known)}"
                )
        given = {name: data[name] for name in known if name in data}
        try:
            return made(**given)
        except TypeError as error:
            if "required positional" not in str(error):
                raise
            needed = [name for name in known if name not in given and name in str(error)]
            raise ValueError(f"`environment` of kind {made.kind} must have {' and '.join(needed)}; got none.") from None


class Means(Environment):
    """Arms with an expected reward each, and a law around it."""

    means: tuple[float, ...]
    #: Where expected rewards may lie, the ends included.
    allowed: ClassVar[tuple[float, float]] = (-LARGEST, LARGEST)

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", self.checked("means", self.means))
        object.__setattr__(self, "arms", arms_of(self.arms, len(self.means)))

    def checked(self, name: str, means: object) -> tuple[float, ...]:
        """Expected rewards that this law can have."""
        low, high = self.allowed
        values = _check.sample(name, means)
        if not values.size:
            raise ValueError(f"`{name}` must have one value an arm; got none.")
        wrong = values[~((values >= low) & (values <= high))]
        if wrong.size:
            raise ValueError(f"`{name}` must be within {low:g} and {high:g}; got {wrong[0]:g}.")
        return tuple(values.tolist())

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm."""
        return self._array

    @cached_property
    def _array(self) -> Float64Array:
        return np.array(self.means)


def checked_sd(value: object) -> float:
    """A standard deviation of rewards."""
    sd = _check.within("sd", value, 0, np.inf)
    if sd > LARGEST:
        raise ValueError(f"`sd` must be at most {LARGEST:g}; got {sd:g}.")
    return sd


def arms_of(arms: object, count: int) -> tuple[Arm, ...]:
    """Names of arms, numbers where none are given; as many as there must be."""
    named = checked_arms(count if arms is None else arms)
    if len(named) != count:
        raise ValueError(f"`arms` must name each of {count} arms; got {len(named)} names.")
    return named


def inner(environment: object) -> Environment:
    """An environment inside another, which may come from a file."""
    made = Environment.from_dict(environment) if isinstance(environment, Mapping) else environment
    if not isinstance(made, Environment):
        raise TypeError(f"`environment` must be one of ab.bandits; got {_check.show(environment)}.")
    return made


def inner_means(environment: object) -> Means:
    """The same, where the arms must have fixed means."""
    made = inner(environment)
    if not isinstance(made, Means):
        kinds = ", ".join(sorted(kind.__name__ for kind in Environment.kinds.values() if issubclass(kind, Means)))
        raise TypeError(f"`environment` must be one of {kinds}; got {type(made).__name__}.")
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Environment):
        return value.to_dict()
    return [_plain(part) for part in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
