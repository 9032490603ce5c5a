"""Environments in which something is known of each decision."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._environment import LARGEST, Environment, arms_of, checked_sd


class _Coefficients(Environment):
    """Contexts of a 1 and independent standard normal numbers, and coefficients of them, one row an arm."""

    coefficients: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        rows = _check.observations("coefficients", self.coefficients, 2)
        if not rows.size:
            raise ValueError("`coefficients` must have one row an arm, with one value or more; got none.")
        if np.abs(rows).max() > LARGEST:
            raise ValueError(f"`coefficients` must be at most {LARGEST:g} in size; got {np.abs(rows).max():g}.")
        object.__setattr__(self, "coefficients", tuple(map(tuple, rows.tolist())))
        object.__setattr__(self, "arms", arms_of(self.arms, len(rows)))

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """The number of values in a context."""
        return len(self.coefficients[0])

    def contexts(self, t: int, runs: int, rng: np.random.Generator) -> Float64Array:
        """What is known of decision `t` before it is made, one row a run."""
        rows = np.ones((runs, self.dimension))
        rows[:, 1:] = rng.standard_normal((runs, self.dimension - 1))
        return rows

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm and run, given contexts; without one, of each arm at the average context."""
        average = np.eye(self.dimension)[0]
        return self.mean_of(np.asarray(self._array @ (average if context is None else context).T))

    @abstractmethod
    def mean_of(self, score: Float64Array) -> Float64Array:
        """The expected reward at a linear score."""

    @cached_property
    def _array(self) -> Float64Array:
        return np.array(self.coefficients)


@dataclass(frozen=True)
class LinearContexts(_Coefficients):
    """Normal rewards whose mean is linear in a context: which offer for which visitor.

    Answers: what does a policy gain that reads the context, where amounts depend on it?

    Parameters
    ----------
    coefficients : list of lists of float
        One row an arm: that of the constant 1, and of each of the standard normal numbers that follow in a context.
    sd : float
        The standard deviation of rewards around their mean, above 0.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        Rows of different length, a standard deviation that is not above 0, or names that are not as many.

    Notes
    -----
    Regret is the best expected reward given the context, less that of the chosen arm.

    Examples
    --------
    >>> import abkit as ab
    >>> environment = ab.bandits.LinearContexts([[0.0, 1.0], [0.5, 0.0]], sd=0.5)
    >>> import numpy as np
    >>> environment.expected(context=np.array([[1.0, 2.0], [1.0, -1.0]])).tolist()
    [[2.0, -1.0], [0.5, 0.5]]
    """

    coefficients: tuple[tuple[float, ...], ...]
    sd: float = 1.0
    arms: Any = None
    kind: ClassVar[str] = "linear-contexts"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sd", checked_sd(self.sd))

    def mean_of(self, score: Float64Array) -> Float64Array:
        """The expected reward at a linear score."""
        return score

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return means + self.sd * rng.standard_normal(means.shape)


@dataclass(frozen=True)
class LogisticContexts(_Coefficients):
    """Rewards of 0 and 1 whose log odds are linear in a context: which article for which reader.

    Answers: what does a policy gain that reads the context, where rates depend on it?

    Parameters
    ----------
    coefficients : list of lists of float
        One row an arm: that of the constant 1, and of each of the standard normal numbers that follow in a context.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        Rows of different length, or names that are not as many.

    Notes
    -----
    Regret is the best expected reward given the context, less that of the chosen arm.

    Examples
    --------
    >>> import abkit as ab
    >>> import numpy as np
    >>> environment = ab.bandits.LogisticContexts([[0.0, 1.0], [0.0, -1.0]])
    >>> environment.expected(context=np.array([[1.0, 0.0]])).tolist()
    [[0.5], [0.5]]
    """

    coefficients: tuple[tuple[float, ...], ...]
    arms: Any = None
    kind: ClassVar[str] = "logistic-contexts"
    extremes: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def mean_of(self, score: Float64Array) -> Float64Array:
        """The expected reward at a linear score."""
        return np.asarray(expit(score))

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return (rng.random(means.shape) < means).astype(np.float64)
