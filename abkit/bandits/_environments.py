"""Environments without contexts: rewards around fixed means, means that change, rewards that come late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._environment import LARGEST, Environment, Means, checked_sd, inner, inner_means
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm


@dataclass(frozen=True)
class Bernoulli(Means):
    """Arms that give 1 with a probability each, and else 0: clicks, conversions.

    Answers: how would a policy do, if these were the rates?

    Parameters
    ----------
    means : list of float
        The probability of a reward, one an arm, from 0 to 1.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A probability outside 0 and 1, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> environment = ab.bandits.Bernoulli([0.9, 0.8])
    >>> round(environment.lai_robbins, 4)
    2.2521
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "bernoulli"
    allowed: ClassVar[tuple[float, float]] = (0.0, 1.0)
    extremes: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return (rng.random(means.shape) < means).astype(np.float64)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "bernoulli")


@dataclass(frozen=True)
class Gaussian(Means):
    """Arms with normal rewards of one standard deviation: a measured amount.

    Answers: how would a policy do, if these were the means, and rewards scattered so much?

    Parameters
    ----------
    means : list of float
        The expected reward, one an arm, at most 1e100 in size.
    sd : float
        The standard deviation of every reward, above 0 and at most 1e100.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A standard deviation that is not above 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Gaussian([0.5, 0.0], 1.0).lai_robbins
    4.0
    """

    means: tuple[float, ...]
    sd: float = 1.0
    arms: Any = None
    kind: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sd", checked_sd(self.sd))

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return means + self.sd * rng.standard_normal(means.shape)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "gaussian", self.sd)


@dataclass(frozen=True)
class Poisson(Means):
    """Arms that give a Poisson number: orders, page views.

    Answers: how would a policy do, if these were the mean counts?

    Parameters
    ----------
    means : list of float
        The expected number, one an arm, from 0 to 1e15.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A mean below 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Poisson([2.0, 1.0]).expected().tolist()
    [2.0, 1.0]
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "poisson"
    allowed: ClassVar[tuple[float, float]] = (0.0, 1e15)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return rng.poisson(means).astype(np.float64)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "poisson")


@dataclass(frozen=True)
class Exponential(Means):
    """Arms with exponential rewards: amounts that are mostly small, at times large.

    Answers: how would a policy do, if these were the mean amounts?

    Parameters
    ----------
    means : list of float
        The expected reward, one an arm, from 1e-100 to 1e100.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A mean that is not above 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Exponential([2.0, 1.0]).expected().tolist()
    [2.0, 1.0]
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "exponential"
    allowed: ClassVar[tuple[float, float]] = (1 / LARGEST, LARGEST)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return means * rng.standard_exponential(means.shape)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "exponential")


class _Changing(Environment):
    """Expected rewards that depend on when a decision is made."""

    environment: Means
    changes: ClassVar[bool] = True

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The names of the arms."""
        return cast("tuple[Arm, ...]", self.environment.arms)

    @property
    def extremes(self) -> tuple[float, float] | None:  # type: ignore[override]
        """Rewards at the ends of what can come."""
        return self.environment.extremes

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward of decision `t` around each of these expected rewards."""
        return self.environment.around(means, t, rng)


@dataclass(frozen=True)
class Drifting(_Changing):
    """Means that move in a straight line: a novelty that wears off, a season.

    Answers: does a policy follow, where the best arm changes slowly?

    Parameters
    ----------
    environment : Bernoulli, Gaussian, Poisson or Exponential
        The arms at the first decision.
    to : list of float
        The expected rewards at decision `steps`, one an arm.
    steps : int
        How many decisions the way takes; the means stay there afterwards.
    returns : bool
        They go back instead, by the same way, and so on for ever.

    Raises
    ------
    ValueError
        Means that the law cannot have, or that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> environment = ab.bandits.Drifting(ab.bandits.Bernoulli([0.75, 0.5]), to=[0.25, 0.5], steps=1000)
    >>> environment.expected(500).tolist(), environment.expected(2000).tolist()
    ([0.5, 0.5], [0.25, 0.5])
    """

    environment: Means
    to: tuple[float, ...]
    steps: int
    returns: bool = False
    kind: ClassVar[str] = "drifting"

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", inner_means(self.environment))
        object.__setattr__(self, "to", self.environment.checked("to", self.to))
        if len(self.to) != len(self.environment.means):
            raise ValueError(f"`to` must have one mean for each of {len(self.arms)} arms; got {len(self.to)}.")
        object.__setattr__(self, "steps", _check.count("steps", self.steps, 1))
        _check.choice("returns", self.returns, (True, False))

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm at decision `t`."""
        way = t / self.steps
        share = 1 - abs(way % 2 - 1) if self.returns else min(way, 1.0)
        return np.asarray((1 - share) * self.environment.expected() + share * np.array(self.to))


@dataclass(frozen=True)
class Abrupt(_Changing):
    """Means that jump at given decisions: a release, a price, a competitor.

    Answers: how fast does a policy find the new best arm?

    Parameters
    ----------
    phases : list of (int, environment)
        From which decision on there is which environment (Bernoulli, Gaussian, Poisson or Exponential); the first from
        decision 0, all of one kind and with the same arms.

    Raises
    ------
    ValueError
        Phases that do not begin with decision 0, are not in order, or differ in their kind or arms.

    Examples
    --------
    >>> import abkit as ab
    >>> before, after = ab.bandits.Bernoulli([0.9, 0.8]), ab.bandits.Bernoulli([0.2, 0.8])
    >>> environment = ab.bandits.Abrupt([(0, before), (5000, after)])
    >>> environment.expected(4999).tolist(), environment.expected(5000).tolist()
    ([0.9, 0.8], [0.2, 0.8])
    """

    phases: tuple[tuple[int, Means], ...]
    kind: ClassVar[str] = "abrupt"

    def __post_init__(self) -> None:
        phases: Any = self.phases
        if not isinstance(phases, (list, tuple)) or not phases:
            raise TypeError(f"`phases` must be a list of (decision, environment); got {_check.show(phases)}.")
        object.__setattr__(self, "phases", tuple(_phase(phase) for phase in phases))
        starts = [start for start, _ in self.phases]
        if starts[0] != 0 or sorted(set(starts)) != starts:
            raise ValueError(f"`phases` must begin with decision 0 and be in order; got {_check.show(starts)}.")
        for _, phase in self.phases:
            if type(phase) is not type(self.environment) or phase.arms != self.arms:
                raise ValueError("`phases` must be of one kind of environment and have the same arms.")

    @property
    def environment(self) -> Means:  # type: ignore[override]
        """The environment of the first decision."""
        return self.phases[0][1]

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm at decision `t`."""
        return self._at(t).expected()

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward of decision `t` around each of these expected rewards."""
        return self._at(t).around(means, t, rng)

    def _at(self, t: int) -> Means:
        return next(phase for start, phase in reversed(self.phases) if start <= t)


@dataclass(frozen=True)
class Delayed(Environment):
    """Rewards that come late, or in batches: purchases days after the click, a nightly job.

    Answers: what does it cost a policy that rewards are known only later?

    Parameters
    ----------
    environment : environment
        What the arms give; any, but not one that is delayed itself.
    delay : float
        How many further decisions are made, on average, before a reward is known, at least 0; a whole number where
        `law` is "fixed".
    law : str
        "fixed", or "geometric": known before each later decision with the same probability, independently.
    batch : int
        Rewards come in before every decision whose number is a multiple of this only; 1 is at once.

    Raises
    ------
    ValueError
        A delay below 0, or that no fixed one can be.

    Examples
    --------
    >>> import abkit as ab
    >>> import numpy as np
    >>> environment = ab.bandits.Delayed(ab.bandits.Bernoulli([0.9, 0.8]), delay=10, batch=100)
    >>> environment.arrivals(0, 1, np.random.default_rng(1))
    100
    """

    environment: Environment
    delay: float = 0.0
    law: str = "fixed"
    batch: int = 1
    kind: ClassVar[str] = "delayed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", inner(self.environment))
        if isinstance(self.environment, Delayed):
            raise TypeError("`environment` must not be delayed already; add the delays up.")
        object.__setattr__(self, "delay", _check.at_least("delay", self.delay, 0))
        _check.choice("law", self.law, ("fixed", "geometric"))
        object.__setattr__(self, "batch", _check.count("batch", self.batch, 1))
        if self.delay > 1e15 or (self.law == "fixed" and not self.delay.is_integer()):
            raise ValueError(f"`delay` must be a whole number of decisions, at most 1e15; got {self.delay:g}.")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The names of the arms."""
        return cast("tuple[Arm, ...]", self.environment.arms)

    @property
    def changes(self) -> bool:  # type: ignore[override]
        """Whether the expected rewards of a decision depend on when it is made."""
        return self.environment.changes

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """The number of values in a context, 0 without contexts."""
        return self.environment.dimension

    @property
    def extremes(self) -> tuple[float, float] | None:  # type: ignore[override]
        """Rewards at the ends of what can come."""
        return self.environment.extremes

    @property
    def lai_robbins(self) -> float | None:
        """That of the environment: a delay changes nothing in the end."""
        return self.environment.lai_robbins

    def contexts(self, t: int, runs: int, rng: np.random.Generator) -> Float64Array | None:
        """What is known of decision `t` before it is made, one row a run."""
        return self.environment.contexts(t, runs, rng)

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm at decision `t`; given contexts, of each arm and run."""
        return self.environment.expected(t, context)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward of decision `t` around each of these expected rewards."""
        return self.environment.around(means, t, rng)

    def arrivals(self, t: int, runs: int, rng: np.random.Generator) -> int | IntArray:
        """Before which decision the rewards of decision `t` are known: of all runs, or of each."""
        if self.law == "fixed":
            return int(_rounded_up(t + 1 + int(self.delay), self.batch))
        late = rng.geometric(1 / (1 + self.delay), size=runs)
        return np.asarray(_rounded_up(t + late, self.batch), dtype=np.intp)


def _rounded_up(value: Any, multiple: int) -> Any:
    return -(-value // multiple) * multiple


def _phase(phase: Any) -> tuple[int, Means]:
    if not isinstance(phase, (list, tuple)) or len(phase) != 2:
        raise TypeError(f"`phases` must be a list of (decision, environment); got {_check.show(phase)}.")
    return _check.count("phases", phase[0]), inner_means(phase[1])


def _constant(means: Sequence[float], family: str, sd: float = 1.0) -> float:
    from abkit.bandits._lai_robbins import lai_robbins

    return lai_robbins(means, family, sd)
