"""Environments whose means change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._environment import Environment, Means, inner_means
from abkit.bandits._state import Arm


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


def _phase(phase: Any) -> tuple[int, Means]:
    if not isinstance(phase, (list, tuple)) or len(phase) != 2:
        raise TypeError(f"`phases` must be a list of (decision, environment); got {_check.show(phase)}.")
    return _check.count("phases", phase[0]), inner_means(phase[1])
