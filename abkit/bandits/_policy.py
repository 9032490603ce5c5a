"""The face of every policy: which arm next, with which probability, and what a reward teaches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._state import Arm, MeanState, State, checked_arms, frozen

S = TypeVar("S", bound=State)
IntArray = npt.NDArray[np.intp]


class Choice:
    """An arm, and the probability with which it was chosen.

    Parameters
    ----------
    arm : str or int
        The arm.
    propensity : float or function
        The probability, in (0, 1], or what finds it: that is asked once, when `propensity` is first touched.
    """

    __slots__ = ("_arm", "_propensity")

    def __init__(self, arm: Arm, propensity: float | Callable[[], float]) -> None:
        self._arm, self._propensity = arm, propensity

    @property
    def arm(self) -> Arm:
        """The arm."""
        return self._arm

    @property
    def propensity(self) -> float:
        """The probability with which this arm was chosen, in (0, 1]: what must be logged with the decision."""
        if callable(self._propensity):
            self._propensity = self._propensity()
        return self._propensity

    def __iter__(self) -> Iterator[Any]:
        return iter((self.arm, self.propensity))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.arm)

    def __reduce__(self) -> Any:
        return Choice, tuple(self)

    def __repr__(self) -> str:
        return f"Choice(arm={self.arm!r}, propensity={self.propensity:.6g})"


class Policy(ABC, Generic[S]):
    """A rule that chooses arms. Subclasses are frozen dataclasses of its parameters and say five things.

    `empty`, `pick`, `probabilities`, `absorb` and `check_reward` work on arrays with the arms along the first axis, and
    in a simulation the runs along the second; what a person calls is here, and is final.
    """

    kind: ClassVar[str]
    #: Whether arms are chosen at random. Where not, a log says nothing of the arms that were not chosen.
    randomised: ClassVar[bool] = True
    #: Whether `update` must be told the probability with which the arm was chosen.
    needs_propensity: ClassVar[bool] = False
    #: Policies by their names in files.
    kinds: ClassVar[dict[str, type[Policy[Any]]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            Policy.kinds[cls.kind] = cls

    @abstractmethod
    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> S:
        """What is known before any reward."""

    @abstractmethod
    def pick(self, state: S, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""

    @abstractmethod
    def probabilities(self, state: S, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""

    @abstractmethod
    def absorb(
        self, state: S, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place; `place` counts through the arrays as through one line."""

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards that the policy is not made for."""

    def check_context(self, context: object) -> Float64Array | None:
        """The context as the policy reads it; most have none."""
        if context is not None:
            raise ValueError(f"`context` must be left out: {type(self).__name__} has no use for it.")
        return None

    def check_propensity(self, propensity: object) -> float | None:
        """The propensity as the policy reads it; most learn nothing from it."""
        return None if propensity is None else checked_propensity(propensity)

    def init(self, arms: object) -> S:
        """The state before any reward.

        Parameters
        ----------
        arms : list of str or int, or int
            Names of the arms, or how many there are.
        """
        return cast("S", frozen(self.empty(checked_arms(arms))))

    def select(self, state: S, *, rng: np.random.Generator, context: object = None) -> Choice:
        """Choose an arm.

        Parameters
        ----------
        state : State
            What `init` or `update` returned.
        rng : numpy.random.Generator
            The same state of it gives the same choice.
        context : float array, optional
            What is known of this decision, where the policy uses it.

        Returns
        -------
        Choice
            `arm`, and `propensity`, which is computed when it is first asked for.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
        self._check_state(state)
        known = self.check_context(context)
        place = int(self.pick(state, rng, known))
        return Choice(state.arms[place], lambda: float(self.probabilities(state, known)[place]))

    def update(self, state: S, arm: Any, reward: Any, *, propensity: object = None, context: object = None) -> S:
        """The state after one reward, or after several in the order of lists; whenever they come in.

        Parameters
        ----------
        state : State
            What `init` or `update` returned.
        arm : str or int, or a list of them
            The arm that was chosen, by its name.
        reward : float, or a list of as many
            What it gave.
        propensity : float, or a list, optional
            The probability with which it was chosen, where the policy learns from it.
        context : float array, or a list, optional
            What was known of the decision.
        """
        self._check_state(state)
        after = state.copy()
        if isinstance(arm, (str, int, np.generic)):
            self._learn(after, arm, reward, propensity, context)
        else:
            for row in _rows(arm, reward, propensity, context):
                self._learn(after, *row)
        return cast("S", frozen(after))

    def propensities(self, state: S, context: object = None) -> Float64Array:
        """The probability of each arm at the next choice, in the order of `state.arms`."""
        self._check_state(state)
        return self.probabilities(state, self.check_context(context))

    def warm_start(self, report: Any, metric: str | None = None, *, weight: float = 1.0) -> S:
        """The state after the units of an experiment, each counted as `weight` rewards.

        Parameters
        ----------
        report : Report
            Of a finished experiment; its variants become the arms.
        metric : str, optional
            Whose values are the rewards; by default the only success metric.
        weight : float
            How much an old unit counts beside a new reward, above 0 and at most 1.
        """
        from abkit.bandits._warm import warm_state

        return cast("S", warm_state(self, report, metric, weight))

    def to_dict(self) -> dict[str, Any]:
        """The policy as plain values, with its kind: the content of a plan file."""
        values = {field.name: getattr(self, field.name) for field in fields(cast("Any", self))}
        plain = {name: value.to_dict() if isinstance(value, Policy) else value for name, value in values.items()}
        return {"kind": self.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}}

    @staticmethod
    def from_dict(data: object) -> Policy[Any]:
        """Read what `to_dict` wrote; fields that are left out have their defaults."""
        if not isinstance(data, Mapping) or "kind" not in data:
            raise ValueError(f"`policy` must be a mapping with a kind; got {_check.show(data)}.")
        for home in _homes():
            import_module(home)
        kind = _check.choice("policy.kind", data["kind"], sorted(Policy.kinds))
        listed_fields = fields(cast("Any", Policy.kinds[kind]))
        known = [field.name for field in listed_fields]
        for field in listed_fields:
            if field.default is NO_DEFAULT and field.default_factory is NO_DEFAULT and field.name not in data:
                raise ValueError(f"`policy.{field.name}` must be given: a {kind} policy has no default for it.")
        for name in data:
            if name not in (*known, "kind"):
                listed = ", ".join(known) or "none"
                raise ValueError(
                    f"`policy.{name}` is not a field of {kind}; its fields are {listed}.{_check.suggest(name, known)}"
                )
        given = {name: data[name] for name in known if name in data}
        if "policy" in given:
            given["policy"] = Policy.from_dict(given["policy"])
        return Policy.kinds[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})

    @cached_property
    def _knows(self) -> type[State]:
        return type(self.empty(("any",)))

    def _check_state(self, state: S) -> None:
        if type(state) is not self._knows:
            raise TypeError(
                f"`state` must be the {self._knows.__name__} that `init` or `update` of this policy returned; "
                f"got {_check.show(type(state).__name__)}."
            )

    def _learn(self, state: S, arm: object, reward: object, propensity: object, context: object) -> None:
        place = state.index(arm)
        value = _check.number("reward", int(reward) if isinstance(reward, (bool, np.bool_)) else reward)
        self.check_reward(np.asarray(value))
        self.absorb(state, place, value, self.check_propensity(propensity), self.check_context(context))


class MeanPolicy(Policy[MeanState]):
    """A policy that learns the sums of each arm's rewards."""

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> MeanState:
        """What is known before any reward."""
        return MeanState.empty(arms, runs)

    def absorb(
        self, state: MeanState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place."""
        state.absorb(place, reward)


class IndexPolicy(MeanPolicy):
    """A policy that chooses the arm with the largest index, and among equal ones any; each arm once first."""

    randomised: ClassVar[bool] = False

    @abstractmethod
    def index(self, state: MeanState) -> Float64Array:
        """The index of each arm that was pulled, and infinity of one that was not."""

    def pick(self, state: MeanState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return largest(self.index(state), rng)

    def probabilities(self, state: MeanState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        return shares_of_largest(self.index(state))


def largest(scores: Float64Array, rng: np.random.Generator) -> IntArray:
    """Where the largest score is along the first axis; any of them where several are equal."""
    if scores.ndim == 1:
        best = scores.argmax()
        ties = scores == scores[best]
        several = ties.nonzero()[0] if np.count_nonzero(ties) > 1 else None
        return np.asarray(best if several is None else several[rng.integers(several.size)])
    ties = scores == scores.max(axis=0)
    place: IntArray = ties.argmax(axis=0)
    if np.count_nonzero(ties) > place.size:
        counts = ties.sum(axis=0)
        several = np.flatnonzero(counts > 1)
        chosen = rng.integers(counts[several])
        place[several] = (ties[:, several].cumsum(axis=0) > chosen).argmax(axis=0)
    return place


def shares_of_largest(scores: Float64Array) -> Float64Array:
    """The probability of each place under `largest`."""
    ties = scores == scores.max(axis=0)
    return np.asarray(ties / ties.sum(axis=0))


def drawn(probabilities: Float64Array, rng: np.random.Generator) -> IntArray:
    """A place along the first axis, each with its probability."""
    upto = np.cumsum(probabilities, axis=0)
    u = rng.random(probabilities.shape[1:]) * upto[-1]
    return np.asarray((upto > u).argmax(axis=0), dtype=np.intp)


def checked_propensity(value: object) -> float:
    """A probability above 0."""
    result = _check.within("propensity", value, 0, np.inf)
    if result > 1:
        raise ValueError(f"`propensity` must be a probability, above 0 and at most 1; got {result:g}.")
    return result


def check_bounds(bounds: tuple[float, float], reward: Float64Array) -> None:
    """Refuse rewards outside what was declared."""
    low, high = bounds
    smallest, largest_ = (reward.item(),) * 2 if reward.size == 1 else (float(reward.min()), float(reward.max()))
    if not (smallest >= low and largest_ <= high):
        worst = largest_ if smallest >= low else smallest
        raise ValueError(f"`reward` must be within the declared bounds {low:g} and {high:g}; got {worst:g}.")


def _homes() -> Collection[str]:
    """The modules of all policies, each of which makes its own known when it is loaded."""
    from abkit import bandits

    return bandits._HOMES  # noqa: SLF001


def _rows(arm: Any, *columns: Any) -> Iterator[tuple[Any, ...]]:
    arms = _listed(arm)
    if arms is None:
        raise TypeError(f"`arm` must be the name of an arm, or a list of names; got {_check.show(arm)}.")
    listed = []
    for name, column in zip(("reward", "propensity", "context"), columns, strict=True):
        values = [None] * len(arms) if column is None else _listed(column)
        if values is None or len(values) != len(arms):
            raise ValueError(f"`{name}` must have one value for each of {len(arms)} arms; got {_check.show(column)}.")
        listed.append(values)
    return zip(arms, *listed, strict=True)


def _listed(column: Any) -> list[Any] | None:
    """The values of a list, an array or a column of a table; None of anything else."""
    if isinstance(column, (str, Mapping)) or not isinstance(column, Iterable):
        return None
    return None if isinstance(column, np.ndarray) and not column.ndim else list(column)
